// model/objects.h: what users want, as plain values. Every dialect of manifest is translated into
// these at the edge (config/); nothing behind it knows where an object came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/rare.h"
#include "base/shared.h"
#include "base/time.h"
#include "model/labels.h"
#include "model/short_list.h"
#include "net/ip.h"

namespace herald {

// Where an object was read: for messages only, never for decisions.
struct Source {
  std::string file;
  int line = 0;
  std::string kind = {};  // as it was written there, "CiliumLoadBalancerIPPool"
  bool operator==(const Source&) const = default;
};

// metadata.creationTimestamp in seconds since 1970; absent objects sort as the youngest. Of two
// that want the same thing, the older wins, then the lesser name.
using CreationTime = std::optional<std::int64_t>;

// Which addresses of a service an object speaks of.
enum class AddressKind : std::uint8_t { LoadBalancerIP, ExternalIP, ClusterIP };

enum class IpFamilyPolicy : std::uint8_t { SingleStack, PreferDualStack, RequireDualStack };
enum class TrafficPolicy : std::uint8_t { Cluster, Local };

enum class Protocol : std::uint8_t { TCP, UDP, SCTP };
const char* to_string(Protocol protocol);  // "TCP", "UDP", "SCTP", as in Kubernetes

struct ServicePort {
  std::uint16_t port = 0;
  Protocol protocol = Protocol::TCP;
  auto operator<=>(const ServicePort&) const = default;
};

// Which other services may have the same IP: those with the same key, if both sides permit it.
struct Sharing {
  std::string key;
  std::vector<std::string> namespaces;  // beside its own; "*": all
  // externalTrafficPolicy Local sends to the pods of one service only, so the selectors of both
  // have to be the same, unless this permits other pods.
  bool permit_different_pods = false;
  bool operator==(const Sharing&) const = default;
};

// A v1 Service of type LoadBalancer that is ours to serve. There are thousands, so that it is as
// small as can be.
struct Service {
  ObjectName name;
  Rare<Source> source;  // see source_of()
  CreationTime created;
  Labels labels;
  Labels selector;  // spec.selector: its pods
  Rare<std::string> load_balancer_class;
  ShortList<IpFamily> families;  // spec.ipFamilies; empty: IPv4, then by the pools
  ShortList<ServicePort> ports;
  ShortList<IpAddress> requested;  // by annotation or spec.loadBalancerIP
  Rare<std::string> requested_by;  // the annotation or field that asked, for messages
  Rare<PoolName> requested_pool;
  Rare<std::string> requested_pool_by;
  Rare<Sharing> sharing;
  // Why what it asks for cannot be meant (two ways that exclude one another, text that is no
  // address): it gets nothing new, and keeps what it has. None: all is well.
  Rare<std::string> invalid_request;
  ShortList<IpAddress> held;  // status.loadBalancer.ingress: what it already has
  ShortList<IpAddress> external_ips;
  IpFamilyPolicy family_policy = IpFamilyPolicy::SingleStack;
  TrafficPolicy traffic_policy = TrafficPolicy::Cluster;
  bool invalid_families = false;  // it is the families of the IPs asked for that are wrong
  bool headless = false;          // clusterIP None: there is nothing to send traffic to
  // Another controller wrote that status (it lists a hostname): what lies in no pool is not ours.
  bool foreign_status = false;
  bool operator==(const Service&) const = default;
};

// How ipFamilies and the IPs that a service asks for from a pool have to go together.
enum class FamilyCheck : std::uint8_t {
  Named,  // each IP is of a family that the service has
  Any,    // who asks for an IP gets it, of whatever family
  Exact,  // one IP of each family of the service; and ipFamilyPolicy has to fit ipFamilies
};

// LoadBalancerIPPool.
struct Pool {
  PoolName name;
  Source source;
  CreationTime created;
  Labels labels;
  std::vector<IpRange> ranges;  // in the order given; what `avoid` excludes is still inside
  Selectors service_selectors;
  Selectors namespace_selectors;  // a namespace has its name as kubernetes.io/metadata.name
  std::optional<int> priority;    // 1 before 2; none last
  bool auto_assign = true;
  bool disabled = false;
  std::vector<IpRange> avoided;     // never chosen by ourselves nor on request (first and last)
  bool avoid_buggy_ipv4 = false;    // the same for every IPv4 address that ends in .0 or .255
  bool release_on_shrink = false;   // an IP that an edit put outside of it is replaced, not kept
  bool release_on_refusal = false;  // so is one whose service asks for another that it cannot have
  Duration release_hold = 0s;       // how long a released IP is kept for the same service
  bool probe = true;                // look whether somebody uses an IP before announcing it first
  bool one_pool = false;            // a service has the IPs of all families from here, or none
  bool prefer_shared = true;        // a sharing service gets an IP in use before a free one
  FamilyCheck family_check = FamilyCheck::Named;
  // A pool with an address in common, an older one or this very one: unused until that is mended.
  std::optional<PoolName> conflicts_with;
  bool operator==(const Pool&) const = default;
};
// "overlaps the older pool lan", "overlaps itself"; empty without a conflict.
std::string conflict_of(const Pool& pool);

struct PreferredNodes {
  int weight = 1;  // 1..100
  LabelSelector selector;
  bool operator==(const PreferredNodes&) const = default;
};

// The pools that an announcement is about: named or selected by their labels; all if it does
// neither.
struct PoolChoice {
  std::vector<PoolName> names;
  Selectors selectors;  // here, none selects nothing
  bool all() const { return names.empty() && selectors.empty(); }
  // Whether it means an address of this pool; null: one of no pool.
  bool chooses(const Pool* pool) const;
  bool operator==(const PoolChoice&) const = default;
};

// L2AnnouncementPolicy: which services are announced by ARP/NDP, from which nodes and links.
struct L2Policy {
  std::string name;
  Source source;
  Selectors service_selectors;
  Selectors node_selectors;
  PoolChoice pools;
  std::vector<std::string> classes;  // spec.loadBalancerClass, "" for a service without; empty: all
  bool needs_endpoints = false;      // silent for a service that is known to have no endpoint
  // With service selectors: an IP of a service that may share it is silent, as the IP's other
  // services may not be selected.
  bool refuses_shared = false;
  std::vector<std::string> interfaces;  // RE2, unanchored, any of; empty: all usable
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
  enum class Kind : std::uint8_t { Number, Internal, External, Any } kind = Kind::Number;
  Asn number;
  bool operator==(const PeerAsn&) const = default;
};

// Where a BGP password is.
struct SecretKey {
  std::string ns, name, key;
  bool operator==(const SecretKey&) const = default;
};

// What one node does otherwise than a BGPPeer says.
struct PeerOverride {
  NodeName node;
  std::optional<IpAddress> router_id;
  std::optional<Asn> local_asn;
  std::optional<IpAddress> source_address;
  bool operator==(const PeerOverride&) const = default;
};

// BGPPeer.
struct BgpPeer {
  PeerName name;
  Source source;
  IpAddress address;      // unspecified, or link-local, if `interface` is set
  std::string interface;  // unnumbered: the router at the other end of this link; not in force yet
  std::uint16_t port = 179;
  PeerAsn peer_asn;
  Asn local_asn;                       // 0: no session but where an override has one
  std::optional<IpAddress> router_id;  // none: the node's own
  Selectors node_selectors;
  std::optional<IpAddress> source_address;
  std::string source_interface;  // the link whose address is the source; not in force yet
  Duration hold_time = 90s;
  Duration keepalive_time = 30s;
  Duration connect_retry_time = 5s;
  int multihop = 1;
  bool ipv4 = true, ipv6 = true;  // families
  std::vector<PeerOverride> overrides;
  // Read, checked and converted; what is not in force yet says so in a warning.
  bool ttl_security = false;       // RFC 5082
  bool extended_next_hop = false;  // RFC 8950
  bool passive = false;
  std::optional<SecretKey> password;
  std::string bfd_profile;
  bool graceful_restart = false;
  Duration restart_time = 120s, long_lived_time = 0s;  // RFC 4724, RFC 9494
  std::string vrf;
  std::optional<std::uint32_t> max_prefixes_out;
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
  Selectors service_selectors;
  Selectors node_selectors;
  PoolChoice pools;
  std::vector<std::string> classes;  // as in L2Policy
  bool needs_endpoints = false;      // as in L2Policy
  std::vector<PeerName> peers;       // empty: all
  bool ipv4 = true, ipv6 = true;     // of which family the IPs are
  std::vector<AddressKind> addresses = {AddressKind::LoadBalancerIP};
  unsigned aggregation_v4 = 32, aggregation_v6 = 128;
  // A node with endpoints of one service would draw the traffic of all in the aggregate, so with
  // externalTrafficPolicy Local the IP itself is announced, unless this says otherwise.
  bool aggregate_local = false;
  std::vector<std::uint32_t> communities;  // RFC 1997
  std::vector<LargeCommunity> large_communities;
  std::optional<std::uint32_t> local_pref;
  std::optional<std::uint32_t> med;
  unsigned as_path_prepend = 0;
  bool exclusive = false;  // from one eligible node, not from each
  // Two such that would give an IP different local preferences give none, from that node; else the
  // highest wins.
  bool strict_local_pref = false;
  bool operator==(const BgpAdvertisement&) const = default;
};

// BFDProfile (RFC 5880).
struct BfdProfile {
  std::string name;
  Source source;
  Duration receive_interval = 300ms, transmit_interval = 300ms;
  unsigned detect_multiplier = 3;
  std::optional<Duration> echo_interval;
  bool passive = false;
  unsigned minimum_ttl = 254;
  bool operator==(const BfdProfile&) const = default;
};

// discovery.k8s.io/v1 EndpointSlice: where some of a service's pods are.
struct Endpoint {
  Shared<NodeName> node;  // empty: not said
  bool ready = true, serving = true, terminating = false;
  bool gateway = false;  // Cilium's dummy: a proxy on every node serves
  bool operator==(const Endpoint&) const = default;
};
struct EndpointSlice {
  ObjectName name;
  ObjectName service;
  std::optional<IpFamily> family;  // of the endpoints' addresses; none: not said
  std::vector<Endpoint> endpoints;
  bool operator==(const EndpointSlice&) const = default;
};

// v1 Secret: that it is there and what it holds, never the values.
struct SecretObject {
  ObjectName name;
  Source source;
  std::string type;               // "kubernetes.io/basic-auth"
  std::vector<std::string> keys;  // of data and stringData, sorted
  bool operator==(const SecretObject&) const = default;
};

// A v1 Service that is not ours to serve, for those who ask why it has no IP.
struct UnmanagedService {
  ObjectName name;
  Rare<Source> source;  // see source_of()
  std::string why;      // "its type is ClusterIP", "its loadBalancerClass is example.com/other"
  bool operator==(const UnmanagedService&) const = default;
};

// v1 Node: only what people say about it; what it is doing is a member document.
struct NodeObject {
  NodeName name;
  Rare<Source> source;  // see source_of()
  Labels labels;
  bool cordoned = false;             // spec.unschedulable
  bool ready = true;                 // condition Ready, unless it is False or Unknown
  bool network_unavailable = false;  // condition NetworkUnavailable
  // Taints: somebody vouches that it is off; an autoscaler is about to remove it.
  bool out_of_service = false, going = false;
  bool operator==(const NodeObject&) const = default;
};

// Where such an object was read. One of an API server is where its name says, so that no more is
// kept of it: then its own source is none.
Source source_of(const Service& service);
Source source_of(const UnmanagedService& service);
Source source_of(const NodeObject& node);

// v1 Namespace.
struct NamespaceObject {
  std::string name;
  Labels labels;
  bool operator==(const NamespaceObject&) const = default;
};

}  // namespace herald
