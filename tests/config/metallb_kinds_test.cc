// MetalLB's pools, L2 advertisements and admission: what is taken, what is refused, what it
// becomes.
#include "config/interface_match.h"
#include "tests/config/metallb_manifests.h"

namespace herald::config {
namespace {

TEST(MetallbPool, IsTakenOrRefused) {
  const std::string app = "{matchLabels: {team: metallb}}";
  const Verdict cases[] = {
      {"a CIDR", metallb_pool("p", "addresses: [10.20.0.0/16]")},
      {"host bits", metallb_pool("p", "addresses: [10.20.30.40/24, 1.2.3.0/28]")},
      {"IPv6", metallb_pool("p", "addresses: ['2001:db8::/64']")},
      {"a range", metallb_pool("p", "addresses: [10.0.0.1-10.0.0.9, 10.0.1.1 - 10.0.1.9]")},
      {"a range of one", metallb_pool("p", "addresses: [10.0.0.250-10.0.0.250]")},
      {"no name", metallb_pool("''", "addresses: [10.0.0.0/24]"), "metadata.name: is missing"},
      {"no addresses", metallb_pool("p", ""), "spec.addresses: is missing"},
      {"empty addresses", metallb_pool("p", "addresses: []"), "spec.addresses: is missing"},
      {"octet over 255", metallb_pool("p", "addresses: [100.200.300.400/24]"), "is no CIDR"},
      {"length 33", metallb_pool("p", "addresses: [1.2.3.0/33]"), "is no CIDR"},
      {"blank", metallb_pool("p", "addresses: [' 10.0.0.0/8']"), "is no CIDR"},
      {"reversed", metallb_pool("p", "addresses: [1.2.3.10-1.2.3.1]"), "ends before it begins"},
      {"two families", metallb_pool("p", "addresses: ['1.2.3.10-2001:db8::1']"), "mixes IPv4"},
      {"one address", metallb_pool("p", "addresses: [1.2.3.4]"), "write 1.2.3.4/32"},
      {"leading zero", metallb_pool("p", "addresses: [1.2.3.04/32]"), "is no CIDR"},
      {"overlap inside", metallb_pool("p", "addresses: [10.0.0.0/24, 10.0.0.128-10.0.0.130]"),
       "of the same pool"},
      {"overlap outside",
       metallb_pool("p", "addresses: [10.0.0.0/8]") + metallb_pool("q", "addresses: [10.0.0.0/16]"),
       "overlaps pool"},
      {"touching", metallb_pool("p", "addresses: [10.0.0.0/25]") +
                       metallb_pool("q", "addresses: [10.0.0.128/25]")},
      {"name twice",
       metallb_pool("p", "addresses: [10.0.0.0/25]") +
           metallb_pool("p", "addresses: [11.0.0.0/25]"),
       "is there twice"},
      {"name twice in two namespaces",
       metallb_pool("p", "addresses: [10.0.0.0/25]") +
           metallb_object("IPAddressPool", "p", "addresses: [11.0.0.0/25]", "namespace: other"),
       "is there twice"},
      {"priority alone",
       metallb_pool("p", "addresses: [1.0.0.0/8], serviceAllocation: {priority: 1}")},
      {"namespace twice",
       metallb_pool("p", "addresses: [1.0.0.0/8], serviceAllocation: {namespaces: [a, a]}"),
       "'a' is in the list twice"},
      {"namespace selector twice",
       metallb_pool("p", "addresses: [1.0.0.0/8], serviceAllocation: {namespaceSelectors: [" + app +
                             ", " + app + "]}"),
       "is in the list twice"},
      {"service selector twice",
       metallb_pool("p", "addresses: [1.0.0.0/8], serviceAllocation: {serviceSelectors: [" + app +
                             ", " + app + "]}"),
       "is in the list twice"},
      {"value twice",
       metallb_pool("p",
                    "addresses: [1.0.0.0/8], serviceAllocation: {serviceSelectors: "
                    "[{matchExpressions: [{key: a, operator: In, values: [b, c, b]}]}]}"),
       "lists the value 'b' of a twice"},
      {"typo", metallb_pool("p", "addresses: [1.0.0.0/8], autoAsign: false"), "autoAssign"},
  };
  expect_verdicts(cases);
}

TEST(MetallbPool, BecomesAPool) {
  const Desired d = read(metallb_object(
      "IPAddressPool", "p",
      "addresses: [10.20.30.40/24, '2001:db8::1-2001:db8::9'], autoAssign: false, "
      "avoidBuggyIPs: true, serviceAllocation: {priority: 7, namespaces: [a, b], "
      "namespaceSelectors: [{matchLabels: {x: y}}], serviceSelectors: [{matchLabels: "
      "{s: t}}, {}]}",
      "namespace: metallb-system, labels: {zone: one}, creationTimestamp: "
      "\"2020-01-01T00:00:00Z\""));
  EXPECT_TRUE(d.problems.empty());
  ASSERT_EQ(d.pools.size(), 1U);
  const Pool& p = d.pools[0];
  EXPECT_EQ(p.name.str(), "p");
  ASSERT_EQ(p.ranges.size(), 2U);
  EXPECT_EQ(to_string(p.ranges[0]), "10.20.30.0-10.20.30.255");
  EXPECT_EQ(to_string(p.ranges[1]), "2001:db8::1-2001:db8::9");
  EXPECT_EQ(p.labels, (Labels{{"zone", "one"}}));
  EXPECT_TRUE(p.created);
  EXPECT_FALSE(p.auto_assign);
  EXPECT_TRUE(p.avoid_buggy_ipv4);
  EXPECT_EQ(p.priority, 7);
  EXPECT_EQ(to_string(p.namespace_selectors), "x=y or kubernetes.io/metadata.name in (a,b)");
  EXPECT_EQ(to_string(p.service_selectors), "s=t or <everything>");
  EXPECT_TRUE(p.one_pool);
  EXPECT_FALSE(p.prefer_shared);
  EXPECT_TRUE(p.release_on_refusal);
  EXPECT_TRUE(p.probe);
  EXPECT_FALSE(p.disabled);
}

TEST(MetallbPool, ForSomeComesBeforePoolsForAll) {
  const struct {
    std::string allocation;
    std::optional<int> priority;
  } cases[] = {
      {"", std::nullopt},
      {", serviceAllocation: {}", 1'000'000},
      {", serviceAllocation: {priority: 0}", 1'000'000},
      {", serviceAllocation: {priority: -3}", 1'000'000},
      {", serviceAllocation: {namespaces: [a]}", 1'000'000},
      {", serviceAllocation: {priority: 1}", 1},
      {", serviceAllocation: {priority: 2000000000}", 999'999},
  };
  for (const auto& c : cases) {
    const Desired d = read(metallb_pool("p", "addresses: [1.0.0.0/8]" + c.allocation));
    ASSERT_EQ(d.pools.size(), 1U) << c.allocation;
    EXPECT_EQ(d.pools[0].priority, c.priority) << c.allocation;
  }
}

TEST(MetallbPool, NamespaceSelectorsThatSelectNoneAreNotForAll) {
  const Desired d =
      read(metallb_pool("p",
                        "addresses: [1.0.0.0/8], serviceAllocation: {namespaceSelectors: "
                        "[{matchLabels: {no: body}}]}"));
  ASSERT_EQ(d.pools.size(), 1U);
  EXPECT_FALSE(selects(d.pools[0].namespace_selectors, {{"kubernetes.io/metadata.name", "a"}}));
}

TEST(MetallbL2Advertisement, IsTakenOrRefused) {
  const std::string sel = "{matchLabels: {a: b}}";
  const auto preferring = [](const std::string& s) {
    return metallb_l2("a", "preferredNodeSelectors: [{" + s + "}]");
  };
  const Verdict cases[] = {
      {"empty", metallb_l2("a", "")},
      {"no spec",
       "---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: a, "
       "namespace: metallb-system}\n"},
      {"unknown pool", metallb_l2("a", "ipAddressPools: [p]")},
      {"pool twice", metallb_l2("a", "ipAddressPools: [p, p]"),
       "spec.ipAddressPools[1]: 'p' is in"},
      {"pool selector twice", metallb_l2("a", "ipAddressPoolSelectors: [" + sel + "," + sel + "]"),
       "spec.ipAddressPoolSelectors[1]"},
      {"node selector twice", metallb_l2("a", "nodeSelectors: [" + sel + "," + sel + "]"),
       "spec.nodeSelectors[1]"},
      {"service selector twice", metallb_l2("a", "serviceSelectors: [" + sel + "," + sel + "]"),
       "spec.serviceSelectors[1]"},
      {"same values in another order",
       metallb_l2("a",
                  "nodeSelectors: [{matchExpressions: [{key: k, operator: In, values: [x, y]}]},"
                  "{matchExpressions: [{key: k, operator: In, values: [y, x]}]}]"),
       "is in the list twice"},
      {"expression twice",
       metallb_l2("a",
                  "nodeSelectors: [{matchExpressions: [{key: k, operator: Exists}, {key: k, "
                  "operator: Exists}]}]"),
       "has the expression 'k' twice"},
      {"label and equal expression",
       metallb_l2("a",
                  "nodeSelectors: [{matchLabels: {k: v}, matchExpressions: [{key: k, operator: "
                  "In, values: [v]}]}]")},
      {"no key", metallb_l2("a", "nodeSelectors: [{matchExpressions: [{operator: Exists}]}]"),
       "key: is missing"},
      {"no operator",
       metallb_l2("a", "nodeSelectors: [{matchExpressions: [{key: k, values: [v]}]}]"),
       "operator: is missing"},
      {"bad operator",
       metallb_l2("a",
                  "nodeSelectors: [{matchExpressions: [{key: k, operator: surrounds, values: "
                  "[v]}]}]"),
       "'surrounds' is none of"},
      {"In without values",
       metallb_l2("a",
                  "nodeSelectors: [{matchExpressions: [{key: k, operator: "
                  "In}]}]"),
       "values: is empty"},
      {"Exists with values",
       metallb_l2("a",
                  "nodeSelectors: [{matchExpressions: [{key: k, operator: "
                  "Exists, values: [v]}]}]"),
       "must be empty"},
      {"bad key", metallb_l2("a", "nodeSelectors: [{matchLabels: {'a b': c}}]"),
       "no name of a label"},
      {"bad value", metallb_l2("a", "nodeSelectors: [{matchLabels: {a: '-c'}}]"),
       "no value of a label"},
      {"long value",
       metallb_l2("a", "nodeSelectors: [{matchLabels: {a: " + std::string(64, 'x') + "}}]"),
       "no value of a label"},
      {"weight 0", preferring("weight: 0, preference: {}"), "weight: '0' is no whole number"},
      {"weight 101", preferring("weight: 101, preference: {}"), "weight: '101' is no whole number"},
      {"weight 1", preferring("weight: 1, preference: {}")},
      {"no weight", preferring("preference: {}"), "weight: is missing"},
      {"no preference", preferring("weight: 1"), "preference: is missing"},
      {"bad preference",
       preferring("weight: 1, preference: {matchExpressions: [{key: a, operator: X}]}"),
       "'X' is none of"},
      {"preferred twice", metallb_l2("a",
                                     "preferredNodeSelectors: [{weight: 4, preference: {}}, "
                                     "{weight: 4, preference: {}}]")},
      {"long interface", metallb_l2("a", "interfaces: [sixteen-letters-]"),
       "no name of an interface"},
  };
  expect_verdicts(cases);
}

TEST(MetallbL2Advertisement, BecomesAPolicy) {
  const Desired d =
      read(metallb_pool("p", "addresses: [1.0.0.0/8]") +
           metallb_l2("a",
                      "ipAddressPools: [p], ipAddressPoolSelectors: [{matchLabels: {z: 1}}], "
                      "nodeSelectors: [{matchLabels: {n: 1}}, {matchLabels: {n: 2}}], "
                      "serviceSelectors: [{matchLabels: {s: 1}}], interfaces: [eth0, eth0.1], "
                      "preferredNodeSelectors: [{weight: 40, preference: {matchLabels: {e: 1}}}]"));
  EXPECT_TRUE(d.problems.empty());
  ASSERT_EQ(d.l2_policies.size(), 1U);
  const L2Policy& a = d.l2_policies[0];
  EXPECT_EQ(a.pools.names, std::vector{PoolName("p")});
  EXPECT_EQ(to_string(a.pools.selectors), "z=1");
  EXPECT_EQ(to_string(a.node_selectors), "n=1 or n=2");
  EXPECT_EQ(to_string(a.service_selectors), "s=1");
  ASSERT_EQ(a.preferred_nodes.size(), 1U);
  EXPECT_EQ(a.preferred_nodes[0].weight, 40);
  EXPECT_TRUE(a.needs_endpoints);
  EXPECT_TRUE(a.refuses_shared);
  EXPECT_TRUE(a.rebalance);
  EXPECT_TRUE(a.classes.empty());
  EXPECT_EQ(a.addresses, std::vector{AddressKind::LoadBalancerIP});
  const InterfaceMatcher links(a.interfaces);
  for (const char* yes : {"eth0", "eth0.1"}) EXPECT_TRUE(links.matches(yes)) << yes;
  for (const char* no : {"eth01", "veth0", "eth0x1", "eth0.10"})
    EXPECT_FALSE(links.matches(no)) << no;
}

TEST(Metallb, RefusesObjectsInTheWrongNamespace) {
  const struct {
    const char *kind, *spec;
  } kinds[] = {
      {"IPAddressPool", "addresses: [1.0.0.0/8]"},
      {"L2Advertisement", ""},
      {"BGPAdvertisement", ""},
      {"BGPPeer", "myASN: 1, peerASN: 2, peerAddress: 1.2.3.4"},
      {"BFDProfile", ""},
      {"Community", ""},
  };
  for (const auto& k : kinds) {
    const auto in = [&](const std::string& metadata) {
      return errors(read(metallb_object(k.kind, "x", k.spec, metadata)));
    };
    EXPECT_TRUE(in("namespace: metallb-system").empty()) << k.kind;
    EXPECT_TRUE(in("labels: {}").empty()) << k.kind << " without a namespace";
    ASSERT_EQ(in("namespace: default").size(), 1U) << k.kind;
    EXPECT_NE(in("namespace: default")[0].find("metadata.namespace: 'default' is not where"),
              std::string::npos);
  }
}

TEST(Metallb, WarnsOfSeveralNamespaces) {
  const Desired d = read(metallb_pool("p", "addresses: [1.0.0.0/8]") +
                         metallb_object("L2Advertisement", "a", "", "namespace: elsewhere"));
  ASSERT_EQ(d.problems.size(), 1U);
  EXPECT_EQ(d.problems[0].severity, Severity::Warning);
  EXPECT_EQ(to_string(d.problems[0]),
            "f.yaml:7: L2Advertisement elsewhere/a: metadata.namespace: 'elsewhere' is another "
            "namespace than that of IPAddressPool 'p', 'metallb-system': MetalLB reads objects of "
            "its own namespace alone");
  EXPECT_EQ(d.l2_policies.size(), 1U);
}

TEST(Metallb, KnowsItsKinds) {
  const auto of = [](const std::string& api, const std::string& kind) {
    return read("apiVersion: " + api + "\nkind: " + kind + "\nmetadata: {name: x}\n").problems;
  };
  for (const char* kind : {"ServiceL2Status", "ServiceBGPStatus", "ConfigurationState"}) {
    EXPECT_TRUE(of("metallb.io/v1beta1", kind).empty()) << kind;
  }
  EXPECT_TRUE(of("frrk8s.metallb.io/v1beta1", "FRRConfiguration").empty());
  ASSERT_EQ(of("metallb.io/v1beta1", "IPAdressPool").size(), 1U);
  EXPECT_EQ(of("metallb.io/v1beta1", "IPAdressPool")[0].severity, Severity::Warning);
  EXPECT_NE(of("metallb.io/v1beta1", "IPAdressPool")[0].message.find("'IPAddressPool'?"),
            std::string::npos);
  EXPECT_EQ(
      errors(read("apiVersion: metallb.io/v1beta2\nkind: Community\nmetadata: {name: x}\n")).size(),
      1U);
}

TEST(Metallb, KeepsTheLastGoodVersion) {
  Manifests m;
  m.set_file("f.yaml", metallb_peer("p") + metallb_bgp("a", "localPref: 7"));
  m.set_file("f.yaml",
             metallb_peer("p", "holdTime: 1s") + metallb_bgp("a", "aggregationLength: 34"));
  const Desired d = m.desired();
  ASSERT_EQ(d.peers.size(), 1U);
  EXPECT_EQ(d.peers[0].hold_time, 90s);
  ASSERT_EQ(d.advertisements.size(), 1U);
  EXPECT_EQ(d.advertisements[0].local_pref, 7U);
  EXPECT_EQ(errors(d).size(), 2U);
}

}  // namespace
}  // namespace herald::config
