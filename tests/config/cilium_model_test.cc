// What the fields of Cilium's kinds become in the model, and how its BGP kinds are joined.
#include <gtest/gtest.h>

#include <algorithm>

#include "config/manifests.h"

namespace herald::config {
namespace {

std::string object(const std::string& kind, const std::string& metadata, const std::string& spec) {
  return "---\napiVersion: cilium.io/v2\nkind: " + kind + "\nmetadata: {" + metadata +
         "}\nspec: {" + spec + "}\n";
}
std::string cluster(const std::string& metadata, const std::string& spec) {
  return object("CiliumBGPClusterConfig", metadata, spec);
}
std::string node(const std::string& name, const std::string& labels) {
  return "---\napiVersion: v1\nkind: Node\nmetadata: {name: " + name + ", labels: {" + labels +
         "}}\n";
}

Desired read(const std::string& text) {
  Manifests m;
  m.set_file("f.yaml", text);
  return m.desired();
}

// The one problem that speaks of this; empty if there is none.
std::string problem(const Desired& d, const std::string& part) {
  for (const Problem& p : d.problems) {
    const std::string text = to_string(p);
    if (text.find(part) != std::string::npos) return text;
  }
  return "";
}
bool has_error(const Desired& d) {
  return std::any_of(d.problems.begin(), d.problems.end(),
                     [](const Problem& p) { return p.severity == Severity::Error; });
}
template <typename T>
std::vector<std::string> names(const std::vector<T>& objects) {
  std::vector<std::string> out;
  for (const T& o : objects) {
    if constexpr (std::is_same_v<decltype(o.name), std::string>) {
      out.push_back(o.name);
    } else {
      out.push_back(o.name.str());
    }
  }
  return out;
}
using Names = std::vector<std::string>;

const std::string kTor = cluster(
    "name: c",
    "nodeSelector: {matchLabels: {rack: a}}, bgpInstances: [{name: i, localASN: 64512, "
    "peers: [{name: tor, peerAddress: 192.0.2.1, peerASN: 65001, peerConfigRef: {name: p}}]}]");
const std::string kConfig = object("CiliumBGPPeerConfig", "name: p",
                                   "families: [{afi: ipv4, safi: unicast, advertisements: "
                                   "{matchLabels: {tell: 'yes'}}}]");
const std::string kAdvertisement =
    object("CiliumBGPAdvertisement", "name: vips, labels: {tell: 'yes'}",
           "advertisements: [{advertisementType: Service, selector: {matchLabels: {app: web}}, "
           "service: {addresses: [LoadBalancerIP]}}]");

TEST(CiliumModel, BlocksAreRanges) {
  const struct {
    const char *block, *range;
    std::size_t avoided;  // with allowFirstLastIPs: No
  } cases[] = {
      {"cidr: 10.0.0.0/24", "10.0.0.0-10.0.0.255", 2},
      {"cidr: 10.0.0.0/25", "10.0.0.0-10.0.0.127", 2},
      {"cidr: 10.0.0.12/24", "10.0.0.0-10.0.0.255", 2},
      {"cidr: '::0/112'", "::-::ffff", 2},
      {"cidr: 10.0.10.16/30", "10.0.10.16-10.0.10.19", 2},
      {"cidr: 10.0.10.16/31", "10.0.10.16-10.0.10.17", 0},
      {"cidr: 10.0.10.16/32", "10.0.10.16", 0},
      {"cidr: 'fd00::/126'", "fd00::-fd00::3", 2},
      {"cidr: 'fd00::/127'", "fd00::-fd00::1", 0},
      {"start: 10.0.0.0, stop: 10.0.0.255", "10.0.0.0-10.0.0.255", 0},
      {"start: 10.0.0.7", "10.0.0.7", 0},
      {"cidr: 10.0.0.0/24, start: 10.9.0.1", "10.0.0.0-10.0.0.255", 2},
  };
  for (const auto& c : cases) {
    const Desired d =
        read(object("CiliumLoadBalancerIPPool", "name: p",
                    "allowFirstLastIPs: 'No', blocks: [{" + std::string(c.block) + "}]"));
    ASSERT_EQ(d.pools.size(), 1U) << c.block;
    ASSERT_EQ(d.pools[0].ranges.size(), 1U) << c.block;
    EXPECT_EQ(to_string(d.pools[0].ranges[0]), c.range);
    EXPECT_EQ(d.pools[0].avoided.size(), c.avoided) << c.block;
  }
}

TEST(CiliumModel, APoolHasCiliumsMeaning) {
  const Desired d =
      read(object("CiliumLoadBalancerIPPool",
                  "name: p, labels: {a: b}, creationTimestamp: '1970-01-01T00:01:00Z'",
                  "disabled: true, serviceSelector: {}, blocks: [{cidr: 10.0.0.0/8}]"));
  ASSERT_EQ(d.pools.size(), 1U);
  const Pool& p = d.pools[0];
  EXPECT_TRUE(d.problems.empty());
  EXPECT_TRUE(p.disabled && p.auto_assign && p.prefer_shared && p.release_on_refusal);
  EXPECT_FALSE(p.one_pool || p.avoid_buggy_ipv4 || p.release_on_shrink);
  EXPECT_TRUE(p.avoided.empty()) << "first and last are allowed unless it says No";
  EXPECT_EQ(p.created, 60);
  EXPECT_EQ(p.labels, (Labels{{"a", "b"}}));
  EXPECT_EQ(p.service_selectors.size(), 1U);
}

TEST(CiliumModel, AnL2PolicyHasCiliumsMeaning) {
  const auto policy = [](const std::string& spec) {
    const Desired d = read(object("CiliumL2AnnouncementPolicy", "name: p", spec));
    EXPECT_EQ(d.l2_policies.size(), 1U) << spec;
    return d;
  };
  const Desired all = policy("loadBalancerIPs: true, externalIPs: true, interfaces: [eth0]");
  EXPECT_TRUE(all.problems.empty());
  const L2Policy& p = all.l2_policies.at(0);
  EXPECT_EQ(p.addresses, (std::vector{AddressKind::LoadBalancerIP, AddressKind::ExternalIP}));
  EXPECT_EQ(p.classes, (Names{"", "io.cilium/l2-announcer"}));
  EXPECT_EQ(p.interfaces, Names{"eth0"});
  EXPECT_TRUE(p.service_selectors.empty() && p.node_selectors.empty()) << "none selects all";
  EXPECT_FALSE(p.needs_endpoints || p.rebalance);
  const Desired none = policy("");
  EXPECT_TRUE(none.l2_policies.at(0).addresses.empty());
  EXPECT_NE(problem(none, "announces nothing"), "");
}

TEST(CiliumModel, APeerIsJoinedFromItsParts) {
  const Desired d = read(
      cluster("name: c",
              "nodeSelector: {matchLabels: {rack: a}}, bgpInstances: [{name: i, localASN: "
              "64512, peers: [{name: tor, peerAddress: 192.0.2.1, peerASN: 65001, "
              "peerConfigRef: {name: p}}]}]") +
      object("CiliumBGPPeerConfig", "name: p",
             "transport: {peerPort: 1179, sourceInterface: lo}, timers: {connectRetryTimeSeconds: "
             "12, holdTimeSeconds: 9}, ebgpMultihop: 4, gracefulRestart: {enabled: true, "
             "restartTimeSeconds: 60}, authSecretRef: pw, families: [{afi: ipv6, safi: unicast, "
             "advertisements: {}}], bfd: {enabled: true, transmitIntervalMilliseconds: 50}") +
      object("CiliumBGPNodeConfigOverride", "name: n1",
             "bgpInstances: [{name: i, routerID: 10.0.0.1, localASN: 64999, peers: [{name: tor, "
             "localAddress: 10.9.9.9}]}]"));
  EXPECT_FALSE(has_error(d));
  ASSERT_EQ(d.peers.size(), 1U);
  const BgpPeer& p = d.peers[0];
  EXPECT_EQ(p.name, PeerName("c.i.tor"));
  EXPECT_EQ(to_string(p.address), "192.0.2.1");
  EXPECT_EQ(p.port, 1179);
  EXPECT_EQ(p.local_asn, Asn(64512));
  EXPECT_EQ(p.peer_asn, (PeerAsn{PeerAsn::Kind::Number, Asn(65001)}));
  EXPECT_EQ(to_string(p.node_selectors), "rack=a");
  EXPECT_EQ(p.hold_time, 9s);
  EXPECT_EQ(p.keepalive_time, 3s) << "a third, as Cilium's default of 30s would not fit";
  EXPECT_EQ(p.connect_retry_time, 12s);
  EXPECT_EQ(p.multihop, 4);
  EXPECT_FALSE(p.ipv4);
  EXPECT_TRUE(p.ipv6);
  EXPECT_TRUE(p.graceful_restart);
  EXPECT_EQ(p.restart_time, 60s);
  EXPECT_EQ(p.password, (SecretKey{"kube-system", "pw", "password"}));
  EXPECT_EQ(p.source_interface, "lo");
  EXPECT_EQ(p.bfd_profile, "p");
  ASSERT_EQ(d.bfd_profiles.size(), 1U);
  EXPECT_EQ(d.bfd_profiles[0].transmit_interval, 50ms);
  EXPECT_EQ(p.overrides, (std::vector{PeerOverride{NodeName("n1"), IpAddress::parse("10.0.0.1"),
                                                   Asn(64999), IpAddress::parse("10.9.9.9")}}));
  for (const char* field : {"sourceInterface", "gracefulRestart", "authSecretRef", "bfd"}) {
    EXPECT_NE(problem(d, std::string(field) + ": is understood, but not in force"), "") << field;
  }
}

TEST(CiliumModel, DefaultsAreCiliums) {
  const Desired d =
      read(cluster("name: c",
                   "bgpInstances: [{name: i, localASN: 1, peers: [{name: a, peerAddress: "
                   "192.0.2.1}]}]"));
  ASSERT_EQ(d.peers.size(), 1U);
  const BgpPeer& p = d.peers[0];
  EXPECT_EQ(p.peer_asn.kind, PeerAsn::Kind::Any);
  EXPECT_EQ(p.hold_time, 90s);
  EXPECT_EQ(p.keepalive_time, 30s);
  EXPECT_EQ(p.connect_retry_time, 120s);
  EXPECT_EQ(p.port, 179);
  EXPECT_TRUE(p.ipv4 && p.ipv6 && p.node_selectors.empty());
  EXPECT_NE(problem(d, "spec.bgpInstances[0].peers[0].peerConfigRef: is missing"), "");
}

TEST(CiliumModel, AddressesOfPeers) {
  const struct {
    const char *peer, *address, *interface, *problem;
  } cases[] = {
      {"peerAddress: ' 192.0.2.1 '", "192.0.2.1", "", ""},
      {"peerAddress: '::ffff:192.0.2.1'", "192.0.2.1", "", ""},
      {"peerAddress: 'fe80::1%eth0'", "fe80::1", "eth0", "not in force"},
      {"peerAddress: 'fe80::1', peerInterface: eth1", "fe80::1", "eth1", "not in force"},
      {"autoDiscovery: {mode: Unnumbered, unnumbered: {interface: eth2}}", "0.0.0.0", "eth2",
       "not in force"},
      {"peerAddress: 'fd00::1', autoDiscovery: {mode: Unnumbered, unnumbered: {interface: eth2}}",
       "fd00::1", "", ""},
      {"peerAddress: 'fe80::1'", nullptr, "", "the link is not said"},
      {"peerAddress: 0.0.0.0", nullptr, "", "is no address of a router"},
      {"autoDiscovery: {mode: DefaultGateway, defaultGateway: {addressFamily: ipv4}}", nullptr, "",
       "not in force"},
  };
  for (const auto& c : cases) {
    const Desired d =
        read(cluster("name: c", "bgpInstances: [{name: i, localASN: 1, peers: [{name: a, " +
                                    std::string(c.peer) + "}]}]"));
    EXPECT_FALSE(has_error(d)) << c.peer;
    EXPECT_NE(problem(d, c.problem), "") << c.peer;
    ASSERT_EQ(d.peers.size(), c.address == nullptr ? 0U : 1U) << c.peer;
    if (c.address == nullptr) continue;
    EXPECT_EQ(to_string(d.peers[0].address), c.address);
    EXPECT_EQ(d.peers[0].interface, c.interface);
  }
}

TEST(CiliumModel, AnAdvertisementReachesPeersByLabels) {
  const Desired d = read(kTor + kConfig + kAdvertisement);
  EXPECT_TRUE(d.problems.empty()) << to_string(d.problems.at(0));
  ASSERT_EQ(names(d.advertisements), Names{"vips-0"});
  const BgpAdvertisement& ad = d.advertisements[0];
  EXPECT_EQ(ad.peers, std::vector{PeerName("c.i.tor")});
  EXPECT_TRUE(ad.ipv4);
  EXPECT_FALSE(ad.ipv6) << "its family is not listed";
  EXPECT_EQ(to_string(ad.service_selectors), "app=web");
  EXPECT_EQ(ad.classes, (Names{"", "io.cilium/bgp-control-plane"}));
  EXPECT_EQ(ad.addresses, std::vector{AddressKind::LoadBalancerIP});
  EXPECT_EQ(ad.aggregation_v4, 32U);
  EXPECT_EQ(ad.aggregation_v6, 128U);
  EXPECT_FALSE(ad.needs_endpoints || ad.aggregate_local || ad.exclusive);
}

TEST(CiliumModel, AttributesOfAnAdvertisement) {
  const Desired d = read(
      kTor + kConfig +
      object(
          "CiliumBGPAdvertisement", "name: vips, labels: {tell: 'yes'}",
          "advertisements: [{advertisementType: PodCIDR}, {advertisementType: Service, selector: "
          "{}, service: {addresses: [LoadBalancerIP, ExternalIP, LoadBalancerIP], "
          "aggregationLengthIPv4: 0, aggregationLengthIPv6: 64}, attributes: {localPreference: "
          "200, communities: {standard: ['65535:65281', '64512:1', '7'], wellKnown: [no-export], "
          "large: ['1:2:3', '1:2:3']}}}]"));
  EXPECT_FALSE(has_error(d));
  EXPECT_NE(problem(d, "PodCIDR is not served"), "");
  ASSERT_EQ(names(d.advertisements), (Names{"vips-1", "vips-1-others"}));
  const BgpAdvertisement& ad = d.advertisements[0];
  EXPECT_EQ(ad.communities, (std::vector<std::uint32_t>{0xffffff01, 64512U << 16 | 1, 7}));
  EXPECT_EQ(ad.large_communities, (std::vector{LargeCommunity{1, 2, 3}}));
  EXPECT_EQ(ad.local_pref, 200U);
  EXPECT_EQ(ad.aggregation_v4, 0U);
  EXPECT_EQ(ad.aggregation_v6, 64U);
  EXPECT_EQ(ad.addresses, std::vector{AddressKind::LoadBalancerIP});
  EXPECT_EQ(d.advertisements[1].addresses, std::vector{AddressKind::ExternalIP});
  EXPECT_TRUE(d.advertisements[1].classes.empty()) << "the class is no matter for external IPs";
}

TEST(CiliumModel, PeersThatAreToldDifferentlyHaveAdvertisementsOfTheirOwn) {
  const auto peer = [](const std::string& name, int last) {
    return "{name: " + name + ", peerAddress: 192.0.2." + std::to_string(last) +
           ", peerConfigRef: {name: " + name + "}}";
  };
  const auto config = [](const std::string& name, const std::vector<std::string>& afis) {
    std::string families;
    for (const std::string& afi : afis) {
      families += "{afi: " + afi + ", safi: unicast, advertisements: {}}, ";
    }
    return object("CiliumBGPPeerConfig", "name: " + name, "families: [" + families + "]");
  };
  const Desired d = read(cluster("name: c", "bgpInstances: [{name: i, localASN: 1, peers: [" +
                                                peer("a", 1) + "," + peer("b", 2) + "," +
                                                peer("d", 3) + "," + peer("e", 4) + "]}]") +
                         config("a", {"ipv4"}) + config("b", {"ipv6"}) +
                         config("d", {"ipv4", "ipv6"}) + config("e", {"ipv4"}) + kAdvertisement);
  ASSERT_EQ(names(d.advertisements), (Names{"vips-0-dual", "vips-0-ipv4", "vips-0-ipv6"}));
  EXPECT_EQ(d.advertisements[0].peers, std::vector{PeerName("c.i.d")});
  EXPECT_EQ(d.advertisements[1].peers, (std::vector{PeerName("c.i.a"), PeerName("c.i.e")}));
  EXPECT_EQ(d.advertisements[2].peers, std::vector{PeerName("c.i.b")});
}

// A directory is written file by file: nothing is withdrawn for what is missing for a moment.
TEST(CiliumModel, APeerConfigThatGoesBeforeItsPeersStaysInUse) {
  Manifests m;
  m.set_file("cluster.yaml", kTor);
  m.set_file("config.yaml", kConfig);
  m.set_file("vips.yaml", kAdvertisement);
  const Desired before = m.desired();
  ASSERT_EQ(before.peers.size(), 1u);
  ASSERT_EQ(before.advertisements.size(), 1u);
  m.remove_file("config.yaml");
  const Desired without = m.desired();
  EXPECT_EQ(without.peers, before.peers);
  EXPECT_EQ(without.advertisements, before.advertisements);
  EXPECT_NE(problem(without, "CiliumBGPPeerConfig p: is gone"), "");
  m.set_file("config.yaml", object("CiliumBGPPeerConfig", "name: p", "families: 7"));
  EXPECT_EQ(m.desired().advertisements, before.advertisements) << "nor for one that is wrong";
  m.set_file("config.yaml", kConfig);
  EXPECT_EQ(problem(m.desired(), "is gone"), "");
  m.remove_file("config.yaml");
  m.remove_file("cluster.yaml");
  EXPECT_TRUE(m.desired().peers.empty());
  m.set_file("cluster.yaml", kTor);
  EXPECT_TRUE(m.desired().advertisements.empty()) << "nobody named it meanwhile";
}

TEST(CiliumModel, WhatDoesNotFitTogetherIsAWarning) {
  const std::string deaf =
      object("CiliumBGPPeerConfig", "name: p", "families: [{afi: ipv4, safi: unicast}]");
  const struct {
    std::string text, problem;
    std::size_t peers, advertisements;
  } cases[] = {
      {kTor + kAdvertisement,
       "CiliumBGPClusterConfig c: spec.bgpInstances[0].peers[0].peerConfigRef.name: there is no "
       "CiliumBGPPeerConfig 'p': create it",
       1, 0},
      {kTor + kConfig,
       "CiliumBGPPeerConfig p: spec.families[0].advertisements: selects no CiliumBGPAdvertisement "
       "by "
       "its labels (tell=yes)",
       1, 0},
      {kTor + deaf + kAdvertisement, "spec.families[0].advertisements: is missing", 1, 0},
      {kTor + deaf + kAdvertisement,
       "CiliumBGPAdvertisement vips: metadata.labels: no peer is told of it", 1, 0},
      {kConfig + kAdvertisement, "no CiliumBGPClusterConfig names it", 0, 0},
      {kTor + kConfig + kAdvertisement + node("n1", "rack: b"),
       "spec.nodeSelector: selects none of the 1 nodes (rack=a)", 1, 1},
      {kTor + object("CiliumBGPPeerConfig", "name: p", "families: [{afi: l2vpn, safi: evpn}]"),
       "has neither ipv4 nor ipv6 unicast", 0, 0},
      {cluster("name: c", "bgpInstances: [{name: i, peers: [{name: a, peerAddress: 192.0.2.1}]}]"),
       "spec.bgpInstances[0].localASN: is missing", 0, 0},
      {kTor + object("CiliumBGPNodeConfigOverride", "name: n", "bgpInstances: [{name: j}]"),
       "no CiliumBGPClusterConfig has an instance 'j'", 1, 0},
      {kTor + object("CiliumBGPNodeConfigOverride", "name: n",
                     "bgpInstances: [{name: i, peers: [{name: tro}]}]"),
       "has no peer 'tro'; did you mean 'tor'?", 1, 0},
      {kTor + object("CiliumBGPNodeConfigOverride", "name: n",
                     "bgpInstances: [{name: i, peers: [{name: tor, localAddress: 'fd00::9'}]}]"),
       "is of another family than the peer's address 192.0.2.1", 1, 0},
      {kTor + node("n1", "rack: a") +
           object("CiliumBGPNodeConfigOverride", "name: n2", "bgpInstances: [{name: i}]"),
       "there is no node 'n2'", 1, 0},
      {kTor + object("CiliumBGPPeerConfig", "name: p", "authSecretRef: pw") +
           "---\napiVersion: v1\nkind: Secret\nmetadata: {name: other, namespace: kube-system}\n",
       "spec.authSecretRef: there is no Secret kube-system/pw with the key 'password'", 1, 0},
  };
  for (const auto& c : cases) {
    const Desired d = read(c.text);
    EXPECT_FALSE(has_error(d)) << c.problem;
    EXPECT_NE(problem(d, c.problem), "") << c.problem << "\n"
                                         << (d.problems.empty() ? "" : to_string(d.problems[0]));
    EXPECT_EQ(d.peers.size(), c.peers) << c.problem;
    EXPECT_EQ(d.advertisements.size(), c.advertisements) << c.problem;
  }
}

TEST(CiliumModel, ANodeIsLeftToTheOlderClusterConfig) {
  const std::string spec =
      "bgpInstances: [{name: i, localASN: 1, peers: [{name: a, peerAddress: 192.0.2.1}]}]";
  const Desired d = read(cluster("name: a, creationTimestamp: '2024-02-01T00:00:00Z'", spec) +
                         cluster("name: z, creationTimestamp: '2024-01-01T00:00:00Z'",
                                 "nodeSelector: {matchLabels: {rack: r}}, " + spec) +
                         node("n1", "kubernetes.io/hostname: n1, rack: r") +
                         node("n2", "kubernetes.io/hostname: n2"));
  EXPECT_FALSE(has_error(d));
  EXPECT_NE(problem(d,
                    "CiliumBGPClusterConfig a: spec.nodeSelector: selects nodes that cluster "
                    "config 'z'"),
            "");
  ASSERT_EQ(names(d.peers), (Names{"a.i.a", "z.i.a"}));
  for (const NodeObject& n : d.nodes) {
    EXPECT_EQ(selects(d.peers[0].node_selectors, n.labels), n.name.str() == "n2") << n.name.str();
    EXPECT_EQ(selects(d.peers[1].node_selectors, n.labels), n.name.str() == "n1") << n.name.str();
  }
}

TEST(CiliumModel, ABadNewVersionKeepsTheOld) {
  Manifests m;
  m.set_file("f.yaml", kTor + kConfig + kAdvertisement);
  m.set_file("f.yaml", cluster("name: c", "bgpInstances: []") + kConfig +
                           object("CiliumBGPAdvertisement", "name: vips", "advertisements: [{}]"));
  const Desired d = m.desired();
  EXPECT_EQ(names(d.peers), Names{"c.i.tor"});
  EXPECT_EQ(names(d.advertisements), Names{"vips-0"});
  EXPECT_NE(problem(d, "still using the version read before"), "");
}

TEST(CiliumModel, ManyPairsOfPeersAndAdvertisementsAreBounded) {
  std::string peers, text;
  for (int i = 0; i < 1500; ++i) {
    peers += "{name: p" + std::to_string(i) + ", peerAddress: 'fd00::" + std::to_string(i) +
             "', peerConfigRef: {name: all}},";
  }
  text = cluster("name: c", "bgpInstances: [{name: i, localASN: 1, peers: [" + peers + "]}]") +
         object("CiliumBGPPeerConfig", "name: all",
                "families: [{afi: ipv6, safi: unicast, advertisements: {}}]");
  for (int i = 0; i < 1500; ++i) {
    text +=
        object("CiliumBGPAdvertisement", "name: a" + std::to_string(i),
               "advertisements: [{advertisementType: Service, selector: {}, service: {addresses: "
               "[LoadBalancerIP]}}]");
  }
  const Desired d = read(text);
  EXPECT_NE(problem(d, "from here on they are left out"), "");
  std::size_t pairs = 0;
  for (const BgpAdvertisement& ad : d.advertisements) pairs += ad.peers.size();
  EXPECT_LE(pairs, 1'000'000U);
}

}  // namespace
}  // namespace herald::config
