// What Cilium's schemas accept and refuse, each bound on both sides.
#include <gtest/gtest.h>

#include "config/manifests.h"

namespace herald::config {
namespace {

struct Case {
  const char* name;
  std::string spec;     // the fields of spec, in flow form
  std::string problem;  // part of the one error; empty: there is none
};

std::string document(const std::string& kind, const std::string& spec,
                     const std::string& api = "cilium.io/v2") {
  return "apiVersion: " + api + "\nkind: " + kind + "\nmetadata: {name: o}\nspec: {" + spec + "}\n";
}

std::vector<std::string> errors(const std::string& text) {
  Manifests m;
  m.set_file("f.yaml", text);
  std::vector<std::string> out;
  for (const Problem& p : m.desired().problems) {
    if (p.severity == Severity::Error) out.push_back(to_string(p));
  }
  return out;
}

void expect(const std::string& kind, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    for (const char* api : {"cilium.io/v2", "cilium.io/v2alpha1"}) {
      const auto found = errors(document(kind, c.spec, api));
      if (c.problem.empty()) {
        EXPECT_EQ(found, std::vector<std::string>{}) << c.name << ": " << c.spec;
      } else {
        ASSERT_FALSE(found.empty()) << c.name << ": " << c.spec;
        EXPECT_NE(found[0].find(c.problem), std::string::npos)
            << c.name << ": " << found[0] << "\n  lacks " << c.problem;
        EXPECT_NE(found[0].find("f.yaml:4: " + kind + " o: spec"), std::string::npos) << found[0];
      }
    }
  }
}

TEST(CiliumSchema, Pool) {
  const auto blocks = [](const std::string& b) { return "blocks: [" + b + "]"; };
  expect(
      "CiliumLoadBalancerIPPool",
      {
          {"cidr_v4", blocks("{cidr: 10.0.0.0/24}"), ""},
          {"cidr_v6", blocks("{cidr: 'FF::0/48'}"), ""},
          {"all_of_v4", blocks("{cidr: 0.0.0.0/0}"), ""},
          {"all_of_v6", blocks("{cidr: '::/0'}"), ""},
          {"one_v4", blocks("{cidr: 10.0.0.1/32}"), ""},
          {"one_v6", blocks("{cidr: 'fd00::1/128'}"), ""},
          {"host_bits", blocks("{cidr: 10.0.0.12/24}"), ""},
          {"length_33", blocks("{cidr: 10.0.0.0/33}"), "blocks[0].cidr: '10.0.0.0/33' is no CIDR"},
          {"length_129", blocks("{cidr: '2001:db8::/129'}"), "is no CIDR"},
          {"no_length", blocks("{cidr: 10.0.0.0}"), "'10.0.0.0' is no CIDR"},
          {"a_range", blocks("{cidr: 10.0.0.1-10.0.0.9}"), "is no CIDR"},
          {"text", blocks("{cidr: abc}"), "blocks[0].cidr: 'abc' is no"},
          {"empty", blocks("{cidr: ''}"), "blocks[0].cidr: '' is no"},
          {"range", blocks("{start: 10.0.0.1, stop: 10.0.0.9}"), ""},
          {"range_of_one", blocks("{start: 10.0.0.1, stop: 10.0.0.1}"), ""},
          {"range_v6", blocks("{start: 'fd00::1', stop: 'fd00::ffff'}"), ""},
          {"start_alone", blocks("{start: 10.0.0.1}"), ""},
          {"stop_alone", blocks("{stop: 10.0.0.1}"), "needs either cidr, or start"},
          {"nothing", blocks("{}"), "needs either cidr, or start"},
          {"cidr_wins", blocks("{cidr: 10.0.0.0/24, start: 10.1.0.1, stop: 10.1.0.9}"), ""},
          {"reversed_v4", blocks("{start: 10.0.0.100, stop: 10.0.0.0}"), "ends before it begins"},
          {"reversed_v6", blocks("{start: '::FF00', stop: '::00FF'}"), "ends before it begins"},
          {"v6_to_v4", blocks("{start: '::FF', stop: 10.0.0.100}"), "mixes IPv4 and IPv6"},
          {"v4_to_v6", blocks("{start: 10.0.0.100, stop: '::FF'}"), "mixes IPv4 and IPv6"},
          {"start_is_text", blocks("{start: abc, stop: 10.0.0.9}"), "blocks[0].start"},
          {"stop_is_text", blocks("{start: 10.0.0.1, stop: abc}"), "blocks[0].start"},
          {"start_is_cidr", blocks("{start: 10.0.0.0/24}"), "write one address for each"},
          {"start_is_range", blocks("{start: 10.0.0.1-10.0.0.9}"), "write one address for each"},
          {"no_blocks", "blocks: []", ""},
          {"first_last_yes", "allowFirstLastIPs: 'Yes', blocks: []", ""},
          {"first_last_no", "allowFirstLastIPs: 'No', blocks: []", ""},
          {"first_last_no_unquoted", "allowFirstLastIPs: No, blocks: []", ""},
          {"first_last_lower", "allowFirstLastIPs: 'no', blocks: []", "'no' is none of Yes, No"},
          {"first_last_bool", "allowFirstLastIPs: true, blocks: []", "'true' is none of Yes, No"},
          {"first_last_empty", "allowFirstLastIPs: '', blocks: []", "is none of Yes, No"},
          {"disabled", "disabled: true, blocks: []", ""},
          {"disabled_text", "disabled: 'true', blocks: []", "neither true nor false"},
          {"overlap", blocks("{cidr: 10.0.0.0/24}, {cidr: 10.0.0.64/28}"), ""},
          {"unknown_field", "block: []", "unknown field; did you mean 'blocks'?"},
          {"label_63",
           "blocks: [], serviceSelector: {matchLabels: {a: " + std::string(63, 'x') + "}}", ""},
          {"label_64",
           "blocks: [], serviceSelector: {matchLabels: {a: " + std::string(64, 'x') + "}}",
           "is no value of a label"},
          {"label_empty", "blocks: [], serviceSelector: {matchLabels: {a: ''}}", ""},
          {"label_dot_end", "blocks: [], serviceSelector: {matchLabels: {a: 'x.'}}",
           "is no value of a label"},
          {"operator", "blocks: [], serviceSelector: {matchExpressions: [{key: a, operator: Gt}]}",
           "'Gt' is none of In, NotIn, Exists, DoesNotExist"},
          {"operator_missing", "blocks: [], serviceSelector: {matchExpressions: [{key: a}]}",
           "operator: is missing"},
      });
  EXPECT_EQ(
      errors("apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: o}\n")
          .size(),
      1U)
      << "spec is required";
}

TEST(CiliumSchema, ClusterConfig) {
  const auto instance = [](const std::string& i) { return "bgpInstances: [{name: i, " + i + "}]"; };
  const auto peer = [&](const std::string& p) {
    return instance("localASN: 65000, peers: [{name: a, " + p + "}]");
  };
  const auto many = [](int count) {
    std::string out = "bgpInstances: [";
    for (int i = 0; i < count; ++i) out += "{name: i" + std::to_string(i) + "},";
    return out + "]";
  };
  const std::string address = "peerAddress: 10.0.0.1, ";
  expect(
      "CiliumBGPClusterConfig",
      {
          {"no_instances", "bgpInstances: []", "bgpInstances: is empty"},
          {"missing_instances", "", "bgpInstances: is missing"},
          {"instances_16", many(16), ""},
          {"instances_17", many(17), "lists 17: at most 16"},
          {"instance_unnamed", "bgpInstances: [{localASN: 1}]", "bgpInstances[0].name: is missing"},
          {"instance_empty_name", "bgpInstances: [{name: ''}]", "has 0 characters"},
          {"name_255", "bgpInstances: [{name: " + std::string(255, 'n') + "}]", ""},
          {"name_256", "bgpInstances: [{name: " + std::string(256, 'n') + "}]",
           "has 256 characters"},
          {"instance_twice", "bgpInstances: [{name: i}, {name: i}]", "'i' is there twice"},
          {"asn_0", instance("localASN: 0"), "no whole number from 1 to 4294967295"},
          {"asn_1", instance("localASN: 1"), ""},
          {"asn_65535", instance("localASN: 65535"), ""},
          {"asn_max", instance("localASN: 4294967295"), ""},
          {"asn_over", instance("localASN: 4294967296"), "no whole number"},
          {"asn_negative", instance("localASN: -1"), "no whole number"},
          {"port_0", instance("localPort: 0"), "localPort"},
          {"port_1", instance("localPort: 1"), ""},
          {"port_65535", instance("localPort: 65535"), ""},
          {"port_65536", instance("localPort: 65536"), "localPort"},
          {"peer_twice",
           instance("peers: [{name: a, " + address + "}, {name: a, " + address + "}]"),
           "peers[1].name: 'a' is there twice"},
          {"peer_in_two_instances",
           "bgpInstances: [{name: i, localASN: 1, peers: [{name: a, " + address +
               "}]}, {name: j, localASN: 1, peers: [{name: a, " + address + "}]}]",
           ""},
          {"no_peers", instance("peers: []"), ""},
          {"peer_asn_0", peer(address + "peerASN: 0"), ""},
          {"peer_asn_negative", peer(address + "peerASN: -1"), "peerASN"},
          {"peer_asn_max", peer(address + "peerASN: 4294967295"), ""},
          {"peer_asn_over", peer(address + "peerASN: 4294967296"), "peerASN"},
          {"neither", peer("peerASN: 1"), "peerAddress: is missing"},
          {"config_unnamed", peer(address + "peerConfigRef: {}"), "peerConfigRef.name: is missing"},
          {"config_missing", peer(address + "peerConfigRef: {name: x}"), ""},
          {"discovery_without_mode", peer("autoDiscovery: {}"), "mode: is missing"},
          {"discovery_mode", peer("autoDiscovery: {mode: Magic}"), "is none of DefaultGateway"},
          {"gateway",
           peer("autoDiscovery: {mode: DefaultGateway, defaultGateway: {addressFamily: "
                "ipv6}}"),
           ""},
          {"gateway_missing", peer("autoDiscovery: {mode: DefaultGateway}"), "defaultGateway"},
          {"gateway_family_missing",
           peer("autoDiscovery: {mode: DefaultGateway, defaultGateway: {}}"),
           "addressFamily: is missing"},
          {"gateway_family",
           peer("autoDiscovery: {mode: DefaultGateway, defaultGateway: {addressFamily: IPv6}}"),
           "is none of ipv4, ipv6"},
          {"unnumbered", peer("autoDiscovery: {mode: Unnumbered, unnumbered: {interface: eth0}}"),
           ""},
          {"unnumbered_by_gateway",
           peer("autoDiscovery: {mode: Unnumbered, defaultGateway: {addressFamily: ipv6}}"), ""},
          {"unnumbered_without", peer("autoDiscovery: {mode: Unnumbered}"), "unnumbered"},
          {"unnumbered_both",
           peer("autoDiscovery: {mode: Unnumbered, unnumbered: {interface: eth0}, "
                "defaultGateway: {addressFamily: ipv6}}"),
           "needs either"},
          {"unnumbered_link_empty",
           peer("autoDiscovery: {mode: Unnumbered, unnumbered: {interface: ''}}"),
           "has 0 characters"},
          {"address_and_discovery",
           peer(address + "autoDiscovery: {mode: Unnumbered, unnumbered: {interface: eth0}}"), ""},
          {"link_with_link_local", peer("peerAddress: 'fe80::1', peerInterface: eth0"), ""},
          {"link_with_global", peer("peerAddress: 10.0.0.1, peerInterface: eth0"),
           "starts with fe80"},
          {"link_empty", peer("peerAddress: 'fe80::1', peerInterface: ''"), "has 0 characters"},
      });
  for (const char* good :
       {"10.0.0.1", "0.0.0.0", "255.255.255.255", " 10.0.0.1 ", "::", "::1", "1::", "fd00::1",
        "FD00::1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::ffff:10.0.0.1",
        "::10.0.0.1", "64:ff9b::10.0.0.1", "1:2:3:4:5:6:10.0.0.1", "fe80::1%eth0", "fd00::1%x"}) {
    expect("CiliumBGPClusterConfig",
           {{good, peer("peerAddress: '" + std::string(good) + "'"), ""}});
  }
  for (const char* bad :
       {"", "010.0.0.1", "10.0.0.01", "256.0.0.1", "10.0.0", "10.0.0.1.2", "10.0.0.1/32",
        "10.0.0.1:179", "10.0.0.1%eth0", "fe80::1%", "fd00::1::2", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "12345::", "g::1", "[fd00::1]", "fd00::1/128", "tor.example.com"}) {
    expect("CiliumBGPClusterConfig",
           {{bad, peer("peerAddress: '" + std::string(bad) + "'"), "is no IP address"}});
  }
}

TEST(CiliumSchema, PeerConfig) {
  const auto family = [](const std::string& f) { return "families: [{" + f + "}]"; };
  std::vector<Case> cases = {
      {"empty", "", ""},
      {"port_0", "transport: {peerPort: 0}", "transport.peerPort"},
      {"port_1", "transport: {peerPort: 1}", ""},
      {"port_65535", "transport: {peerPort: 65535}", ""},
      {"port_65536", "transport: {peerPort: 65536}", "transport.peerPort"},
      {"source", "transport: {sourceInterface: lo}", ""},
      {"retry_0", "timers: {connectRetryTimeSeconds: 0}", "connectRetryTimeSeconds"},
      {"retry_1", "timers: {connectRetryTimeSeconds: 1}", ""},
      {"retry_max", "timers: {connectRetryTimeSeconds: 2147483647}", ""},
      {"retry_over", "timers: {connectRetryTimeSeconds: 2147483648}", "connectRetryTimeSeconds"},
      {"hold_0", "timers: {holdTimeSeconds: 0}", "holdTimeSeconds"},
      {"hold_2", "timers: {holdTimeSeconds: 2}", "holdTimeSeconds"},
      {"hold_3", "timers: {holdTimeSeconds: 3}", ""},
      {"hold_negative", "timers: {holdTimeSeconds: -1}", "holdTimeSeconds"},
      {"hold_65535", "timers: {holdTimeSeconds: 65535}", ""},
      {"hold_65536", "timers: {holdTimeSeconds: 65536}", "holdTimeSeconds"},
      {"keepalive_0", "timers: {keepAliveTimeSeconds: 0}", "keepAliveTimeSeconds"},
      {"keepalive_1", "timers: {keepAliveTimeSeconds: 1}", ""},
      {"keepalive_65535", "timers: {keepAliveTimeSeconds: 65535, holdTimeSeconds: 65535}", ""},
      {"keepalive_65536", "timers: {keepAliveTimeSeconds: 65536}", "keepAliveTimeSeconds"},
      {"keepalive_is_hold", "timers: {keepAliveTimeSeconds: 90}", ""},
      {"keepalive_over_hold", "timers: {keepAliveTimeSeconds: 91}",
       "91 is more than the hold time of 90"},
      {"keepalive_over_given", "timers: {keepAliveTimeSeconds: 10, holdTimeSeconds: 9}",
       "10 is more than the hold time of 9"},
      {"multihop_0", "ebgpMultihop: 0", "ebgpMultihop"},
      {"multihop_1", "ebgpMultihop: 1", ""},
      {"multihop_255", "ebgpMultihop: 255", ""},
      {"multihop_256", "ebgpMultihop: 256", "ebgpMultihop"},
      {"restart_without_enabled", "gracefulRestart: {restartTimeSeconds: 1}",
       "enabled: is missing"},
      {"restart_off", "gracefulRestart: {enabled: false}", ""},
      {"restart_0", "gracefulRestart: {enabled: true, restartTimeSeconds: 0}",
       "restartTimeSeconds"},
      {"restart_1", "gracefulRestart: {enabled: true, restartTimeSeconds: 1}", ""},
      {"restart_4095", "gracefulRestart: {enabled: true, restartTimeSeconds: 4095}", ""},
      {"restart_4096", "gracefulRestart: {enabled: true, restartTimeSeconds: 4096}",
       "restartTimeSeconds"},
      {"secret", "authSecretRef: bgp", ""},
      {"no_afi", family("safi: unicast"), "families[0].afi: is missing"},
      {"no_safi", family("afi: ipv4"), "families[0].safi: is missing"},
      {"afi_case", family("afi: IPv4, safi: unicast"), "'IPv4' is none of ipv4"},
      {"safi_text", family("afi: ipv4, safi: any"), "'any' is none of unicast"},
      {"advertisements_all", family("afi: ipv4, safi: unicast, advertisements: {}"), ""},
      {"families_twice", "families: [{afi: ipv4, safi: unicast}, {afi: ipv4, safi: unicast}]", ""},
      {"bfd",
       "bfd: {enabled: true, transmitIntervalMilliseconds: 300, "
       "receiveIntervalMilliseconds: 300, detectionMultiplier: 3}",
       ""},
      {"unknown", "holdTime: 3", "unknown field"},
  };
  for (const char* afi : {"ipv4", "ipv6", "l2vpn", "ls", "opaque"}) {
    cases.push_back({afi, family("afi: " + std::string(afi) + ", safi: unicast"), ""});
  }
  for (const char* safi :
       {"unicast", "multicast", "mpls_label", "encapsulation", "vpls", "evpn", "ls", "sr_policy",
        "mup", "mpls_vpn", "mpls_vpn_multicast", "route_target_constraints", "flowspec_unicast",
        "flowspec_vpn", "key_value"}) {
    cases.push_back({safi, family("afi: ipv4, safi: " + std::string(safi)), ""});
  }
  expect("CiliumBGPPeerConfig", cases);
}

TEST(CiliumSchema, Advertisement) {
  const auto entry = [](const std::string& e) { return "advertisements: [{" + e + "}]"; };
  const auto service = [&](const std::string& more) {
    return entry("advertisementType: Service, selector: {}, service: {addresses: [LoadBalancerIP]" +
                 more + "}");
  };
  const auto attributes = [&](const std::string& a) {
    return entry(
        "advertisementType: Service, selector: {}, service: {addresses: [LoadBalancerIP]}, "
        "attributes: {" +
        a + "}");
  };
  const std::string type = "advertisementType: ";
  expect(
      "CiliumBGPAdvertisement",
      {
          {"missing", "", "advertisements: is missing"},
          {"empty", "advertisements: []", ""},
          {"no_type", entry("service: {addresses: [ClusterIP]}"), "advertisementType: is missing"},
          {"bad_type", entry(type + "Everything"), "'Everything' is none of Service"},
          {"service_without_options", entry(type + "Service"), "service: advertisementType is"},
          {"service", service(""), ""},
          {"service_all",
           entry(type + "Service, selector: {}, service: {addresses: "
                        "[LoadBalancerIP, ExternalIP, ClusterIP, ClusterIP]}"),
           ""},
          {"addresses_empty", entry(type + "Service, service: {addresses: []}"),
           "addresses: is empty"},
          {"addresses_missing", entry(type + "Service, service: {}"), "addresses: is missing"},
          {"addresses_bad", entry(type + "Service, service: {addresses: [PodIP]}"),
           "'PodIP' is none of"},
          {"no_selector", entry(type + "Service, service: {addresses: [LoadBalancerIP]}"), ""},
          {"pod_cidr", entry(type + "PodCIDR"), ""},
          {"pod_cidr_selector", entry(type + "PodCIDR, selector: {}"), "take the selector out"},
          {"pod_cidr_service", entry(type + "PodCIDR, service: {addresses: [ClusterIP]}"),
           "take service out"},
          {"pod_pool", entry(type + "CiliumPodIPPool, selector: {}"), ""},
          {"interface", entry(type + "Interface, interface: {name: lo}"), ""},
          {"interface_without", entry(type + "Interface"), "interface: advertisementType is"},
          {"interface_unnamed", entry(type + "Interface, interface: {}"),
           "interface.name: is missing"},
          {"interface_elsewhere", entry(type + "PodCIDR, interface: {name: lo}"),
           "take interface out"},
          {"aggregation_v4_-1", service(", aggregationLengthIPv4: -1"), "aggregationLengthIPv4"},
          {"aggregation_v4_0", service(", aggregationLengthIPv4: 0"), ""},
          {"aggregation_v4_31", service(", aggregationLengthIPv4: 31"), ""},
          {"aggregation_v4_32", service(", aggregationLengthIPv4: 32"), "aggregationLengthIPv4"},
          {"aggregation_v6_-1", service(", aggregationLengthIPv6: -1"), "aggregationLengthIPv6"},
          {"aggregation_v6_0", service(", aggregationLengthIPv6: 0"), ""},
          {"aggregation_v6_127", service(", aggregationLengthIPv6: 127"), ""},
          {"aggregation_v6_128", service(", aggregationLengthIPv6: 128"), "aggregationLengthIPv6"},
          {"preference_0", attributes("localPreference: 0"), ""},
          {"preference_max", attributes("localPreference: 4294967295"), ""},
          {"preference_over", attributes("localPreference: 4294967296"), "localPreference"},
          {"preference_negative", attributes("localPreference: -1"), "localPreference"},
      });
  const auto community = [&](const char* sort, const char* text) {
    return attributes("communities: {" + std::string(sort) + ": ['" + text + "']}");
  };
  const struct {
    const char* sort;
    std::vector<const char*> good, bad;
  } words[] = {
      {"standard",
       {"0", "65535", "65536", "4294967295", "0:0", "65535:65535", "64512:100"},
       {"", "4294967296", "00", "01", "-1", "65536:1", "1:65536", "01:1", "1:01", "1:", ":1",
        "1:2:3", " 1", "0x1", "no-export"}},
      {"wellKnown",
       {"internet", "planned-shut", "accept-own", "route-filter-translated-v4", "route-filter-v4",
        "route-filter-translated-v6", "route-filter-v6", "llgr-stale", "no-llgr", "blackhole",
        "no-export", "no-advertise", "no-export-subconfed", "no-peer"},
       {"NO_EXPORT", "No-Export", "local-as", "graceful-shutdown", "accept-own-nexthop", "1", ""}},
      {"large",
       {"0:0:0", "64512:1:2", "4294967295:4294967295:4294967295"},
       {"1:2", "1:2:3:4", "4294967296:1:1", "1:1:4294967296", "01:2:3", "1:2:", "::", "text", ""}},
  };
  for (const auto& w : words) {
    for (const char* text : w.good) {
      expect("CiliumBGPAdvertisement", {{w.sort, community(w.sort, text), ""}});
    }
    for (const char* text : w.bad) {
      expect("CiliumBGPAdvertisement", {{w.sort, community(w.sort, text), "community"}});
    }
  }
}

TEST(CiliumSchema, NodeConfigOverride) {
  const auto instance = [](const std::string& i) { return "bgpInstances: [{name: i, " + i + "}]"; };
  expect("CiliumBGPNodeConfigOverride",
         {
             {"none", "bgpInstances: []", "bgpInstances: is empty"},
             {"missing", "", "bgpInstances: is missing"},
             {"twice", "bgpInstances: [{name: i}, {name: i}]", "is there twice"},
             {"router_id", instance("routerID: 10.1.2.3"), ""},
             {"router_id_v6", instance("routerID: 'fd00::1'"), "is no router ID"},
             {"router_id_empty", instance("routerID: ''"), "routerID: '' is no IP address"},
             {"router_id_short", instance("routerID: 10.1.2"), "routerID"},
             {"router_id_cidr", instance("routerID: 10.1.2.3/32"), "routerID"},
             {"router_id_256", instance("routerID: 256.1.1.1"), "routerID"},
             {"router_id_zero", instance("routerID: 0.0.0.0"), ""},
             {"local_port_0", instance("localPort: 0"), ""},
             {"local_port_70000", instance("localPort: 70000"), ""},
             {"local_port_over", instance("localPort: 2147483648"), "localPort"},
             {"asn_0", instance("localASN: 0"), "localASN"},
             {"asn_1", instance("localASN: 1"), ""},
             {"asn_max", instance("localASN: 4294967295"), ""},
             {"asn_over", instance("localASN: 4294967296"), "localASN"},
             {"peer", instance("peers: [{name: a, localAddress: 10.0.0.9, localPort: 1790}]"), ""},
             {"peer_twice", instance("peers: [{name: a}, {name: a}]"), "is there twice"},
             {"peer_address", instance("peers: [{name: a, localAddress: 10.0.0}]"),
              "is no IP address"},
             {"peer_link", instance("peers: [{name: a, peerInterface: eth0}]"), ""},
             {"peer_link_and_address",
              instance("peers: [{name: a, peerInterface: eth0, localAddress: 10.0.0.9}]"),
              "cannot be beside localAddress"},
         });
}

TEST(CiliumSchema, L2Policy) {
  expect("CiliumL2AnnouncementPolicy",
         {
             {"empty", "", ""},
             {"both", "loadBalancerIPs: true, externalIPs: true", ""},
             {"not_a_bool", "loadBalancerIPs: 'yes'", "neither true nor false"},
             {"interfaces", "loadBalancerIPs: true, interfaces: ['^eth[0-9]+', 'bond0$']", ""},
             {"interface_regex", "interfaces: ['eth[0']", "interfaces[0]"},
             {"node_selector",
              "nodeSelector: {matchExpressions: [{key: a, operator: DoesNotExist}]}", ""},
             {"unknown", "interface: [eth0]", "did you mean 'interfaces'?"},
         });
}

TEST(CiliumSchema, OtherKinds) {
  const auto all = [](const std::string& kind, const std::string& api = "cilium.io/v2") {
    Manifests m;
    m.set_file("f.yaml", document(kind, "anything: {goes: here}", api));
    std::vector<std::string> out;
    for (const Problem& p : m.desired().problems) out.push_back(to_string(p));
    return out;
  };
  EXPECT_TRUE(all("CiliumBGPNodeConfig").empty()) << "what Cilium's operator writes is no matter";
  EXPECT_TRUE(all("CiliumNetworkPolicy").empty()) << "nor is what is none of ours";
  const auto old = all("CiliumBGPPeeringPolicy", "cilium.io/v2alpha1");
  ASSERT_EQ(old.size(), 1U);
  EXPECT_NE(old[0].find("is not read: Cilium has replaced it by CiliumBGPClusterConfig"),
            std::string::npos);
  const auto typo = all("CiliumBGPPeerConfigs");
  ASSERT_EQ(typo.size(), 1U);
  EXPECT_NE(typo[0].find("did you mean 'CiliumBGPPeerConfig'?"), std::string::npos);
  const auto version = all("CiliumBGPPeerConfig", "cilium.io/v3");
  ASSERT_EQ(version.size(), 1U);
  EXPECT_NE(version[0].find("'cilium.io/v3' is not known: write cilium.io/v2"), std::string::npos);
}

}  // namespace
}  // namespace herald::config
