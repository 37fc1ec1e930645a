// ipam/families.h: what a service's ipFamilies and ipFamilyPolicy mean for its IPs.
#pragma once

#include <span>
#include <vector>

#include "model/objects.h"

namespace herald::ipam {

bool has_family(std::span<const IpAddress> ips, IpFamily family);

struct FamilyWish {
  std::vector<IpFamily> families;  // to have one IP of each, in this order
  // May do without the others when one is there (PreferDualStack).
  bool one_is_enough = false;
  // No family was named: where no pool has IPv4, IPv6 will do (SingleStack without ipFamilies).
  bool or_ipv6 = false;
};

// SingleStack: the first of ipFamilies, IPv4 if there is none. Dual stack: ipFamilies, both if
// there are none; RequireDualStack always both.
FamilyWish wanted_families(const Service& service);

// Whether the service may keep or request an IP of this family: every family if it names none.
bool permits_family(const Service& service, IpFamily family);

// FamilyCheck::Exact: two families with a dual-stack policy, and both where it is required. A
// service that names no family fits.
bool families_fit(const Service& service);

// Whether Service::requested has, by the check of the pool they are in, the right families.
bool request_fits(const Service& service, const IpAddress& ip, FamilyCheck check);

}  // namespace herald::ipam
