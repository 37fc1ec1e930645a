// daemon/node.h: the whole daemon minus I/O. Events and instants come in, effects come out.
//
// The shell wraps one in real sockets, the simulator wraps several in a fake world: the same code.
// It does no I/O, reads no clock and throws nothing.
//
//   event -> the machine it belongs to -> (if anything changed) reconcile: decide what should be,
//   let the table, the announcers and the BGP sessions find the steps -> effects, silence first.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "bgp/session.h"
#include "coord/cluster.h"
#include "coord/election.h"
#include "coord/membership.h"
#include "coord/peers.h"
#include "coord/table.h"
#include "daemon/allocations.h"
#include "daemon/bgp_speaker.h"
#include "daemon/dead_nodes.h"
#include "daemon/decide.h"
#include "daemon/events.h"
#include "daemon/l2_speaker.h"
#include "daemon/node_status.h"
#include "daemon/object_statuses.h"
#include "daemon/operations.h"
#include "daemon/rebalance.h"
#include "daemon/store_requests.h"
#include "daemon/transitions.h"

namespace herald::daemon {

struct NodeConfig {
  NodeName name;
  std::string machine_id;  // /etc/machine-id
  std::string version;
  Labels labels;                        // in addition to kubernetes.io/hostname
  std::vector<std::string> interfaces;  // RE2: which links may announce; empty: all usable
  std::optional<IpAddress> router_id;   // none: the lowest IPv4 address of a usable link
  coord::LeaseTiming timing;
  coord::GuardTiming guard_timing;
  std::string heartbeat_key;                   // of all nodes; empty: the cluster document's
  Bytes new_heartbeat_key;                     // to become that, if it has none
  std::uint16_t heartbeat_port = 0;            // where this node hears heartbeats; 0: it does not
  std::vector<IpAddress> heartbeat_addresses;  // empty: those of the links
  l2::ProbeTiming probes;
  Duration drain_timeout = 10s;
  RebalanceTiming rebalance;
  Policies::Options policies;
  // An API server is where manifests come from and statuses go to, as this field manager. Two
  // Heralds in one cluster need two names.
  bool objects = false;
  std::string field_manager = "heraldd";
  std::size_t service_status_limit = 2000;  // of ServiceL2Status, and of ServiceBGPStatus
  std::uint64_t seed = 1;
};

class Node {
 public:
  Node(NodeConfig config, Instant now);

  // What has come together is decided about together: a decision over 10,000 IPs takes ms, and a
  // failover is 16 changed shards.
  std::vector<Effect> step(std::span<const Event> events, Instant now);
  std::vector<Effect> step(const Event& event, Instant now) { return step({&event, 1}, now); }
  // When step(TimePassed) has something to do.
  std::optional<Instant> next_deadline() const;

  // What it is doing, for reports; nothing here decides.
  const NodeConfig& config() const { return config_; }
  const Desired* desired() const { return desired_.get(); }
  const std::vector<Link>& links() const { return links_; }
  const coord::Membership& membership() const { return membership_; }
  const coord::Peers& peers() const { return peers_; }
  const coord::Election& election() const { return election_; }
  const coord::Table& table() const { return table_; }
  const coord::ClusterDocument& cluster() const { return cluster_.document(); }
  const l2::LinkGrants& grants() const { return l2_.grants(); }
  const std::map<PeerName, bgp::Session>& sessions() const { return bgp_.sessions(); }
  const History& history() const { return history_; }
  const Statuses& statuses() const;
  const std::string& store_trouble() const { return store_trouble_; }  // empty: it answers
  bool stopping() const { return stop_by_.has_value(); }

 private:
  // Events, one each.
  void on(const TimePassed&, Instant) {}
  void on(const DesiredRead& e, Instant now);
  void on(const LinksRead& e, Instant now);
  void on(const StoreAnswered& e, Instant now);
  void on(const StoreChanged& e, Instant now);
  void on(const GuardReported& e, Instant now);
  void on(const BgpConnected& e, Instant now);
  void on(const BgpConnectFailed& e, Instant now);
  void on(const BgpReceived& e, Instant now);
  void on(const BgpClosed& e, Instant now);
  void on(const ConflictSeen& e, Instant now);
  void on(const OperatorAsked& e, Instant now);
  void on(const ObjectsSeen& e, Instant now);
  void on(const KubeAnswered& e, Instant now);
  void on(const WallClockRead& e, Instant now);
  void on(const StopRequested& e, Instant now);

  void see(const coord::Document& document, Instant now);
  void on_cluster(Instant now);
  void answer(const StoreRequests::Asked& asked, const coord::StoreReply& reply, Instant now);
  coord::Peers::MayRevoke may_revoke(Instant now) const;
  void ask(coord::StoreRequest request, Instant now);

  void run_machines(Instant now);
  void reconcile(Instant now);
  void set_l2(Instant now);
  void tell_node_status(Instant now);
  void say_last_word(Instant now);
  void finish_stop(Instant now);
  Operations::Parts for_operations(Instant now);
  coord::MemberInfo member_info() const;
  std::set<MacAddress> member_macs() const;
  void note_addresses_of_members();

  std::string heartbeat_key() const;
  std::vector<coord::HeartbeatAddress> heartbeat_addresses() const;
  void emit_rights();
  void emit_orders();
  void emit_rest(Instant now);
  Told told();
  void tell(std::vector<Log> transitions);
  void log(std::string text, Log::Level level = Log::Level::Info);

  NodeConfig config_;
  std::shared_ptr<const Desired> desired_;  // null: not read yet. Unknown is not empty
  std::vector<Link> links_;
  bool links_known_ = false;

  coord::Membership membership_;
  coord::Peers peers_;
  coord::Election election_;
  coord::Table table_;
  coord::Cluster cluster_;
  Policies policies_;
  Allocations allocations_;
  Placing placing_;
  StatusWriter statuses_;
  L2Speaker l2_;
  BgpSpeaker bgp_;
  ObjectStatuses objects_;
  NodeStatusWriter node_status_;
  std::optional<Duration> wall_clock_;  // what the clock on the wall shows at Instant{}
  std::optional<bool> said_ready_;      // of this node, and since when, in seconds since 1970
  std::int64_t ready_since_ = 0;
  Operations operations_;
  DeadNodes dead_nodes_;
  Rebalance rebalance_;

  Transitions transitions_;
  History history_;

  StoreRequests store_;
  std::string store_trouble_;
  Instant write_failed_ = Instant::min();  // the newest write, if it failed

  bool dirty_ = true;
  bool had_right_ = false, led_ = false;
  Instant right_since_;  // of the present right
  std::string said_waiting_;
  std::optional<Instant> stop_by_;
  std::optional<Instant> last_word_by_;  // all else is done
  bool exit_sent_ = false;

  std::shared_ptr<const coord::GuardOrders> orders_;  // what the guard was told
  std::uint64_t told_version_ = 0;                    // of the peers in them
  std::vector<Effect> effects_;
};

}  // namespace herald::daemon
