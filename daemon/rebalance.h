// daemon/rebalance.h: a node that came gets its share of the IPs, gently. The leader's memory of
// it.
//
//   eligible, and was not before -> newcomer -> (settled for a while) -> one shard's worth of IPs
//   is wished to it -> their owners pass them on (rule T4) -> a pause -> the next shard -> ...
//   until no owner has two more than it -> settled
//
// Otherwise placement is sticky: where an operator moved an IP, it stays, until somebody comes. A
// policy with `rebalance: never` keeps its IPs out of this. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/time.h"
#include "coord/peers.h"
#include "coord/table.h"
#include "daemon/decide.h"

namespace herald::daemon {

struct RebalanceTiming {
  Duration settle = 5s;  // a node that comes and goes gets nothing
  Duration pause = 1s;   // between two shards
  Duration limit = 5s;   // an owner that has not passed an IP on by then keeps it
};

class Rebalance {
 public:
  explicit Rebalance(RebalanceTiming timing) : timing_(timing) {}

  struct Move {
    IpAddress vip;
    NodeName to;
    bool operator==(const Move&) const = default;
  };
  // As the leader: what is to be wished now. `plan`: who may own what; of this version.
  std::vector<Move> step(const coord::TablePlan& plan, std::uint64_t plan_version,
                         const Policies& policies, const coord::Table& table,
                         const coord::Peers& peers, Instant now);
  void forget();  // not the leader

  std::optional<Instant> next_deadline() const;

 private:
  void see(const coord::TablePlan& plan, const coord::Table& table, Instant now);
  bool batch_done(const coord::Table& table, Instant now);
  std::vector<Move> batch_for(const NodeName& newcomer, const coord::TablePlan& plan,
                              const Policies& policies, const coord::Table& table,
                              const coord::Peers& peers) const;

  RebalanceTiming timing_;
  bool leads_ = false;
  std::uint64_t seen_plan_ = 0;
  std::set<NodeName> settled_;
  std::map<NodeName, Instant> newcomers_;    // and since when
  std::map<IpAddress, coord::Epoch> batch_;  // wished, and whose epoch has not changed yet
  NodeName batch_to_;
  Instant batch_limit_;
  Instant next_batch_ = Instant::min();
  std::set<std::pair<IpAddress, NodeName>> kept_back_;  // by their owners, from that newcomer
};

}  // namespace herald::daemon
