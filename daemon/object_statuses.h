// daemon/object_statuses.h: with an API server, everything that the leader has to say there: what
// should be in each object's status (service_statuses, dialect_statuses), the way it
// gets there (object_writer), what has to be known before an IP is released (release_checks), and
// what kubectl describe tells (object_events).
//
// Statuses are made a moment after what they tell of has changed: an IP that moves is not to wait
// for them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/allocations.h"
#include "daemon/dialect_statuses.h"
#include "daemon/object_events.h"
#include "daemon/object_writer.h"
#include "daemon/release_checks.h"
#include "daemon/service_statuses.h"

namespace herald::daemon {

class ObjectStatuses {
 public:
  // service_status_limit: how many objects of MetalLB's ServiceL2Status are made at most, and how
  // many of its ServiceBGPStatus.
  ObjectStatuses(const std::string& field_manager, const NodeName& self,
                 std::size_t service_status_limit, std::uint64_t seed);

  void on_seen(std::shared_ptr<const kube::Observed> observed);
  void set_wall_clock(Duration at_zero) {
    writer_.set_wall_clock(at_zero);
    events_.set_wall_clock(at_zero);
  }
  // False: the id is of nobody here.
  bool on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now);

  // What services were told, for Allocations::decide().
  Told told();
  struct Facts {
    const Policies& policies;
    const Allocations& allocations;
    const std::shared_ptr<const Allocation>& allocation;
    const coord::Table& table;
    const coord::Peers& peers;
    const std::set<NodeName>& drained;
  };
  void set(const Facts& facts, Instant now);  // the leader
  void forget();                              // not the leader

  // set() has something to do, or the answer of told() is another one.
  bool due(Instant now) const;
  void tick(Instant now);
  std::optional<Instant> next_deadline() const;
  std::vector<AskKube> take_requests(Instant now);
  std::vector<Log> take_logs() { return std::exchange(logs_, {}); }
  // The uid of an object that is seen; empty: it is not.
  std::string uid_of(const kube::ObjectRef& object) const;
  // Null: it is not seen.
  std::shared_ptr<const kube::ObservedObject> observed(const kube::ObjectRef& object) const;

  // What the conditions of services say, for reports.
  const Statuses& statuses() const;

 private:
  struct MadeOf {
    std::shared_ptr<const Desired> desired;
    std::shared_ptr<const kube::Observed> observed;
    std::uint64_t allocation = 0, table = 0, peers = 0;
    std::set<NodeName> drained;
    bool operator==(const MadeOf&) const = default;
  };

  NodeName self_;
  std::size_t service_status_limit_;
  std::shared_ptr<const kube::Observed> observed_;
  mutable std::optional<Statuses> statuses_;  // made of what is observed, when somebody asks
  ServiceStatuses services_;
  DialectStatuses dialects_;
  WantedObjects of_dialects_;
  std::shared_ptr<const WantedObjects> wanted_;  // null: none were made
  ObjectWriter writer_;
  ReleaseChecks checks_;
  ObjectEvents events_;
  std::vector<Log> logs_;
  Statuses told_;
  std::uint64_t told_version_ = 0;  // of the writer's, that told_ was made of
  std::uint64_t seen_version_ = 1;  // rises with what others' answers have shown
  std::uint64_t given_version_ = 0;
  std::optional<MadeOf> made_of_;
  std::optional<Instant> make_at_;
  Instant made_ = Instant::min();
  Instant all_made_ = Instant::min();
};

}  // namespace herald::daemon
