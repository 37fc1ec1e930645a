#include "coord/membership.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace herald::coord {
namespace {
constexpr Duration kReadyFor = 100ms;    // S2
constexpr Duration kDiffersFor = 200ms;  // S3
}  // namespace

const char* to_string(MemberState state) {
  switch (state) {
    case MemberState::Out:
      return "Out";
    case MemberState::Store:
      return "Store";
    case MemberState::Guarded:
      return "Guarded";
    case MemberState::Unsettled:
      return "Unsettled";
    case MemberState::Left:
      return "Left";
  }
  return "";
}

Membership::Membership(NodeName self, MemberInfo info, LeaseTiming timing, GuardTiming guard_timing,
                       Rng rng)
    : self_(std::move(self)),
      info_(std::move(info)),
      timing_(timing),
      guard_timing_(guard_timing),
      rng_(rng),
      waiting_for_("the store's first answer") {}

MemberState Membership::state() const {
  if (left_) return MemberState::Left;
  if (!known_) return MemberState::Out;
  const bool unsettled = std::any_of(attempts_.begin(), attempts_.end(),
                                     [](const Attempt& a) { return !a.in_flight; });
  if (unsettled) return MemberState::Unsettled;
  return known_->guards.empty() ? MemberState::Store : MemberState::Guarded;
}

const std::vector<GuardRef>& Membership::guards() const {
  static const std::vector<GuardRef> kNone;
  return known_ ? known_->guards : kNone;
}

// A3 over every document that may be the current one, but for the acknowledgements of K: a lease
// from the store is good for D after it was sent, and for the D which that very document declares,
// as that is what others wait for; guards begin to count G when they learn of it.
Instant Membership::limit() const {
  if (!joined()) return Instant::min();
  Instant out = kNever;
  if (known_->guards.empty()) {
    out = known_sent_ + known_->terms.lease;
  } else if (timing_.store_loss_limit) {
    out = known_sent_ + *timing_.store_loss_limit;
  }
  for (const Attempt& a : attempts_) {
    out = std::min(out, a.sent + (a.document.guards.empty() ? a.document.terms.lease
                                                            : a.document.terms.patience));
  }
  return out;
}

Instant Membership::deadline() const {
  if (!joined() || known_->guards.empty()) return limit();
  Instant proved = known_sent_;
  if (report_.rev == known_->rev) proved = std::max(proved, report_.acked);
  return std::min(limit(), proved + guard_timing_.patience);
}

void Membership::describe(GuardOrders& orders) const {
  if (!joined()) return;
  orders.inc = known_->inc;
  orders.rev = known_->rev;
  orders.guards = known_->guards;
  orders.base = known_sent_;
  orders.limit = limit();
}

void Membership::on_report(const GuardReport& report, Instant now) {
  report_ = report;
  consider_ready(now);
}

void Membership::set_wished_guards(std::vector<GuardRef> wished, Instant now) {
  if (wished == wished_) return;
  wished_ = std::move(wished);
  wished_since_ = now;
  consider_ready(now);
}

void Membership::consider_ready(Instant now) {
  const auto acking = std::count_if(wished_.begin(), wished_.end(), [&](const GuardRef& guard) {
    const auto it = report_.peers.find(guard.node);
    return it != report_.peers.end() && it->second.acks;
  });
  const bool ready = !wished_.empty() && static_cast<std::size_t>(acking) >= quorum(wished_.size());
  if (!ready) {
    ready_since_.reset();
  } else if (!ready_since_) {
    ready_since_ = now;
  }
}

// S2, S3, S4: which guards the next write should name, and when it is time for that.
std::optional<Membership::GuardChange> Membership::guard_change() const {
  if (!joined()) return std::nullopt;
  if (known_->guards.empty()) {
    if (!ready_since_) return std::nullopt;
    return GuardChange{*ready_since_ + kReadyFor, wished_};  // S2
  }
  if (report_.rev == known_->rev && !report_.quorum_fresh) {
    // S4. The first heartbeats under a new rev are given the time to come back.
    return GuardChange{known_since_ + 2 * guard_timing_.interval, {}};
  }
  if (wished_ == known_->guards || (!wished_.empty() && !ready_since_)) return std::nullopt;
  const auto left = std::count_if(known_->guards.begin(), known_->guards.end(), [&](const auto& g) {
    return std::find(wished_.begin(), wished_.end(), g) != wished_.end();
  });
  const bool at_once = static_cast<std::size_t>(left) < quorum(known_->guards.size());
  return GuardChange{std::max(wished_since_, known_since_) + (at_once ? 0ms : kDiffersFor),
                     wished_};  // S3
}

