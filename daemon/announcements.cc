#include "daemon/announcements.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace herald::daemon {
namespace {

using Owners = std::map<IpAddress, NodeName>;

// sentence() speaks of one node.
const char* of_all_nodes(Hold why) {
  switch (why) {
    case Hold::NoPolicy:
      return "no L2AnnouncementPolicy or BGPAdvertisement selects this service, pool and kind of "
             "address";
    case Hold::NoEligibleNode:
      return "the policies that select it select no node: compare their nodeSelectors with the "
             "labels of the nodes";
    case Hold::NoPeer:
      return "no BGPPeer of the advertisements that select it has a session from their nodes: see "
             "the PEER table, and the peers of the advertisements";
    case Hold::PeerFamily:
      return "the BGPPeer does not carry this address family: see its families";
    case Hold::NodesExcluded:
      return "the label node.kubernetes.io/exclude-from-external-load-balancers excludes the node";
    case Hold::NoLocalEndpoints:
      return "externalTrafficPolicy is Local and no endpoint of the service is on a selected node";
    case Hold::NoInterface:
      return "no node has a usable link that the policy's interfaces select";
    default:
      return sentence(why);
  }
}

// As the table's editor goes: shard by shard, an owner that may keep its IP keeps it.
Owners choose_owners(const coord::TablePlan& plan, const Owners& present) {
  Owners out;
  std::map<NodeName, std::size_t> counts;
  std::vector<std::pair<unsigned, const coord::TablePlan::value_type*>> open;
  for (const auto& planned : plan) {
    const auto& candidates = *planned.second.candidates;
    const auto owner = present.find(planned.first);
    const bool keeps = owner != present.end() &&
                       std::any_of(candidates.begin(), candidates.end(),
                                   [&](const auto& c) { return c.node == owner->second; });
    if (keeps) {
      out[planned.first] = owner->second;
      ++counts[owner->second];
    } else {
      open.emplace_back(coord::shard_of(planned.first), &planned);
    }
  }
  std::stable_sort(open.begin(), open.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [shard, planned] : open) {
    if (auto owner = coord::choose_owner(planned->first, *planned->second.candidates, counts)) {
      ++counts[*owner];
      out.emplace(planned->first, std::move(*owner));
    }
  }
  return out;
}

const std::vector<coord::MemberLink>* links_of(const PlannedNode& node) {
  return node.links ? &*node.links : nullptr;
}

Hold no_node(const std::vector<PlannedNode>& nodes) {
  return nodes.empty() ? Hold::NoNodeKnown : Hold::NoEligibleNode;
}

void tell_l2(const Policies& policies, const std::vector<PlannedNode>& nodes, const Owners& owners,
             const ipam::Holdings& holdings, std::vector<IpAnnouncements>& out) {
  std::vector<L2Scope> scopes;
  scopes.reserve(nodes.size());
  for (const PlannedNode& n : nodes) scopes.emplace_back(policies, n.facts, links_of(n));
  auto to = out.begin();
  for (const auto& [vip, services] : holdings) {
    IpAnnouncements& here = *to++;
    const auto picks = policies.l2_picks(vip, services);
    here.l2 = picks.picks.empty() ? picks.why : no_node(nodes);
    const auto owner = owners.find(vip);
    for (const L2Scope& scope : scopes) {
      const L2Scope::Seat seat = scope.seat(vip, picks);
      here.l2 = std::max(here.l2, seat.why);
      here.in_the_way.insert(seat.why);
      if (owner == owners.end() || scope.node().name != owner->second || !seat.may()) continue;
      Announcement a;
      a.node = owner->second;
      for (const coord::MemberLink* link : seat.links) a.interfaces.push_back(link->name);
      here.announced.push_back(std::move(a));
    }
    if (!here.announced.empty()) here.l2 = Hold::None;
  }
}

// What one node gives to one peer.
struct Given {
  std::size_t vip;  // by position
  RouteScope::Share share;
};

void tell_bgp(const Policies& policies, const std::vector<PlannedNode>& nodes, const Owners& owners,
              const ipam::Holdings& holdings, std::vector<IpAnnouncements>& out) {
  std::vector<Picks<BgpAdvertisement>> picks;
  std::vector<std::optional<NodeName>> owner;
  for (const auto& [vip, services] : holdings) {
    picks.push_back(policies.bgp_picks(vip, services));
    const auto it = owners.find(vip);
    owner.push_back(it == owners.end() ? std::nullopt : std::optional(it->second));
    Hold& why = out[picks.size() - 1].bgp;
    why = picks.back().why;
    if (why != Hold::None) continue;
    why = policies.desired().peers.empty() ? Hold::NoPeer : no_node(nodes);
  }
  const auto steps_back = [&](const PlannedNode& n) {
    return n.drained || policies.unwell(n.facts.name);
  };
  for (const BgpPeer& peer : policies.desired().peers) {
    std::set<IpPrefix> given_by_others;  // than those that leave it to them
    for (const bool back : {false, true}) {
      for (const PlannedNode& node : nodes) {
        if (steps_back(node) != back) continue;
        const RouteScope scope(policies, node.facts, peer);
        std::vector<Given> given;
        std::vector<RouteScope::Share> shares;
        for (std::size_t i = 0; i < out.size(); ++i) {
          if (picks[i].picks.empty()) continue;
          const auto offer = scope.offer(out[i].ip, picks[i], owner[i]);
          out[i].bgp = std::max(out[i].bgp, offer.why);
          out[i].in_the_way.insert(offer.why);
          for (const RouteScope::Share& share : offer.shares) {
            if (back && given_by_others.contains(share.prefix)) continue;
            given.push_back({i, share});
            shares.push_back(share);
          }
        }
        const auto routes = merge(shares);
        if (!back) {
          for (const bgp::Route& r : routes) given_by_others.insert(r.prefix);
        }
        for (const Given& g : given) {
          auto& list = out[g.vip].announced;
          const auto route = std::lower_bound(
              routes.begin(), routes.end(), g.share.prefix,
              [](const bgp::Route& r, const IpPrefix& prefix) { return r.prefix < prefix; });
          Announcement a;
          a.via = Announcement::Via::Bgp;
          a.node = node.facts.name;
          a.peer = peer.name;
          a.prefix = route->prefix;
          a.attributes = route->attributes;
          if (std::find(list.begin(), list.end(), a) == list.end()) list.push_back(std::move(a));
        }
      }
    }
  }
}

}  // namespace

