#include "daemon/hearing.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "daemon/lease_view.h"
#include "daemon/node.h"
#include "daemon/report.h"

namespace herald::daemon {
namespace {

// Longer than any takeover: who is dead has been revoked by then, if that can be done at all.
constexpr Duration kUnheard = 1s;

}  // namespace

std::vector<std::string> hearing_warnings(const Node& node, const HeartbeatFacts& facts,
                                          Instant now) {
  const std::uint16_t port = node.config().heartbeat_port;
  const Duration patience = std::max(kUnheard, 3 * node.config().guard_timing.patience);
  std::vector<std::string> unheard, unhearing;
  for (const auto& [name, peer] : node.peers().all()) {
    const coord::MemberDocument& d = peer.document;
    // Without an address it takes no part in heartbeats: heartbeat-listen is none there.
    if (name == node.config().name || d.revoked || d.info.heartbeat.empty()) continue;
    const LeaseView lease = lease_of(node, name, now);
    if (!lease.heard || *lease.heard > patience) {
      unheard.push_back(name.str());
    } else if (lease.kind == LeaseView::Kind::Store) {
      unhearing.push_back(name.str());
    }
  }
  std::vector<std::string> out;
  if (!unheard.empty() && port == 0) {
    out.push_back(
        fmt::format("heartbeat-listen is none here, but not on {}: this node cannot tell whether "
                    "they live, and gives them no IPs. Set the same on all nodes",
                    join(unheard, ", ")));
  } else if (!unheard.empty()) {
    out.push_back(fmt::format(
        "no heartbeat comes from {}: is heraldd running there, is UDP port {} open between here "
        "and there, and have all nodes the same heartbeat key and cluster name?{}",
        join(unheard, ", "), port,
        facts.last_refused.empty() ? "" : " Last refused: " + facts.last_refused));
  }
  if (!unhearing.empty() && port != 0) {
    out.push_back(fmt::format(
        "{} can be heard, but leases from the store: too few heartbeats arrive there. Is UDP port "
        "{} open towards it? `heraldctl status` there says more",
        join(unhearing, ", "), port));
  }
  return out;
}

}  // namespace herald::daemon
