#include "coord/peers.h"

#include <algorithm>

namespace herald::coord {
namespace {
constexpr Duration kReadAgain = 1s;
constexpr Duration kRetry = 60ms;  // V3
}  // namespace

Peers::Peers(NodeName self, LeaseTiming timing) : self_(std::move(self)), timing_(timing) {}

bool Peers::on_seen(const MemberDocument& document, Instant now) {
  const auto it = peers_.find(document.node);
  if (it == peers_.end()) {
    Peer& added = peers_[document.node];
    added.document = document;
    added.since = now;
    ++version_;
    return true;
  }
  Peer& peer = it->second;
  if (document.rev <= peer.document.rev) return false;
  ++version_;
  const bool news = document.inc != peer.document.inc ||
                    document.revoked != peer.document.revoked ||
                    document.guards != peer.document.guards || document.info != peer.document.info;
  // Heard again: eligible again.
  const bool was_silent = now >= peer.since + timing_.relied_on(peer.document);
  peer.document = document;
  peer.since = now;
  peer.read_sent = Instant::min();
  pursuits_.erase(document.node);
  return news || was_silent;
}

bool Peers::on_report(const GuardReport& report, Instant now) {
  bool news = false;
  for (const auto& [node, said] : report.peers) {
    const auto it = peers_.find(node);
    if (it == peers_.end()) continue;
    const auto before = report_.peers.find(node);
    news = news || before == report_.peers.end() || before->second.lively != said.lively;
    if (!said.silent) {
      it->second.silent_since.reset();
    } else if (!it->second.silent_since) {
      it->second.silent_since = now;
    }
  }
  report_ = report;
  return news;
}

void Peers::force_dead(const NodeName& node) {
  if (const auto it = peers_.find(node); it != peers_.end()) {
    forced_dead_.insert({node, it->second.document.inc});
  }
}

void Peers::spare(const NodeName& node) {
  std::erase_if(forced_dead_, [&](const auto& forced) { return forced.first == node; });
  declared_dead_.erase(node);
}

bool Peers::forced_dead(const MemberDocument& document) const {
  if (document.node == self_ || document.revoked) return false;
  const auto declared = declared_dead_.find(document.node);
  return forced_dead_.contains({document.node, document.inc}) ||
         (declared != declared_dead_.end() && declared->second == document.rev);
}

// V1: of |guards| - q + 1 fences, any q acknowledgements of that rev include one that cannot come.
bool Peers::fenced(const MemberDocument& document) const {
  const auto said = report_.peers.find(document.node);
  if (document.guards.empty() || said == report_.peers.end()) return false;
  const auto& fences = said->second.fences;
  const auto fencing =
      std::count_if(document.guards.begin(), document.guards.end(), [&](const GuardRef& guard) {
        const auto fence = fences.find(guard.node);
        return fence != fences.end() && fence->second.first >= guard.inc &&
               fence->second.second == document.rev;
      });
  const std::size_t guards = document.guards.size();
  return static_cast<std::size_t>(fencing) >= guards - quorum(guards) + 1;
}

// V2: from when on the standing still of its document alone is evidence.
std::optional<Instant> Peers::revocable_at(const Peer& peer) const {
  if (peer.document.node == self_ || peer.document.revoked) return std::nullopt;
  const auto wait = timing_.revoke_after_drift(peer.document);
  if (!wait) return std::nullopt;
  return peer.since + *wait;
}

bool Peers::may_revoke(const Peer& peer, Instant now) const {
  if (peer.document.node == self_ || peer.document.revoked) return false;
  const MemberDocument& document = peer.document;
  if (may_.fenced && (forced_dead(document) || fenced(document))) return true;
  const auto at = revocable_at(peer);
  return may_.silent && at && now >= *at;
}

// H2: once it falls silent, and now and then while that lasts: what the guard makes of a read also
// depends on when it began to wait, which may be after it. Nothing is to be read of one that is
// fenced already and is heard: the others acknowledge it, and a higher rev comes by heartbeat (H1).
std::optional<Instant> Peers::read_wanted_at(const Peer& peer) const {
  if (peer.document.revoked || !peer.silent_since) return std::nullopt;
  const auto said = report_.peers.find(peer.document.node);
  if (said != report_.peers.end() && said->second.fenced && said->second.lively) {
    return std::nullopt;
  }
  if (peer.read_sent < *peer.silent_since) return Instant();
  return peer.read_sent + kReadAgain;
}

void Peers::tick(MayRevoke may, Instant now) {
  may_ = may;
  for (const auto& [node, peer] : peers_) {
    const bool over = may_revoke(peer, now);
    const auto read_at = read_wanted_at(peer);
    if (!over && !(read_at && now >= *read_at)) continue;
    Pursuit& pursuit = pursuits_[node];
    if (pursuit.busy || now < pursuit.next_try) continue;
    pursuit.busy = true;
    if (over && peer.read_sent != Instant::min() &&
        now - peer.read_sent <= timing_.fresh_evidence()) {
      revoke(peer);
    } else {
      requests_.push_back(ReadDocument{member_key(node)});
    }
  }
}

// V3: on the very rev of the evidence.
void Peers::revoke(const Peer& peer) {
  MemberDocument revoked = peer.document;
  revoked.rev = peer.document.rev.next();
  revoked.revoked = true;
  pursuits_[peer.document.node].busy = true;
  requests_.push_back(CasDocument{peer.document.rev, revoked});
}

void Peers::on_read(const NodeName& node, const std::optional<MemberDocument>& current,
                    Instant sent, Instant now) {
  const auto it = peers_.find(node);
  if (!current || it == peers_.end()) return on_read_failed(node, now);
  Peer& peer = it->second;
  if (current->rev > peer.document.rev) on_seen(*current, now);
  if (current->rev != peer.document.rev) return on_read_failed(node, now);
  peer.read_sent = std::max(peer.read_sent, sent);
  ++version_;
  const bool over = may_revoke(peer, now);
  pursuits_[node] = {false, over ? now + kRetry : Instant::min()};
  if (over && now - sent <= timing_.fresh_evidence()) revoke(peer);
}

void Peers::on_read_failed(const NodeName& node, Instant now) {
  pursuits_[node] = {false, now + kRetry};
}

void Peers::on_cas(const MemberDocument& document, CasOutcome outcome, Instant now) {
  pursuits_[document.node] = {false, now + kRetry};
  if (outcome != CasOutcome::Won) {
    // On conflict the evidence is thrown away: the next read shows what is there.
    if (const auto it = peers_.find(document.node); it != peers_.end()) {
      it->second.read_sent = Instant::min();
    }
    return;
  }
  revoked_by_me_.insert({document.node, document.inc});
  ++version_;  // even if a watch has shown it first
  on_seen(document, now);
}

bool Peers::gone(const NodeName& node, Incarnation inc) const {
  const MemberDocument* document = find(node);
  if (document == nullptr) return false;
  return document->inc > inc || (document->inc == inc && document->revoked);
}

// In guard mode others watch it, too: who is no ward of mine and not revoked is taken as heard.
bool Peers::heard(const NodeName& node, Instant now) const {
  const auto it = peers_.find(node);
  if (it == peers_.end() || it->second.document.revoked) return false;
  const auto said = report_.peers.find(node);
  if (said != report_.peers.end() && said->second.lively) return true;
  if (it->second.document.guards.empty()) {
    return now < it->second.since + timing_.relied_on(it->second.document);
  }
  return node == self_ || said == report_.peers.end();
}

std::vector<GuardRef> Peers::wished_guards() const {
  const auto takes_part = [](const Peer& peer) {
    return !peer.document.revoked && !peer.document.info.heartbeat.empty();
  };
  const auto me = peers_.find(self_);
  if (me == peers_.end() || !takes_part(me->second)) return {};
  std::vector<NodeName> members;
  for (const auto& [node, peer] : peers_) {
    if (takes_part(peer)) members.push_back(node);
  }
  std::vector<GuardRef> out;
  for (const NodeName& node : choose_guards(self_, members)) {
    out.push_back({node, peers_.at(node).document.inc});
  }
  return out;
}

void Peers::describe(GuardOrders& orders) const {
  std::vector<NodeName> members;
  for (const auto& [node, peer] : peers_) {
    if (!peer.document.revoked && !peer.document.info.heartbeat.empty()) members.push_back(node);
  }
  const auto lists = [](const auto& guards, const NodeName& node) {
    return std::any_of(guards.begin(), guards.end(),
                       [&](const GuardRef& guard) { return guard.node == node; });
  };
  const auto mine = choose_guards(self_, members);
  // Who guards one with me must hear my fences, wherever the ring has us now (H2: "to all").
  std::set<NodeName> fellows;
  for (const auto& [node, peer] : peers_) {
    if (peer.document.revoked || !lists(peer.document.guards, self_)) continue;
    for (const GuardRef& guard : peer.document.guards) fellows.insert(guard.node);
  }
  for (const auto& [node, peer] : peers_) {
    if (node == self_) continue;
    const MemberDocument& document = peer.document;
    GuardOrders::Peer& to = orders.peers[node];
    to.inc = document.inc;
    to.rev = document.rev;
    to.revoked = document.revoked;
    to.guards = document.guards;
    to.patience = document.terms.patience;
    to.read_sent = peer.read_sent;
    to.addresses = document.info.heartbeat;
    if (document.revoked || to.addresses.empty()) continue;
    const auto theirs = choose_guards(node, members);
    to.talk = std::binary_search(mine.begin(), mine.end(), node) ||
              std::binary_search(theirs.begin(), theirs.end(), self_) ||
              lists(document.guards, self_) || lists(orders.guards, node) || fellows.contains(node);
  }
}

bool Peers::revoked_by_me(const NodeName& node, Incarnation inc) const {
  return revoked_by_me_.contains({node, inc});
}

bool Peers::alone() const {
  return std::all_of(peers_.begin(), peers_.end(), [&](const auto& peer) {
    return peer.first == self_ || peer.second.document.revoked;
  });
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

std::optional<Instant> Peers::next_deadline(MayRevoke may) const {
  std::optional<Instant> next;
  for (const auto& [node, peer] : peers_) {
    std::optional<Instant> at = read_wanted_at(peer);
    if (may.fenced && (forced_dead(peer.document) || fenced(peer.document))) at = Instant();
    if (may.silent) at = earliest(at, revocable_at(peer));
    if (!at) continue;
    if (const auto it = pursuits_.find(node); it != pursuits_.end()) {
      if (it->second.busy) continue;
      at = std::max(*at, it->second.next_try);
    }
    next = earliest(next, at);
  }
  return next;
}

std::vector<StoreRequest> Peers::take_requests() {
  return std::exchange(requests_, {});
}

}  // namespace herald::coord
