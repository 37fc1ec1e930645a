// daemon/explain_plan.h: `heraldctl explain -f`: the chain of facts about an object of manifests
// that no daemon has read, by what is planned for it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "daemon/plan.h"

namespace herald::daemon {

// An answer as daemon/explain.h gives it of what is in force. `what`: service (name "ns/name"), ip,
// pool or peer; of others a daemon alone can tell.
std::string explain_plan(const Policies& wanted, const ManifestPlan& plan, std::string_view what,
                         std::string_view name);

}  // namespace herald::daemon
