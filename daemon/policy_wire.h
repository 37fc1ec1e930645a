// daemon/policy_wire.h: a policy or an advertisement in answers to heraldctl: `get policies`.
#pragma once

#include <boost/json/fwd.hpp>

#include "daemon/view.h"

namespace herald::daemon {

// {"name","kind","via":"l2|bgp","service_selector","node_selector","pools":[],"addresses":[],
// "interfaces":[] of L2, "peers":[] of BGP,"services","ips","nodes","reason","message",
// "problems":[]} for each, in force or not. Empty lists of pools, interfaces and peers mean all;
// services, ips and nodes count what it selects now, as its status at an API server does. reason:
// InForce, OldVersion (its new version cannot be used) or Invalid (nor was there an older one).
boost::json::array policies_wire(const View& view);

}  // namespace herald::daemon
