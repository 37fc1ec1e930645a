#include "config/metallb_checks.h"

#include <fmt/core.h>

#include <algorithm>

namespace herald::config {
namespace {

using NodeSet = std::vector<bool>;  // by place in Desired::nodes

NodeSet nodes_of(const Selectors& selectors, const Desired& out) {
  NodeSet set;
  for (const NodeObject& node : out.nodes) set.push_back(selects(selectors, node.labels));
  return set;
}

bool meet(const NodeSet& a, const NodeSet& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] && b[i]) return true;
  }
  return false;
}

std::string with_vrf(const BgpPeer& peer) {
  return (peer.interface.empty() ? to_string(peer.address) : peer.interface) +
         (peer.vrf.empty() ? "" : " in VRF " + peer.vrf);
}

std::string router_id(const BgpPeer& peer) {
  return peer.router_id ? to_string(*peer.router_id) : "none";
}

// What two peers of one node must not do; empty if all is well. `both` is for messages.
void compare(const PeerOf& a, const PeerOf& b, const std::string& both, Desired& out) {
  const BgpPeer &first = a.peer->model, &second = b.peer->model;
  const std::string& name = a.object->name;
  if (first.vrf != second.vrf) return;
  if (first.interface == second.interface && first.address == second.address) {
    out.problems.push_back(problem_of(
        *b.object, second.interface.empty() ? "spec.peerAddress" : "spec.interface",
        fmt::format(
            "{} is also the router of peer '{}', {}: remove one, or give them nodeSelectors "
            "that have no node in common; the router will keep one session of the two",
            with_vrf(second), name, both)));
  }
  if (first.router_id != second.router_id) {
    out.problems.push_back(problem_of(
        *b.object, "spec.routerID",
        fmt::format("is {}, but {} for peer '{}', {}: MetalLB has one router ID for all peers of a "
                    "node; each session here uses its own",
                    router_id(second), router_id(first), name, both)));
  }
  if (a.peer->my_asn != b.peer->my_asn) {
    out.problems.push_back(problem_of(
        *b.object, "spec.myASN",
        fmt::format("is {}, but {} for peer '{}', {}: MetalLB has one AS number for all peers of a "
                    "node and VRF; each session here uses its own",
                    b.peer->my_asn.value, a.peer->my_asn.value, name, both)));
  }
}

// The widest CIDR block that a range is made of, as the length of its mask.
unsigned widest_block(const IpRange& range) {
  unsigned widest = range.first.bits();
  for (IpAddress at = range.first;;) {
    unsigned length = at.bits();
    while (length > 0) {
      const IpPrefix wider(at, length - 1);
      if (wider.first() != at || wider.last() > range.last) break;
      --length;
    }
    widest = std::min(widest, length);
    const IpAddress last = IpPrefix(at, length).last();
    if (last >= range.last) return widest;
    at = last.next();
  }
}

void narrow(const Translated& object, const char* field, const Pool& pool, const IpRange& range,
            unsigned& length, Desired& out) {
  const unsigned widest = widest_block(range);
  if (length >= widest) return;
  out.problems.push_back(problem_of(
      object, field,
      fmt::format("is {}, but {} of pool '{}' has no block wider than /{}, so the route would draw "
                  "in addresses that are not of the pool: give {} or more; it is {} until then",
                  length, to_string(range), pool.name.str(), widest, widest, widest)));
  length = widest;
}

struct Families {
  bool v4 = false, v6 = false;
};

// Whether routes of the two for this pool are never the same prefix.
bool apart(const BgpAdvertisement& a, const BgpAdvertisement& b, const Families& pool) {
  const bool v4 = a.aggregation_v4 != b.aggregation_v4, v6 = a.aggregation_v6 != b.aggregation_v6;
  return (!pool.v4 || v4) && (!pool.v6 || v6);
}

bool meet(const std::vector<PeerName>& a, const std::vector<PeerName>& b) {  // none names all
  return a.empty() || b.empty() || std::any_of(a.begin(), a.end(), [&](const PeerName& name) {
           return std::find(b.begin(), b.end(), name) != b.end();
         });
}

}  // namespace

void check_peers_of_a_node(const std::vector<PeerOf>& peers, Desired& out) {
  std::vector<NodeSet> nodes;
  for (const PeerOf& p : peers) nodes.push_back(nodes_of(p.peer->model.node_selectors, out));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!out.nodes.empty() && !meet(nodes[i], nodes[j])) continue;
      const std::size_t before = out.problems.size();
      compare(peers[j], peers[i],
              out.nodes.empty() ? "and no Node is known that would keep them apart"
                                : "which has nodes in common with this one",
              out);
      if (out.problems.size() != before) break;  // one example is enough
    }
  }
}

void fit_aggregation(const Translated& object, BgpAdvertisement& ad, Desired& out) {
  if (ad.aggregation_v4 == 32 && ad.aggregation_v6 == 128) return;
  for (const Pool& pool : out.pools) {
    if (!ad.pools.chooses(&pool)) continue;
    for (const IpRange& range : pool.ranges) {
      const bool v4 = range.family() == IpFamily::IPv4;
      narrow(object, v4 ? "spec.aggregationLength" : "spec.aggregationLengthV6", pool, range,
             v4 ? ad.aggregation_v4 : ad.aggregation_v6, out);
    }
  }
}

void check_preferences(const std::vector<AdvertisementOf>& ads, Desired& out) {
  // Those that select services are compared where they meet, service by service.
  std::vector<AdvertisementOf> all;
  for (const AdvertisementOf& a : ads) {
    if (a.ad->service_selectors.empty()) all.push_back(a);
  }
  const bool same = std::all_of(all.begin(), all.end(), [&](const AdvertisementOf& a) {
    return a.ad->local_pref == all.front().ad->local_pref;
  });
  if (same || out.nodes.empty()) return;
  std::vector<Families> families;
  for (const Pool& pool : out.pools) {
    Families& f = families.emplace_back();
    for (const IpRange& r : pool.ranges) (r.family() == IpFamily::IPv4 ? f.v4 : f.v6) = true;
  }
  std::vector<NodeSet> nodes;
  std::vector<std::vector<bool>> chosen;
  for (const AdvertisementOf& a : all) {
    nodes.push_back(nodes_of(a.ad->node_selectors, out));
    auto& set = chosen.emplace_back();
    for (const Pool& pool : out.pools) set.push_back(a.ad->pools.chooses(&pool));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    bool told = false;
    for (std::size_t j = 0; j < i && !told; ++j) {
      const BgpAdvertisement &first = *all[j].ad, &second = *all[i].ad;
      if (first.local_pref == second.local_pref || !meet(first.peers, second.peers) ||
          !meet(nodes[i], nodes[j])) {
        continue;
      }
      for (std::size_t p = 0; p < out.pools.size() && !told; ++p) {
        if (!chosen[i][p] || !chosen[j][p] || apart(first, second, families[p])) continue;
        told = true;
        out.problems.push_back(problem_of(
            *all[i].object, "spec.localPref",
            fmt::format("is {}, but {} in BGPAdvertisement '{}', for the same routes of pool '{}': "
                        "give both the same, or other peers, nodes or pools; until then the nodes "
                        "that both are for do not announce these routes",
                        second.local_pref.value_or(0), first.local_pref.value_or(0), first.name,
                        out.pools[p].name.str())));
      }
    }
  }
}

}  // namespace herald::config
