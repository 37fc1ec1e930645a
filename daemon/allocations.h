// daemon/allocations.h: what a leader remembers between its choices, and what it writes about them.
//
// Allocations: a choice is made once, a wish that is gone is believed after a moment, and an IP
// that was released is kept from others for as long as its pool says, or as another station may use
// it. Placing: who may own which IP. StatusWriter: the table is written before a status names an IP
// (rule T5).
//
// With thousands of services each of these takes milliseconds, and a failover changes the owners of
// IPs only: so each remembers what it was made of, and is made anew only if that has changed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/time.h"
#include "coord/store.h"
#include "coord/table.h"
#include "daemon/decide.h"
#include "daemon/events.h"
#include "ipam/allocator.h"

namespace herald::daemon {

// What services were told, as far as this leader knows.
struct Told {
  const Statuses& statuses;
  std::uint64_t version = 0;  // another one whenever any of this is another one
  // IPs whose service is known not to be told of them any more, and to be told of what it has
  // instead; an IP is not released before. Null: what is known of statuses is all there is.
  const std::set<ipam::Holding>* untold = nullptr;
};

class Allocations {
 public:
  // As the leader: who gets which IP, now.
  std::shared_ptr<const Allocation> decide(const Policies& policies, const coord::Table& table,
                                           const Told& told, Instant now);
  // What is to be released as soon as it is in Told::untold.
  const std::set<ipam::Holding>& awaited() const { return awaited_; }
  // Another one for each allocation that was really made.
  std::uint64_t version() const { return version_; }
  void forget();  // not the leader

  // decide() would release something that it kept until now, or free it.
  bool due(Instant now) const;
  std::optional<Instant> next_deadline() const;

 private:
  struct MadeOf {
    std::shared_ptr<const Desired> desired;
    std::uint64_t holdings = 0, statuses = 0;
    bool operator==(const MadeOf&) const = default;
  };
  void keep_for_now(Allocation& allocation, const Told& told, Instant now);
  std::set<IpAddress> unowned_for_long(const Policies& policies, const coord::Table& table,
                                       Instant now);
  void remember_pools(const Policies& policies, const coord::Table& table, const Told& told);
  void forget_pools_of(const ipam::Plan& plan);

  std::optional<MadeOf> made_of_;
  std::shared_ptr<const Allocation> allocation_;  // null: none was made
  std::uint64_t version_ = 0;
  Remembered remembered_;
  // When what nobody wants is released; none: it is being released.
  std::map<ipam::Holding, std::optional<Instant>> release_due_;
  std::set<ipam::Holding> awaited_;  // of these, whose time has come
  // Entries without a service: since when this leader knows them, and until when they stay. No
  // clock is compared with another's, so a new leader counts anew: longer, never shorter.
  struct Stay {
    Instant since;
    std::optional<Instant> until;  // none: it is over
  };
  std::map<IpAddress, Stay> stays_;
};

class Placing {
 public:
  // place() for what the leader's allocation holds; null: for what the table holds.
  const coord::TablePlan& plan(const Policies& policies, const Allocations* allocations,
                               const Allocation* allocation, const coord::Table& table,
                               const coord::Peers& peers, const Unwilling& unwilling, Instant now);
  // Another one for each plan that was really made; never 0 after the first.
  std::uint64_t version() const { return version_; }

 private:
  struct MadeOf {
    std::shared_ptr<const Desired> desired;
    bool allocated = false;
    std::uint64_t holdings = 0;
    std::vector<Eligible> members;
    Homes homes;
    std::set<NodeName> drained;
    bool operator==(const MadeOf&) const = default;
  };
  std::optional<MadeOf> made_of_;
  coord::TablePlan plan_;
  std::uint64_t version_ = 0;
};

class StatusWriter {
 public:
  // A status document, by read, watch, list or own write. Older revs are dropped.
  void on_seen(const coord::StatusDocument& document);
  // A write that did not win: a read settles it, then it is tried again.
  std::optional<coord::StoreRequest> on_cas(const coord::StatusDocument& document,
                                            coord::CasOutcome outcome, Duration retry, Instant now);
  // What is to be written, for decisions that were not told yet; nothing that is not in the table.
  void set(const Allocations& allocations, const Allocation& allocation, const coord::Table& table,
           Instant now);
  void forget();  // not the leader

  struct Write {
    Log log;
    coord::CasDocument write;
  };
  // The next ones; a store is not flooded, nor is anything that waits behind them.
  std::vector<Write> take_writes();

  const Statuses& statuses() const { return statuses_; }
  // Another one whenever somebody else has written a status.
  std::uint64_t version() const { return version_; }
  // A write may be tried again, or another one is due; each time is told once.
  bool take_due(Instant now);
  std::optional<Instant> next_deadline() const;

 private:
  static constexpr std::size_t kMostAtOnce = 64;
  PoolName given_from(const ObjectName& service, const IpAddress& ip) const;

  Statuses statuses_;
  std::uint64_t version_ = 1;
  std::uint64_t set_for_ = 0;  // the allocation that the queue was made of; 0: look again
  std::map<ObjectName, Write> queue_;
  std::map<ObjectName, coord::StatusDocument> under_way_;
  std::map<ObjectName, Instant> retry_;
  std::set<ObjectName> again_;  // another one is wanted than the one under way
  bool due_ = false;
};

}  // namespace herald::daemon
