// The sentences about what a service asks for, and about who has it.
#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "base/lists.h"
#include "base/text.h"
#include "ipam/families.h"
#include "ipam/refusal.h"
#include "ipam/sharing.h"

namespace herald::ipam {
namespace {

std::string asker(const Service& service) {
  return fmt::format("{} of {}", service.requested_by.value_or("the request"),
                     to_string(service.name));
}

std::vector<IpFamily> families_of(std::span<const IpAddress> ips) {
  std::vector<IpFamily> out;
  for (const IpFamily family : {IpFamily::IPv4, IpFamily::IPv6}) {
    if (has_family(ips, family)) out.push_back(family);
  }
  return out;
}

const char* name_of(TrafficPolicy policy) {
  return policy == TrafficPolicy::Local ? "Local" : "Cluster";
}

std::string key_of(const Service& service) {
  return service.sharing ? fmt::format("'{}'", service.sharing->key) : std::string("none");
}

std::string selector_of(const Service& service) {
  if (service.selector.empty()) return "none";
  LabelSelector selector;
  selector.match_labels = service.selector;
  return to_string(selector);
}

}  // namespace

Refusal check_usable(const Service& service, const IpAddress& ip) {
  if (!ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast()) return {};
  return {Reason::InvalidRequest,
          fmt::format("{} asks for {}, which no service can have: ask for a unicast address of a "
                      "pool",
                      asker(service), to_string(ip))};
}

Refusal refuse_family(const Service& service, const IpAddress& ip) {
  const auto& families = service.families;
  if (!contains(families, ip.family())) {
    return {Reason::FamilyMismatch,
            fmt::format("{} asks for {}, but its ipFamilies has no {}: add the family, or ask for "
                        "an {} address",
                        asker(service), to_string(ip), to_string(ip.family()),
                        to_string(families.front()))};
  }
  return {Reason::FamilyMismatch,
          fmt::format("{} asks for {} alone, but the service is of {} with an ipFamilyPolicy that "
                      "needs one address of each: ask for both, or for none",
                      asker(service), names_of(families_of(service.requested), " and "),
                      names_of(families, " and "))};
}

Refusal refuse_several_pools(const Service& service) {
  std::vector<std::string> ips;
  for (const IpAddress& ip : service.requested) ips.push_back(to_string(ip));
  return {Reason::RequestedIPNotInPool,
          fmt::format("{} asks for {}, which are not of one pool, and theirs gives all IPs of a "
                      "service or none: ask for addresses of one pool",
                      asker(service), few_of(ips, " and "))};
}

Refusal refuse_held(const IpAddress& ip, const ObjectName& holder) {
  return {Reason::AlreadyAllocated,
          fmt::format("{} is held by {}: ask for another address or delete that service",
                      to_string(ip), to_string(holder))};
}

Refusal refuse_gone(const IpAddress& ip, const ObjectName& holder) {
  if (holder == ObjectName{}) {
    return {Reason::AlreadyAllocated,
            fmt::format("{} is in spec.externalIPs of a service, or about to be released: ask for "
                        "another address, or take it out of there",
                        to_string(ip))};
  }
  return {Reason::AlreadyAllocated,
          fmt::format("{} is still held for {}, which is not there: it is given when it has been "
                      "released",
                      to_string(ip), to_string(holder))};
}

Refusal refuse_sharing(const Service& service, const Service& holder, const IpAddress& ip,
                       Reason reason) {
  const std::string a = to_string(service.name), b = to_string(holder.name);
  std::string why;
  switch (reason) {
    case Reason::SharingKeyMismatch:
      why = fmt::format(
          "the sharing key of {} is {}, that of {} is {}: give both the same, or ask "
          "for another address",
          a, key_of(service), b, key_of(holder));
      break;
    case Reason::SharingNamespaceNotPermitted: {
      const bool mine = !permits_namespace(service, holder.name.ns);
      why = fmt::format(
          "{} does not permit namespace {} for sharing: add it to the annotation of "
          "its sharing namespaces (both sides have to permit the other)",
          mine ? a : b, mine ? holder.name.ns : service.name.ns);
      break;
    }
    case Reason::SharingPolicyMismatch:
      why = fmt::format("externalTrafficPolicy of {} is {}, that of {} is {}: make them equal", a,
                        name_of(service.traffic_policy), b, name_of(holder.traffic_policy));
      break;
    case Reason::SharingBackendMismatch:
      why = fmt::format(
          "externalTrafficPolicy is Local, and the pod selector of {} is {}, that of "
          "{} is {}: select the same pods, or use Cluster{}",
          a, selector_of(service), b, selector_of(holder),
          service.selector.empty() || holder.selector.empty()
              ? ""
              : ", or let both permit to share with different pods");
      break;
    case Reason::SharingPortConflict:
      if (const ServicePort* port = common_port(service, holder)) {
        why = fmt::format("both {} and {} have port {}/{}: change one of them", a, b, port->port,
                          to_string(port->protocol));
      }
      break;
    default:
      break;
  }
  return {reason, fmt::format("{} is held by {} and not shared: {}", to_string(ip), b, why)};
}

Refusal refuse_resting(const Service& service, const IpAddress& ip, const ObjectName& owner) {
  return {Reason::AlreadyAllocated,
          fmt::format("{}, requested for {}, was released by {} and is kept for it until the "
                      "pool's releaseHold is over: wait, or ask for another address",
                      to_string(ip), to_string(service.name), to_string(owner))};
}

Refusal refuse_quarantined(const Service& service, const IpAddress& ip, const std::string& user) {
  return {Reason::AlreadyAllocated,
          fmt::format("{}, requested for {}, is in use by another station ({}): give that one "
                      "another address, or ask for another here; it is probed again from time to "
                      "time",
                      to_string(ip), to_string(service.name), user)};
}

Refusal refuse_invalid(const Service& service) {
  return {service.invalid_families ? Reason::FamilyMismatch : Reason::InvalidRequest,
          fmt::format("{}: {}", to_string(service.name), *service.invalid_request)};
}

Refusal refuse_headless(const Service& service) {
  return {Reason::NoClusterIP,
          fmt::format("{} has no cluster IP (clusterIP None), so there is nothing to send traffic "
                      "to: let it have one, or change its type",
                      to_string(service.name))};
}

std::string outside_of_pools(const Service& service, const IpAddress& ip) {
  return fmt::format(
      "{} is in no pool and kept for {}: put a pool over it, or delete the service to free it",
      to_string(ip), to_string(service.name));
}

}  // namespace herald::ipam
