// tests/daemon/wish.h: manifests as values, for tables of what is announced from where.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/announcements.h"

namespace herald::daemon {

inline IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
inline IpPrefix net(const char* text) {
  return *IpPrefix::parse(text);
}

struct At {  // an endpoint; node "": without one, "gateway": Cilium's dummy
  const char* node;
  bool ready = true, serving = true, terminating = false;
};
constexpr bool kReady = true, kServing = true, kTerminating = true, kNot = false;

// A selector of one label.
inline LabelSelector labelled(const char* key, const char* value) {
  LabelSelector out;
  out.match_labels.set(key, value);
  return out;
}
inline Selectors hosts(const std::vector<const char*>& names) {
  Selectors out;
  for (const char* name : names) out.push_back(labelled("kubernetes.io/hostname", name));
  return out;
}

// A world of one pool (10.20.30.0/24 and fd00::/64); to be filled in, then asked.
class World {
 public:
  World() {
    Pool pool;
    pool.name = PoolName("lan");
    pool.ranges = {IpRange::of(net("10.20.30.0/24")), IpRange::of(net("fd00::/64"))};
    desired.pools = {pool};
  }

  NodeObject& node(const char* name, Labels labels = {}) {
    NodeObject n;
    n.name = NodeName(name);
    n.labels = std::move(labels);
    return desired.nodes.emplace_back(std::move(n));
  }
  L2Policy& l2(const std::vector<const char*>& nodes = {}) {
    L2Policy& p = desired.l2_policies.emplace_back();
    p.name = "l2-" + std::to_string(desired.l2_policies.size());
    p.node_selectors = hosts(nodes);
    return p;
  }
  BgpAdvertisement& bgp(const std::vector<const char*>& nodes = {}) {
    BgpAdvertisement& a = desired.advertisements.emplace_back();
    a.name = "bgp-" + std::to_string(desired.advertisements.size());
    a.node_selectors = hosts(nodes);
    return a;
  }
  BgpPeer& peer(const char* name) {
    BgpPeer& p = desired.peers.emplace_back();
    p.name = PeerName(name);
    p.address = ip("10.0.0.1");
    return p;
  }
  // The service's IPs are held for it.
  Service& service(const char* name, const std::vector<const char*>& ips,
                   TrafficPolicy traffic = TrafficPolicy::Cluster) {
    Service s;
    s.name = {"default", name};
    s.traffic_policy = traffic;
    for (const char* text : ips) holdings[ip(text)].push_back(s.name);
    return desired.services.emplace_back(std::move(s));
  }
  // What the service has, in one slice.
  void endpoints(const char* service, const std::vector<At>& all,
                 std::optional<IpFamily> family = std::nullopt) {
    EndpointSlice slice;
    slice.service = {"default", service};
    slice.family = family;
    for (const At& at : all) {
      Endpoint e{{}, at.ready, at.serving, at.terminating};
      e.gateway = std::string(at.node) == "gateway";
      if (*at.node != '\0' && !e.gateway) e.node = NodeName(at.node);
      slice.endpoints.push_back(e);
    }
    desired.endpoint_slices.push_back(std::move(slice));
  }

  Policies policies() const { return Policies(std::make_shared<Desired>(desired), options); }
  std::vector<IpAnnouncements> announced() const {
    const Policies all = policies();
    auto nodes = declared_nodes(all);
    for (PlannedNode& n : nodes) n.drained = drained.contains(n.facts.name);
    return announcements(all, holdings, nodes, owners);
  }
  // All that the first IP (or this one) is announced by.
  IpAnnouncements of(const char* which = nullptr) const {
    for (const IpAnnouncements& a : announced()) {
      if (which == nullptr || a.ip == ip(which)) return a;
    }
    return {};
  }
  // "n1": who answers ARP; "": nobody.
  std::string speaker(const char* which = nullptr) const {
    const auto all = of(which).announced;
    return all.empty() || all[0].via != Announcement::Via::L2 ? "" : all[0].node.str();
  }
  // "n1 tor 10.20.30.1/32", …
  std::vector<std::string> told(const char* which = nullptr) const {
    std::vector<std::string> out;
    for (const Announcement& a : of(which).announced) {
      if (a.via != Announcement::Via::Bgp) continue;
      out.push_back(a.node.str() + " " + a.peer.str() + " " + to_string(a.prefix));
    }
    return out;
  }

  Desired desired;
  ipam::Holdings holdings;
  PolicyOptions options;
  std::set<NodeName> drained;
  std::map<IpAddress, NodeName> owners;
};

}  // namespace herald::daemon
