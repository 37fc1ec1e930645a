// daemon/allocations.h: what a leader remembers between its choices, and what it writes about them.
//
// Allocations: a choice is made once, and a wish that is gone is believed after a moment.
// StatusWriter: the table is written before a status names an IP (rule T5).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "coord/store.h"
#include "coord/table.h"
#include "daemon/decide.h"
#include "daemon/events.h"
#include "ipam/allocator.h"

namespace herald::daemon {

class Allocations {
 public:
  // As the leader: who gets which IP, now.
  Allocation decide(const Policies& policies, const coord::Table& table, const Statuses& statuses,
                    Instant now);
  void forget();  // not the leader

  // decide() would release something that it kept until now.
  bool due(Instant now) const;
  std::optional<Instant> next_deadline() const;

 private:
  void keep_for_now(Allocation& allocation, Instant now);

  ipam::Holdings pending_;  // given, and not in the table yet
  // When what nobody wants is released; none: it is being released.
  std::map<ipam::Holding, std::optional<Instant>> release_due_;
};

class StatusWriter {
 public:
  // A status document, by read, watch, list or own write. Older revs are dropped.
  void on_seen(const coord::StatusDocument& document);
  // A write that did not win: a read settles it, then it is tried again.
  std::optional<coord::StoreRequest> on_cas(const coord::StatusDocument& document,
                                            coord::CasOutcome outcome, Duration retry, Instant now);
  // What is to be written for decisions that were not told yet.
  struct Write {
    Log log;
    coord::StoreRequest request;
  };
  std::vector<Write> write(const ipam::Plan& plan, const coord::Table& table, Instant now);

  const Statuses& statuses() const { return statuses_; }
  // A write may be tried again; each time is told once.
  bool take_due(Instant now);
  std::optional<Instant> next_deadline() const;

 private:
  Statuses statuses_;
  std::map<ObjectName, Instant> retry_;  // never: under way
};

}  // namespace herald::daemon
