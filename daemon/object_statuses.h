// daemon/object_statuses.h: with an API server, everything that the leader has to say there: what
// should be in each object's status (service_statuses, and what other dialects add), the way it
// gets there (object_writer), and what has to be known before an IP is released (release_checks).
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
#include "daemon/object_writer.h"
#include "daemon/release_checks.h"
#include "daemon/service_statuses.h"

namespace herald::daemon {

class ObjectStatuses {
 public:
  ObjectStatuses(const std::string& field_manager, std::uint64_t seed);

  void on_seen(std::shared_ptr<const kube::Observed> observed);
  void set_wall_clock(Duration at_zero) { writer_.set_wall_clock(at_zero); }
  // False: the id is of nobody here.
  bool on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now);

  // What services were told, for Allocations::decide().
  Told told();
  struct Facts {
    const Policies& policies;
    const Allocations& allocations;
    const Allocation& allocation;
    const coord::Table& table;
    const coord::Peers& peers;
    const std::set<NodeName>& drained;
  };
  void set(const Facts& facts, Instant now);  // the leader
  void forget();                              // not the leader

  // set() has something to do, or the answer of told() is another one.
  bool due(Instant now) const;
  void tick(Instant now) { writer_.tick(now); }
  std::optional<Instant> next_deadline() const;
  std::vector<AskKube> take_requests(Instant now);
  std::vector<ObjectWriter::Said> take_said() { return writer_.take_said(); }

  // What the conditions of services say, for reports.
  const Statuses& statuses() const;
  const ObjectWriter& writer() const { return writer_; }

 private:
  struct MadeOf {
    std::shared_ptr<const Desired> desired;
    std::shared_ptr<const kube::Observed> observed;
    std::uint64_t allocation = 0, table = 0, peers = 0;
    std::set<NodeName> drained;
    bool operator==(const MadeOf&) const = default;
  };

  std::shared_ptr<const kube::Observed> observed_;
  // Made of what was observed then, when somebody asks.
  mutable std::shared_ptr<const kube::Observed> statuses_of_;
  mutable Statuses statuses_;
  ServiceStatuses services_;
  ObjectWriter writer_;
  ReleaseChecks checks_;
  Statuses told_;
  std::uint64_t told_version_ = 0;  // of the writer's, that told_ was made of
  std::uint64_t seen_version_ = 1;  // rises with what others' answers have shown
  std::uint64_t given_version_ = 0;
  std::optional<MadeOf> made_of_;
  std::optional<Instant> make_at_;
  Instant made_ = Instant::min();
};

}  // namespace herald::daemon