void Membership::set_info(const MemberInfo& info, Instant now) {
  if (info == info_) return;
  info_ = info;
  next_renewal_ = now;
}

bool Membership::declares_too_long() const {
  return known_ && known_->guards.empty() && known_->terms.lease > timing_.declared_lease(lone_);
}

void Membership::set_lone(bool lone, Instant now) {
  if (lone == lone_) return;
  lone_ = lone;
  if (declares_too_long()) next_renewal_ = now;
}

bool Membership::claim_name(Instant now) {
  if (known_ || left_ || !stranger_) return false;
  claimed_ = highest_inc_;
  if (!busy()) next_read_ = now;
  return true;
}

void Membership::leave(Instant now) {
  if (leaving_) return;
  leaving_ = true;
  next_renewal_ = now;
  if (!known_) left_ = true;
}

bool Membership::busy() const {
  return read_in_flight_ || std::any_of(attempts_.begin(), attempts_.end(),
                                        [](const Attempt& a) { return a.in_flight; });
}

void Membership::tick(Instant now) {
  if (left_ || busy()) return;
  if (next_read_) {
    if (*next_read_ <= now) read(now);
    return;
  }
  if (!known_) return;
  const auto change = guard_change();
  const bool renew = next_renewal_ && *next_renewal_ <= now;
  if (!renew && !(change && change->due <= now)) return;
  const bool harmless = known_->guards.empty() && !declares_too_long();
  if (attempts_.empty() && (harmless || leaving_)) {
    write(known_->rev, now);
  } else {
    read(now);  // S5: a write into a store that is dead would freeze the deadline
  }
}

void Membership::read(Instant) {
  read_in_flight_ = true;
  next_read_.reset();
  requests_.push_back(ReadDocument{member_key(self_)});
}

void Membership::write(Revision base, Instant now) {
  MemberDocument next;
  next.node = self_;
  next.rev = base.next();
  next.inc = known_ ? known_->inc : highest_inc_.next();
  next.nonce = rng_.next();
  next.revoked = leaving_;
  next.terms = {timing_.declared_lease(lone_), guard_timing_.patience, timing_.store_loss_limit};
  next.info = info_;
  if (known_) next.guards = known_->guards;
  if (const auto change = guard_change(); change && change->due <= now) {
    next.guards = change->guards;
  }
  attempts_.push_back({next, now, true});
  requests_.push_back(CasDocument{base, next});
}

Duration Membership::retry_delay() {
  return rng_.between(timing_.retry() / 2, timing_.retry());
}

void Membership::on_read_failed(Instant now) {
  read_in_flight_ = false;
  next_read_ = now + retry_delay();
}

void Membership::on_read(const std::optional<MemberDocument>& current, Instant sent, Instant now) {
  read_in_flight_ = false;
  if (left_) return;
  if (current) highest_inc_ = std::max(highest_inc_, current->inc);
  if (current && adopt(*current, now)) return;
  const bool fresh = now - sent <= timing_.fresh_read();
  if (!known_) {
    if (!fresh) {
      next_read_ = now;
    } else {
      consider_joining(current, now);
    }
    return;
  }
  if ((!current || current->rev < known_->rev) && sent < known_since_) {
    next_read_ = now;  // sent before K was known: a watch may have overtaken it
    return;
  }
  if (!current || current->rev < known_->rev) {
    drop_everything(now, fmt::format("the store has gone back: {} was at rev {}, now it is at {}; "
                                     "was it restored from a backup?",
                                     member_key(self_).str(), known_->rev.value,
                                     current ? current->rev.value : 0));
  } else if (current->rev > known_->rev) {
    on_seen(*current, now);
  } else if (const auto change = guard_change(); attempts_.empty() &&
                                                 !(next_renewal_ && *next_renewal_ <= now) &&
                                                 !(change && change->due <= now)) {
    return;  // what the read was for is over: the guards answer again
  } else if (fresh) {
    write(known_->rev, now);  // A5: the base alone proves nothing; another CAS on it does
  } else {
    next_read_ = now;
  }
}

