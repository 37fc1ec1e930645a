// coord/membership.h: this node's own member document, and until when it has the right to answer.
//
// OUT -> read -> CAS {inc+1} (J2) -> STORE: renew by CAS every D/3 (S1) -> the right lasts until D
// after the newest renewal was *sent* (A3). A write of unknown outcome stays possible until a rev
// above its base is seen (A5). A rev that is not ours ends everything: drop, rejoin (A7).
//
// STORE -> enough peers acknowledge -> CAS {guards} (S2) -> GUARDED: the right lasts until G after
// the q-th newest acknowledged heartbeat was sent (coord/guard.h), without a write to the store.
// GUARDED -> the peers change (S3) or fall silent (S4) -> read, CAS -> GUARDED by others, or STORE.
//
// Replies, documents and the guard's reports come in, store requests and a deadline come out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "coord/guard.h"
#include "coord/store.h"
#include "coord/timing.h"

namespace herald::coord {

enum class MemberState : std::uint8_t { Out, Store, Guarded, Unsettled, Left };
const char* to_string(MemberState state);

class Membership {
 public:
  // The caller holds the host-wide lock of this node name (J1).
  Membership(NodeName self, MemberInfo info, LeaseTiming timing, GuardTiming guard_timing, Rng rng);

  // What the next renewal tells the others; a change is written at once.
  void set_info(const MemberInfo& info, Instant now);
  // Falls silent for good and writes {revoked: true}, so that others need not wait.
  void leave(Instant now);

  // V4, for the name itself: an operator knows that the other machine under it is dead. False: none
  // is in the way.
  bool claim_name(Instant now);
  // The word is taken back. A write that is under way may still be carried out.
  void unclaim_name() { claimed_ = {}; }

  // Facts. `sent`: this node's clock when the request was sent.
  void on_read(const std::optional<MemberDocument>& current, Instant sent, Instant now);
  void on_read_failed(Instant now);
  void on_cas(const MemberDocument& document, CasOutcome outcome, Instant now);
  void on_seen(const MemberDocument& document, Instant now);  // by watch or list: may be old
  void on_report(const GuardReport& report, Instant now);
  // The guards that this node should have, by name; none: it leases from the store.
  void set_wished_guards(std::vector<GuardRef> wished, Instant now);
  // Whether this node is the only member: then it may declare a longer lease. A longer one than it
  // should have is shortened at once; until that write is known, others wait for the longer.
  void set_lone(bool lone, Instant now);
  void tick(Instant now);

  std::optional<Instant> next_deadline() const;
  std::vector<StoreRequest> take_requests();

  // A1's first half: joined and before the deadline. Of use only together with the table.
  bool has_right(Instant now) const { return now < deadline(); }
  // The right ends here; Instant::min() when there is none.
  // In guard mode this view is a report old: the guard's own deadline is the same or later.
  Instant deadline() const;
  // What the guard must know of this node, put into `orders`.
  void describe(GuardOrders& orders) const;
  bool joined() const { return known_.has_value() && !leaving_; }
  bool left() const { return left_; }
  Incarnation incarnation() const { return known_ ? known_->inc : Incarnation{}; }
  Revision revision() const { return known_ ? known_->rev : Revision{}; }
  const std::vector<GuardRef>& guards() const;
  MemberState state() const;
  // Why the node is not a member, for people: empty when it is.
  const std::string& waiting_for() const { return waiting_for_; }

 private:
  struct Attempt {
    MemberDocument document;
    Instant sent;
    bool in_flight = true;
  };

  struct GuardChange {
    Instant due;
    std::vector<GuardRef> guards;
  };
  std::optional<GuardChange> guard_change() const;
  void consider_ready(Instant now);
  bool declares_too_long() const;
  Instant limit() const;
  bool busy() const;
  void read(Instant now);
  void write(Revision base, Instant now);
  void consider_joining(const std::optional<MemberDocument>& current, Instant now);
  bool adopt(const MemberDocument& document, Instant now);
  void drop_everything(Instant now, std::string why);
  Duration retry_delay();

  NodeName self_;
  MemberInfo info_;
  LeaseTiming timing_;
  GuardTiming guard_timing_;
  Rng rng_;

  std::optional<MemberDocument> known_;  // K: the last known rev of mine
  Instant known_sent_, known_since_;     // when its CAS was sent, and when it was known to have won
  std::vector<Attempt> attempts_;  // own CASes of unknown outcome, on K or, when OUT, on the base
  Incarnation highest_inc_;        // never to be used again

  // OUT: somebody else's document under my name, and since when this rev of it was seen.
  std::optional<Revision> stranger_;
  Instant stranger_since_;
  Incarnation claimed_;  // that life under my name, and all before it, are over by V4

  GuardReport report_;
  std::vector<GuardRef> wished_;
  Instant wished_since_;
  std::optional<Instant> ready_since_;  // when enough of the wished guards began to acknowledge

  bool read_in_flight_ = false;
  std::optional<Instant> next_read_ = Instant::min();
  std::optional<Instant> next_renewal_;
  bool lone_ = false, leaving_ = false, left_ = false;
  std::string waiting_for_;
  std::vector<StoreRequest> requests_;
};

}  // namespace herald::coord
