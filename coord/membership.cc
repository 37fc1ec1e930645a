#include "coord/membership.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace herald::coord {

const char* to_string(MemberState state) {
  switch (state) {
    case MemberState::Out:
      return "Out";
    case MemberState::Store:
      return "Store";
    case MemberState::Unsettled:
      return "Unsettled";
    case MemberState::Left:
      return "Left";
  }
  return "";
}

Membership::Membership(NodeName self, MemberInfo info, LeaseTiming timing, Rng rng)
    : self_(std::move(self)),
      info_(std::move(info)),
      timing_(timing),
      rng_(rng),
      waiting_for_("the store's first answer") {}

MemberState Membership::state() const {
  if (left_) return MemberState::Left;
  if (!known_) return MemberState::Out;
  const bool unsettled = std::any_of(attempts_.begin(), attempts_.end(),
                                     [](const Attempt& a) { return !a.in_flight; });
  return unsettled ? MemberState::Unsettled : MemberState::Store;
}

// A3 over every document that may be the current one: K, and each own CAS that may have been
// applied. All of them lease from the store (guards = []), so each is good for D after it was sent.
Instant Membership::deadline() const {
  if (!joined()) return Instant::min();
  Instant oldest = known_sent_;
  for (const Attempt& a : attempts_) oldest = std::min(oldest, a.sent);
  return oldest + timing_.lease;
}

void Membership::set_info(const MemberInfo& info, Instant now) {
  if (info == info_) return;
  info_ = info;
  next_renewal_ = now;
}

void Membership::leave(Instant now) {
  if (leaving_) return;
  leaving_ = true;
  next_renewal_ = now;
  if (!known_) left_ = true;
}

void Membership::tick(Instant now) {
  if (left_) return;
  const bool writing =
      std::any_of(attempts_.begin(), attempts_.end(), [](const Attempt& a) { return a.in_flight; });
  if (writing || read_in_flight_) return;
  if (next_read_) {
    if (*next_read_ <= now) read(now);
    return;
  }
  if (!known_ || !next_renewal_ || now < *next_renewal_) return;
  if (attempts_.empty()) {
    write(known_->rev, now);
  } else {
    read(now);  // S5: a write into a store that is dead would only add to what may be current
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
  next.info = info_;
  attempts_.push_back({next, now, true});
  requests_.push_back(CasDocument{base, next});
}

Duration Membership::retry_delay() {
  return rng_.between(timing_.request_timeout / 2, timing_.request_timeout);
}

void Membership::on_read_failed(Instant now) {
  read_in_flight_ = false;
  next_read_ = now + retry_delay();
}

void Membership::on_read(const std::optional<MemberDocument>& current, Instant sent, Instant now) {
  read_in_flight_ = false;
  if (left_) return;
  if (current) highest_inc_ = std::max(highest_inc_, current->inc);
  if (current && adopt(*current)) return;
  const bool fresh = now - sent <= timing_.fresh_read();
  if (!known_) {
    if (!fresh) {
      next_read_ = now;
    } else {
      consider_joining(current, now);
    }
    return;
  }
  if (!current || current->rev < known_->rev) {
    drop_everything(now, fmt::format("the store has gone back: {} was at rev {}, now it is at {}; "
                                     "was it restored from a backup?",
                                     member_key(self_).str(), known_->rev.value,
                                     current ? current->rev.value : 0));
  } else if (current->rev > known_->rev) {
    on_seen(*current, now);
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
      adopt(document);
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
  if (left_ || adopt(document)) return;
  if (!known_ || document.rev <= known_->rev) return;
  drop_everything(now,
                  document.revoked
                      ? fmt::format("revoked by the others (incarnation {})", document.inc.value)
                      : fmt::format("another process runs as node {} (incarnation {})", self_.str(),
                                    document.inc.value));
}

// The document is the outcome of one of our own writes: it is the known one from now on, and it is
// as old as that write's sending (A6: reading it extends nothing).
bool Membership::adopt(const MemberDocument& document) {
  const auto it = std::find_if(attempts_.begin(), attempts_.end(), [&](const Attempt& a) {
    return a.document.nonce == document.nonce && a.document.rev == document.rev;
  });
  if (it == attempts_.end()) return false;
  known_ = it->document;
  known_sent_ = it->sent;
  highest_inc_ = std::max(highest_inc_, known_->inc);
  attempts_.clear();  // all were on a base below this rev: none of them can be applied any more
  stranger_.reset();
  next_read_.reset();
  waiting_for_.clear();
  if (known_->revoked) {
    left_ = true;
  } else {
    next_renewal_ = known_sent_ + timing_.lease / 3;
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
  const bool takeover =
      !current || current->revoked || current->info.machine_id == info_.machine_id;
  if (!takeover) {
    if (stranger_ != base) {
      stranger_ = base;
      stranger_since_ = now;
    }
    const Instant revocable = stranger_since_ + timing_.revoke_after_drift();
    if (!current->guards.empty() || now < revocable) {
      waiting_for_ = fmt::format(
          "node name {} to be free: another machine ({}) runs under it; give this node another "
          "name, "
          "or stop the other one",
          self_.str(), current->info.machine_id);
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
  if (left_) return std::nullopt;
  const bool writing =
      std::any_of(attempts_.begin(), attempts_.end(), [](const Attempt& a) { return a.in_flight; });
  if (writing || read_in_flight_) return std::nullopt;
  if (next_read_) return next_read_;
  return known_ ? next_renewal_ : std::nullopt;
}

std::vector<StoreRequest> Membership::take_requests() {
  return std::exchange(requests_, {});
}

}  // namespace herald::coord
