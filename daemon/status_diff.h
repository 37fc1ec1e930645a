// daemon/status_diff.h: what of an object's status is not as it should be.
//
// Compared is what is wanted: maps by their keys, conditions by `type` and without their
// lastTransitionTime, other lists as a whole. What others have beside it is theirs. What is ours,
// by managedFields, and is not wanted any more is a difference as well.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/object_status.h"
#include "kube/observed.h"

namespace herald::daemon {

struct StatusDiff {
  std::vector<std::string> what;  // each place and what is there; empty: all is as it should be
  std::string status;             // to be applied, as JSON; empty: to have nothing there
};

// now: for the conditions whose status changes, as Kubernetes writes times.
StatusDiff compare(const WantedObject& wanted, const kube::ObservedObject& seen,
                   std::string_view now);

// "2026-11-21T08:00:00Z": seconds since 1970, as Kubernetes writes times.
std::string kube_time(std::int64_t seconds);

}  // namespace herald::daemon
