// daemon/external_ips.h: spec.externalIPs in the IP table. They come from nobody's pool, but need
// an owner like any IP, and must not be an IP that another service was given.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "coord/document.h"
#include "daemon/policies.h"
#include "ipam/allocator.h"

namespace herald::daemon {

using Statuses = std::map<ObjectName, coord::StatusDocument>;

// An external IP that is not announced: `holder` has it as its load balancer's.
struct RefusedExternal {
  IpAddress ip;
  ObjectName service, holder;
  bool operator==(const RefusedExternal&) const = default;
};
std::string sentence(const RefusedExternal& refused);  // with what to do about it

struct ExternalIps {
  ipam::Holdings wanted;               // sorted services; some policy announces them
  std::vector<ipam::Holding> dropped;  // in the table, and not wanted any more; sorted
  std::vector<RefusedExternal> refused;
};

// Takes out of `holdings` what services hold as their external IPs, so that the rest is what was
// allocated. statuses: which IPs a service was told that it has: those are no external ones.
ExternalIps take_external_ips(const Policies& policies, const Statuses& statuses,
                              ipam::Holdings& holdings);

}  // namespace herald::daemon
