// daemon/status_cilium.h: the statuses of Cilium's kinds, with the types, reasons and messages that
// Cilium's operator and agents write: what reads them there reads them here.
//
// What Cilium has no condition for (a field that is not in force, say) is in one of our own,
// herald.io/Problems. CiliumBGPNodeConfig is left alone: to Cilium's agents it is an order.
#pragma once

#include "daemon/dialect_view.h"
#include "daemon/object_status.h"

namespace herald::daemon {

void want_cilium_statuses(const DialectView& view, WantedObjects& out);

}  // namespace herald::daemon
