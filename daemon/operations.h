// daemon/operations.h: what operators asked for, from the word to its end.
//
//   request -> refused with a reason, or a wish: drained nodes into the cluster document, a move
//   into the IP table, a dead node to the peers -> the documents show it -> answer
//
// The wishes are carried out by those machines and by the owners of the IPs (rules T4, V4); here it
// is only watched. A request that is not done in time is answered with how far it came; what was
// not written by then is not wished any more.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "coord/cluster.h"
#include "coord/membership.h"
#include "coord/peers.h"
#include "coord/table.h"
#include "daemon/decide.h"
#include "daemon/operator_request.h"

namespace herald::daemon {

// IPs that a drained node keeps, sorted: it owns them, and no other node may.
std::vector<IpAddress> kept_by(const NodeName& node, const Policies& policies,
                               const coord::Table& table, const coord::Peers& peers,
                               const std::set<NodeName>& drained, Instant now);

// Why `node` may not own an IP of these services; empty: it may, or others are preferred.
std::string why_not_eligible(const NodeName& node, const IpAddress& vip,
                             const std::vector<ObjectName>& services, const Policies& policies,
                             const coord::Peers& peers, const std::set<NodeName>& drained,
                             Instant now);

class Operations {
 public:
  // What it looks at and acts through.
  struct Parts {
    const NodeName& self;
    const Policies& policies;
    coord::Cluster& cluster;
    coord::Table& table;
    coord::Peers& peers;
    coord::Membership& membership;
    bool may_revoke;  // this node has the right to answer
    const std::string& store_trouble;
  };
  struct Answered {
    std::uint64_t id;
    OperatorAnswer answer;
  };

  // `id` comes back with the answer.
  void ask(std::uint64_t id, const OperatorRequest& request, const Parts& parts, Instant now);
  void tick(const Parts& parts, Instant now);
  // This node stops: nobody here waits for anything any more.
  void stop();

  std::optional<Instant> next_deadline() const;
  std::vector<Answered> take_answers();

 private:
  struct Pending {
    std::uint64_t id = 0;
    OperatorRequest request;
    Instant deadline;
    std::set<IpAddress> held;  // by the node, when it was asked for
    coord::Epoch epoch;        // Move: of the IP's owner then
    coord::Incarnation inc;    // ForceDead: the life that is over
    bool wish_shown = false;   // Move: the table showed it
  };
  using Verdict = std::optional<OperatorAnswer>;  // nullopt: it goes on

  Verdict begin(Pending& p, const Parts& parts, Instant now);
  Verdict begin_move(Pending& p, const Parts& parts, Instant now);
  Verdict begin_force_dead(Pending& p, const Parts& parts, Instant now);
  static Verdict look(Pending& p, const Parts& parts, Instant now);
  static Verdict look_at_drain(const Pending& p, const Parts& parts, Instant now);
  static Verdict look_at_move(Pending& p, const Parts& parts);
  static Verdict look_at_force_dead(const Pending& p, const Parts& parts, Instant now);
  static OperatorAnswer give_up(const Pending& p, const Parts& parts, Instant now);

  std::vector<Pending> pending_;
  std::vector<Answered> answers_;
};

}  // namespace herald::daemon