std::string why_not(const IpAnnouncements& ip, bool no_node) {
  const Hold why = ip.why();
  if (why == Hold::NoEligibleNode && no_node) {
    return "no node is known: add the Node objects (kubectl get nodes -o yaml), or ask a running "
           "daemon";
  }
  std::string out = of_all_nodes(why);
  for (const Hold other : ip.in_the_way) {
    if (other > Hold::NoEligibleNode && other != why) {
      out += std::string("; on other nodes, or for other peers: ") + of_all_nodes(other);
    }
  }
  return out;
}

Hold IpAnnouncements::why() const {
  return announced.empty() ? std::max(l2, bgp) : Hold::None;
}

std::vector<PlannedNode> declared_nodes(const Policies& policies) {
  std::vector<PlannedNode> out;
  for (const NodeObject& node : policies.desired().nodes) {
    out.push_back({policies.node(node.name, {}), std::nullopt, false});
  }
  return out;
}

std::vector<IpAnnouncements> announcements(const Policies& policies, const ipam::Holdings& holdings,
                                           const std::vector<PlannedNode>& nodes,
                                           const Owners& owners) {
  std::vector<PlaceNode> places;
  for (const PlannedNode& n : nodes) places.push_back({n.facts, links_of(n), n.drained});
  const Owners chosen = choose_owners(place(policies, holdings, places), owners);
  std::vector<IpAnnouncements> out;
  out.reserve(holdings.size());
  for (const auto& [vip, services] : holdings) out.push_back({vip, {}, {}, {}, {}});
  tell_l2(policies, nodes, chosen, holdings, out);
  tell_bgp(policies, nodes, chosen, holdings, out);
  for (IpAnnouncements& here : out) {
    const auto by = [](const Announcement& a) { return std::tie(a.via, a.node, a.peer, a.prefix); };
    std::sort(here.announced.begin(), here.announced.end(),
              [&](const auto& a, const auto& b) { return by(a) < by(b); });
    if (!here.announced.empty() && here.announced.back().via == Announcement::Via::Bgp) {
      here.bgp = Hold::None;
    }
  }
  return out;
}

}  // namespace herald::daemon
