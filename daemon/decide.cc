#include "daemon/decide.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "base/lists.h"
#include "ipam/matching.h"

namespace herald::daemon {
ipam::Holdings holdings_of(const coord::Table& table) {
  ipam::Holdings out;
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : table.shard(s).entries) out[vip] = entry.services;
  }
  return out;
}

namespace {

// Holdings of one family that a service has beyond the one it can want. Not of requested IPs: as
// many as are asked for.
std::vector<ipam::Holding> surplus(const Desired& desired, const ipam::Holdings& holdings,
                                   const Statuses& statuses,
                                   const std::vector<ipam::Holding>& leaving) {
  std::map<ObjectName, std::map<IpFamily, std::vector<IpAddress>>> held;
  for (const auto& [ip, services] : holdings) {
    for (const ObjectName& s : services) {
      const bool stays = !std::binary_search(leaving.begin(), leaving.end(), ipam::Holding{ip, s});
      if (stays) held[s][ip.family()].push_back(ip);
    }
  }
  std::vector<ipam::Holding> out;
  for (const Service& service : desired.services) {
    const auto it = held.find(service.name);
    if (it == held.end() || !service.requested.empty()) continue;
    const auto status = statuses.find(service.name);
    const auto told = [&](const IpAddress& ip) {
      return contains(service.held, ip) ||
             (status != statuses.end() && contains(status->second.ips, ip));
    };
    for (const auto& [family, ips] : it->second) {
      // What was told is never taken back, even if that is more than one.
      const bool any_told = std::any_of(ips.begin(), ips.end(), told);
      for (const IpAddress& ip : ips) {
        if (any_told ? !told(ip) : ip != ips.front()) out.push_back({ip, service.name});
      }
    }
  }
  return out;
}

}  // namespace

std::map<IpAddress, PoolName> pools_told(const Policies& policies, const Statuses& statuses) {
  const auto& pools = policies.desired().pools;
  std::map<IpAddress, PoolName> out;
  if (std::none_of(pools.begin(), pools.end(), [](const Pool& p) { return p.release_on_shrink; })) {
    return out;
  }
  for (const auto& [service, status] : statuses) {
    for (std::size_t i = 0; i < status.ips.size() && i < status.pools.size(); ++i) {
      if (!status.pools[i].empty()) out[status.ips[i]] = status.pools[i];
    }
  }
  return out;
}

std::string who_uses(const coord::Quarantine& quarantine) {
  return fmt::format("{}, seen by {} on {}", to_string(quarantine.station), quarantine.node.str(),
                     quarantine.link);
}

namespace {

template <typename F>
void for_each_entry(const coord::Table& table, F each) {
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : table.shard(s).entries) each(vip, entry);
  }
}

// Who waits for an IP in quarantine: whoever has asked for it, if that alone is in the way.
std::vector<ObjectName> waiting_for(const IpAddress& ip, const coord::TableEntry& entry,
                                    const Desired& desired, const ipam::Plan& plan) {
  std::vector<ObjectName> out;
  const Service* oldest = nullptr;
  for (std::size_t i = 0; i < desired.services.size(); ++i) {
    const Service& s = desired.services[i];
    if (!contains(s.requested, ip)) continue;
    if (contains(entry.services, s.name)) out.push_back(s.name);
    if (plan.decisions[i].reason != ipam::Reason::AlreadyAllocated) continue;
    if (oldest == nullptr || ipam::older_service(s, *oldest)) oldest = &s;
  }
  if (out.empty() && oldest != nullptr) out.push_back(oldest->name);
  return out;
}

}  // namespace

