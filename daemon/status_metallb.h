// daemon/status_metallb.h: what MetalLB's controller and speakers write: the counters of its pools,
// who announces a service (ServiceL2Status, ServiceBGPStatus), and whether its objects are valid
// (ConfigurationState). Only for what MetalLB's own objects are about.
//
// The last three kinds are objects of Herald's making. Their names begin with "herald", so they
// meet none of those that MetalLB's pods own, and say which service and node they are of, so every
// leader makes the same.
#pragma once

#include <cstddef>

#include "daemon/dialect_view.h"
#include "daemon/object_status.h"

namespace herald::daemon {

void want_metallb_statuses(const DialectView& view, WantedObjects& out);

// ServiceL2Status and ServiceBGPStatus: at most so many of each, those of the services with the
// lesser names. One of a service and a node that announces it, of which no IP is still being
// probed.
void want_service_statuses(const kube::Observed& observed, const Policies& policies,
                           const HeldIps& held, const std::vector<PlannedNode>& nodes,
                           std::size_t most, WantedObjects& out);

}  // namespace herald::daemon
