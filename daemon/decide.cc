#include "daemon/decide.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace herald::daemon {
namespace {

template <typename T>
bool contains(const std::vector<T>& list, const T& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// An empty list means all.
template <typename T>
bool admits(const std::vector<T>& list, const T& item) {
  return list.empty() || contains(list, item);
}

}  // namespace

bool covers(const coord::MemberLink& link, const IpAddress& vip) {
  return std::any_of(link.subnets.begin(), link.subnets.end(),
                     [&](const IpPrefix& subnet) { return subnet.contains(vip); });
}

Policies::Policies(std::shared_ptr<const Desired> desired, Cordoned cordoned)
    : desired_(std::move(desired)) {
  if (!desired_) return;
  for (const NodeObject& node : desired_->nodes) {
    if (node.cordoned && cordoned == Cordoned::Yield) yielding_.insert(node.name);
  }
  for (const Service& s : desired_->services) services_[s.name] = &s;
  for (const L2Policy& p : desired_->l2_policies) {
    l2_.push_back({&p, config::InterfaceMatcher(p.interfaces)});
  }
}

const Service* Policies::service(const ObjectName& name) const {
  const auto it = services_.find(name);
  return it == services_.end() ? nullptr : it->second;
}

Labels Policies::service_labels(const ObjectName& name) const {
  if (const Service* s = service(name)) return s->labels;
  return {{"io.kubernetes.service.namespace", name.ns}, {"io.kubernetes.service.name", name.name}};
}

Labels Policies::node_labels(const NodeName& node, const Labels& own) const {
  Labels labels = own;
  for (const NodeObject& object : desired_->nodes) {
    if (object.name != node) continue;
    for (const auto& [key, value] : object.labels) labels[key] = value;
  }
  labels.emplace("kubernetes.io/hostname", node.str());
  return labels;
}

// As Kubernetes' own service controller has it: that the label is there is enough.
bool Policies::excluded(const Labels& node) {
  return node.contains("node.kubernetes.io/exclude-from-external-load-balancers");
}

const Pool* Policies::pool_of(const IpAddress& vip) const {
  for (const Pool& pool : desired_->pools) {
    if (pool.conflicts_with) continue;
    for (const IpRange& range : pool.ranges) {
      if (range.family() == vip.family() && range.contains(vip)) return &pool;
    }
  }
  return nullptr;
}

PoolName Policies::pool_name_of(const IpAddress& vip) const {
  const Pool* pool = pool_of(vip);
  return pool == nullptr ? PoolName{} : pool->name;
}

bool Policies::selects_vip(const L2Policy& policy, const IpAddress& vip,
                           const std::vector<ObjectName>& services) const {
  if (!contains(policy.addresses, AddressKind::LoadBalancerIP)) return false;
  if (!policy.pools.all() && !policy.pools.chooses(pool_of(vip))) return false;
  if (policy.service_selectors.empty()) return !services.empty();
  return std::any_of(services.begin(), services.end(), [&](const ObjectName& name) {
    const Service* known = service(name);
    return selects(policy.service_selectors,
                   known != nullptr ? known->labels : service_labels(name));
  });
}

std::vector<const L2Policy*> Policies::l2_policies(const IpAddress& vip,
                                                   const std::vector<ObjectName>& services,
                                                   const Labels& node) const {
  std::vector<const L2Policy*> out;
  for (const Compiled& c : l2_) {
    if (selects(c.policy->node_selectors, node) && selects_vip(*c.policy, vip, services)) {
      out.push_back(c.policy);
    }
  }
  return out;
}

std::vector<std::string> Policies::l2_links(const IpAddress& vip,
                                            const std::vector<ObjectName>& services,
                                            const Labels& node,
                                            const std::vector<coord::MemberLink>& links) const {
  std::vector<std::string> out;
  for (const coord::MemberLink* link : L2Scope(*this, node, links).seat(vip, services).links) {
    out.push_back(link->name);
  }
  return out;
}

L2Scope::L2Scope(const Policies& policies, const Labels& node,
                 const std::vector<coord::MemberLink>& links)
    : policies_(policies), links_(links) {
  for (const Policies::Compiled& c : policies.l2_) {
    if (!selects(c.policy->node_selectors, node)) continue;
    Selected& selected = selected_.emplace_back(Selected{c.policy, {}, 0});
    for (const coord::MemberLink& link : links) {
      selected.links.push_back(c.interfaces.matches(link.name));
    }
    for (const PreferredNodes& preferred : c.policy->preferred_nodes) {
      if (preferred.selector.matches(node)) selected.preference += preferred.weight;
    }
  }
}

L2Scope::Seat L2Scope::seat(const IpAddress& vip, const std::vector<ObjectName>& services) const {
  Seat out;
  std::vector<bool> chosen(links_.size());
  for (const Selected& s : selected_) {
    if (!policies_.selects_vip(*s.policy, vip, services)) continue;
    out.preference += s.preference;
    for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = chosen[i] || s.links[i];
  }
  for (const bool any_subnet : {false, true}) {
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (chosen[i] && (any_subnet || covers(links_[i], vip))) out.links.push_back(&links_[i]);
    }
    if (!out.links.empty()) {
      out.on_subnet = !any_subnet;
      break;
    }
  }
  return out;
}

