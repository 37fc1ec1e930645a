// daemon/status_herald.h: the statuses of Herald's own kinds.
//
// Each has observedGeneration and the condition Ready, as kstatus, Flux and Argo CD look for them.
// Ready is about the manifest: it is read, valid and in force. What the world makes of it (a router
// that does not answer) is in counters and other conditions, so that no roll-out waits for it.
#pragma once

#include "daemon/dialect_view.h"
#include "daemon/object_status.h"

namespace herald::daemon {

void want_herald_statuses(const DialectView& view, WantedObjects& out);

}  // namespace herald::daemon
