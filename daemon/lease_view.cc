#include "daemon/lease_view.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "daemon/node.h"

namespace herald::daemon {

std::string in_ms(Duration d) {
  return to_string(Duration(std::chrono::duration_cast<std::chrono::milliseconds>(d)));
}

const char* lease_word(LeaseView::Kind kind) {
  switch (kind) {
    case LeaseView::Kind::Over:
      return "over";
    case LeaseView::Kind::Store:
      return "store";
    case LeaseView::Kind::Guards:
      return "guards";
  }
  return "";
}

LeaseView lease_of(const Node& node, const NodeName& member, Instant now) {
  LeaseView out;
  const auto& peers = node.peers().all();
  const auto peer = peers.find(member);
  if (peer == peers.end() || peer->second.document.revoked) return out;
  const coord::MemberDocument& d = peer->second.document;
  const bool self = member == node.config().name;
  out.kind = d.guards.empty() ? LeaseView::Kind::Store : LeaseView::Kind::Guards;
  for (const coord::GuardRef& guard : d.guards) out.guards.push_back(guard.node.str());
  Instant until = peer->second.since + std::max(node.config().timing.lease, d.terms.lease);
  const auto& reported = node.peers().report().peers;
  if (const auto said = reported.find(member); said != reported.end()) {
    if (said->second.heard != Instant::min()) out.heard = now - said->second.heard;
    for (const auto& [guard, fence] : said->second.fences) {
      if (fence.second == d.rev) out.fenced_by.push_back(guard.str());
    }
    if (out.heard && out.kind == LeaseView::Kind::Guards) {
      until = said->second.heard + std::max(node.config().guard_timing.patience, d.terms.patience);
    }
  }
  if (self) until = node.membership().deadline();
  out.left = until <= now ? Duration() : until - now;
  return out;
}

std::string LeaseView::sentence() const {
  std::string out;
  switch (kind) {
    case Kind::Over:
      return "its lease is over";
    case Kind::Store:
      out = fmt::format("leased from the store, {} left", in_ms(left));
      break;
    case Kind::Guards:
      out = fmt::format("guarded by {}, {} left", join(guards, ", "), in_ms(left));
      break;
  }
  if (heard) out += fmt::format("; heard {} ago", in_ms(*heard));
  if (!fenced_by.empty()) out += fmt::format("; given up by {}", join(fenced_by, ", "));
  return out;
}

}  // namespace herald::daemon
