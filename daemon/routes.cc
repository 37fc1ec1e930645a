#include "daemon/routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/lists.h"

namespace herald::daemon {
namespace {

// Whether some peer hears both. None listed: all.
bool share_a_peer(const BgpAdvertisement& a, const BgpAdvertisement& b) {
  return a.peers.empty() || b.peers.empty() ||
         std::any_of(a.peers.begin(), a.peers.end(),
                     [&](const PeerName& peer) { return contains(b.peers, peer); });
}

unsigned aggregation(const BgpAdvertisement& a, IpFamily family) {
  return family == IpFamily::IPv4 ? a.aggregation_v4 : a.aggregation_v6;
}

void add(const BgpAdvertisement& a, bgp::RouteAttributes& to) {
  to.communities.insert(to.communities.end(), a.communities.begin(), a.communities.end());
  for (const LargeCommunity& c : a.large_communities) {
    to.large_communities.push_back({c.global, c.local1, c.local2});
  }
  if (a.local_pref) to.local_pref = std::max(to.local_pref.value_or(0), *a.local_pref);
  if (a.med) to.med = std::min(to.med.value_or(*a.med), *a.med);
  to.as_path_prepend = std::max(to.as_path_prepend, a.as_path_prepend);
}

}  // namespace

RouteScope::RouteScope(const Policies& policies, const NodeFacts& node, const BgpPeer& peer)
    : node_(node.name),
      peer_(peer),
      selected_(peers_with(peer, node.labels)),
      excluded_(policies.excluded(node.labels)) {
  const auto& all = policies.desired().advertisements;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for_node_.push_back(selects(all[i].node_selectors, node.labels));
    for_peer_.push_back(for_node_[i] &&
                        (all[i].peers.empty() || contains(all[i].peers, peer.name)));
    if (for_peer_[i]) advertisements_.push_back(i);
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!for_node_[i] || !all[i].strict_local_pref) continue;
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      if (for_node_[j] && all[j].strict_local_pref && share_a_peer(all[i], all[j]) &&
          all[i].local_pref.value_or(0) != all[j].local_pref.value_or(0)) {
        conflicts_.emplace_back(i, j);
      }
    }
  }
}

bool RouteScope::conflict(const Picks<BgpAdvertisement>& picks, IpFamily family) const {
  const auto pick = [&](std::size_t index) {
    return std::find_if(picks.picks.begin(), picks.picks.end(),
                        [&](const auto& p) { return p.index == index; });
  };
  const auto none = picks.picks.end();
  return std::any_of(conflicts_.begin(), conflicts_.end(), [&](const auto& pair) {
    const auto a = pick(pair.first), b = pick(pair.second);
    return a != none && b != none &&
           aggregation(*a->policy, family) == aggregation(*b->policy, family);
  });
}

RouteScope::Offer RouteScope::offer(const IpAddress& vip, const Picks<BgpAdvertisement>& picks,
                                    const std::optional<NodeName>& owner) const {
  Offer out;
  out.why = picks.why;
  if (picks.picks.empty()) return out;
  out.why = Hold::NoEligibleNode;
  const auto held_back = [&](Hold why) { out.why = std::max(out.why, why); };
  const bool v4 = vip.is_v4();
  for (const Pick<BgpAdvertisement>& pick : picks.picks) {
    const BgpAdvertisement& a = *pick.policy;
    if (v4 ? !a.ipv4 : !a.ipv6) continue;
    if (excluded_) {
      held_back(Hold::NodesExcluded);
    } else if (!for_node_[pick.index]) {
      continue;
    } else if (!selected_ || !for_peer_[pick.index]) {
      held_back(Hold::NoPeer);
    } else if (v4 ? !peer_.ipv4 : !peer_.ipv6) {
      held_back(Hold::PeerFamily);
    } else if (!pick.on(node_)) {
      held_back(Hold::NoLocalEndpoints);
    } else if (a.exclusive && owner != node_) {
      held_back(Hold::NotOwner);
    } else {
      const IpPrefix host = IpPrefix::host(vip);
      const unsigned length = std::min(aggregation(a, vip.family()), host.length());
      const IpPrefix wide(vip, length);
      const bool wide_local = !pick.local.empty() && a.aggregate_local;
      if (pick.anywhere || wide_local) out.shares.push_back({wide, &a});
      // One of its services alone is what brings this node into play.
      const bool local = std::any_of(pick.local.begin(), pick.local.end(),
                                     [&](const Backends* b) { return b->on(node_); });
      if (local && !wide_local && !(pick.anywhere && wide == host))
        out.shares.push_back({host, &a});
    }
  }
  if (!out.shares.empty()) out.why = Hold::None;
  if (!out.shares.empty() && !conflicts_.empty() && conflict(picks, vip.family())) {
    return {Hold::ConflictingAdvertisements, {}};
  }
  return out;
}