Allocation allocate(const Policies& policies, const coord::Table& table,
                    const Remembered& remembered, const Statuses& statuses) {
  const Desired& desired = policies.desired();
  ipam::Holdings holdings = holdings_of(table);
  for (const auto& [ip, services] : remembered.pending) holdings.emplace(ip, services);
  std::erase_if(holdings, [](const auto& held) { return held.second.empty(); });
  ExternalIps external = take_external_ips(policies, statuses, holdings);
  // To the planner, these and surplus are held by nobody that it knows: not free, and not wanted.
  const ObjectName nobody;
  for (const auto& [ip, services] : external.wanted) holdings.emplace(ip, std::vector{nobody});
  for (const ipam::Holding& h : external.dropped) holdings.emplace(h.ip, std::vector{nobody});
  ipam::Input input{
      desired.pools,       desired.namespaces, desired.services, holdings, desired.complete, {}, {},
      remembered.came_from};
  for_each_entry(table, [&](const IpAddress& vip, const coord::TableEntry& entry) {
    if (entry.kept_for) input.resting.emplace(vip, *entry.kept_for);
    if (entry.quarantine) input.quarantined.emplace(vip, who_uses(*entry.quarantine));
  });
  auto extra = surplus(desired, holdings, statuses, {});
  if (!extra.empty()) {
    // Of two IPs, one may be about to leave for another reason: then the other one is wanted, and
    // not only once the manifests are complete, or there would be one more with every look.
    ipam::Input sure = input;
    sure.complete = true;
    extra = surplus(desired, holdings, statuses, ipam::plan(sure).released);
  }
  for (const ipam::Holding& h : extra) {
    auto& holders = holdings[h.ip];  // others may share it
    std::replace(holders.begin(), holders.end(), h.service, nobody);
  }
  Allocation out;
  out.plan = ipam::plan(input);
  out.holdings = ipam::carry_out(out.plan, std::move(holdings));
  std::erase_if(out.plan.released, [&](const ipam::Holding& h) { return h.service == nobody; });
  const auto release = [&](const ipam::Holding& h) {
    if (desired.complete) {
      out.plan.released.push_back(h);
      return;
    }
    auto& holders = out.holdings[h.ip];
    std::erase(holders, nobody);
    if (!contains(holders, h.service)) holders.push_back(h.service);
  };
  for (const ipam::Holding& h : extra) release(h);
  for (const ipam::Holding& h : external.dropped) {
    if (!external.wanted.contains(h.ip)) release(h);
  }
  for (const auto& [ip, user] : input.quarantined) {
    const auto waiting = waiting_for(ip, *table.find(ip), desired, out.plan);
    if (waiting.empty()) continue;
    out.holdings[ip] = waiting;
    for (const ObjectName& s : waiting) std::erase(out.plan.released, ipam::Holding{ip, s});
  }
  for (auto& [ip, services] : external.wanted) out.holdings[ip] = std::move(services);
  out.refused_external = std::move(external.refused);
  return out;
}

std::map<IpAddress, Rare<ObjectName>> staying(const Policies& policies, const coord::Table& table,
                                              const ipam::Holdings& holdings,
                                              const std::set<IpAddress>& over) {
  std::map<IpAddress, Rare<ObjectName>> out;
  for_each_entry(table, [&](const IpAddress& vip, const coord::TableEntry& entry) {
    if (holdings.contains(vip) || over.contains(vip)) return;
    if (entry.quarantine) {
      out.emplace(vip, std::nullopt);
    } else if (entry.kept_for) {
      out.emplace(vip, entry.kept_for);
    } else if (const Pool* pool = policies.pool_of(vip);
               pool != nullptr && pool->release_hold > 0s && !entry.services.empty()) {
      out.emplace(vip, entry.services.front());
    }
  });
  return out;
}

std::vector<NodeFacts> substitutes(const NodeName& self, const Policies& policies,
                                   const coord::Peers& peers, const std::set<NodeName>& drained,
                                   Instant now) {
  std::vector<NodeFacts> out;
  if (!drained.contains(self) && !policies.unwell(self)) return out;
  for (const Eligible& member : eligible_members(peers, self, now)) {
    if (drained.contains(member.node) || policies.unwell(member.node)) continue;
    out.push_back(policies.node(member.node, member.info.labels));
  }
  return out;
}

std::vector<coord::Candidate> candidates(const std::vector<Chair>& chairs) {
  std::vector<const Chair*> left;
  for (const Chair& c : chairs) {
    if (c.seat.may()) left.push_back(&c);
  }
  const auto prefer = [&](const auto& good) {
    if (std::any_of(left.begin(), left.end(), good)) std::erase_if(left, std::not_fn(good));
  };
  prefer([](const Chair* c) { return c->seat.on_subnet; });
  prefer([](const Chair* c) { return c->seat.serves_all; });
  prefer([](const Chair* c) { return c->well; });
  prefer([](const Chair* c) { return c->willing; });
  std::vector<coord::Candidate> out;
  out.reserve(left.size());
  for (const Chair* c : left) out.push_back({c->node, c->seat.preference});
  return out;
}

ExclusiveScope::ExclusiveScope(const Policies& policies, const NodeFacts& node) : node_(node.name) {
  const Desired& desired = policies.desired();
  const bool excluded = policies.excluded(node.labels);
  for (const BgpAdvertisement& a : desired.advertisements) {
    const auto reached = [&](const BgpPeer& peer) {
      return (a.peers.empty() || contains(a.peers, peer.name)) && peers_with(peer, node.labels);
    };
    reaches_.push_back(a.exclusive && !excluded && selects(a.node_selectors, node.labels) &&
                       std::any_of(desired.peers.begin(), desired.peers.end(), reached));
  }
}

