// Between the hosts: heartbeats; and the way to the store. Both lose, delay and reorder.
#include <fmt/core.h>

#include <algorithm>

#include "tests/sim/world_host.h"

namespace herald::sim {

namespace {
constexpr std::size_t kSocketBuffer = 64;
}  // namespace

void World::pump(Host& host) {
  Instant deadline = host.guard->deadline();
  if (options_.wrong == Wrong::DeadlineOverstayed && deadline != Instant::min()) {
    deadline +=
        host.node->membership().guards().empty() ? timing_.lease / 2 : guard_timing_.patience / 2;
  }
  host.grants.deadline = deadline;
  for (const coord::Outgoing& o : host.guard->take_messages()) send(host, o);
  if (auto report = host.guard->take_report()) {
    host.reported = std::max(host.reported, now_ + rng_.between(5us, 300us));  // in order
    after(host.reported - now_, [this, &host, life = host.life, said = std::move(*report)] {
      if (host.life == life) deliver(host, daemon::GuardReported{said});
    });
  }
  arm_guard(host);
}

void World::arm_guard(Host& host) {
  const auto deadline = host.guard->next_deadline();
  if (deadline == host.guard_armed) return;
  host.guard_armed = deadline;
  const auto timer = ++host.guard_timer;
  if (!deadline) return;
  after(true_wait(host, *deadline), [this, &host, timer, life = host.life] {
    if (host.life != life || host.guard_timer != timer) return;
    host.guard_armed.reset();
    if (host.frozen) return;
    host.guard->tick(local(host, now_));
    pump(host);
  });
}

void World::send(Host& from, const coord::Outgoing& outgoing) {
  const auto to = std::find_if(hosts_.begin(), hosts_.end(),
                               [&](const auto& host) { return host->name == outgoing.to; });
  Host& target = **to;
  if (!from.carrier || !target.carrier || from.key.empty()) return;
  if (!calm_ && peers_cut_[from.index][target.index]) return;
  if (!calm_ && swarm_.lose_datagrams && rng_.one_in(10)) return;
  const int copies = !calm_ && swarm_.copies && rng_.one_in(10) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Duration delay = rng_.between(20us, 300us);
    if (!calm_ && swarm_.slow_datagrams && rng_.one_in(5))
      delay += rng_.between(1ms, guard_timing_.patience);
    if (i > 0) delay += rng_.between(1ms, 2s);
    after(delay, [this, &target, message = outgoing.message, key = from.key] {
      if (!target.guard || target.key != key) return;  // the HMAC is wrong
      if (target.frozen) {
        if (target.datagrams.size() < kSocketBuffer) target.datagrams.push_back(message);
        return;
      }
      target.guard->receive(message, local(target, now_));
      target.guard->tick(local(target, now_));
      pump(target);
    });
  }
}

// Goes on: what waited in the socket is read first, then the clock is looked at.
void World::thaw(Host& host) {
  host.frozen = host.stalled = false;
  tell(host.name.str() + " goes on");
  for (const auto& m : std::exchange(host.datagrams, {})) {
    host.guard->receive(m, local(host, now_));
  }
  host.guard->tick(local(host, now_));
  pump(host);
  step(host, std::exchange(host.backlog, {}));
  deliver(host, daemon::TimePassed{});
}

// ---- the store, and the way to it ---------------------------------------------------------------

void World::ask(Host& host, const daemon::AskStore& ask) {
  if (!calm_ && (host.cut || outage_)) {
    // Some clients notice at once that nobody is there.
    if (rng_.one_in(2)) {
      coord::StoreReply refused = coord::StoreFailed{"refused"};
      if (std::holds_alternative<coord::CasDocument>(ask.request)) {
        refused = coord::CasReply{coord::CasOutcome::NotSent, "refused"};
      }
      after(1ms, [this, &host, life = host.life, id = ask.id, refused] {
        if (host.life == life) deliver(host, daemon::StoreAnswered{id, refused});
      });
    }
    return;
  }
  if (!calm_ && swarm_.lose_requests && rng_.one_in(20)) return;
  Duration delay = rng_.between(500us, 4ms);
  if (!calm_ && swarm_.slow && rng_.one_in(8)) delay += rng_.between(10ms, 90ms);
  if (!calm_ && swarm_.late_writes && rng_.one_in(12)) delay += rng_.between(100ms, 4s);
  after(delay, [this, &host, life = host.life, ask] { arrive(host, life, ask); });
}

void World::arrive(Host& host, std::uint64_t life, const daemon::AskStore& ask) {
  if (const auto* read = std::get_if<coord::ReadDocument>(&ask.request)) {
    reply(host, life, ask.id, store_.read(read->key));
    return;
  }
  if (std::holds_alternative<coord::ListDocuments>(ask.request)) {
    reply(host, life, ask.id, store_.list());
    return;
  }
  const auto& cas = std::get<coord::CasDocument>(ask.request);
  const auto outcome = store_.cas(cas);
  if (!store_.violation().empty()) fail(store_.violation());
  reply(host, life, ask.id, coord::CasReply{outcome, ""});
  if (outcome != coord::CasOutcome::Won) return;
  for (auto& watcher : hosts_) {
    if (!calm_ && (watcher->cut || outage_)) continue;
    Duration delay = rng_.between(500us, 4ms);
    if (!calm_ && swarm_.stale_watch) {
      if (rng_.one_in(10)) continue;
      if (rng_.one_in(5)) delay += rng_.between(5ms, 3s);
    }
    after(delay, [this, w = watcher.get(), life_of = watcher->life, document = cas.document] {
      if (w->life == life_of) deliver(*w, daemon::StoreChanged{{document}});
    });
  }
}

void World::reply(Host& host, std::uint64_t life, std::uint64_t id, coord::StoreReply answer) {
  if (!calm_ && (host.cut || outage_)) return;
  if (!calm_ && swarm_.lose_replies && rng_.one_in(15)) return;
  Duration delay = rng_.between(500us, 4ms);
  if (!calm_ && swarm_.slow && rng_.one_in(8)) delay += rng_.between(10ms, 90ms);
  after(delay, [this, &host, life, id, answer] {
    if (host.life == life) deliver(host, daemon::StoreAnswered{id, answer});
  });
}

}  // namespace herald::sim
