// coord/guard.h: the part of coordination that cannot wait: heartbeats, acknowledgements, fences.
//
//   as a ward:   heartbeat to every peer each H -> ACKs -> a majority of {me, guards} has
//                acknowledged -> the right to answer lasts until G after those were *sent* (A3, A4)
//   as a guard:  heartbeat of a ward -> ACK (H1); silent for G' and a quorum read still shows its
//                rev -> FENCE: a promise never to acknowledge that rev again (H2)
//
// It runs on a thread of its own, so that a long reconcile delays nothing; the Node gives it orders
// and is given reports, both whole pictures. Messages, orders and instants come in; messages, a
// report and a deadline come out: no socket, no clock.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "coord/document.h"
#include "coord/timing.h"

namespace herald::coord {

// ---- what nodes tell one another ----------------------------------------------------------------

// I live, under this rev of my member document. To one peer, and to one life of it: a copy that is
// sent again later to another life proves nothing.
struct Heartbeat {
  NodeName to;
  Incarnation to_inc;
  Revision rev;
  std::uint64_t seq = 0;  // rises with every heartbeat of this life
  bool operator==(const Heartbeat&) const = default;
};
// I have heard your heartbeat `seq` of `rev`.
struct Ack {
  NodeName to;
  Revision rev;
  std::uint64_t seq = 0;
  bool operator==(const Ack&) const = default;
};
// I shall never acknowledge `rev` of `ward` again.
struct Fence {
  NodeName ward;
  Revision rev;
  bool operator==(const Fence&) const = default;
};
struct GuardMessage {
  NodeName from;
  Incarnation inc;  // of the sender
  std::variant<Heartbeat, Ack, Fence> body;
  bool operator==(const GuardMessage&) const = default;
};
struct Outgoing {
  NodeName to;
  GuardMessage message;
};

// How many acknowledgements, with this node itself, are a majority.
inline std::size_t quorum(std::size_t guards) {
  return (guards + 1) / 2;
}

// ---- from the node, and back --------------------------------------------------------------------

// All that the node knows and this machine needs. Applied before any write that it goes with is
// sent to the store.
struct GuardOrders {
  struct Peer {
    Incarnation inc;
    Revision rev;  // the newest that was seen of its document
    bool revoked = false;
    std::vector<GuardRef> guards;
    Duration patience = Duration::zero();  // G by its own settings
    Instant read_sent = Instant::min();    // of the newest quorum read that showed this rev
    bool talk = false;                     // heartbeats go to it: guard, ward, or wished as one
    std::vector<HeartbeatAddress> addresses;
    bool operator==(const Peer&) const = default;
  };

  Incarnation inc;                // of this node; 0: it is no member, and silent
  Revision rev;                   // K: the last known rev of its document
  std::vector<GuardRef> guards;   // of K; none: leased from the store
  Instant base = Instant::min();  // sent(the CAS that made K)
  // A3: the right ends here at the latest: the lease from the store, each write of unknown outcome.
  Instant limit = Instant::min();
  std::map<NodeName, Peer> peers;
  std::string key;  // of the HMAC; empty: no message is sent or believed
  bool operator==(const GuardOrders&) const = default;
};

struct GuardReport {
  struct Peer {
    bool acks = false;    // has acknowledged a heartbeat that is not older than G/2
    bool lively = false;  // was heard within G
    bool silent = false;  // a ward that was not heard for G'/2: a quorum read is wanted (H2)
    bool fenced = false;  // by this node, under the rev that it has now
    Instant heard = Instant::min();
    Instant acked = Instant::min();  // when its newest acknowledged heartbeat was sent
    std::map<NodeName, std::pair<Incarnation, Revision>> fences;  // guards that have fenced it
    bool operator==(const Peer&) const = default;
  };
  Revision rev;                    // K as this report knows it
  Instant acked = Instant::min();  // the q-th newest over the guards of K
  bool quorum_fresh = false;       // that, or K's write, is not older than G/2
  std::map<NodeName, Peer> peers;
};

// ---- the machine --------------------------------------------------------------------------------

class Guard {
 public:
  Guard(NodeName self, GuardTiming timing);

  void apply(std::shared_ptr<const GuardOrders> orders, Instant now);
  // A message whose HMAC was right. Others than those of members are dropped.
  void receive(const GuardMessage& message, Instant now);
  // After each apply() and each batch of receive(), and at next_deadline(). Cheap if nothing is
  // due.
  void tick(Instant now);

  // A3: until when this node has the right to answer; Instant::min(): it has none.
  Instant deadline() const;
  std::optional<Instant> next_deadline() const { return due_; }
  std::vector<Outgoing> take_messages();
  // Whenever a yes became a no or back, a fence came, or the right moved on by G/3.
  std::optional<GuardReport> take_report();

 private:
  struct Sent {
    std::uint64_t seq;
    Revision rev;
    Instant at;
  };
  struct Acked {
    Incarnation inc;
    Revision rev;
    Instant sent;  // of my heartbeat
  };
  struct Ward {
    Incarnation inc;
    Revision rev;
    Instant since;  // t of H1
    bool fenced = false;
    std::uint64_t highest_seq = 0;  // of its life `seq_inc`
    Incarnation seq_inc;
    Instant heard = Instant::min();  // anything from it
  };

  void on(const GuardMessage& m, const Heartbeat& heartbeat, Instant now);
  void on(const GuardMessage& m, const Ack& ack, Instant now);
  void on(const GuardMessage& m, const Fence& fence, Instant now);
  void beat(Instant now);
  void watch_wards(Instant now);
  Duration patience_drift(const GuardOrders::Peer& peer) const;
  bool lists_me(const GuardOrders::Peer& peer) const;
  void count_acks();
  GuardReport report(Instant now) const;
  std::optional<Instant> next_change(Instant now) const;
  const GuardReport::Peer* said_of(const NodeName& node) const;

  NodeName self_;
  GuardTiming timing_;
  std::shared_ptr<const GuardOrders> orders_;
  std::uint64_t next_seq_ = 1;
  std::deque<Sent> log_;  // of heartbeats, as far back as an ACK can be of use
  std::map<NodeName, Acked> acked_;
  Instant proved_ = Instant::min();  // the q-th newest acknowledged heartbeat over the guards of K
  std::map<NodeName, Ward> wards_;
  std::map<NodeName, std::map<NodeName, std::pair<Incarnation, Revision>>> fences_;
  Instant next_beat_ = Instant::min();
  std::optional<Instant> due_;  // when time alone changes something
  bool changed_ = false;        // something else has: what was received, or new orders
  std::vector<Outgoing> messages_;
  std::optional<GuardReport> said_, to_say_;
};

// The guards that `self` should have among `members` (others that are not revoked): all of them,
// and in clusters of more than 8 nodes the next 5 on the ring of names.
std::vector<NodeName> choose_guards(const NodeName& self, const std::vector<NodeName>& members);

}  // namespace herald::coord
