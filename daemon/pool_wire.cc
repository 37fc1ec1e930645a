#include "daemon/pool_wire.h"

#include <boost/json.hpp>

#include "daemon/reply_wire.h"
#include "ipam/reason.h"

namespace herald::daemon {

namespace json = boost::json;

json::object pool_wire(const Pool& pool, const ipam::PoolUsage& usage) {
  json::object out{{"name", pool.name.str()},
                   {"total", count(usage.total())},
                   {"used", count(usage.used())},
                   {"available", count(usage.available())},
                   {"total_v4", count(usage.total_v4)},
                   {"total_v6", count(usage.total_v6)},
                   {"used_v4", count(usage.used_v4)},
                   {"used_v6", count(usage.used_v6)},
                   {"available_v4", count(usage.available_v4)},
                   {"available_v6", count(usage.available_v6)},
                   {"conflicting", pool.conflicts_with.has_value()},
                   {"disabled", pool.disabled},
                   {"reason", ""},
                   {"message", ""}};
  if (pool.conflicts_with) {
    out["reason"] = ipam::to_string(ipam::Reason::PoolConflict);
    out["message"] = conflict_of(pool);
  } else if (pool.disabled) {
    out["reason"] = ipam::to_string(ipam::Reason::PoolDisabled);
    out["message"] = "spec.disabled is true: what is held stays, nothing new is given";
  }
  return out;
}

}  // namespace herald::daemon
