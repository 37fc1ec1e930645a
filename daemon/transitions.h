// daemon/transitions.h: what has changed since it was last told, in sentences with the subject
// first. They are the log, and the newest of them are what `heraldctl events` shows.
//
// Nothing here decides: the node's machines are compared with what was last said of them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "coord/membership.h"
#include "coord/peers.h"
#include "coord/table.h"
#include "daemon/events.h"

namespace herald::daemon {

class Transitions {
 public:
  explicit Transitions(NodeName self) : self_(std::move(self)) {}

  // By what this node has its right to answer: from the store, or by whom it is guarded.
  std::vector<Log> of_lease(const coord::Membership& membership);
  // The other members: come, silent, given up, revoked, left.
  std::vector<Log> of_members(const coord::Peers& peers);
  // The owner of each IP of a shard; many that go the same way are told as one.
  static std::vector<Log> of_shard(const coord::TableDocument& before,
                                   const coord::TableDocument& now, const coord::Peers& peers);

 private:
  struct Member {
    coord::Incarnation inc;
    bool revoked = false, silent = false;
    std::vector<std::string> fenced_by;
    bool operator==(const Member&) const = default;
  };

  NodeName self_;
  std::optional<std::vector<coord::GuardRef>> guards_;  // last said of this node; none: no right
  std::map<NodeName, Member> members_;
};

// The newest sentences, numbered from 1.
class History {
 public:
  struct Entry {
    std::uint64_t seq = 0;
    Instant at;
    Log said;
  };
  void add(const Log& said, Instant at);
  const std::deque<Entry>& entries() const { return entries_; }

 private:
  std::uint64_t next_ = 1;
  std::deque<Entry> entries_;
};

}  // namespace herald::daemon
