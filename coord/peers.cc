#include "coord/peers.h"

#include <algorithm>

namespace herald::coord {
namespace {
constexpr Duration kRetry = 60ms;       // V3
constexpr Duration kFreshRead = 100ms;  // V3
}  // namespace

Peers::Peers(NodeName self, LeaseTiming timing) : self_(std::move(self)), timing_(timing) {}

bool Peers::on_seen(const MemberDocument& document, Instant now) {
  const auto it = peers_.find(document.node);
  if (it == peers_.end()) {
    peers_[document.node] = {document, now};
    return true;
  }
  Peer& peer = it->second;
  if (document.rev <= peer.document.rev) return false;
  const bool news = document.inc != peer.document.inc ||
                    document.revoked != peer.document.revoked ||
                    document.guards != peer.document.guards || document.info != peer.document.info;
  const bool was_silent = now >= peer.since + timing_.lease;  // heard again: eligible again
  peer = {document, now};
  pursuits_.erase(document.node);
  return news || was_silent;
}

void Peers::force_dead(const NodeName& node) {
  if (const auto it = peers_.find(node); it != peers_.end()) {
    forced_dead_.insert({node, it->second.document.inc});
  }
}

bool Peers::forced_dead(const MemberDocument& document) const {
  return document.node != self_ && !document.revoked &&
         forced_dead_.contains({document.node, document.inc});
}

bool Peers::revocable(const Peer& peer, Instant now) const {
  if (forced_dead(peer.document)) return true;
  return peer.document.node != self_ && !peer.document.revoked && peer.document.guards.empty() &&
         now >= peer.since + timing_.revoke_after_drift();
}

void Peers::tick(bool have_right, Instant now) {
  if (!have_right) return;
  for (const auto& [node, peer] : peers_) {
    if (!revocable(peer, now)) continue;
    Pursuit& pursuit = pursuits_[node];
    if (pursuit.busy || now < pursuit.next_try) continue;
    pursuit.busy = true;
    requests_.push_back(ReadDocument{member_key(node)});
  }
}

void Peers::on_read(const NodeName& node, const std::optional<MemberDocument>& current,
                    Instant sent, Instant now) {
  on_read_failed(node, now);
  const auto it = peers_.find(node);
  if (!current || it == peers_.end()) return;
  if (current->rev > it->second.document.rev) {
    on_seen(*current, now);
    return;
  }
  if (current->rev != it->second.document.rev || !revocable(it->second, now) ||
      now - sent > kFreshRead) {
    return;
  }
  MemberDocument revoked = *current;
  revoked.rev = current->rev.next();
  revoked.revoked = true;
  pursuits_[node].busy = true;
  requests_.push_back(CasDocument{current->rev, revoked});  // V3: on the very rev of the evidence
}

void Peers::on_read_failed(const NodeName& node, Instant now) {
  pursuits_[node] = {false, now + kRetry};
}

void Peers::on_cas(const MemberDocument& document, CasOutcome outcome, Instant now) {
  pursuits_[document.node] = {false, now + kRetry};
  if (outcome != CasOutcome::Won) return;
  revoked_by_me_.insert({document.node, document.inc});
  on_seen(document, now);
}

bool Peers::gone(const NodeName& node, Incarnation inc) const {
  const MemberDocument* document = find(node);
  if (document == nullptr) return false;
  return document->inc > inc || (document->inc == inc && document->revoked);
}

bool Peers::heard(const NodeName& node, Instant now) const {
  const auto it = peers_.find(node);
  return it != peers_.end() && !it->second.document.revoked &&
         now < it->second.since + timing_.lease;
}

bool Peers::revoked_by_me(const NodeName& node, Incarnation inc) const {
  return revoked_by_me_.contains({node, inc});
}

unsigned Peers::rank(Instant now) const {
  return static_cast<unsigned>(std::count_if(peers_.begin(), peers_.end(), [&](const auto& p) {
    return p.first < self_ && heard(p.first, now);
  }));
}

const MemberDocument* Peers::find(const NodeName& node) const {
  const auto it = peers_.find(node);
  return it == peers_.end() ? nullptr : &it->second.document;
}

std::optional<Instant> Peers::next_deadline(bool have_right) const {
  if (!have_right) return std::nullopt;
  std::optional<Instant> next;
  for (const auto& [node, peer] : peers_) {
    if (node == self_ || peer.document.revoked) continue;
    const bool forced = forced_dead(peer.document);
    if (!forced && !peer.document.guards.empty()) continue;
    Instant at = forced ? Instant::min() : peer.since + timing_.revoke_after_drift();
    if (const auto it = pursuits_.find(node); it != pursuits_.end()) {
      if (it->second.busy) continue;
      at = std::max(at, it->second.next_try);
    }
    next = earliest(next, at);
  }
  return next;
}

std::vector<StoreRequest> Peers::take_requests() {
  return std::exchange(requests_, {});
}

}  // namespace herald::coord
