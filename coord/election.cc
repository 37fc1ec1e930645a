#include "coord/election.h"

#include <utility>

namespace herald::coord {

Election::Election(NodeName self, LeaseTiming timing, Rng rng)
    : self_(std::move(self)), timing_(timing), rng_(rng) {}

void Election::on_listed(Instant now) {
  if (!listed_) since_ = now;
  listed_ = true;
}

void Election::on_seen(const LeaderDocument& document, Instant now) {
  if (current_ && document.rev <= current_->rev) return;
  if (document.holder != self_) lead_until_ = Instant::min();
  current_ = document;
  since_ = now;
}

void Election::on_cas(const LeaderDocument& document, CasOutcome outcome, Instant now) {
  if (!in_flight_ || in_flight_->first != document.nonce) return;
  const Instant sent = in_flight_->second;
  in_flight_.reset();
  next_try_ = now + rng_.between(timing_.request_timeout, 2 * timing_.request_timeout);
  if (outcome != CasOutcome::Won) {
    requests_.push_back(ReadDocument{leader_key()});  // whoever won, or my own lost reply
    return;
  }
  on_seen(document, now);
  if (current_ == document) lead_until_ = sent + timing_.led_for(lone_);
}

bool Election::vacant(const Peers& peers, Instant now) const {
  if (!current_) return listed_;
  return peers.gone(current_->holder, current_->inc) ||
         now >= since_ + stretched(timing_.leader_lease, timing_.clock_drift);
}

void Election::tick(Incarnation inc, bool may_stand, const Peers& peers, Instant now) {
  if (!may_stand || in_flight_ || now < next_try_) return;
  const bool mine = current_ && current_->holder == self_ && current_->inc == inc;
  const bool renew = mine && now >= since_ + timing_.led_for(lone_) / 3;
  if (!renew && (mine || !vacant(peers, now))) return;
  LeaderDocument next;
  const Revision base = current_ ? current_->rev : Revision{};
  next.rev = base.next();
  next.holder = self_;
  next.inc = inc;
  next.nonce = rng_.next();
  in_flight_ = {next.nonce, now};
  requests_.push_back(CasDocument{base, next});
}

std::optional<Instant> Election::next_deadline(bool may_stand) const {
  if (!may_stand || in_flight_ || !listed_) return std::nullopt;
  const bool mine = current_ && current_->holder == self_;
  const Duration silent_for = stretched(timing_.leader_lease, timing_.clock_drift);
  Instant at = since_ + (mine ? timing_.led_for(lone_) / 3 : silent_for);
  if (!current_) at = since_;
  return std::max(at, next_try_);
}

std::vector<StoreRequest> Election::take_requests() {
  return std::exchange(requests_, {});
}

}  // namespace herald::coord