l2::AnnounceTiming Policies::announce_timing(const std::string& link, const Labels& node) const {
  std::optional<l2::AnnounceTiming> out;
  for (const Compiled& c : l2_) {
    const L2Policy& p = *c.policy;
    if (!selects(p.node_selectors, node) || !c.interfaces.matches(link)) continue;
    const l2::AnnounceTiming wanted{static_cast<unsigned>(p.gratuitous_count),
                                    p.gratuitous_interval, p.gratuitous_refresh};
    if (!out) {
      out = wanted;
      continue;
    }
    out->count = std::max(out->count, wanted.count);
    out->interval = std::min(out->interval, wanted.interval);
    if (wanted.refresh > 0s && (out->refresh == 0s || wanted.refresh < out->refresh)) {
      out->refresh = wanted.refresh;
    }
  }
  return out.value_or(l2::AnnounceTiming{});
}

std::vector<bgp::Route> Policies::routes(const BgpPeer& peer, const Labels& node,
                                         const coord::Table& table,
                                         const std::vector<Labels>& others) const {
  if (excluded(node)) return {};
  if (!others.empty()) {
    std::set<IpPrefix> theirs;
    for (const Labels& other : others) {
      if (!selects(peer.node_selectors, other)) continue;
      for (const bgp::Route& route : routes(peer, other, table)) theirs.insert(route.prefix);
    }
    auto own = routes(peer, node, table);
    std::erase_if(own, [&](const bgp::Route& route) { return theirs.contains(route.prefix); });
    return own;
  }
  std::vector<const BgpAdvertisement*> advertisements;
  for (const BgpAdvertisement& a : desired_->advertisements) {
    if (admits(a.peers, peer.name) && selects(a.node_selectors, node) &&
        contains(a.addresses, AddressKind::LoadBalancerIP)) {
      advertisements.push_back(&a);
    }
  }
  std::vector<bgp::Route> out;
  if (advertisements.empty()) return out;
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : table.shard(s).entries) {
      const bool wanted = std::any_of(
          entry.services.begin(), entry.services.end(),
          [&](const ObjectName& name) { return service(name) != nullptr || !desired_->complete; });
      if (!wanted) continue;
      // Several advertisements of one prefix: all their communities, the highest preference.
      std::optional<bgp::Route> route;
      std::set<std::uint32_t> communities;
      for (const BgpAdvertisement* a : advertisements) {
        const bool selected =
            std::any_of(entry.services.begin(), entry.services.end(), [&](const ObjectName& name) {
              return selects(a->service_selectors, service_labels(name));
            });
        if (!selected || (!a->pools.all() && !a->pools.chooses(pool_of(vip)))) continue;
        if (!route) route = bgp::Route{IpPrefix::host(vip), {}};
        bgp::RouteAttributes& to = route->attributes;
        communities.insert(a->communities.begin(), a->communities.end());
        if (a->local_pref) to.local_pref = std::max(to.local_pref.value_or(0), *a->local_pref);
        if (a->med) to.med = std::min(to.med.value_or(*a->med), *a->med);
        to.as_path_prepend = std::max(to.as_path_prepend, a->as_path_prepend);
        for (const LargeCommunity& c : a->large_communities) {
          to.large_communities.push_back({c.global, c.local1, c.local2});
        }
      }
      if (!route) continue;
      route->attributes.communities.assign(communities.begin(), communities.end());
      auto& large = route->attributes.large_communities;
      std::sort(large.begin(), large.end());
      large.erase(std::unique(large.begin(), large.end()), large.end());
      out.push_back(*route);
    }
  }
  return out;
}

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
                                   const Statuses& statuses) {
  std::map<ObjectName, std::map<IpFamily, std::vector<IpAddress>>> held;
  for (const auto& [ip, services] : holdings) {
    for (const ObjectName& s : services) held[s][ip.family()].push_back(ip);
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

Allocation allocate(const Policies& policies, const coord::Table& table,
                    const ipam::Holdings& pending, const Statuses& statuses) {
  const Desired& desired = policies.desired();
  ipam::Holdings holdings = holdings_of(table);
  for (const auto& [ip, services] : pending) holdings.emplace(ip, services);
  // To the planner, surplus is held by nobody that it knows: not free, and not wanted.
  const ObjectName nobody;
  const auto extra = surplus(desired, holdings, statuses);
  for (const ipam::Holding& h : extra) holdings[h.ip] = {nobody};
  Allocation out;
  out.plan =
      ipam::plan({desired.pools, desired.namespaces, desired.services, holdings, desired.complete});
  out.holdings = ipam::carry_out(out.plan, holdings);
  std::erase_if(out.plan.released, [&](const ipam::Holding& h) { return h.service == nobody; });
  for (const ipam::Holding& h : extra) {
    const auto still = out.holdings.find(h.ip);
    if (still != out.holdings.end()) {
      still->second = {h.service};  // the manifests are incomplete: nothing is released
    } else {
      out.plan.released.push_back(h);
    }
  }
  return out;
}

std::vector<Labels> substitutes(const NodeName& self, const Policies& policies,
                                const coord::Peers& peers, const std::set<NodeName>& drained,
                                Instant now) {
  std::vector<Labels> out;
  if (!drained.contains(self)) return out;
  for (const Eligible& member : eligible_members(peers, self, now)) {
    if (drained.contains(member.node)) continue;
    out.push_back(policies.node_labels(member.node, member.info.labels));
  }
  return out;
}

coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const std::vector<Eligible>& members, const std::set<NodeName>& drained) {
  std::vector<L2Scope> scopes;
  std::vector<NodeName> nodes;  // of the scopes
  scopes.reserve(members.size());
  for (const Eligible& m : members) {
    const Labels labels = policies.node_labels(m.node, m.info.labels);
    if (Policies::excluded(labels)) continue;
    scopes.emplace_back(policies, labels, m.info.links);
    nodes.push_back(m.node);
  }

  coord::TablePlan plan;
  for (const auto& [vip, services] : holdings) {
    coord::VipPlan planned;
    planned.services = services;
    std::sort(planned.services.begin(), planned.services.end());
    // Members on the VIP's subnet; others only if no member is.
    bool on_subnet = false;
    for (std::size_t i = 0; i < scopes.size(); ++i) {
      const L2Scope::Seat seat = scopes[i].seat(vip, services);
      if (seat.links.empty() || (on_subnet && !seat.on_subnet)) continue;
      if (seat.on_subnet && !on_subnet) planned.candidates.clear();
      on_subnet = on_subnet || seat.on_subnet;
      planned.candidates.push_back({nodes[i], seat.preference});
    }
    const auto may = [&](const coord::Candidate& c) {
      return !drained.contains(c.node) && !policies.yields(c.node);
    };
    auto& candidates = planned.candidates;
    if (std::any_of(candidates.begin(), candidates.end(), may)) {
      std::erase_if(candidates, std::not_fn(may));
    }
    plan.emplace_hint(plan.end(), vip, std::move(planned));
  }
  return plan;
}

coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const coord::Peers& peers, const Unwilling& unwilling, Instant now) {
  return place(policies, holdings, eligible_members(peers, unwilling.leaving, now),
               unwilling.drained);
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
