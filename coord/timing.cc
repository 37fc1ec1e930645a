#include "coord/timing.h"

#include <algorithm>

namespace herald::coord {

Duration stretched(Duration d, double clock_drift) {
  const double ns = static_cast<double>(d.count()) * (1 + clock_drift) / (1 - clock_drift);
  return Duration(static_cast<Duration::rep>(ns) + 1);
}

Duration LeaseTiming::declared_lease(bool lone) const {
  if (!lone) return lease;
  return std::max(lease, std::min(lone_lease, store_loss_limit.value_or(lone_lease)));
}

Duration LeaseTiming::led_for(bool lone) const {
  return std::max(leader_lease, declared_lease(lone));
}

std::optional<Duration> LeaseTiming::revoke_after_drift(const MemberDocument& document) const {
  if (document.guards.empty()) {
    return stretched(std::max(revoke_after, document.terms.lease), clock_drift);
  }
  if (!document.terms.store_loss_limit) return std::nullopt;
  return stretched(*document.terms.store_loss_limit, clock_drift);
}

}  // namespace herald::coord
