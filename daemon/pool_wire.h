// daemon/pool_wire.h: a pool and how full it is, as `get pools` and `plan` answer it.
#pragma once

#include <boost/json/fwd.hpp>

#include "ipam/allocator.h"
#include "model/objects.h"

namespace herald::daemon {

// "total", "used", "available", each also with _v4 and _v6; "conflicting", "disabled"; "reason" (in
// CamelCase) and "message" why nothing is given from it, empty if it is in use.
boost::json::object pool_wire(const Pool& pool, const ipam::PoolUsage& usage);

}  // namespace herald::daemon
