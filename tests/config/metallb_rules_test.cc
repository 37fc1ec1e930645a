// MetalLB's rules between objects: what is refused, and that everything else goes on working.
#include "tests/config/metallb_manifests.h"

namespace herald::config {
namespace {

std::string on(const std::string& host) {
  return "{matchLabels: {kubernetes.io/hostname: " + host + "}}";
}
std::string hosts(const std::string& a) {
  return "nodeSelectors: [" + on(a) + "]";
}
std::string hosts(const std::string& a, const std::string& b) {
  return "nodeSelectors: [" + on(a) + ", " + on(b) + "]";
}
// An eBGP peer, in the words that the case is about.
std::string peer(const std::string& name, const std::string& address, const std::string& more = "",
                 int asn = 123) {
  return metallb_object("BGPPeer", name,
                        "myASN: " + std::to_string(asn) + ", peerASN: 64512, " + address +
                            (more.empty() ? "" : ", " + more));
}
std::string at(const std::string& address) {
  return "peerAddress: " + address;
}

TEST(MetallbRules, OneDaemonServesAllPeersOfANode) {
  const std::string four = node("node1") + node("node2") + node("node3") + node("node4");
  const std::string x = at("1.2.3.4"), y = at("1.2.3.5"), z = at("1.2.3.6");
  const Verdict cases[] = {
      {"one router ID", peer("a", x, "routerID: 1.2.3.4") + peer("b", y, "routerID: 1.2.3.4")},
      {"router ID differs",
       peer("a", x, "routerID: 1.2.3.4") + peer("b", y, "routerID: 1.2.3.4") +
           peer("c", z, "routerID: 1.2.3.5"),
       "BGPPeer metallb-system/c: spec.routerID: is 1.2.3.5, but 1.2.3.4 for peer 'a'"},
      {"router ID not set", peer("a", x, "routerID: 1.2.3.4") + peer("b", y),
       "spec.routerID: is none, but 1.2.3.4 for peer 'a'"},
      {"router ID of another VRF", peer("a", x, "routerID: 1.2.3.4") + peer("b", y, "vrf: foo")},
      {"router ID of another node",
       four + peer("a", x, "routerID: 1.2.3.4, " + hosts("node1")) + peer("b", y, hosts("node2"))},
      {"myASN the same", peer("a", x) + peer("b", y)},
      {"myASN differs", peer("a", x) + peer("b", y) + peer("c", z, "", 124),
       "spec.myASN: is 124, but 123 for peer 'a'"},
      {"myASN differs in another VRF", peer("a", x) + peer("b", y) + peer("c", z, "vrf: red", 124)},
      {"two in a VRF", peer("a", x, "vrf: red") + peer("b", y, "vrf: red") + peer("c", z, "", 124)},
      {"myASN differs within a VRF", peer("a", x, "vrf: red") + peer("b", y, "vrf: red", 124),
       "spec.myASN"},
      {"address twice", peer("a", x) + peer("b", x),
       "spec.peerAddress: 1.2.3.4 is also the router of peer 'a'"},
      {"address twice, other port", peer("a", x) + peer("b", x, "peerPort: 180"),
       "spec.peerAddress"},
      {"address in three VRFs",
       peer("a", x) + peer("b", x, "vrf: red") + peer("c", x, "vrf: green")},
      {"address twice in a VRF", peer("a", x) + peer("b", x, "vrf: red") + peer("c", x, "vrf: red"),
       "1.2.3.4 in VRF red"},
      {"two interfaces", peer("a", "interface: eth0") + peer("b", "interface: eth1")},
      {"interface twice", peer("a", "interface: eth0") + peer("b", "interface: eth0"),
       "spec.interface: eth0 is also"},
      {"disjoint", four + peer("a", x, hosts("node1")) + peer("b", x, hosts("node2"))},
      {"overlapping", four + peer("a", x, hosts("node1")) + peer("b", x, hosts("node1", "node2")),
       "which has nodes in common with this one"},
      {"one without a selector", four + peer("a", x, hosts("node1")) + peer("b", x),
       "spec.peerAddress"},
      {"no nodes known", peer("a", x, hosts("node1")) + peer("b", x, hosts("node2")),
       "no Node is known that would keep them apart"},
      {"third on the node of the first",
       four + peer("a", x, hosts("node1")) + peer("b", x, hosts("node2")) +
           peer("c", x, hosts("node1")),
       "BGPPeer metallb-system/c: spec.peerAddress: 1.2.3.4 is also the router of peer 'a'"},
      {"one of two, apart",
       four + peer("a", x, hosts("node1", "node2")) + peer("b", x, hosts("node3", "node4"))},
      {"one of two, together",
       four + peer("a", x, hosts("node1", "node2")) + peer("b", x, hosts("node3", "node2")),
       "spec.peerAddress"},
  };
  expect_verdicts(cases);
  for (const Verdict& c : cases) {
    EXPECT_LE(errors(read(c.text)).size(), 1U) << c.name << ": one fault is told once";
  }
}

TEST(MetallbRules, FaultsBetweenPeersCloseNoSession) {
  const Desired d = read(peer("a", at("1.2.3.4")) + peer("b", at("1.2.3.4"), "bfdProfile: none"));
  EXPECT_EQ(d.peers.size(), 2U);
  EXPECT_EQ(errors(d).size(), 2U);
}

TEST(MetallbRules, ProfilesAndSecretsAreLookedUp) {
  const auto secret = [](const std::string& type, const std::string& data,
                         const std::string& ns = "metallb-system") {
    return "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: " + ns +
           "}\ntype: " + type + "\ndata: {" + data + "}\n";
  };
  const std::string basic = "kubernetes.io/basic-auth", word = "password: bm9wYXNz";
  const std::string asks = metallb_peer("p", "passwordSecret: {name: s}");
  const Verdict cases[] = {
      {"profile", metallb_bfd("b", "") + metallb_peer("p", "bfdProfile: b")},
      {"profile without a namespace",
       "apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: b}\nspec: {}\n" +
           metallb_peer("p", "bfdProfile: b")},
      {"profile unknown", metallb_bfd("bee", "") + metallb_peer("p", "bfdProfile: ben"),
       "spec.bfdProfile: there is no BFDProfile 'ben'; did you mean 'bee'?"},
      {"secret", secret(basic, word) + asks},
      {"secret not there", asks},
      {"secret Opaque", secret("Opaque", word) + asks, "has the type 'Opaque'"},
      {"secret without password", secret(basic, "pass: bm9wYXNz") + asks, "has no key 'password'"},
      {"secret elsewhere", secret("Opaque", word, "other") + asks},
      {"secret elsewhere, as asked",
       secret("Opaque", word, "other") +
           metallb_peer("p", "passwordSecret: {name: s, namespace: other}"),
       "has the type 'Opaque'"},
  };
  expect_verdicts(cases);
}

TEST(MetallbRules, LocalPreferencesOfOneRouteAgree) {
  const std::string nodes = node("node1") + node("node2");
  const std::string pool = metallb_pool("pool1", "addresses: [10.20.30.40/24]");
  const std::string dual = metallb_pool("pool1", "addresses: [10.20.30.0/24, '2001:db8::/64']");
  const auto ads = [](const std::string& a, const std::string& b) {
    return metallb_bgp("adv1", "localPref: 100" + (a.empty() ? "" : ", " + a)) +
           metallb_bgp("adv2", "localPref: 200" + (b.empty() ? "" : ", " + b));
  };
  const std::string clash =
      "BGPAdvertisement metallb-system/adv2: spec.localPref: is 200, but 100 "
      "in BGPAdvertisement 'adv1', for the same routes of pool 'pool1'";
  const Verdict cases[] = {
      {"clash", nodes + pool + ads("", ""), clash},
      {"no pools", nodes + ads("", "")},
      {"no nodes known", pool + ads("", "")},
      {"same",
       nodes + pool + metallb_bgp("adv1", "localPref: 1") + metallb_bgp("adv2", "localPref: 1")},
      {"one has none",
       nodes + pool + metallb_bgp("adv1", "localPref: 100") + metallb_bgp("adv2", ""),
       "spec.localPref: is 0, but 100"},
      {"other lengths", nodes + pool + ads("aggregationLength: 24, aggregationLengthV6: 120", "")},
      {"other v4 length", nodes + pool + ads("aggregationLength: 24", "")},
      {"dual, one length differs", nodes + dual + ads("aggregationLength: 24", ""), clash},
      {"dual, both differ",
       nodes + dual + ads("aggregationLength: 24, aggregationLengthV6: 64", "")},
      {"other nodes", nodes + pool + ads(hosts("node1"), hosts("node2"))},
      {"a node in common", nodes + pool + ads(hosts("node1"), hosts("node1", "node2")), clash},
      {"other peers", nodes + pool + ads("peers: [peer1]", "peers: [peer2]")},
      {"a peer in common", nodes + pool + ads("peers: [peer1, peer3]", "peers: [peer2, peer1]"),
       clash},
      {"all peers and one", nodes + pool + ads("peers: [peer1]", ""), clash},
      {"other pools", nodes + pool + metallb_pool("pool2", "addresses: [10.9.0.0/24]") +
                          ads("ipAddressPools: [pool1]", "ipAddressPools: [pool2]")},
      {"a pool by label",
       nodes +
           metallb_object("IPAddressPool", "pool1", "addresses: [10.9.0.0/24]",
                          "namespace: metallb-system, labels: {z: y}") +
           ads("ipAddressPools: [pool1]", "ipAddressPoolSelectors: [{matchLabels: {z: y}}]"),
       clash},
      {"service selectors are compared elsewhere",
       nodes + pool + ads("", "serviceSelectors: [{matchLabels: {a: b}}]")},
  };
  expect_verdicts(cases);
  EXPECT_EQ(read(nodes + pool + ads("", "")).advertisements.size(), 2U) << "both stay in use";
}

TEST(MetallbRules, AnAggregateStaysWithinThePool) {
  const auto ad = [](const std::string& addresses, const std::string& spec) {
    return metallb_pool("p", "addresses: [" + addresses + "]") + metallb_bgp("a", spec);
  };
  const Verdict cases[] = {
      {"as wide", ad("10.0.0.0/26", "aggregationLength: 26")},
      {"narrower", ad("10.0.0.0/24", "aggregationLength: 26")},
      {"wider", ad("10.20.30.40/24, 1.2.3.0/28", "aggregationLength: 26"),
       "spec.aggregationLength: is 26, but 1.2.3.0-1.2.3.15 of pool 'p' has no block wider than "
       "/28"},
      {"range, fits", ad("3.3.3.2-3.3.3.254", "aggregationLength: 26")},
      {"range, wider", ad("3.3.3.2-3.3.3.254", "aggregationLength: 24"), "no block wider than /26"},
      {"IPv6", ad("'2001:db8::/64'", "aggregationLengthV6: 64")},
      {"IPv6, wider", ad("'2001:db8::/64'", "aggregationLengthV6: 60"), "spec.aggregationLengthV6"},
      {"IPv6, all of it",
       ad("'::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'", "aggregationLengthV6: 0")},
      {"all of IPv4", ad("0.0.0.0-255.255.255.255", "aggregationLength: 1")},
      {"not its pool", ad("1.2.3.0/28", "aggregationLength: 26, ipAddressPools: [other]")},
  };
  expect_verdicts(cases);
  const Desired d = read(ad("10.20.30.40/24, 1.2.3.0/28", "aggregationLength: 26"));
  ASSERT_EQ(d.advertisements.size(), 1U);
  EXPECT_EQ(d.advertisements[0].aggregation_v4, 28U) << "as wide as the pool permits";
}

TEST(MetallbRules, NoBfdEchoOverIpv6) {
  const std::string echo = metallb_bfd("b", "echoMode: true") + metallb_peer("p", "bfdProfile: b");
  const std::string v6 = metallb_pool("six", "addresses: ['2001:db8::/64']");
  const std::string v4 = metallb_pool("four", "addresses: [10.0.0.0/24]");
  const Verdict cases[] = {
      {"IPv6", echo + v6 + metallb_bgp("a", ""),
       "spec.peers: reaches peer 'p', whose BFDProfile 'b' has echoMode, with IPv6"},
      {"IPv4", echo + v4 + metallb_bgp("a", "")},
      {"the IPv4 pool of two", echo + v4 + v6 + metallb_bgp("a", "ipAddressPools: [four]")},
      {"another peer", echo + v6 + metallb_bgp("a", "peers: [q]")},
      {"this peer by name", echo + v6 + metallb_bgp("a", "peers: [p]"), "spec.peers: reaches"},
      {"not announced by BGP", echo + v6},
      {"no echo",
       metallb_bfd("b", "") + metallb_peer("p", "bfdProfile: b") + v6 + metallb_bgp("a", "")},
  };
  expect_verdicts(cases);
}

TEST(MetallbRules, AnUnknownAliasIsAnError) {
  const Desired d = read(metallb_community("c", "{name: vpn-one, value: '64512:7'}") +
                         metallb_bgp("a", "communities: [vpn-on]") + metallb_bgp("b", ""));
  ASSERT_EQ(errors(d).size(), 1U);
  EXPECT_EQ(errors(d)[0],
            "f.yaml:7: BGPAdvertisement metallb-system/a: spec.communities: 'vpn-on' is neither a "
            "community like 64512:1 nor an alias: did you mean 'vpn-one'? known are vpn-one; this "
            "advertisement is not used until the alias is defined");
  ASSERT_EQ(d.advertisements.size(), 1U);
  EXPECT_EQ(d.advertisements[0].name, "b") << "what is right is used";
}

TEST(MetallbRules, AnAliasOutlivesItsDefinition) {
  const std::string ad = metallb_bgp("a", "communities: [vpn]");
  Manifests m;
  m.set_file("c.yaml", metallb_community("c", "{name: vpn, value: '64512:7'}"));
  m.set_file("a.yaml", ad);
  const auto value = [&] {
    const Desired d = m.desired();
    return d.advertisements.empty() ? 0 : d.advertisements[0].communities.at(0);
  };
  EXPECT_EQ(value(), 64512U << 16 | 7);
  m.set_file("c.yaml", metallb_community("c", "{name: vpn, value: wrong}"));
  EXPECT_EQ(value(), 64512U << 16 | 7) << "the last good version of the object";
  m.remove_file("c.yaml");
  EXPECT_EQ(value(), 64512U << 16 | 7) << "no route is withdrawn for it";
  ASSERT_EQ(errors(m.desired()).size(), 1U);
  EXPECT_NE(errors(m.desired())[0].find("the value that it had before is still used"),
            std::string::npos);
  m.set_file("c.yaml", metallb_community("c", "{name: vpn, value: '64512:8'}"));
  EXPECT_EQ(value(), 64512U << 16 | 8);
  EXPECT_TRUE(errors(m.desired()).empty());
  m.remove_file("a.yaml");
  m.remove_file("c.yaml");
  m.set_file("a.yaml", ad);
  EXPECT_EQ(value(), 0U) << "what nobody names is forgotten";
}

TEST(MetallbRules, AnAliasComesBeforeALiteral) {
  const Desired d = read(metallb_community("c", "{name: '1:2', value: '64512:7'}") +
                         metallb_bgp("a", "communities: ['1:2']"));
  EXPECT_TRUE(errors(d).empty());
  ASSERT_EQ(d.advertisements.size(), 1U);
  EXPECT_EQ(d.advertisements[0].communities, (std::vector<std::uint32_t>{64512U << 16 | 7}));
}

TEST(MetallbRules, UnknownNamesAreWarningsInTheWordsOfTheManifest) {
  const Desired d = read(metallb_l2("a", "ipAddressPools: [pol]") +
                         metallb_pool("pool", "addresses: [1.0.0.0/8]"));
  ASSERT_EQ(d.problems.size(), 1U);
  EXPECT_EQ(d.problems[0].severity, Severity::Warning);
  EXPECT_EQ(to_string(d.problems[0]),
            "f.yaml:2: L2Advertisement metallb-system/a: spec.ipAddressPools: there is no pool "
            "'pol'; did you mean 'pool'?");
}

TEST(MetallbRules, PeersOfSeveralDialectsAreCompared) {
  const Desired d = read(
      "apiVersion: herald.io/v1alpha1\nkind: BGPPeer\nmetadata: {name: native}\n"
      "spec: {address: 1.2.3.4, localASN: 42, peerASN: 42}\n" +
      metallb_peer("p"));
  ASSERT_EQ(errors(d).size(), 1U);
  EXPECT_NE(errors(d)[0].find("BGPPeer metallb-system/p: spec.peerAddress: '1.2.3.4' is also the "
                              "address of peer 'native'"),
            std::string::npos)
      << errors(d)[0];
  EXPECT_EQ(errors(read("apiVersion: herald.io/v1alpha1\nkind: BGPPeer\nmetadata: {name: p}\n"
                        "spec: {address: 1.2.3.5, localASN: 42, peerASN: 42}\n" +
                        metallb_peer("p")))
                .size(),
            1U)
      << "one name, two peers";
}

}  // namespace
}  // namespace herald::config
