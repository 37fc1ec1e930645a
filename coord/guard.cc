#include "coord/guard.h"

#include <algorithm>
#include <utility>

namespace herald::coord {
namespace {

constexpr std::size_t kFullMesh = 8;  // members, up to which all guard all
constexpr std::size_t kRingGuards = 5;

Instant latest(Instant a, Instant b) {
  return std::max(a, b);
}

// Times are only compared for "did anything happen" by their booleans: see GuardReport.
bool same_answers(const GuardReport::Peer& a, const GuardReport::Peer& b) {
  return a.acks == b.acks && a.lively == b.lively && a.silent == b.silent && a.fenced == b.fenced &&
         a.fences == b.fences;
}

bool same_answers(const GuardReport& a, const GuardReport& b) {
  return a.rev == b.rev && a.quorum_fresh == b.quorum_fresh && a.peers.size() == b.peers.size() &&
         std::equal(a.peers.begin(), a.peers.end(), b.peers.begin(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && same_answers(x.second, y.second);
                    });
}

}  // namespace

std::vector<NodeName> choose_guards(const NodeName& self, const std::vector<NodeName>& members) {
  std::vector<NodeName> others = members;
  std::erase(others, self);
  std::sort(others.begin(), others.end());
  if (others.size() < kFullMesh) return others;
  const auto next = std::upper_bound(others.begin(), others.end(), self);
  std::rotate(others.begin(), next, others.end());
  others.resize(kRingGuards);
  std::sort(others.begin(), others.end());
  return others;
}

Guard::Guard(NodeName self, GuardTiming timing) : self_(std::move(self)), timing_(timing) {}

// H1: a rev that is higher than the known one begins anew, however it became known.
void Guard::apply(std::shared_ptr<const GuardOrders> orders, Instant now) {
  changed_ = true;
  const bool new_rev = !orders_ || orders_->rev != orders->rev || orders_->inc != orders->inc;
  orders_ = std::move(orders);
  count_acks();
  if (new_rev) next_beat_ = now;  // no acknowledgement of the rev before counts any more
  for (const auto& [node, peer] : orders_->peers) {
    if (node == self_) continue;
    Ward& ward = wards_[node];
    ward.inc = std::max(ward.inc, peer.inc);
    if (peer.rev > ward.rev) {
      ward.rev = peer.rev;
      ward.since = now;
      ward.fenced = false;
    }
  }
}

void Guard::receive(const GuardMessage& m, Instant now) {
  if (!orders_ || orders_->inc == Incarnation() || m.from == self_) return;
  const auto ward = wards_.find(m.from);
  if (ward == wards_.end() || m.inc < ward->second.inc) return;  // no member, or an older life
  ward->second.heard = now;
  const GuardReport::Peer* said = said_of(m.from);
  changed_ = changed_ || said == nullptr || !said->lively || said->silent;
  std::visit([&](const auto& body) { on(m, body, now); }, m.body);
}

void Guard::on(const GuardMessage& m, const Heartbeat& heartbeat, Instant now) {
  if (heartbeat.to != self_ || heartbeat.to_inc != orders_->inc) {
    wards_[m.from].inc = m.inc;
    return;
  }
  Ward& ward = wards_[m.from];
  if (m.inc > ward.seq_inc) {
    ward.inc = ward.seq_inc = m.inc;
    ward.highest_seq = 0;
  }
  if (heartbeat.seq <= ward.highest_seq) return;  // a copy, or overtaken
  ward.highest_seq = heartbeat.seq;
  if (heartbeat.rev < ward.rev) return;
  if (heartbeat.rev > ward.rev) {
    ward.rev = heartbeat.rev;
    ward.fenced = false;
  }
  if (ward.fenced) return;
  ward.since = now;
  messages_.push_back({m.from, {self_, orders_->inc, Ack{m.from, heartbeat.rev, heartbeat.seq}}});
}

// A4: what counts is when the heartbeat was sent, by my own log of it.
void Guard::on(const GuardMessage& m, const Ack& ack, Instant) {
  if (ack.to != self_) return;
  const auto sent =
      std::find_if(log_.begin(), log_.end(), [&](const Sent& s) { return s.seq == ack.seq; });
  if (sent == log_.end() || sent->rev != ack.rev) return;
  const Acked now_known{m.inc, ack.rev, sent->at};
  const auto [it, first] = acked_.emplace(m.from, now_known);
  Acked& known = it->second;
  if (m.inc < known.inc || ack.rev < known.rev) return;
  if (!first && m.inc == known.inc && ack.rev == known.rev && sent->at <= known.sent) return;
  known = now_known;
  count_acks();
  const GuardReport::Peer* said = said_of(m.from);
  changed_ = changed_ || said == nullptr || !said->acks || !said_->quorum_fresh ||
             known.sent > said_->acked + timing_.patience / 3;
}

void Guard::on(const GuardMessage& m, const Fence& fence, Instant) {
  if (!orders_->peers.contains(fence.ward)) return;
  auto& known = fences_[fence.ward][m.from];
  const std::pair now_known{m.inc, fence.rev};
  if (fence.rev < known.second || known == now_known) return;
  known = now_known;
  changed_ = true;
}

void Guard::tick(Instant now) {
  if (!orders_ || (!changed_ && due_ && now < *due_)) return;
  changed_ = false;
  // Whoever slept has not heard anybody: it accuses nobody for that.
  if (due_ && now > *due_ + timing_.patience_drift() / 2) {
    for (auto& [node, ward] : wards_) {
      if (!ward.fenced) ward.since = now;
    }
  }
  watch_wards(now);
  if (orders_->inc != Incarnation() && now >= next_beat_) beat(now);
  GuardReport current = report(now);
  due_ = next_change(now);
  const bool moved_on = said_ && current.acked > said_->acked + timing_.patience / 3;
  if (said_ && same_answers(*said_, current) && !moved_on) return;
  said_ = current;
  to_say_ = std::move(current);
}

// G' of that ward: by the longer of what it claims for itself and what this node is set to.
Duration Guard::patience_drift(const GuardOrders::Peer& peer) const {
  return stretched(std::max(timing_.patience, peer.patience), timing_.clock_drift);
}

bool Guard::lists_me(const GuardOrders::Peer& peer) const {
  return std::any_of(peer.guards.begin(), peer.guards.end(), [&](const GuardRef& guard) {
    return guard.node == self_ && orders_->inc >= guard.inc;
  });
}

// H2. The read proves that the ward has not gone on to another rev without my seeing it.
void Guard::watch_wards(Instant now) {
  if (orders_->inc == Incarnation()) return;
  for (auto& [node, ward] : wards_) {
    const auto peer = orders_->peers.find(node);
    if (peer == orders_->peers.end() || ward.fenced || peer->second.revoked) continue;
    if (peer->second.rev != ward.rev || !lists_me(peer->second)) continue;
    if (now < ward.since + patience_drift(peer->second)) continue;
    if (peer->second.read_sent <= ward.since) continue;
    ward.fenced = true;
    fences_[node][self_] = {orders_->inc, ward.rev};
    next_beat_ = now;  // the others hear of it at once
  }
}

void Guard::beat(Instant now) {
  next_beat_ = now + timing_.interval;
  const std::uint64_t seq = next_seq_++;
  log_.push_back({seq, orders_->rev, now});
  while (log_.front().at + timing_.patience < now) log_.pop_front();
  const auto say = [&](const NodeName& to, auto body) {
    messages_.push_back({to, {self_, orders_->inc, std::move(body)}});
  };
  for (const auto& [node, peer] : orders_->peers) {
    if (node == self_ || !peer.talk || peer.revoked) continue;
    say(node, Heartbeat{node, wards_[node].inc, orders_->rev, seq});
    for (const auto& [name, ward] : wards_) {
      if (!ward.fenced) continue;
      const auto of = orders_->peers.find(name);
      if (of != orders_->peers.end() && !of->second.revoked) say(node, Fence{name, ward.rev});
    }
  }
}

void Guard::count_acks() {
  std::vector<Instant> times;
  for (const GuardRef& guard : orders_->guards) {
    const auto it = acked_.find(guard.node);
    const bool counts =
        it != acked_.end() && it->second.inc == guard.inc && it->second.rev == orders_->rev;
    times.push_back(counts ? it->second.sent : Instant::min());
  }
  proved_ = Instant::min();
  if (times.empty()) return;
  std::sort(times.begin(), times.end(), std::greater<>());
  proved_ = times[quorum(times.size()) - 1];
}

Instant Guard::deadline() const {
  if (!orders_ || orders_->inc == Incarnation()) return Instant::min();
  if (orders_->guards.empty()) return orders_->limit;
  const Instant proved = latest(orders_->base, proved_);
  if (proved == Instant::min()) return proved;
  return std::min(orders_->limit, proved + timing_.patience);
}

GuardReport Guard::report(Instant now) const {
  GuardReport out;
  out.rev = orders_->rev;
  out.acked = proved_;
  const auto within = [&](Instant t, Duration d) { return t != Instant::min() && now < t + d; };
  out.quorum_fresh = within(latest(orders_->base, out.acked), timing_.patience / 2);
  for (const auto& [node, ward] : wards_) {
    const auto peer = orders_->peers.find(node);
    if (peer == orders_->peers.end()) continue;
    // A rev of which only heartbeats are known may list me too: the document must be read.
    const bool unread = peer->second.rev < ward.rev;
    const bool guarded = (lists_me(peer->second) || unread) && !peer->second.revoked;
    if (!peer->second.talk && !guarded) continue;
    GuardReport::Peer& p = out.peers[node];
    if (const auto it = acked_.find(node); it != acked_.end()) {
      p.acked = it->second.sent;
      p.acks = it->second.inc == ward.inc && within(p.acked, timing_.patience / 2);
    }
    p.heard = ward.heard;
    p.lively = within(ward.heard, timing_.patience);
    p.silent = guarded && now >= ward.since + patience_drift(peer->second) / 2;
    p.fenced = ward.fenced;
    if (const auto it = fences_.find(node); it != fences_.end()) p.fences = it->second;
  }
  return out;
}

std::optional<Instant> Guard::next_change(Instant now) const {
  if (!orders_ || orders_->inc == Incarnation()) return std::nullopt;
  std::optional<Instant> next = next_beat_;
  const auto consider = [&](Instant from, Duration after) {
    if (from != Instant::min() && from + after > now) next = earliest(next, from + after);
  };
  consider(latest(orders_->base, proved_), timing_.patience / 2);
  for (const auto& [node, ward] : wards_) {
    consider(ward.heard, timing_.patience);
    const auto peer = orders_->peers.find(node);
    if (peer != orders_->peers.end() && !ward.fenced && !peer->second.revoked) {
      consider(ward.since, patience_drift(peer->second) / 2);
      consider(ward.since, patience_drift(peer->second));
    }
    if (const auto it = acked_.find(node); it != acked_.end()) {
      consider(it->second.sent, timing_.patience / 2);
    }
  }
  return next;
}

const GuardReport::Peer* Guard::said_of(const NodeName& node) const {
  if (!said_) return nullptr;
  const auto it = said_->peers.find(node);
  return it == said_->peers.end() ? nullptr : &it->second;
}

std::vector<Outgoing> Guard::take_messages() {
  return std::exchange(messages_, {});
}

std::optional<GuardReport> Guard::take_report() {
  return std::exchange(to_say_, std::nullopt);
}

}  // namespace herald::coord
