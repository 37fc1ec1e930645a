#include "ipam/refusal.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace herald::ipam {
namespace {

constexpr std::size_t kMostPoolsNamed = 5;

std::string and_more(std::vector<std::string> parts, std::size_t all, std::string_view separator) {
  if (all > parts.size()) parts.push_back(fmt::format("{} more", all - parts.size()));
  return join(parts, separator);
}

std::string selectors_of(const Pool& pool) {
  std::vector<std::string> parts;
  if (!pool.namespace_selectors.empty()) {
    parts.push_back(fmt::format("namespaceSelector {}", to_string(pool.namespace_selectors)));
  }
  if (!pool.service_selectors.empty()) {
    parts.push_back(fmt::format("serviceSelector {}", to_string(pool.service_selectors)));
  }
  return join(parts, "; ");
}

std::string why_not(const PoolView& view, IpFamily family) {
  const Pool& pool = view.pool;
  if (!view.space.has_family(family)) return fmt::format("has no {} addresses", to_string(family));
  if (!view.selects) return fmt::format("does not select it ({})", selectors_of(pool));
  if (!pool.auto_assign) return "has autoAssign false: only on request";
  if (pool.disabled) return "is disabled";
  return conflict_of(pool);
}

Refusal exhausted_refusal(const Service& service, IpFamily family,
                          const std::vector<PoolView>& pools) {
  std::vector<std::string> named;
  std::size_t all = 0;
  for (const PoolView& view : pools) {
    const Pool& pool = view.pool;
    if (!view.selects || !view.space.has_family(family) || !pool.auto_assign || pool.disabled ||
        pool.conflicts_with) {
      continue;
    }
    if (++all > kMostPoolsNamed) continue;
    named.push_back(fmt::format("{} ({} of {} used)", pool.name.str(),
                                herald::to_string(view.space.used(family)),
                                herald::to_string(view.space.total(family))));
  }
  return {Reason::PoolExhausted,
          fmt::format(
              "no {} address is left for {} in pool {}: add addresses to a pool, or delete a "
              "service that holds one",
              to_string(family), to_string(service.name), and_more(std::move(named), all, ", "))};
}

}  // namespace

Refusal refuse_choice(const Service& service, IpFamily family, const std::vector<PoolView>& pools,
                      bool exhausted) {
  if (exhausted) return exhausted_refusal(service, family, pools);
  if (pools.empty()) {
    return {Reason::NoMatchingPool,
            fmt::format("there is no pool: add a LoadBalancerIPPool with {} addresses for {}",
                        to_string(family), to_string(service.name))};
  }
  // A pool that would do but for being out of use is the better hint.
  for (const PoolView& view : pools) {
    const Pool& pool = view.pool;
    if (!view.selects || !view.space.has_family(family) || !pool.auto_assign) continue;
    if (pool.disabled) {
      return {Reason::PoolDisabled,
              fmt::format("pool {}, which selects {}, is disabled: set spec.disabled to false, or "
                          "add another pool with {} addresses",
                          pool.name.str(), to_string(service.name), to_string(family))};
    }
    return {Reason::PoolConflict,
            fmt::format("pool {}, which selects {}, {} and is not used: take the common addresses "
                        "out of one of the two",
                        pool.name.str(), to_string(service.name), conflict_of(pool))};
  }
  std::vector<std::string> named;
  for (const PoolView& view : pools) {
    if (named.size() == kMostPoolsNamed) break;
    named.push_back(fmt::format("{} {}", view.pool.name.str(), why_not(view, family)));
  }
  return {Reason::NoMatchingPool,
          fmt::format("no pool gives {} an {} address: {}. Change the service's labels, or a pool",
                      to_string(service.name), to_string(family),
                      and_more(std::move(named), pools.size(), "; "))};
}

