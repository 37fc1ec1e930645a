#include "ipam/refusal.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace herald::ipam {
namespace {

constexpr std::size_t kMostNamed = 5;

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

const char* name_of(IpFamilyPolicy policy) {
  switch (policy) {
    case IpFamilyPolicy::SingleStack:
      return "SingleStack";
    case IpFamilyPolicy::PreferDualStack:
      return "PreferDualStack";
    case IpFamilyPolicy::RequireDualStack:
      return "RequireDualStack";
  }
  return "";
}

// The rest of "pool lan ...".
std::string why_not(const PoolView& view, IpFamily family) {
  const Pool& pool = view.pool;
  switch (bar_of(view, family)) {
    case Bar::None:
      return "is full";
    case Bar::Family:
      return fmt::format("has no {} addresses", to_string(family));
    case Bar::Selectors:
      return fmt::format("does not select it ({})", selectors_of(pool));
    case Bar::OnRequest:
      return "has autoAssign false: only on request";
    case Bar::Apart:
      return "does not go together with the pool of its other IP";
    case Bar::FamilyCheck:
      return "wants ipFamilies and ipFamilyPolicy to fit one another";
    case Bar::Conflict:
      return conflict_of(pool);
    case Bar::Disabled:
      return "is disabled";
  }
  return "";
}

// The pool would do but for being out of use, or for what the service says of its families.
Refusal refuse_one(const Service& service, IpFamily family, const PoolView& view) {
  const std::string pool =
      fmt::format("pool {}, which selects {},", view.pool.name.str(), to_string(service.name));
  switch (bar_of(view, family)) {
    case Bar::Conflict:
      return {Reason::PoolConflict,
              fmt::format("{} {} and is not used: let no address be in two ranges", pool,
                          conflict_of(view.pool))};
    case Bar::FamilyCheck:
      return {Reason::FamilyMismatch,
              fmt::format("{} has ipFamilies {} with ipFamilyPolicy {}, which pool {} takes for a "
                          "contradiction: two families need PreferDualStack or RequireDualStack, "
                          "and RequireDualStack needs two",
                          to_string(service.name), names_of(service.families),
                          name_of(service.family_policy), view.pool.name.str())};
    default:
      return {Reason::PoolDisabled,
              fmt::format("{} is disabled: set spec.disabled to false, or add another pool with "
                          "{} addresses",
                          pool, to_string(family))};
  }
}

bool nearly(const PoolView& view, IpFamily family) {
  const Bar bar = bar_of(view, family);
  return bar == Bar::FamilyCheck || bar == Bar::Conflict || bar == Bar::Disabled;
}

Refusal exhausted(const Service& service, IpFamily family, const std::vector<PoolView>& pools) {
  std::vector<std::string> named;
  for (const PoolView& view : pools) {
    if (bar_of(view, family) != Bar::None) continue;
    named.push_back(fmt::format("{} ({} of {} used)", view.pool.name.str(),
                                herald::to_string(view.space.used(family)),
                                herald::to_string(view.space.total(family))));
  }
  return {
      Reason::PoolExhausted,
      fmt::format("no {} address is left for {} in pool {}: add addresses to a pool, or delete a "
                  "service that holds one",
                  to_string(family), to_string(service.name), few_of(std::move(named)))};
}

}  // namespace

std::string names_of(std::span<const IpFamily> families, const char* separator) {
  std::vector<std::string> out;
  for (const IpFamily family : families) out.push_back(to_string(family));
  return join(out, separator);
}

std::string few_of(std::vector<std::string> parts, const char* separator) {
  if (parts.size() > kMostNamed) {
    const std::size_t more = parts.size() - kMostNamed;
    parts.resize(kMostNamed);
    parts.push_back(fmt::format("{} more", more));
  }
  return join(parts, separator);
}

Bar bar_of(const PoolView& view, IpFamily family) {
  if (!view.space.has_family(family)) return Bar::Family;
  if (!view.selects) return Bar::Selectors;
  if (!view.pool.auto_assign && !view.asked_for) return Bar::OnRequest;
  if (view.apart) return Bar::Apart;
  if (!view.families_fit) return Bar::FamilyCheck;
  if (view.pool.conflicts_with) return Bar::Conflict;
  return view.pool.disabled ? Bar::Disabled : Bar::None;
}

