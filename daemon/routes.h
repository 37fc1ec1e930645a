// daemon/routes.h: which routes a node has for a BGP peer.
//
// An advertisement that selects a VIP gives the prefix of its aggregation length; where only local
// endpoints may serve, the VIP's own host route (unless it wants the aggregate all the same).
// Advertisements and VIPs that give the same prefix give one route: with the communities of all,
// the highest local preference, the lowest MED. It is there while any of them gives it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bgp/route.h"
#include "coord/table.h"
#include "daemon/policies.h"

namespace herald::daemon {

// One node's view of one peer, made ready to be asked about each of many VIPs. Lives no longer than
// what it was made of.
class RouteScope {
 public:
  RouteScope(const Policies& policies, const NodeFacts& node, const BgpPeer& peer);

  // What an advertisement gives for a VIP.
  struct Share {
    IpPrefix prefix;
    const BgpAdvertisement* advertisement;
  };
  struct Offer {
    Hold why = Hold::NoPolicy;  // there are no shares; else None
    std::vector<Share> shares;
  };
  // owner: by the IP table; exclusive advertisements are for it alone.
  Offer offer(const IpAddress& vip, const Picks<BgpAdvertisement>& picks,
              const std::optional<NodeName>& owner) const;
  // Nothing is offered for any VIP.
  bool silent() const { return !selected_ || excluded_ || advertisements_.empty(); }

 private:
  bool conflict(const Picks<BgpAdvertisement>& picks, IpFamily family) const;

  const NodeName node_;
  const BgpPeer& peer_;
  bool selected_, excluded_;
  std::vector<bool> for_node_;               // by index: the advertisement selects the node
  std::vector<bool> for_peer_;               // and the peer
  std::vector<std::size_t> advertisements_;  // those that do both
  std::vector<std::pair<std::size_t, std::size_t>> conflicts_;  // strict, with other preferences
};

// One route for each prefix; sorted.
std::vector<bgp::Route> merge(const std::vector<RouteScope::Share>& shares);

// Advertisements that give one prefix different local preferences; the higher one is used.
struct PreferenceConflict {
  IpPrefix prefix;
  const BgpAdvertisement *higher, *lower;
};
// One for each pair of advertisements; names any prefix of them.
std::vector<PreferenceConflict> preference_conflicts(const std::vector<RouteScope::Share>& shares);
std::string sentence(const PreferenceConflict& conflict);

// What every VIP of the table gives for one peer from one node.
std::vector<RouteScope::Share> shares_of(const Policies& policies, const BgpPeer& peer,
                                         const NodeFacts& node, const coord::Table& table);

// Routes for one peer from one node: every VIP of the table that an advertisement selects.
// `others`: what a drained node leaves to these nodes, as they announce it to this peer as well.
std::vector<bgp::Route> routes(const Policies& policies, const BgpPeer& peer, const NodeFacts& node,
                               const coord::Table& table,
                               const std::vector<NodeFacts>& others = {});

}  // namespace herald::daemon
