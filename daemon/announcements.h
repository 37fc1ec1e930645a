// daemon/announcements.h: what would be announced, from where, of a whole set of IPs: for
// `heraldctl plan`. The same code decides as in the daemon: candidates() and L2Scope, RouteScope.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bgp/route.h"
#include "daemon/decide.h"
#include "daemon/routes.h"

namespace herald::daemon {

// A node that could announce. links: nullopt: not known, then selectors alone decide.
struct PlannedNode {
  NodeFacts facts;
  std::optional<std::vector<coord::MemberLink>> links;
  bool drained = false;
};
// Those that the manifests have Node objects of.
std::vector<PlannedNode> declared_nodes(const Policies& policies);

struct Announcement {
  enum class Via : std::uint8_t { L2, Bgp };
  Via via = Via::L2;
  NodeName node;
  std::vector<std::string> interfaces;  // of L2; empty if the node's links are not known
  PeerName peer;                        // of BGP, as the rest
  IpPrefix prefix;
  bgp::RouteAttributes attributes;  // as merged with other IPs of the prefix
  bool operator==(const Announcement&) const = default;
};

struct IpAnnouncements {
  IpAddress ip;
  std::vector<Announcement> announced;  // L2 first; BGP by node, peer and prefix
  Hold l2 = Hold::None, bgp = Hold::None;
  std::set<Hold> in_the_way;  // of some node or peer
  // None: it is announced in some way; else what is in the way, the one that says more.
  Hold why() const;
};
// The sentence for why(): for an operator who sees all nodes. no_node: none is known at all.
std::string why_not(const IpAnnouncements& ip, bool no_node);

// For every IP of `holdings`, in its order. owners: who has an IP now, and keeps it if it may.
std::vector<IpAnnouncements> announcements(const Policies& policies, const ipam::Holdings& holdings,
                                           const std::vector<PlannedNode>& nodes,
                                           const std::map<IpAddress, NodeName>& owners = {});

}  // namespace herald::daemon
