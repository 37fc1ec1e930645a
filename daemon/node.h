// daemon/node.h: the whole daemon minus I/O. Events and instants come in, effects come out.
//
// The shell wraps one in real sockets, the simulator wraps several in a fake world: the same code.
// It does no I/O, reads no clock and throws nothing.
//
//   event -> the machine it belongs to -> (if anything changed) reconcile: decide what should be,
//   let the table, the announcers and the BGP sessions find the steps -> effects, silence first.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "bgp/session.h"
#include "coord/election.h"
#include "coord/membership.h"
#include "coord/peers.h"
#include "coord/table.h"
#include "daemon/decide.h"
#include "daemon/events.h"
#include "l2/announcer.h"

namespace herald::daemon {

struct NodeConfig {
  NodeName name;
  std::string machine_id;  // /etc/machine-id
  std::string version;
  Labels labels;                        // in addition to kubernetes.io/hostname
  std::vector<std::string> interfaces;  // RE2: which links may announce; empty: all usable
  std::optional<IpAddress> router_id;   // none: the lowest IPv4 address of a usable link
  coord::LeaseTiming timing;
  Duration drain_timeout = 10s;
  std::uint64_t seed = 1;
};

class Node {
 public:
  Node(NodeConfig config, Instant now);

  std::vector<Effect> step(const Event& event, Instant now);
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
  const l2::Grants& grants() const { return grants_; }
  const std::map<PeerName, bgp::Session>& sessions() const { return sessions_; }
  const Statuses& statuses() const { return statuses_; }
  const std::string& store_trouble() const { return store_trouble_; }  // empty: it answers
  bool stopping() const { return stop_by_.has_value(); }

 private:
  struct Asked {
    coord::StoreRequest request;
    Instant sent;
  };

  // Events, one each.
  void on(const TimePassed&, Instant) {}
  void on(const DesiredRead& e, Instant now);
  void on(const LinksRead& e, Instant now);
  void on(const StoreAnswered& e, Instant now);
  void on(const StoreChanged& e, Instant now);
  void on(const BgpConnected& e, Instant now);
  void on(const BgpConnectFailed& e, Instant now);
  void on(const BgpReceived& e, Instant now);
  void on(const BgpClosed& e, Instant now);
  void on(const ConflictSeen& e, Instant now);
  void on(const StopRequested& e, Instant now);

  void see(const coord::Document& document, Instant now);
  void answer(const Asked& asked, const coord::StoreReply& reply, Instant now);
  void expire_requests(Instant now);
  bool may_revoke(Instant now) const;
  void ask(coord::StoreRequest request, Instant now);

  void run_machines(Instant now);
  void reconcile(Instant now);
  void keep_for_now(Allocation& allocation, Instant now);
  void write_statuses(const Allocation& allocation, Instant now);
  void set_sessions(Instant now);
  void set_announcers(Instant now);
  void finish_stop(Instant now);
  coord::MemberInfo member_info() const;

  void emit_grants(Instant now);
  void emit_rest(Instant now);
  void log(std::string text, Log::Level level = Log::Level::Info);

  NodeConfig config_;
  std::shared_ptr<const Desired> desired_;  // null: not read yet. Unknown is not empty
  std::vector<Link> links_;
  bool links_known_ = false;

  coord::Membership membership_;
  coord::Peers peers_;
  coord::Election election_;
  coord::Table table_;
  Policies policies_;
  Statuses statuses_;
  ipam::Holdings pending_;  // as the leader: given, and not in the table yet
  std::map<ObjectName, Instant> status_retry_;
  // As the leader: when what nobody wants is released; none: it is being released.
  std::map<ipam::Holding, std::optional<Instant>> release_due_;
  std::map<LinkIndex, l2::Announcer> announcers_;
  std::map<LinkIndex, l2::AnnounceTiming> announce_timings_;
  std::map<PeerName, bgp::Session> sessions_;
  std::map<PeerName, bgp::PeerConfig> session_configs_;
  std::optional<IpAddress> router_id_;
  Rng rng_;

  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Asked> asked_;  // what the store has not answered yet
  Instant next_list_;
  bool list_in_flight_ = false;
  std::string store_trouble_;

  bool dirty_ = true;
  bool had_right_ = false, led_ = false;
  Instant right_since_;  // of the present right
  std::string said_waiting_;
  std::optional<Instant> stop_by_;
  bool exit_sent_ = false;

  l2::Grants grants_;       // what should be
  l2::Grants sent_grants_;  // what the responder was told
  std::vector<Effect> effects_;
};

}  // namespace herald::daemon