Refusal refuse_choice(const Service& service, IpFamily family, const std::vector<PoolView>& pools) {
  if (pools.empty()) {
    return {Reason::NoMatchingPool,
            fmt::format("there is no pool: add a LoadBalancerIPPool with {} addresses for {}",
                        to_string(family), to_string(service.name))};
  }
  const auto gives = [&](const PoolView& view) { return bar_of(view, family) == Bar::None; };
  if (std::any_of(pools.begin(), pools.end(), gives)) return exhausted(service, family, pools);
  // A pool that would do but for being out of use is the better hint.
  const auto near = std::find_if(pools.begin(), pools.end(),
                                 [&](const PoolView& view) { return nearly(view, family); });
  if (near != pools.end()) return refuse_one(service, family, *near);

  const PoolView& first = pools.front();
  if (first.asked_for && bar_of(first, family) == Bar::Selectors) {
    return {Reason::PoolSelectorMismatch,
            fmt::format("{} asks for pool {} ({}), which does not select it ({}): change its "
                        "labels, or ask for another pool",
                        to_string(service.name), first.pool.name.str(),
                        service.requested_pool_by.value_or(""), selectors_of(first.pool))};
  }
  if (first.asked_for) {
    return {Reason::NoMatchingPool,
            fmt::format("{} asks for pool {} ({}), which {}: add some to it, or ask for another",
                        to_string(service.name), first.pool.name.str(),
                        service.requested_pool_by.value_or(""), why_not(first, family))};
  }
  std::vector<std::string> named;
  for (const PoolView& view : pools) {
    named.push_back(fmt::format("{} {}", view.pool.name.str(), why_not(view, family)));
  }
  return {Reason::NoMatchingPool,
          fmt::format("no pool gives {} an {} address: {}. Change the service's labels, or a pool",
                      to_string(service.name), to_string(family), few_of(std::move(named), "; "))};
}

Refusal refuse_both(const Service& service) {
  return {Reason::NoMatchingPool,
          fmt::format("no pool has both an IPv4 and an IPv6 address for {}, and all that select it "
                      "give all IPs of a service or none: add addresses of the other family to "
                      "one, or set ipFamilyPolicy to PreferDualStack",
                      to_string(service.name))};
}

Refusal refuse_second(const Service& service, IpFamily family, const Pool& pool) {
  return {Reason::PoolExhausted,
          fmt::format("{} has no {} address: pool {} has none left, and no other pool adds to it",
                      to_string(service.name), to_string(family), pool.name.str())};
}

Refusal refuse_unknown_pool(const Service& service, const std::vector<Pool>& all) {
  std::vector<std::string> named;
  for (const Pool& pool : all) named.push_back(pool.name.str());
  std::sort(named.begin(), named.end());
  const std::string there = named.empty() ? "there is none" : "there are " + few_of(named);
  return {Reason::RequestedPoolUnknown,
          fmt::format("{} asks for pool {} ({}), which does not exist: add it, or ask for another "
                      "({})",
                      to_string(service.name), service.requested_pool->str(),
                      service.requested_pool_by.value_or(""), there)};
}

Refusal refuse_by_pools(const Service& service, const IpAddress& ip,
                        const std::vector<PoolView>& containing, const std::vector<PoolView>& all) {
  const std::string what =
      fmt::format("{}, requested for {},", to_string(ip), to_string(service.name));
  if (containing.empty()) {
    std::vector<std::string> hints;
    for (const PoolView& view : all) {
      const auto& ranges = view.pool.ranges;
      const auto range = std::find_if(ranges.begin(), ranges.end(),
                                      [&](const IpRange& r) { return r.family() == ip.family(); });
      if (range == ranges.end()) continue;
      hints.push_back(fmt::format("{} has {}", view.pool.name.str(), to_string(*range)));
    }
    const std::string hint =
        hints.empty() ? std::string() : fmt::format(" ({})", few_of(std::move(hints)));
    const std::string where =
        service.requested_pool
            ? fmt::format("not in pool {}, which {} asks for", service.requested_pool->str(),
                          service.requested_pool_by.value_or(""))
            : "in no pool";
    return {Reason::RequestedIPNotInPool,
            fmt::format("{} is {}{}: add it to {} pool, or ask for an address of one", what, where,
                        hint, service.requested_pool ? "that" : "a")};
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
      refusal = {Reason::PoolConflict,
                 fmt::format("{} is in pool {}, which {} and is not used: let no address be in two "
                             "ranges",
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

}  // namespace herald::ipam
