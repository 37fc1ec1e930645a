// base/host_lock_io.h: one heraldd per node name and store on this host (rule J1).
//
// Two daemons under one name would renew one membership and answer side by side. The kernel holds
// the lock for the life of the process and drops it however the process ends, so there is nothing
// to clean up after a crash; the file stays, since removing it would let two lock two files.
#pragma once

#include <string>

#include "base/fd_io.h"
#include "base/names.h"
#include "base/result.h"

namespace herald {

class HostLock {
 public:
  // Locks a file in `run_dir` (created if missing) that is named after the node and the store. The
  // error is a sentence that names who holds it and what to do.
  static Result<HostLock> take(const std::string& run_dir, const NodeName& node,
                               const std::string& store);

 private:
  explicit HostLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace herald
