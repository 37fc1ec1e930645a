#include "ipam/families.h"

#include <algorithm>

namespace herald::ipam {
namespace {

bool has(const std::vector<IpFamily>& families, IpFamily family) {
  return std::find(families.begin(), families.end(), family) != families.end();
}

}  // namespace

FamilyWish wanted_families(const Service& service) {
  if (service.family_policy == IpFamilyPolicy::SingleStack) {
    if (service.families.empty()) return {.families = {IpFamily::IPv4}, .or_ipv6 = true};
    return {.families = {service.families.front()}};
  }
  FamilyWish wish{.families = {},
                  .one_is_enough = service.family_policy == IpFamilyPolicy::PreferDualStack};
  for (const IpFamily family : service.families) {
    if (!has(wish.families, family)) wish.families.push_back(family);
  }
  if (service.families.empty() || !wish.one_is_enough) {
    for (const IpFamily family : {IpFamily::IPv4, IpFamily::IPv6}) {
      if (!has(wish.families, family)) wish.families.push_back(family);
    }
  }
  return wish;
}

bool permits_family(const Service& service, IpFamily family) {
  return service.families.empty() || service.family_policy == IpFamilyPolicy::RequireDualStack ||
         has(service.families, family);
}

}  // namespace herald::ipam
