// daemon/plan_wire.h: a plan as heraldctl is answered it.
#pragma once

#include <string>

#include "daemon/plan.h"

namespace herald::daemon {

// An answer as from the admin socket:
// {"services":[...],"pools":[...],"peers":[...],"problems":[...],"changes":[...]}
//
// An IP is announced "via" l2 by nodes and interfaces, via bgp by one node to one peer; via "none"
// has the reason why not. Attributes are those that the advertisements set: localPreference goes to
// internal peers alone.
std::string plan_wire(const Policies& wanted, const ManifestPlan& plan);

}  // namespace herald::daemon
