// coord/election.h: the leader's lease in the store. One allocator, one placer, one status writer,
// for order and quiet; two at once are harmless, since the table's CAS decides.
//
// Vacant when there was never one, when its holder's life is over (revoked, or a new incarnation),
// or when its document did not change for the leader's lease. The holder renews at a third of it.
#pragma once

#include <optional>
#include <vector>

#include "base/rng.h"
#include "coord/peers.h"
#include "coord/store.h"
#include "coord/timing.h"

namespace herald::coord {

class Election {
 public:
  Election(NodeName self, LeaseTiming timing, Rng rng);

  void on_listed(Instant now);  // the first full list is there: no document means no leader
  void on_seen(const LeaderDocument& document, Instant now);
  void on_cas(const LeaderDocument& document, CasOutcome outcome, Instant now);
  // inc: of this node; may_stand: it is a member with the right to answer.
  // Whether this node is the only member: then it may renew less often.
  void set_lone(bool lone) { lone_ = lone; }
  void tick(Incarnation inc, bool may_stand, const Peers& peers, Instant now);

  bool leads(Instant now) const { return now < lead_until_; }
  const std::optional<LeaderDocument>& current() const { return current_; }

  std::optional<Instant> next_deadline(bool may_stand) const;
  std::vector<StoreRequest> take_requests();

 private:
  bool vacant(const Peers& peers, Instant now) const;

  NodeName self_;
  LeaseTiming timing_;
  Rng rng_;
  bool listed_ = false, lone_ = false;
  std::optional<LeaderDocument> current_;
  Instant since_;                        // when current_'s rev was first seen
  Instant lead_until_ = Instant::min();  // from the sending of my newest won CAS
  std::optional<std::pair<std::uint64_t, Instant>> in_flight_;  // nonce and when it was sent
  Instant next_try_ = Instant::min();
  std::vector<StoreRequest> requests_;
};

}  // namespace herald::coord
