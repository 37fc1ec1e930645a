// daemon/lease_view.h: by what a member has its right to answer, as this node sees it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/time.h"

namespace herald::daemon {

class Node;

struct LeaseView {
  enum class Kind { Over, Store, Guards };
  Kind kind = Kind::Over;
  // For this node itself: exact. For another: what is left if it was last heard when it was.
  Duration left{};
  std::vector<std::string> guards;  // who acknowledge its heartbeats
  std::optional<Duration> heard;    // ago, by a heartbeat; none: never, or it is no peer of these
  std::vector<std::string> fenced_by;  // guards that have given it up, under the rev it has

  // "guarded by n2, n3; heard 12ms ago", "leased from the store, 1.2s left": for people.
  std::string sentence() const;
};
const char* lease_word(LeaseView::Kind kind);  // "over", "store", "guards"

// A duration for people: "3s461ms", nothing finer.
std::string in_ms(Duration d);

LeaseView lease_of(const Node& node, const NodeName& member, Instant now);

}  // namespace herald::daemon
