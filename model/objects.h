// model/objects.h: what users want, as plain values. Every dialect of manifest is translated into
// these at the edge (config/); nothing behind it knows where an object came from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/time.h"
#include "model/labels.h"
#include "net/ip.h"

namespace herald {

// Where an object was read: for messages only, never for decisions.
struct Source {
  std::string file;
  int line = 0;
  bool operator==(const Source&) const = default;
};

// metadata.creationTimestamp in seconds since 1970; absent objects sort as the youngest. Of two
// that want the same thing, the older wins, then the lesser name.
using CreationTime = std::optional<std::int64_t>;

// Which addresses of a service an object speaks of.
enum class AddressKind : std::uint8_t { LoadBalancerIP, ExternalIP, ClusterIP };

enum class IpFamilyPolicy : std::uint8_t { SingleStack, PreferDualStack, RequireDualStack };
enum class TrafficPolicy : std::uint8_t { Cluster, Local };

struct ServicePort {
  std::uint16_t port = 0;
  std::string protocol = "TCP";  // TCP, UDP, SCTP
  auto operator<=>(const ServicePort&) const = default;
};

// A v1 Service of type LoadBalancer that is ours to serve.
struct Service {
  ObjectName name;
  Source source;
  CreationTime created;
  Labels labels;
  std::vector<IpFamily> families;  // spec.ipFamilies; empty: IPv4, then by the pools
  IpFamilyPolicy family_policy = IpFamilyPolicy::SingleStack;
  TrafficPolicy traffic_policy = TrafficPolicy::Cluster;
  std::vector<ServicePort> ports;
  std::vector<IpAddress> requested;  // by annotation or spec.loadBalancerIP
  std::string requested_by;          // the annotation or field that asked, for messages
  std::vector<IpAddress> held;       // status.loadBalancer.ingress: what it already has
  std::vector<IpAddress> external_ips;
  bool operator==(const Service&) const = default;
};

// LoadBalancerIPPool.
struct Pool {
  PoolName name;
  Source source;
  CreationTime created;
  Labels labels;
  std::vector<IpRange> ranges;  // in the order given; what `avoid` excludes is still inside
  std::optional<LabelSelector> service_selector;    // none: all
  std::optional<LabelSelector> namespace_selector;  // none: all
  std::vector<std::string> namespaces;              // empty: all
  std::optional<int> priority;                      // 1 before 2; none last
  bool auto_assign = true;
  bool disabled = false;
  std::vector<IpRange> avoided;   // never chosen by ourselves nor on request (first and last)
  bool avoid_buggy_ipv4 = false;  // the same for every IPv4 address that ends in .0 or .255
  std::optional<PoolName> conflicts_with;  // an older pool with an address in common: unused so far
  bool operator==(const Pool&) const = default;
};

struct PreferredNodes {
  int weight = 1;  // 1..100
  LabelSelector selector;
  bool operator==(const PreferredNodes&) const = default;
};

// L2AnnouncementPolicy: which services are announced by ARP/NDP, from which nodes and links.
struct L2Policy {
  std::string name;
  Source source;
  std::optional<LabelSelector> service_selector;  // none: all
  std::optional<LabelSelector> node_selector;     // none: all
  std::vector<PoolName> pools;                    // empty: all
  std::vector<std::string> interfaces;            // RE2, unanchored, any of; empty: all usable
  std::vector<AddressKind> addresses = {AddressKind::LoadBalancerIP};
  std::vector<PreferredNodes> preferred_nodes;
  bool rebalance = true;  // IPs move, gently, to a node that comes; else they stay where they are
  int gratuitous_count = 5;
  Duration gratuitous_interval = 200ms;
  Duration gratuitous_refresh = 0s;  // 0: none
  bool operator==(const L2Policy&) const = default;
};

// What AS number a peer must show in its OPEN.
struct PeerAsn {
  enum class Kind : std::uint8_t { Number, Internal, External } kind = Kind::Number;
  Asn number;
  bool operator==(const PeerAsn&) const = default;
};

// BGPPeer.
struct BgpPeer {
  PeerName name;
  Source source;
  IpAddress address;
  std::uint16_t port = 179;
  PeerAsn peer_asn;
  Asn local_asn;
  std::optional<IpAddress> router_id;          // none: the node's own
  std::optional<LabelSelector> node_selector;  // none: all
  std::optional<IpAddress> source_address;
  Duration hold_time = 90s;
  Duration keepalive_time = 30s;
  Duration connect_retry_time = 5s;
  int multihop = 1;
  bool ipv4 = true, ipv6 = true;  // families
  bool operator==(const BgpPeer&) const = default;
};

struct LargeCommunity {
  std::uint32_t global = 0, local1 = 0, local2 = 0;  // RFC 8092
  auto operator<=>(const LargeCommunity&) const = default;
};

// BGPAdvertisement.
struct BgpAdvertisement {
  std::string name;
  Source source;
  std::optional<LabelSelector> service_selector;  // none: all
  std::optional<LabelSelector> node_selector;     // none: all
  std::vector<PoolName> pools;                    // empty: all
  std::vector<PeerName> peers;                    // empty: all
  std::vector<AddressKind> addresses = {AddressKind::LoadBalancerIP};
  unsigned aggregation_v4 = 32, aggregation_v6 = 128;
  std::vector<std::uint32_t> communities;  // RFC 1997
  std::vector<LargeCommunity> large_communities;
  std::optional<std::uint32_t> local_pref;
  std::optional<std::uint32_t> med;
  unsigned as_path_prepend = 0;
  bool operator==(const BgpAdvertisement&) const = default;
};

// v1 Node: only what people say about it; what it is doing is a member document.
struct NodeObject {
  NodeName name;
  Source source;
  Labels labels;
  bool cordoned = false;  // spec.unschedulable
  bool operator==(const NodeObject&) const = default;
};

// v1 Namespace.
struct NamespaceObject {
  std::string name;
  Labels labels;
  bool operator==(const NamespaceObject&) const = default;
};

}  // namespace herald
