// MetalLB's peers, BGP advertisements, BFD profiles and communities, each alone.
#include <algorithm>

#include "config/metallb.h"
#include "tests/config/metallb_manifests.h"

namespace herald::config {
namespace {

std::string peer_of(const std::string& spec) {
  return metallb_object("BGPPeer", "p", spec);
}

TEST(MetallbPeer, IsTakenOrRefused) {
  const std::string at = "peerAddress: 1.2.3.4", asns = "myASN: 42, peerASN: 64512, ";
  const std::string labels = "matchLabels: {foo: bar}, ";
  const Verdict cases[] = {
      {"iBGP", metallb_peer("p")},
      {"no timers", metallb_peer("p")},
      {"keepalive over hold", metallb_peer("p", "holdTime: 30s, keepaliveTime: 90s"),
       "is longer than holdTime"},
      {"keepalive is hold", metallb_peer("p", "holdTime: 30s, keepaliveTime: 30s")},
      {"hold 1s", metallb_peer("p", "holdTime: 1s"), "too short"},
      {"hold 2s", metallb_peer("p", "holdTime: 2s"), "too short"},
      {"hold 2900ms", metallb_peer("p", "holdTime: 2900ms"), "too short"},
      {"hold 3s", metallb_peer("p", "holdTime: 3s")},
      {"hold 65535s", metallb_peer("p", "holdTime: 65535s")},
      {"hold 65536s", metallb_peer("p", "holdTime: 65536s"), "is not between"},
      {"keepalive 1s", metallb_peer("p", "keepaliveTime: 1s")},
      {"keepalive 500ms", metallb_peer("p", "keepaliveTime: 500ms"), "too short"},
      {"keepalive 30000s", metallb_peer("p", "keepaliveTime: 30000s"), "over 65535s"},
      {"connect 0", metallb_peer("p", "connectTime: 0s"), "is not between"},
      {"connect 1s", metallb_peer("p", "connectTime: 1s")},
      {"connect 1500ms", metallb_peer("p", "connectTime: 1500ms"), "whole seconds"},
      {"connect 65536s", metallb_peer("p", "connectTime: 65536s"), "is not between"},
      {"no myASN", peer_of("peerASN: 42, " + at), "spec.myASN: is missing"},
      {"myASN 0", peer_of("myASN: 0, peerASN: 42, " + at), "spec.myASN: '0'"},
      {"no peerASN", peer_of("myASN: 42, " + at), "spec.peerASN: is missing"},
      {"peerASN 0", peer_of("myASN: 42, peerASN: 0, " + at), "spec.peerASN: is missing"},
      {"dynamicASN", peer_of("myASN: 42, dynamicASN: internal, " + at)},
      {"both ASNs", peer_of("myASN: 42, peerASN: 42, dynamicASN: internal, " + at),
       "excludes peerASN"},
      {"dynamicASN sometimes", peer_of("myASN: 42, dynamicASN: sometimes, " + at),
       "'sometimes' is none of internal, external"},
      {"ASN over 32 bits", peer_of("myASN: 4294967296, peerASN: 1, " + at), "no whole number"},
      {"localASN", peer_of(asns + "localASN: 65410, " + at)},
      {"localASN 0", peer_of(asns + "localASN: 0, " + at), "spec.localASN: '0'"},
      {"multihop", peer_of(asns + "ebgpMultiHop: true, " + at)},
      {"iBGP multihop", metallb_peer("p", "ebgpMultiHop: true"), "peerASN is myASN"},
      {"internal multihop", peer_of("myASN: 42, dynamicASN: internal, ebgpMultiHop: true, " + at)},
      {"bad address", peer_of(asns + "peerAddress: 1.2.3.400"), "is no IP address"},
      {"no address", peer_of("myASN: 42, peerASN: 42"), "spec.peerAddress: is missing"},
      {"interface", peer_of("myASN: 42, dynamicASN: internal, interface: net0")},
      {"address and interface", peer_of(asns + "interface: net0, " + at), "excludes peerAddress"},
      {"bad router ID", metallb_peer("p", "routerID: 10.20.30.40.50"), "spec.routerID"},
      {"empty node selectors", metallb_peer("p", "nodeSelectors: []")},
      {"missing key",
       metallb_peer("p", "nodeSelectors: [{" + labels +
                             "matchExpressions: [{operator: In, values: [quux]}]}]"),
       "key: is missing"},
      {"missing operator",
       metallb_peer(
           "p", "nodeSelectors: [{" + labels + "matchExpressions: [{key: b, values: [quux]}]}]"),
       "operator: is missing"},
      {"value twice",
       metallb_peer("p", "nodeSelectors: [{" + labels +
                             "matchExpressions: [{key: b, operator: In, values: [quux, quux]}]}]"),
       "lists the value 'quux' of b twice"},
      {"port 0", metallb_peer("p", "peerPort: 0"), "spec.peerPort: '0'"},
      {"port 16384", metallb_peer("p", "peerPort: 16384")},
      {"port 16385", metallb_peer("p", "peerPort: 16385"), "spec.peerPort: '16385'"},
      {"disableMP", metallb_peer("p", "disableMP: true")},
      {"password and secret",
       metallb_peer("p", "password: nopass, passwordSecret: {name: nosecret}"),
       "excludes passwordSecret"},
      {"twice", metallb_peer("p") + metallb_peer("p"), "is there twice"},
      {"source of another family", metallb_peer("p", "sourceAddress: '2001:db8::1'"),
       "of another family"},
  };
  expect_verdicts(cases);
}

TEST(MetallbPeer, OfTheOlderVersionIsRead) {
  std::string text = metallb_peer("p", "peerPort: 0, nodeSelectors: [{matchLabels: {a: b}}]");
  text.replace(text.find("v1beta2"), 7, "v1beta1");
  const Desired d = read(text);
  EXPECT_TRUE(d.problems.empty());
  ASSERT_EQ(d.peers.size(), 1U);
  EXPECT_EQ(d.peers[0].port, 179);
}

BgpPeer only_peer(const std::string& spec) {
  const Desired d = read(peer_of(spec));
  EXPECT_EQ(d.peers.size(), 1U) << spec << testing::PrintToString(errors(d));
  return d.peers.empty() ? BgpPeer{} : d.peers[0];
}

TEST(MetallbPeer, BecomesAPeer) {
  const BgpPeer p = only_peer(
      "myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceAddress: 192.0.2.9, peerPort: "
      "1790, holdTime: 9s, keepaliveTime: 2s, connectTime: 7s, routerID: 10.0.0.1, nodeSelectors: "
      "[{matchLabels: {a: 1}}, {matchLabels: {a: 2}}], passwordSecret: {name: s}, bfdProfile: b, "
      "enableGracefulRestart: true, ebgpMultiHop: true, vrf: red, dualStackAddressFamily: true");
  EXPECT_EQ(p.name.str(), "p");
  EXPECT_EQ(p.local_asn, Asn(64512));
  EXPECT_EQ(p.peer_asn.number, Asn(64513));
  EXPECT_EQ(to_string(p.address), "192.0.2.1");
  EXPECT_EQ(to_string(*p.source_address), "192.0.2.9");
  EXPECT_EQ(p.port, 1790);
  EXPECT_EQ(p.hold_time, 9s);
  EXPECT_EQ(p.keepalive_time, 2s);
  EXPECT_EQ(p.connect_retry_time, 7s);
  EXPECT_EQ(to_string(*p.router_id), "10.0.0.1");
  EXPECT_EQ(to_string(p.node_selectors), "a=1 or a=2");
  EXPECT_EQ(p.password, (SecretKey{"metallb-system", "s", "password"}));
  EXPECT_EQ(p.bfd_profile, "b");
  EXPECT_TRUE(p.graceful_restart);
  EXPECT_EQ(p.multihop, 255);
  EXPECT_EQ(p.vrf, "red");
  EXPECT_TRUE(p.ipv4 && p.ipv6);
  EXPECT_EQ(only_peer("myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, passwordSecret: {name: s, "
                      "namespace: n}")
                .password->ns,
            "n");
}

TEST(MetallbPeer, DerivesTimes) {
  const struct {
    const char* times;
    Duration hold, keepalive;
  } cases[] = {
      {"", 90s, 30s},
      {", holdTime: 180s", 180s, 60s},
      {", keepaliveTime: 60s", 180s, 60s},
      {", holdTime: 3m, keepaliveTime: 10s", 180s, 10s},
      {", holdTime: 0s, keepaliveTime: 0s", 0s, 0s},
      {", holdTime: 500ms", 0s, 0s},
      {", keepaliveTime: 1s", 3s, 1s},
      {", holdTime: 4500ms", 4s, 1500ms},
  };
  for (const auto& c : cases) {
    const BgpPeer p =
        only_peer(std::string("myASN: 42, peerASN: 42, peerAddress: 1.2.3.4") + c.times);
    EXPECT_EQ(p.hold_time, c.hold) << c.times;
    EXPECT_EQ(p.keepalive_time, c.keepalive) << c.times;
  }
}

TEST(MetallbPeer, HasAnAsnFamiliesAndHops) {
  using Kind = PeerAsn::Kind;
  const std::string v4 = ", peerAddress: 192.0.2.1", v6 = ", peerAddress: '2001:db8::1'";
  const struct {
    std::string spec;
    Kind kind;
    std::uint32_t local, remote;
    int hops;
    bool ipv4, ipv6;
  } cases[] = {
      {"myASN: 1, peerASN: 2" + v4, Kind::Number, 1, 2, 1, true, false},
      {"myASN: 1, peerASN: 2" + v6, Kind::Number, 1, 2, 1, false, true},
      {"myASN: 1, peerASN: 1" + v6, Kind::Number, 1, 1, 255, false, true},
      {"myASN: 1, peerASN: 2, localASN: 3" + v4, Kind::Number, 3, 2, 1, true, false},
      {"myASN: 1, peerASN: 2, localASN: 2" + v4, Kind::Number, 2, 2, 255, true, false},
      {"myASN: 1, dynamicASN: internal" + v4, Kind::Internal, 1, 0, 255, true, false},
      {"myASN: 1, dynamicASN: external" + v4, Kind::External, 1, 0, 1, true, false},
      {"myASN: 1, dynamicASN: external, interface: eth0", Kind::External, 1, 0, 1, true, true},
      {"myASN: 1, peerASN: 2, dualStackAddressFamily: true" + v4, Kind::Number, 1, 2, 1, true,
       true},
      {"myASN: 1, peerASN: 2, dualStackAddressFamily: true, disableMP: true" + v4, Kind::Number, 1,
       2, 1, true, false},
  };
  for (const auto& c : cases) {
    const BgpPeer p = only_peer(c.spec);
    EXPECT_EQ(p.peer_asn.kind, c.kind) << c.spec;
    EXPECT_EQ(p.local_asn, Asn(c.local)) << c.spec;
    EXPECT_EQ(p.peer_asn.number, Asn(c.remote)) << c.spec;
    EXPECT_EQ(p.multihop, c.hops) << c.spec;
    EXPECT_EQ(p.ipv4, c.ipv4) << c.spec;
    EXPECT_EQ(p.ipv6, c.ipv6) << c.spec;
  }
}

TEST(MetallbPeer, SaysWhatIsNotInForceYet) {
  for (const char* more :
       {"password: x", "passwordSecret: {name: x}", "enableGracefulRestart: true", "vrf: red"}) {
    const Desired d = read(metallb_peer("p", more));
    ASSERT_EQ(d.problems.size(), 1U) << more;
    EXPECT_EQ(d.problems[0].severity, Severity::Warning);
    EXPECT_NE(d.problems[0].message.find("not in force yet"), std::string::npos) << more;
  }
  for (const char* more : {"enableGracefulRestart: false", "vrf: ''", "password: ''",
                           "bfdProfile: ''", "passwordSecret: {}"}) {
    EXPECT_TRUE(read(metallb_peer("p", more)).problems.empty()) << more;
  }
}

TEST(MetallbAdvertisement, IsTakenOrRefused) {
  const std::string pool = metallb_pool("pool1", "addresses: [1.2.3.0/24]");
  const std::string nginx = "serviceSelectors: [{matchLabels: {app: nginx}}]";
  const auto ad = [&](const std::string& spec) { return pool + metallb_bgp("a", spec); };
  const Verdict cases[] = {
      {"plain", ad("")},
      {"length 34", ad("aggregationLength: 34"), "spec.aggregationLength: '34'"},
      {"length 0", ad("aggregationLength: 0"), "spec.aggregationLength: '0'"},
      {"v6 length 129", ad("aggregationLengthV6: 129"), "spec.aggregationLengthV6: '129'"},
      {"v6 length 128", ad("aggregationLengthV6: 128")},
      {"pool twice", ad("ipAddressPools: [pool1, pool1]"), "is in the list twice"},
      {"peer twice", ad("peers: [p, p]"), "spec.peers[1]"},
      {"unknown peer", ad("peers: [p]")},
      {"pool selector twice",
       ad("ipAddressPoolSelectors: [{matchLabels: {t: 1}}, {matchLabels: {t: 1}}]"),
       "is in the list twice"},
      {"node selector twice", ad("nodeSelectors: [{matchLabels: {t: 1}}, {matchLabels: {t: 1}}]"),
       "is in the list twice"},
      {"service selector twice",
       ad("serviceSelectors: [{matchLabels: {t: 1}}, {matchLabels: {t: 1}}]"),
       "is in the list twice"},
      {"selector", ad(nginx)},
      {"selector, length 32", ad(nginx + ", aggregationLength: 32")},
      {"selector, length 32 and 128",
       ad(nginx + ", aggregationLength: 32, aggregationLengthV6: 128")},
      {"selector, length 24", ad(nginx + ", aggregationLength: 24"), "exclude aggregation"},
      {"selector, v6 length 64", ad(nginx + ", aggregationLengthV6: 64"), "exclude aggregation"},
      {"community", ad("communities: ['12345:12345']")},
      {"large community", ad("communities: ['large:12345:12345:12345']")},
      {"old number", ad("communities: ['12345']"), "'12345' is neither a community"},
      {"three numbers", ad("communities: ['12345:12345:12345']"), "is neither a community"},
      {"large with a word", ad("communities: ['large:12345:wrong:12345']"), "is no community"},
      {"larg", ad("communities: ['larg:1:1:1']"), "is no community"},
      {"1:65536", ad("communities: ['1:65536']"), "is no community"},
      {"99999999:1", ad("communities: ['99999999:1']"), "is no community"},
      {"-1:1", ad("communities: ['-1:1']"), "is no community"},
      {"11111:11aaaa", ad("communities: ['11111:11aaaa']"), "is no community"},
      {"literal twice", ad("communities: ['1:2', '1:2']"), "is in the list twice"},
      {"localPref", ad("localPref: 4294967295")},
      {"localPref over", ad("localPref: 4294967296"), "spec.localPref"},
      {"twice", ad("") + metallb_bgp("a", ""), "is there twice"},
      {"the same under another name", ad("") + metallb_bgp("b", "")},
  };
  expect_verdicts(cases);
}

TEST(MetallbAdvertisement, BecomesAnAdvertisement) {
  const Desired d = read(
      metallb_community("c", "{name: vpn, value: '64512:7'}, {name: big, value: 'large:1:2:3'}") +
      metallb_pool("pool1", "addresses: [1.2.3.0/24]") + metallb_peer("p") +
      metallb_bgp("a",
                  "ipAddressPools: [pool1], ipAddressPoolSelectors: [{matchLabels: {z: 1}}], "
                  "nodeSelectors: [{}], peers: [p], localPref: 77, aggregationLength: 26, "
                  "aggregationLengthV6: 120, communities: [vpn, '64512:7', big, '1:2']") +
      metallb_bgp("b", "serviceSelectors: [{matchLabels: {s: 1}}], localPref: 0"));
  EXPECT_TRUE(errors(d).empty());
  ASSERT_EQ(d.advertisements.size(), 2U);
  const BgpAdvertisement &a = d.advertisements[0], &b = d.advertisements[1];
  EXPECT_EQ(a.pools.names, std::vector{PoolName("pool1")});
  EXPECT_EQ(to_string(a.pools.selectors), "z=1");
  EXPECT_EQ(a.node_selectors.size(), 1U);
  EXPECT_EQ(a.peers, std::vector{PeerName("p")});
  EXPECT_EQ(a.local_pref, 77U);
  EXPECT_EQ(a.aggregation_v4, 26U);
  EXPECT_EQ(a.aggregation_v6, 120U);
  EXPECT_EQ(a.communities, (std::vector<std::uint32_t>{1U << 16 | 2, 64512U << 16 | 7}));
  EXPECT_EQ(a.large_communities, (std::vector<LargeCommunity>{{1, 2, 3}}));
  EXPECT_TRUE(a.needs_endpoints);
  EXPECT_TRUE(a.aggregate_local);
  EXPECT_TRUE(a.strict_local_pref);
  EXPECT_FALSE(a.exclusive);
  EXPECT_TRUE(a.ipv4 && a.ipv6);
  EXPECT_EQ(to_string(b.service_selectors), "s=1");
  EXPECT_FALSE(b.local_pref);
  EXPECT_EQ(b.aggregation_v4, 32U);
  EXPECT_EQ(b.aggregation_v6, 128U);
  EXPECT_TRUE(b.pools.all());
}

TEST(MetallbBfdProfile, IsTakenOrRefused) {
  const Verdict cases[] = {
      {"empty", metallb_bfd("b", "")},
      {"twice", metallb_bfd("b", "") + metallb_bfd("b", ""), "is there twice"}};
  expect_verdicts(cases);
  const struct {
    const char* field;
    int low, high;
  } bounds[] = {{"receiveInterval", 10, 60000},
                {"transmitInterval", 10, 60000},
                {"echoInterval", 10, 60000},
                {"detectMultiplier", 2, 255},
                {"minimumTtl", 1, 254}};
  for (const auto& b : bounds) {
    for (const auto& [value, good] :
         {std::pair(b.low - 1, false), {b.low, true}, {b.high, true}, {b.high + 1, false}}) {
      const std::string spec = b.field + (": " + std::to_string(value));
      EXPECT_EQ(errors(read(metallb_bfd("b", spec))).empty(), good) << spec;
    }
  }
}

TEST(MetallbBfdProfile, BecomesAProfile) {
  const Desired d = read(metallb_bfd("a", "") +
                         metallb_bfd("b",
                                     "receiveInterval: 50, transmitInterval: 51, "
                                     "detectMultiplier: 52, echoInterval: 54, echoMode: true, "
                                     "passiveMode: true, minimumTtl: 55") +
                         metallb_bfd("c", "echoMode: true") + metallb_bfd("d", "echoInterval: 20"));
  ASSERT_EQ(d.bfd_profiles.size(), 4U);
  EXPECT_EQ(d.problems.size(), 4U) << "not in force yet";
  const BfdProfile &a = d.bfd_profiles[0], &b = d.bfd_profiles[1];
  EXPECT_EQ(a.receive_interval, 300ms);
  EXPECT_EQ(a.transmit_interval, 300ms);
  EXPECT_EQ(a.detect_multiplier, 3U);
  EXPECT_FALSE(a.echo_interval);
  EXPECT_FALSE(a.passive);
  EXPECT_EQ(a.minimum_ttl, 254U);
  EXPECT_EQ(b.receive_interval, 50ms);
  EXPECT_EQ(b.transmit_interval, 51ms);
  EXPECT_EQ(b.detect_multiplier, 52U);
  EXPECT_EQ(b.echo_interval, 54ms);
  EXPECT_TRUE(b.passive);
  EXPECT_EQ(b.minimum_ttl, 55U);
  EXPECT_EQ(d.bfd_profiles[2].echo_interval, 50ms);
  EXPECT_FALSE(d.bfd_profiles[3].echo_interval) << "no echo without echoMode";
}

TEST(MetallbCommunity, IsTakenOrRefused) {
  const auto alias = [](const std::string& value) {
    return metallb_community("c", "{name: bar, value: '" + value + "'}");
  };
  const Verdict cases[] = {
      {"empty", metallb_object("Community", "c", "")},
      {"plain", alias("0:1234")},
      {"large", alias("large:4294967295:0:1")},
      {"one number", alias("1234"), "is no community"},
      {"99999999:1", alias("99999999:1"), "is no community"},
      {"1:99999999", alias("1:99999999"), "is no community"},
      {"blank", alias("1: 2"), "is no community"},
      {"nothing", alias(""), "is no community"},
      {"twice in one",
       metallb_community("c", "{name: bar, value: '1:2'}, {name: bar, value: '1:2'}"),
       "'bar' is defined twice"},
      {"twice in two",
       metallb_community("c", "{name: bar, value: '1:2'}") +
           metallb_community("d", "{name: bar, value: '1:2'}"),
       "Community metallb-system/d: spec.communities: the alias 'bar' is defined by Community 'c' "
       "too"},
      {"no name", metallb_community("c", "{value: '1:2'}"), "name: is missing"},
  };
  expect_verdicts(cases);
}

}  // namespace
}  // namespace herald::config