std::vector<bgp::Route> merge(const std::vector<RouteScope::Share>& shares) {
  std::vector<const RouteScope::Share*> sorted;
  sorted.reserve(shares.size());
  for (const RouteScope::Share& share : shares) sorted.push_back(&share);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return std::tie(a->prefix, a->advertisement->name) <
           std::tie(b->prefix, b->advertisement->name);
  });
  std::vector<bgp::Route> out;
  const BgpAdvertisement* last = nullptr;
  for (const RouteScope::Share* share : sorted) {
    const bool more = !out.empty() && out.back().prefix == share->prefix;
    if (!more) out.push_back({share->prefix, {}});
    if (!more || last != share->advertisement) add(*share->advertisement, out.back().attributes);
    last = share->advertisement;
  }
  for (bgp::Route& route : out) {
    sort_unique(route.attributes.communities);
    sort_unique(route.attributes.large_communities);
  }
  return out;
}

std::vector<PreferenceConflict> preference_conflicts(const std::vector<RouteScope::Share>& shares) {
  std::map<IpPrefix, std::set<const BgpAdvertisement*>> given;
  for (const RouteScope::Share& share : shares) {
    if (share.advertisement->local_pref) given[share.prefix].insert(share.advertisement);
  }
  std::map<std::pair<std::string, std::string>, PreferenceConflict> out;
  for (const auto& [prefix, advertisements] : given) {
    for (const BgpAdvertisement* higher : advertisements) {
      for (const BgpAdvertisement* lower : advertisements) {
        if (*higher->local_pref <= *lower->local_pref) continue;
        out.try_emplace({higher->name, lower->name}, PreferenceConflict{prefix, higher, lower});
      }
    }
  }
  std::vector<PreferenceConflict> list;
  for (const auto& [names, conflict] : out) list.push_back(conflict);
  return list;
}

std::string sentence(const PreferenceConflict& conflict) {
  const auto& [prefix, higher, lower] = conflict;
  return fmt::format(
      "{} has localPreference {} by BGPAdvertisement {} ({}) and {} by {} ({}): the higher one is "
      "used; make them agree",
      to_string(prefix), *higher->local_pref, higher->name, place_of(higher->source),
      *lower->local_pref, lower->name, place_of(lower->source));
}

std::vector<RouteScope::Share> shares_of(const Policies& policies, const BgpPeer& peer,
                                         const NodeFacts& node, const coord::Table& table) {
  const RouteScope scope(policies, node, peer);
  std::vector<RouteScope::Share> shares;
  if (scope.silent()) return shares;
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : table.shard(s).entries) {
      if (entry.quarantine) continue;  // whoever came there might reach another station
      const bool wanted =
          std::any_of(entry.services.begin(), entry.services.end(), [&](const ObjectName& name) {
            return policies.service(name) != nullptr || !policies.desired().complete;
          });
      if (!wanted) continue;
      const auto offer = scope.offer(vip, policies.bgp_picks(vip, entry.services), entry.owner);
      shares.insert(shares.end(), offer.shares.begin(), offer.shares.end());
    }
  }
  return shares;
}

std::vector<bgp::Route> routes(const Policies& policies, const BgpPeer& peer, const NodeFacts& node,
                               const coord::Table& table, const std::vector<NodeFacts>& others) {
  std::vector<bgp::Route> out = merge(shares_of(policies, peer, node, table));
  if (others.empty() || out.empty()) return out;
  std::set<IpPrefix> theirs;
  for (const NodeFacts& other : others) {
    for (const bgp::Route& route : routes(policies, peer, other, table)) {
      theirs.insert(route.prefix);
    }
  }
  std::erase_if(out, [&](const bgp::Route& route) { return theirs.contains(route.prefix); });
  return out;
}

}  // namespace herald::daemon
