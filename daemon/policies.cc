#include "daemon/policies.h"

#include <algorithm>
#include <span>
#include <type_traits>
#include <utility>

#include "base/lists.h"

namespace herald::daemon {
namespace {

constexpr const char* kHostname = "kubernetes.io/hostname";

// Which kinds of address a VIP is to one of its services. One in a pool may have been allocated to
// a service that lists it as well.
struct Kinds {
  bool load_balancer = false, external = false;
};

Kinds kinds_of(const Policies& policies, const IpAddress& vip, const Service* service) {
  if (service == nullptr || !contains(service->external_ips, vip)) return {true, false};
  return {contains(service->requested, vip) || contains(service->held, vip) ||
              policies.pool_of(vip) != nullptr,
          true};
}

template <typename Policy>
bool takes_kind(const Policy& policy, const Kinds& kinds) {
  return (kinds.load_balancer && contains(policy.addresses, AddressKind::LoadBalancerIP)) ||
         (kinds.external && contains(policy.addresses, AddressKind::ExternalIP));
}

// A loadBalancerClass chooses who announces the load balancer's IPs; on L2 that goes for the
// service as a whole, over BGP its other addresses are announced by whoever selects it.
template <typename Policy>
bool takes_class(const Policy& policy, const Kinds& kinds, const Service* service) {
  if (policy.classes.empty() || service == nullptr) return true;
  if (contains(policy.classes, service->load_balancer_class.value_or(std::string()))) return true;
  return std::is_same_v<Policy, BgpAdvertisement> && kinds.external &&
         contains(policy.addresses, AddressKind::ExternalIP);
}

// The slices of each service at once.
template <typename Take>
void for_each_service(const SharedList<EndpointSlice>& slices, Take take) {
  std::vector<const EndpointSlice*> all;
  all.reserve(slices.size());
  for (const EndpointSlice& slice : slices) all.push_back(&slice);
  const auto less = [](const EndpointSlice* a, const EndpointSlice* b) {
    return a->service < b->service;
  };
  // They are mostly called after their service.
  if (!std::is_sorted(all.begin(), all.end(), less)) std::sort(all.begin(), all.end(), less);
  for (std::size_t from = 0, end = 0; from < all.size(); from = end) {
    while (end < all.size() && all[end]->service == all[from]->service) ++end;
    take(std::span<const EndpointSlice* const>(all).subspan(from, end - from));
  }
}

}  // namespace

bool covers(const coord::MemberLink& link, const IpAddress& vip) {
  return std::any_of(link.subnets.begin(), link.subnets.end(),
                     [&](const IpPrefix& subnet) { return subnet.contains(vip); });
}

bool peers_with(const BgpPeer& peer, const Labels& node) {
  return selects(peer.node_selectors, node) && peer.interface.empty() && peer.vrf.empty();
}

Policies::Policies(std::shared_ptr<const Desired> desired, Options options)
    : desired_(std::move(desired)), options_(options) {
  if (!desired_) return;
  for (const NodeObject& node : desired_->nodes) {
    const bool cordoned = node.cordoned && options.cordoned == Cordoned::Yield;
    if (cordoned || node.going) yielding_.insert(node.name);
    if (!node.ready || node.network_unavailable || node.out_of_service) unwell_.insert(node.name);
  }
  KnownServices known;
  known.reserve(desired_->services.size());
  for (const Service& s : desired_->services) known[&s.name].service = &s;
  for_each_service(desired_->endpoint_slices, [&](auto slices) {
    known[&slices.front()->service].backends = backends_of(slices);
  });
  known_ = std::make_shared<const KnownServices>(std::move(known));
  for (const L2Policy& p : desired_->l2_policies) interfaces_.emplace_back(p.interfaces);
}

const Policies::Known* Policies::known(const ObjectName& name) const {
  if (!known_) return nullptr;
  const auto it = known_->find(&name);
  return it == known_->end() ? nullptr : &it->second;
}

const Backends* Policies::backends(const Known* service, IpFamily family) {
  if (service == nullptr || !service->backends.has_slice()) return nullptr;
  return &service->backends.of(family);
}

const Service* Policies::service(const ObjectName& name) const {
  const Known* found = known(name);
  return found == nullptr ? nullptr : found->service;
}

const Backends* Policies::backends(const ObjectName& name, IpFamily family) const {
  return backends(known(name), family);
}

Labels Policies::service_labels(const ObjectName& name) const {
  if (const Service* s = service(name)) return s->labels;
  return {{"io.kubernetes.service.namespace", name.ns}, {"io.kubernetes.service.name", name.name}};
}

NodeFacts Policies::node(const NodeName& name, const Labels& own) const {
  NodeFacts out{name, own};
  for (const NodeObject& object : desired_->nodes) {
    if (object.name != name) continue;
    out.labels.set(object.labels);
  }
  if (!out.labels.contains(kHostname)) out.labels.set(kHostname, name.str());
  return out;
}

// As Kubernetes' own service controller has it: that the label is there is enough. The second is
// its name of before Kubernetes 1.16.
bool Policies::excluded(const Labels& node) const {
  return !options_.ignore_exclude_label &&
         (node.contains("node.kubernetes.io/exclude-from-external-load-balancers") ||
          node.contains("alpha.service-controller.kubernetes.io/exclude-balancer"));
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

bool Policies::wants_external(const Service& service, const IpAddress& ip) const {
  if (!contains(service.external_ips, ip)) return false;
  const Kinds kinds{false, true};
  const auto wants = [&](const auto& policy) {
    return takes_kind(policy, kinds) && takes_class(policy, kinds, &service) &&
           selects(policy.service_selectors, service.labels) &&
           (policy.pools.all() || policy.pools.chooses(pool_of(ip)));
  };
  const auto& l2 = desired_->l2_policies;
  const auto& bgp = desired_->advertisements;
  return std::any_of(l2.begin(), l2.end(), wants) || std::any_of(bgp.begin(), bgp.end(), wants);
}

template <typename Policy>
Picks<Policy> Policies::picks(const std::vector<Policy>& policies, const IpAddress& vip,
                              const std::vector<ObjectName>& services) const {
  struct User {
    const Service* service;  // nullptr: not in the manifests
    const Backends* backends;
    Kinds kinds;
    Labels labels;  // if it is not in the manifests
  };
  std::vector<User> users;
  users.reserve(services.size());
  for (const ObjectName& name : services) {
    const Known* found = known(name);
    const Service* service = found == nullptr ? nullptr : found->service;
    users.push_back({service, backends(found, vip.family()), kinds_of(*this, vip, service),
                     service != nullptr ? Labels{} : service_labels(name)});
  }
  Picks<Policy> out;
  std::optional<const Pool*> pool;
  for (const Policy& policy : policies) {
    if (!policy.pools.all()) {
      if (!pool) pool = pool_of(vip);
      if (!policy.pools.chooses(*pool)) continue;
    }
    Pick<Policy> pick{&policy, static_cast<std::size_t>(&policy - policies.data()), false, {}};
    for (const User& user : users) {
      if (!takes_kind(policy, user.kinds) ||
          !selects(policy.service_selectors, user.service ? user.service->labels : user.labels)) {
        continue;
      }
      if (!takes_class(policy, user.kinds, user.service)) {
        out.why = std::max(out.why, Hold::ClassNotSelected);
        continue;
      }
      if constexpr (std::is_same_v<Policy, L2Policy>) {
        if (policy.refuses_shared && !policy.service_selectors.empty() && user.service &&
            user.service->sharing) {
          return {{}, Hold::SharedIPWithSelector};
        }
      }
      const bool local = user.service && user.service->traffic_policy == TrafficPolicy::Local;
      if (user.backends && !user.backends->any && (local || policy.needs_endpoints)) {
        out.why = std::max(out.why, Hold::NoEndpoints);
      } else if (user.backends && local) {
        pick.local.push_back(user.backends);
      } else {
        pick.anywhere = true;
      }
    }
    if (pick.anywhere || !pick.local.empty()) out.picks.push_back(std::move(pick));
  }
  if (!out.picks.empty()) out.why = Hold::None;
  return out;
}

Picks<L2Policy> Policies::l2_picks(const IpAddress& vip,
                                   const std::vector<ObjectName>& services) const {
  return picks(desired_->l2_policies, vip, services);
}

Picks<BgpAdvertisement> Policies::bgp_picks(const IpAddress& vip,
                                            const std::vector<ObjectName>& services) const {
  return picks(desired_->advertisements, vip, services);
}

std::vector<const L2Policy*> Policies::l2_policies(const IpAddress& vip,
                                                   const std::vector<ObjectName>& services,
                                                   const Labels& node) const {
  std::vector<const L2Policy*> out;
  for (const Pick<L2Policy>& pick : l2_picks(vip, services).picks) {
    if (selects(pick.policy->node_selectors, node)) out.push_back(pick.policy);
  }
  return out;
}

l2::AnnounceTiming Policies::announce_timing(const std::string& link, const Labels& node) const {
  std::optional<l2::AnnounceTiming> out;
  for (std::size_t i = 0; i < interfaces_.size(); ++i) {
    const L2Policy& p = desired_->l2_policies[i];
    if (!selects(p.node_selectors, node) || !interfaces_[i].matches(link)) continue;
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

L2Scope::L2Scope(const Policies& policies, NodeFacts node,
                 const std::vector<coord::MemberLink>* links)
    : policies_(policies),
      node_(std::move(node)),
      excluded_(policies.excluded(node_.labels)),
      links_(links) {
  const auto& all = policies.desired().l2_policies;
  selected_.resize(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!selects(all[i].node_selectors, node_.labels)) continue;
    selected_[i].selects = true;
    for (std::size_t l = 0; links != nullptr && l < links->size(); ++l) {
      selected_[i].links.push_back(policies.interfaces_[i].matches((*links)[l].name));
    }
    for (const PreferredNodes& preferred : all[i].preferred_nodes) {
      if (preferred.selector.matches(node_.labels)) selected_[i].preference += preferred.weight;
    }
  }
}

L2Scope::Seat L2Scope::seat(const IpAddress& vip, const Picks<L2Policy>& picks) const {
  Seat out;
  out.why = picks.why;
  if (!picks.picks.empty()) out.why = excluded_ ? Hold::NodesExcluded : Hold::NoEligibleNode;
  if (excluded_ || picks.picks.empty()) return out;
  const std::size_t known = links_ == nullptr ? 0 : links_->size();
  std::vector<bool> chosen(known);
  bool any = false;
  out.serves_all = true;
  for (const Pick<L2Policy>& pick : picks.picks) {
    for (const Backends* local : pick.local) {
      out.serves_all = out.serves_all && local->on(node_.name);
    }
    const Selected& s = selected_[pick.index];
    if (!s.selects) continue;
    // Which policies' weights count must not depend on where the pods are: every node is weighed
    // by the same ones.
    out.preference += s.preference;
    if (!pick.on(node_.name)) {
      out.why = std::max(out.why, Hold::NoLocalEndpoints);
      continue;
    }
    any = true;
    for (std::size_t i = 0; i < known; ++i) chosen[i] = chosen[i] || s.links[i];
  }
  if (!any) return out;
  for (const bool any_subnet : {false, true}) {
    for (std::size_t i = 0; i < known; ++i) {
      if (chosen[i] && (any_subnet || covers((*links_)[i], vip))) {
        out.links.push_back(&(*links_)[i]);
      }
    }
    if (!out.links.empty()) {
      out.on_subnet = !any_subnet;
      break;
    }
  }
  out.why = links_ == nullptr || !out.links.empty() ? Hold::None : Hold::NoInterface;
  return out;
}

}  // namespace herald::daemon
