// ipam/refusal.h: the sentences for an IP that is not there. Each names the object, the values and
// the way out; the decision itself is made in allocator.cc.
#pragma once

#include <string>
#include <vector>

#include "ipam/pool_space.h"
#include "ipam/reason.h"
#include "model/objects.h"
#include "net/mac.h"

namespace herald::ipam {

struct Refusal {
  Reason reason = Reason::Allocated;
  std::string message;
};

// A pool as one service sees it.
struct PoolView {
  const Pool& pool;
  const PoolSpace& space;
  bool selects = false;  // pool_selects()
};

// Nothing to choose from: `pools` is every pool there is, best first. Without `exhausted` no pool
// may give this family to the service; with it, those that may are full.
Refusal refuse_choice(const Service& service, IpFamily family, const std::vector<PoolView>& pools,
                      bool exhausted);

// A requested IP that is unfit for any service (0.0.0.0, loopback, multicast) or of a family that
// the service does not have; Reason::Allocated if there is nothing to say against it.
Refusal check_request(const Service& service, const IpAddress& ip);

// No pool with this IP lets the service have it. `containing`: the pools whose ranges hold it, best
// first; `all`: every pool, for a hint. Reason::Allocated if one of `containing` does let it.
Refusal refuse_by_pools(const Service& service, const IpAddress& ip,
                        const std::vector<PoolView>& containing, const std::vector<Pool>& all);

// The IP belongs to `holder`; `gone`: a service that the manifests do not have.
Refusal refuse_held(const IpAddress& ip, const ObjectName& holder, bool gone);

// A released IP that is kept for `owner` for a while.
Refusal refuse_resting(const Service& service, const IpAddress& ip, const ObjectName& owner);

// A probe was answered by `user`.
Refusal refuse_quarantined(const Service& service, const IpAddress& ip, const MacAddress& user);

}  // namespace herald::ipam
