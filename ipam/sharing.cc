#include "ipam/sharing.h"

#include <algorithm>
#include <tuple>

namespace herald::ipam {

bool permits_namespace(const Service& service, const std::string& ns) {
  const auto& permitted = service.sharing->namespaces;
  return ns == service.name.ns ||
         std::any_of(permitted.begin(), permitted.end(),
                     [&](const std::string& name) { return name == "*" || name == ns; });
}

Reason compare_terms(const Service& a, const Service& b) {
  if (!a.sharing || !b.sharing || a.sharing->key != b.sharing->key) {
    return Reason::SharingKeyMismatch;
  }
  if (!permits_namespace(a, b.name.ns) || !permits_namespace(b, a.name.ns)) {
    return Reason::SharingNamespaceNotPermitted;
  }
  if (a.traffic_policy != b.traffic_policy) return Reason::SharingPolicyMismatch;
  if (a.traffic_policy == TrafficPolicy::Cluster) return Reason::Allocated;
  // Without a selector nobody knows which pods are meant.
  const bool both_known = !a.selector.empty() && !b.selector.empty();
  const bool any_pods = a.sharing->permit_different_pods && b.sharing->permit_different_pods;
  if (!both_known || (a.selector != b.selector && !any_pods)) return Reason::SharingBackendMismatch;
  return Reason::Allocated;
}

const ServicePort* common_port(const Service& a, const Service& b) {
  for (const ServicePort& port : a.ports) {
    if (std::find(b.ports.begin(), b.ports.end(), port) != b.ports.end()) return &port;
  }
  return nullptr;
}

Reason may_share(const Service& a, const Service& b) {
  const Reason terms = compare_terms(a, b);
  if (terms != Reason::Allocated) return terms;
  return common_port(a, b) == nullptr ? Reason::Allocated : Reason::SharingPortConflict;
}

bool same_terms(const Service& a, const Service& b) {
  return std::tie(a.sharing, a.name.ns, a.traffic_policy) ==
             std::tie(b.sharing, b.name.ns, b.traffic_policy) &&
         (a.traffic_policy == TrafficPolicy::Cluster || a.selector == b.selector);
}

}  // namespace herald::ipam