void Membership::on_cas(const MemberDocument& document, CasOutcome outcome, Instant now) {
  const auto it = std::find_if(attempts_.begin(), attempts_.end(), [&](const Attempt& a) {
    return a.document.nonce == document.nonce;
  });
  if (it == attempts_.end()) return;  // settled meanwhile by a watch or a read
  switch (outcome) {
    case CasOutcome::Won:
      adopt(document, now);
      break;
    case CasOutcome::Conflict:
      attempts_.erase(it);
      next_read_ = now;
      break;
    case CasOutcome::NotSent:
      attempts_.erase(it);
      next_read_ = now + retry_delay();
      break;
    case CasOutcome::Unknown:
      it->in_flight = false;
      next_read_ = now + retry_delay();
      break;
  }
}

void Membership::on_seen(const MemberDocument& document, Instant now) {
  highest_inc_ = std::max(highest_inc_, document.inc);
  if (left_ || adopt(document, now)) return;
  if (!known_ || document.rev <= known_->rev) return;
  drop_everything(now,
                  document.revoked
                      ? fmt::format("revoked by the others (incarnation {})", document.inc.value)
                      : fmt::format("another process runs as node {} (incarnation {})", self_.str(),
                                    document.inc.value));
}

// The document is the outcome of one of our own writes: it is the known one from now on, and it is
// as old as that write's sending (A6: reading it extends nothing).
bool Membership::adopt(const MemberDocument& document, Instant now) {
  const auto it = std::find_if(attempts_.begin(), attempts_.end(), [&](const Attempt& a) {
    return a.document.nonce == document.nonce && a.document.rev == document.rev;
  });
  if (it == attempts_.end()) return false;
  known_ = it->document;
  known_sent_ = it->sent;
  known_since_ = now;
  highest_inc_ = std::max(highest_inc_, known_->inc);
  attempts_.clear();  // all were on a base below this rev: none of them can be applied any more
  stranger_.reset();
  next_read_.reset();
  waiting_for_.clear();
  if (known_->revoked) {
    left_ = true;
  } else {
    next_renewal_.reset();  // S1, and not in guard mode
    if (known_->guards.empty()) {
      next_renewal_ = known_sent_ + (declares_too_long() ? 0s : known_->terms.lease / 3);
    } else if (timing_.store_loss_limit) {
      next_renewal_ = known_sent_ + *timing_.store_loss_limit / 3;
    }
    if (known_->info != info_ || leaving_) next_renewal_ = known_sent_;
  }
  return true;
}

// J2. `current` is what a fresh read showed; none of our attempts is it.
void Membership::consider_joining(const std::optional<MemberDocument>& current, Instant now) {
  const Revision base = current ? current->rev : Revision{};
  std::erase_if(attempts_, [&](const Attempt& a) { return a.document.rev <= base; });
  if (leaving_) {
    left_ = true;
    return;
  }
  const bool takeover = !current || current->revoked ||
                        current->info.machine_id == info_.machine_id || current->inc <= claimed_;
  if (!takeover) {
    if (stranger_ != base) {
      stranger_ = base;
      stranger_since_ = now;
    }
    const auto wait = timing_.revoke_after_drift(*current);
    if (!wait || now < stranger_since_ + *wait) {
      waiting_for_ = fmt::format(
          "node name {} to be free: another machine ({}) runs under it; give this node another "
          "name, or stop the other one; if that is gone for good, say so here: heraldctl node "
          "force-dead {}",
          self_.str(), current->info.machine_id, self_.str());
      next_read_ = now + timing_.revoke_after / 4;
      return;
    }
  }
  write(base, now);
}

void Membership::drop_everything(Instant now, std::string why) {
  known_.reset();
  attempts_.clear();
  next_renewal_.reset();
  waiting_for_ = std::move(why);
  if (leaving_) {
    left_ = true;
  } else {
    next_read_ = now;
  }
}

std::optional<Instant> Membership::next_deadline() const {
  if (left_ || busy()) return std::nullopt;
  if (next_read_) return next_read_;
  if (!known_) return std::nullopt;
  const auto change = guard_change();
  return earliest(next_renewal_, change ? std::optional(change->due) : std::nullopt);
}

std::vector<StoreRequest> Membership::take_requests() {
  return std::exchange(requests_, {});
}

}  // namespace herald::coord
