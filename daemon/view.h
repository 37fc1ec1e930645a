// daemon/view.h: a node at one moment, as reports look at it: manifests and IP table seen together.
// Pure; lives no longer than the node that it looks at.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "daemon/decide.h"
#include "daemon/node.h"
#include "daemon/routes.h"

namespace herald::daemon {

class View {
 public:
  View(const Node& node, Instant now);

  const Node& node() const { return node_; }
  Instant instant() const { return now_; }
  // known() is false until the manifests have been read.
  const Policies& policies() const { return policies_; }
  const Desired& desired() const;  // empty until then

  using Held = std::vector<std::pair<IpAddress, const coord::TableEntry*>>;
  // Every IP that the table holds for a service, sorted.
  const Held& held_by(const ObjectName& s) const;
  // Every IP of the table, sorted.
  Held held() const;
  // The owner's links that a policy selects for the VIP.
  std::vector<std::string> links_of(const IpAddress& vip, const coord::TableEntry& entry) const;
  // How a member stands to the VIP.
  L2Scope::Seat seat(const NodeName& member, const IpAddress& vip,
                     const std::vector<ObjectName>& services) const;
  // Why nobody answers for the VIP on L2; empty if somebody does.
  std::string why_silent(const IpAddress& vip, const coord::TableEntry& entry) const;
  // Routes that this node has for a peer, announced already or not.
  const std::vector<bgp::Route>& routes(const BgpPeer& peer) const;
  // Advertisements that disagree about them, to whichever peer.
  std::vector<std::string> preference_conflicts() const;
  // Those of them that the VIP is part of; why is None unless there are none.
  struct Taken {
    std::vector<IpPrefix> prefixes;
    std::string why_not;
  };
  Taken taken(const BgpPeer& peer, const IpAddress& vip) const;
  // "advertised", or what is in the way; told: whether it is.
  std::string over_bgp(const BgpPeer& peer, const bgp::Session& session, const IpAddress& vip,
                       bool& told) const;
  NodeFacts self() const;
  // The node only looks on, and is none of the cluster's (daemon/cluster_view.h).
  bool looks_on() const { return node_.config().name.empty(); }
  // What users want comes from an API server, not from files.
  bool from_api_server() const { return node_.config().objects || looks_on(); }

 private:
  const Node& node_;
  Instant now_;
  Policies policies_;
  // Lists ask for each service and each IP: made once, by the first who asks.
  mutable std::optional<std::map<ObjectName, Held>> held_by_;
  mutable std::map<PeerName, std::vector<bgp::Route>> routes_;
};

}  // namespace herald::daemon
