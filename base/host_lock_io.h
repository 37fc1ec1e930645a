// base/host_lock_io.h: one heraldd per node name and store on this host (rule J1).
//
// Two daemons under one name would renew one membership and answer side by side. The kernel holds
// the lock for the life of the process and drops it however the process ends, so there is nothing
// to clean up after a crash; the file stays, since removing it would let two lock two files.
//
// Whoever may not write there, as a pod whose user is not root and to whom the host's directory is
// mounted, locks the directory itself: then there is no other heraldd on this host at all.
#pragma once

#include <string>

#include "base/fd_io.h"
#include "base/names.h"
#include "base/result.h"

namespace herald {

class HostLock {
 public:
  // Locks a file in `run_dir` (created if missing) that is named after the node and the store, or
  // the directory. The error is a sentence that names who holds it and what to do.
  static Result<HostLock> take(const std::string& run_dir, const NodeName& node,
                               const std::string& store);

 private:
  explicit HostLock(UniqueFd directory, UniqueFd file = {})
      : directory_(std::move(directory)), file_(std::move(file)) {}
  // With a file, the directory is locked as well, shared: to keep those out that lock it alone.
  UniqueFd directory_, file_;
};

}  // namespace herald