bool ExclusiveScope::may(const Picks<BgpAdvertisement>& picks, IpFamily family) const {
  return std::any_of(picks.picks.begin(), picks.picks.end(), [&](const auto& pick) {
    return reaches_[pick.index] && pick.on(node_) &&
           (family == IpFamily::IPv4 ? pick.policy->ipv4 : pick.policy->ipv6);
  });
}

bool any_exclusive(const Policies& policies) {
  const auto& all = policies.desired().advertisements;
  return std::any_of(all.begin(), all.end(), [](const auto& a) { return a.exclusive; });
}

coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const std::vector<Eligible>& members, const std::set<NodeName>& drained,
                       const Homes& homes) {
  std::vector<PlaceNode> nodes;
  for (const Eligible& m : members) {
    nodes.push_back(
        {policies.node(m.node, m.info.labels), &m.info.links, drained.contains(m.node)});
  }
  return place(policies, holdings, nodes, homes);
}

coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const std::vector<PlaceNode>& nodes, const Homes& homes) {
  std::vector<L2Scope> scopes;
  std::vector<ExclusiveScope> exclusive;
  std::vector<Chair> chairs;
  scopes.reserve(nodes.size());
  const bool exclusives = any_exclusive(policies);
  for (const PlaceNode& n : nodes) {
    scopes.emplace_back(policies, n.facts, n.links);
    if (exclusives) exclusive.emplace_back(policies, n.facts);
    const NodeName& name = n.facts.name;
    chairs.push_back({name, {}, !n.drained && !policies.yields(name), !policies.unwell(name)});
  }

  coord::TablePlan plan;
  Interner<std::vector<coord::Candidate>> known;
  const auto chosen = [&] { return known.intern(candidates(chairs)); };
  for (const auto& [vip, services] : holdings) {
    coord::VipPlan planned;
    planned.services = services;
    std::sort(planned.services.begin(), planned.services.end());
    const auto picks = policies.l2_picks(vip, services);
    const Pool* pool = policies.pool_of(vip);
    planned.probe = pool == nullptr || pool->probe;
    planned.routed =
        picks.why == Hold::NoPolicy && !policies.bgp_picks(vip, services).picks.empty();
    planned.in_use =
        pool == nullptr ||
        std::any_of(services.begin(), services.end(), [&, &ip = vip](const ObjectName& name) {
          const Service* service = policies.service(name);
          return service != nullptr &&
                 (contains(service->held, ip) || contains(service->external_ips, ip));
        });
    const auto home = homes.find(vip);
    for (std::size_t i = 0; i < scopes.size(); ++i) {
      chairs[i].seat = scopes[i].seat(vip, picks);
      // By ARP or NDP, a node's own address is the node's alone.
      const bool foreign = home != homes.end() && home->second.node != chairs[i].node;
      if (foreign && chairs[i].seat.may()) chairs[i].seat.why = Hold::NoEligibleNode;
    }
    planned.candidates = chosen();
    if (exclusives && planned.candidates.empty()) {
      const auto wanted = policies.bgp_picks(vip, services);
      for (std::size_t i = 0; i < scopes.size(); ++i) {
        chairs[i].seat = {};
        if (exclusive[i].may(wanted, vip.family())) chairs[i].seat.why = Hold::None;
      }
      planned.candidates = chosen();
    }
    plan.emplace_hint(plan.end(), vip, std::move(planned));
  }
  return plan;
}

coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const coord::Peers& peers, const Unwilling& unwilling, Instant now) {
  return place(policies, holdings, eligible_members(peers, unwilling.leaving, now),
               unwilling.drained, homes(peers));
}

Homes homes(const coord::Peers& peers) {
  Homes out;
  for (const auto& [name, peer] : peers.all()) {
    for (const coord::MemberLink& link : peer.document.info.links) {
      for (const IpAddress& ip : link.addresses) {
        out.try_emplace(ip, coord::Quarantine{link.mac, name, link.name});
      }
    }
  }
  return out;
}

std::vector<Eligible> eligible_members(const coord::Peers& peers,
                                       const std::optional<NodeName>& leaving, Instant now) {
  std::vector<Eligible> out;
  for (const auto& [name, peer] : peers.all()) {
    if (!peers.heard(name, now) || peer.document.info.draining || name == leaving) continue;
    out.push_back({name, peer.document.info});
  }
  return out;
}

}  // namespace herald::daemon
