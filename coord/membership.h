// coord/membership.h: this node's own member document, and until when it has the right to answer.
//
// OUT -> read -> CAS {inc+1} (J2) -> STORE: renew by CAS every D/3 (S1) -> the right lasts until D
// after the newest renewal was *sent* (A3). A write of unknown outcome stays possible until a rev
// above its base is seen (A5). A rev that is not ours ends everything: drop, rejoin (A7).
// Guard mode (rules S2-S4, A4) enters here as a second way to extend the deadline.
//
// Replies and documents come in, store requests and a deadline come out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "coord/store.h"

namespace herald::coord {

enum class MemberState : std::uint8_t { Out, Store, Unsettled, Left };
const char* to_string(MemberState state);

class Membership {
 public:
  // The caller holds the host-wide lock of this node name (J1).
  Membership(NodeName self, MemberInfo info, LeaseTiming timing, Rng rng);

  // What the next renewal tells the others; a change is written at once.
  void set_info(const MemberInfo& info, Instant now);
  // Falls silent for good and writes {revoked: true}, so that others need not wait.
  void leave(Instant now);

  // Facts. `sent`: this node's clock when the request was sent.
  void on_read(const std::optional<MemberDocument>& current, Instant sent, Instant now);
  void on_read_failed(Instant now);
  void on_cas(const MemberDocument& document, CasOutcome outcome, Instant now);
  void on_seen(const MemberDocument& document, Instant now);  // by watch or list: may be old
  void tick(Instant now);

  std::optional<Instant> next_deadline() const;
  std::vector<StoreRequest> take_requests();

  // A1's first half: joined and before the deadline. Of use only together with the table.
  bool has_right(Instant now) const { return now < deadline(); }
  // The right ends here; Instant::min() when there is none.
  Instant deadline() const;
  bool joined() const { return known_.has_value() && !leaving_; }
  bool left() const { return left_; }
  Incarnation incarnation() const { return known_ ? known_->inc : Incarnation{}; }
  Revision revision() const { return known_ ? known_->rev : Revision{}; }
  MemberState state() const;
  // Why the node is not a member, for people: empty when it is.
  const std::string& waiting_for() const { return waiting_for_; }

 private:
  struct Attempt {
    MemberDocument document;
    Instant sent;
    bool in_flight = true;
  };

  void read(Instant now);
  void write(Revision base, Instant now);
  void consider_joining(const std::optional<MemberDocument>& current, Instant now);
  bool adopt(const MemberDocument& document);
  void drop_everything(Instant now, std::string why);
  Duration retry_delay();

  NodeName self_;
  MemberInfo info_;
  LeaseTiming timing_;
  Rng rng_;

  std::optional<MemberDocument> known_;  // K: the last known rev of mine
  Instant known_sent_;
  std::vector<Attempt> attempts_;  // own CASes of unknown outcome, on K or, when OUT, on the base
  Incarnation highest_inc_;        // never to be used again

  // OUT: somebody else's document under my name, and since when this rev of it was seen.
  std::optional<Revision> stranger_;
  Instant stranger_since_;

  bool read_in_flight_ = false;
  std::optional<Instant> next_read_ = Instant::min();
  std::optional<Instant> next_renewal_;
  bool leaving_ = false, left_ = false;
  std::string waiting_for_;
  std::vector<StoreRequest> requests_;
};

}  // namespace herald::coord