Refusal check_request(const Service& service, const IpAddress& ip) {
  const std::string by =
      service.requested_by.empty() ? std::string("the request") : service.requested_by;
  if (ip.is_unspecified() || ip.is_loopback() || ip.is_multicast()) {
    return {
        Reason::InvalidRequest,
        fmt::format("{} of {} asks for {}, which no service can have: ask for a unicast address "
                    "of a pool",
                    by, to_string(service.name), to_string(ip))};
  }
  const auto& families = service.families;
  if (!families.empty() && service.family_policy != IpFamilyPolicy::RequireDualStack &&
      std::find(families.begin(), families.end(), ip.family()) == families.end()) {
    return {
        Reason::FamilyMismatch,
        fmt::format("{} of {} asks for {}, but its ipFamilies has no {}: add the family, or ask "
                    "for an {} address",
                    by, to_string(service.name), to_string(ip), to_string(ip.family()),
                    to_string(families.front()))};
  }
  return {};
}

Refusal refuse_by_pools(const Service& service, const IpAddress& ip,
                        const std::vector<PoolView>& containing, const std::vector<Pool>& all) {
  const std::string what =
      fmt::format("{}, requested for {},", to_string(ip), to_string(service.name));
  if (containing.empty()) {
    std::vector<std::string> hints;
    std::size_t usable = 0;
    for (const Pool& pool : all) {
      const auto range = std::find_if(pool.ranges.begin(), pool.ranges.end(),
                                      [&](const IpRange& r) { return r.family() == ip.family(); });
      if (range == pool.ranges.end() || ++usable > kMostPoolsNamed) continue;
      hints.push_back(fmt::format("{} has {}", pool.name.str(), to_string(*range)));
    }
    const std::string hint = hints.empty()
                                 ? std::string()
                                 : fmt::format(" ({})", and_more(std::move(hints), usable, ", "));
    return {Reason::RequestedIPNotInPool,
            fmt::format("{} is in no pool{}: add it to a pool, or ask for an address of one", what,
                        hint)};
  }
  // Of several pools the one that is nearest to letting the service in speaks.
  Refusal nearest;
  int nearest_rank = -1;
  for (const PoolView& view : containing) {
    const Pool& pool = view.pool;
    const std::string& name = pool.name.str();
    int rank = 0;
    Refusal refusal;
    if (!view.selects) {
      refusal = {Reason::PoolSelectorMismatch,
                 fmt::format("{} is in pool {}, which does not select the service ({}): change its "
                             "labels, or ask for an address of another pool",
                             what, name, selectors_of(pool))};
    } else if (pool.conflicts_with) {
      rank = 1;
      refusal = {
          Reason::PoolConflict,
          fmt::format("{} is in pool {}, which {} and is not used: take the common addresses "
                      "out of one of the two",
                      what, name, conflict_of(pool))};
    } else if (pool.disabled) {
      rank = 2;
      refusal = {Reason::PoolDisabled,
                 fmt::format("{} is in pool {}, which is disabled: set its spec.disabled to false, "
                             "or ask for an address of another pool",
                             what, name)};
    } else if (view.space.avoids(ip)) {
      rank = 3;
      refusal = {Reason::ReservedIP,
                 fmt::format("{} is one that pool {} avoids (spec.avoid): ask for another address, "
                             "or change the pool",
                             what, name)};
    } else {
      return {};
    }
    if (rank > nearest_rank) {
      nearest_rank = rank;
      nearest = std::move(refusal);
    }
  }
  return nearest;
}

Refusal refuse_held(const IpAddress& ip, const ObjectName& holder, bool gone) {
  if (gone) {
    return {
        Reason::AlreadyAllocated,
        fmt::format("{} is still held for {}, which the manifests lack: it is given when it has "
                    "been released",
                    to_string(ip), to_string(holder))};
  }
  return {Reason::AlreadyAllocated,
          fmt::format("{} is held by {}: ask for another address or delete that service",
                      to_string(ip), to_string(holder))};
}

Refusal refuse_resting(const Service& service, const IpAddress& ip, const ObjectName& owner) {
  return {
      Reason::AlreadyAllocated,
      fmt::format("{}, requested for {}, was released by {} and is kept for it until the pool's "
                  "releaseHold is over: wait, or ask for another address",
                  to_string(ip), to_string(service.name), to_string(owner))};
}

Refusal refuse_quarantined(const Service& service, const IpAddress& ip, const MacAddress& user) {
  return {Reason::AlreadyAllocated,
          fmt::format("{}, requested for {}, is in use by another station ({}): give that one "
                      "another address, or ask for another here",
                      to_string(ip), to_string(service.name), to_string(user))};
}

}  // namespace herald::ipam
