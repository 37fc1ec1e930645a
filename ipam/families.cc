#include "ipam/families.h"

#include <algorithm>

#include "base/lists.h"

namespace herald::ipam {

bool has_family(std::span<const IpAddress> ips, IpFamily family) {
  return std::any_of(ips.begin(), ips.end(),
                     [&](const IpAddress& ip) { return ip.family() == family; });
}

FamilyWish wanted_families(const Service& service) {
  if (service.family_policy == IpFamilyPolicy::SingleStack) {
    if (service.families.empty()) return {.families = {IpFamily::IPv4}, .or_ipv6 = true};
    return {.families = {service.families.front()}};
  }
  FamilyWish wish{.families = {},
                  .one_is_enough = service.family_policy == IpFamilyPolicy::PreferDualStack};
  for (const IpFamily family : service.families) {
    if (!contains(wish.families, family)) wish.families.push_back(family);
  }
  if (service.families.empty() || !wish.one_is_enough) {
    for (const IpFamily family : {IpFamily::IPv4, IpFamily::IPv6}) {
      if (!contains(wish.families, family)) wish.families.push_back(family);
    }
  }
  return wish;
}

bool permits_family(const Service& service, IpFamily family) {
  return service.families.empty() || service.family_policy == IpFamilyPolicy::RequireDualStack ||
         contains(service.families, family);
}

bool families_fit(const Service& service) {
  switch (service.families.size()) {
    case 0:
      return true;
    case 1:
      return service.family_policy != IpFamilyPolicy::RequireDualStack;
    default:
      return service.family_policy != IpFamilyPolicy::SingleStack;
  }
}

bool request_fits(const Service& service, const IpAddress& ip, FamilyCheck check) {
  const auto& families = service.families;
  if (families.empty() || check == FamilyCheck::Any) return true;
  if (check == FamilyCheck::Named) return permits_family(service, ip.family());
  if (families.size() == 1 && service.family_policy == IpFamilyPolicy::RequireDualStack) {
    return false;
  }
  return contains(families, ip.family()) &&
         std::all_of(families.begin(), families.end(),
                     [&](IpFamily family) { return has_family(service.requested, family); });
}

}  // namespace herald::ipam
