#include "tests/sim/world.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

namespace herald::sim {

using daemon::Event;

struct World::Host {
  std::size_t index = 0;
  NodeName name;
  double rate = 1.0;                    // of its clock
  Duration offset = 0s;                 // of its clock
  std::unique_ptr<daemon::Node> node;   // none: not running
  std::unique_ptr<coord::Guard> guard;  // lives and dies with it
  std::string key;                      // of heartbeats, as its node told its guard
  std::uint64_t life = 0;               // which process: what belongs to an older one is dropped
  std::uint64_t timer = 0;              // which timer is armed
  std::uint64_t guard_timer = 0;
  std::optional<Instant> armed, guard_armed;  // until when they wait
  Instant reported{};                         // when its guard's newest report is heard
  l2::Grants grants;                          // of its responder, which does not freeze
  bool frozen = false;                        // the whole process
  bool stalled = false;                       // its node alone: a long reconcile
  bool cut = false, carrier = true;
  std::vector<Event> backlog;                  // of a frozen or stalled node
  std::vector<coord::GuardMessage> datagrams;  // of a frozen guard: what its socket holds
};

namespace {
constexpr std::uint64_t kMaxEvents = 4'000'000;
constexpr std::size_t kSocketBuffer = 64;
constexpr Duration kQuiet = 1s;
}  // namespace

Swarm Swarm::of(Rng& rng, bool hunt) {
  Swarm s;
  for (bool* fault :
       {&s.crash,          &s.freeze,      &s.cut,       &s.outage,      &s.lose_requests,
        &s.lose_replies,   &s.late_writes, &s.slow,      &s.stale_watch, &s.carrier,
        &s.stop,           &s.edits,       &s.orders,    &s.rebalance,   &s.lose_datagrams,
        &s.slow_datagrams, &s.copies,      &s.partition, &s.stall,       &s.mixed_settings}) {
    *fault = hunt ? !rng.one_in(3) : rng.one_in(2);
  }
  if (hunt) s.edits = s.carrier = false;
  return s;
}

World::World(Options options)
    : options_(std::move(options)),
      rng_(options_.seed),
      store_(options_.wrong == Wrong::StoreIgnoresBase) {
  if (options_.faults) swarm_ = Swarm::of(rng_, options_.hunt);
  timing_.lease = rng_.between(300ms, 1500ms);
  timing_.revoke_after = timing_.lease;  // the least that is safe, or with a margin
  if (rng_.one_in(2)) timing_.revoke_after += timing_.lease / 4;
  timing_.leader_lease = timing_.lease * 5 / 2;
  timing_.lone_lease = timing_.lease * static_cast<int>(1 + rng_.below(5));
  timing_.relist = 3s;
  guard_mode_ = !rng_.one_in(4);
  guard_timing_.patience = rng_.between(80ms, 250ms);
  guard_timing_.interval = guard_timing_.patience / 5;
  if (guard_mode_ && rng_.one_in(8)) timing_.store_loss_limit = rng_.between(2s, 6s);
  const double drift = rng_.one_in(options_.hunt ? 2 : 3) ? 0.1 : 0.01;
  timing_.clock_drift = guard_timing_.clock_drift = drift;
  std::size_t hosts = 1 + rng_.below(5);
  if (options_.hunt) hosts = std::max<std::size_t>(hosts, 2);
  if (rng_.one_in(40)) hosts = 9 + rng_.below(3);  // guards on a ring
  peers_cut_.assign(hosts, std::vector<bool>(hosts, false));
  for (std::size_t i = 0; i < hosts; ++i) {
    auto host = std::make_unique<Host>();
    host->index = i;
    host->name = NodeName("n" + std::to_string(i + 1));
    host->rate = options_.faults ? (rng_.one_in(2) ? 1 + drift : 1 - drift) : 1.0;  // the extremes
    if (options_.wrong == Wrong::ClocksBeyondDrift)
      host->rate = i % 2 == 0 ? 1 - 3 * drift : 1 + 3 * drift;
    host->offset = rng_.between(0s, 1000s);
    hosts_.push_back(std::move(host));
  }
  const auto count = 1 + rng_.below(options_.hunt ? 3 : 12);
  for (std::uint64_t i = 0; i < count; ++i) {
    services_.push_back({"default", fmt::format("s{}", next_service_++)});
  }
  desired_ = make_desired();
}

World::~World() = default;

void World::tell(const std::string& line) {
  if (options_.story) {
    options_.story(fmt::format(
        "{:10.6f} {}", std::chrono::duration<double>(now_.time_since_epoch()).count(), line));
  }
}

void World::fail(const std::string& what) {
  if (!verdict_.violation.empty()) return;
  verdict_.violation = what;
  tell("VIOLATION: " + what);
}

Instant World::local(const Host& host, Instant t) const {
  const auto ns = static_cast<double>(t.time_since_epoch().count()) * host.rate;
  return Instant(host.offset + Duration(static_cast<Duration::rep>(ns)));
}

// Timers fire a little late; never early by the host's own clock.
Duration World::true_wait(const Host& host, Instant deadline) {
  const Duration wait = std::max(deadline - local(host, now_), Duration::zero());
  return Duration(static_cast<Duration::rep>(static_cast<double>(wait.count()) / host.rate)) +
         rng_.between(10us, 2ms);
}

void World::after(Duration delay, std::function<void()> what) {
  queue_.push_back({now_ + delay, sequence_++, std::move(what)});
  std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
}

Verdict World::run() {
  const Duration faults = 6 * timing_.lease + 3s,
                 calm = (swarm_.mixed_settings ? 8 : 4) * timing_.lease + 4s;
  tell(fmt::format("{} hosts, D {}, G {}", hosts_.size(), to_string(timing_.lease),
                   guard_mode_ ? to_string(guard_timing_.patience) : "none"));
  for (auto& host : hosts_) {
    after(rng_.between(0s, 1s), [this, h = host.get()] { start(*h); });
  }
  if (options_.faults) after(2s, [this] { fault(); });
  after(faults, [this] { heal(); });
  const Instant end = now_ + faults + calm;
  for (Instant at = now_ + faults; at <= end; at += kQuiet) {
    after(at - now_, [this, last = at + kQuiet > end] { look_whether_settled(last); });
  }
  while (!queue_.empty() && !settled_ && !(options_.hunt && calm_) && verdict_.violation.empty()) {
    std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
    const Due due = std::move(queue_.back());
    queue_.pop_back();
    now_ = due.at;
    verdict_.trace_hash =
        (verdict_.trace_hash ^ static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^
         due.sequence) *
        0x100000001b3ull;
    due.what();
    if (++verdict_.events > kMaxEvents) fail("too many events: something spins");
    check();
  }
  return verdict_;
}

// Everything is as it should be, as it was a while ago, and nothing was written meanwhile.
void World::look_whether_settled(bool last) {
  std::string fault = settling_fault();
  if (std::exchange(quiet_writes_, store_.table_writes()) != store_.table_writes() &&
      fault.empty()) {
    fault = "the table is still written in the calm";
  }
  settled_ = fault.empty() && std::exchange(was_settled_, fault.empty());
  was_settled_ = fault.empty();
  if (last && !settled_) fail(fault.empty() ? "not settled for long enough after the calm" : fault);
}

// ---- hosts
// ------------------------------------------------------------------------------------------

std::vector<Link> World::links(const Host& host) const {
  Link eth0;
  eth0.index = LinkIndex(2);
  eth0.name = "eth0";
  eth0.mac = MacAddress{{2, 0, 0, 0, 0, static_cast<std::uint8_t>(host.index + 1)}};
  eth0.up = eth0.ethernet = true;
  eth0.carrier = host.carrier;
  const auto last = static_cast<std::uint32_t>(200 + host.index);
  eth0.addresses = {{IpAddress::v4(0x0a199600u + last), 24}};
  return {eth0};
}

void World::start(Host& host) {
  if (host.node) return;
  daemon::NodeConfig config;
  config.name = host.name;
  config.machine_id = "machine-" + host.name.str();
  config.timing = timing_;
  config.guard_timing = guard_timing_;
  if (guard_mode_) {
    config.new_heartbeat_key = Bytes(coord::kHeartbeatKeyBytes);
    for (auto& octet : config.new_heartbeat_key) octet = static_cast<std::uint8_t>(rng_.next());
    config.heartbeat_port = 7471;
  }
  if (swarm_.mixed_settings && rng_.one_in(3)) {
    config.timing.lease *= 2;
    config.timing.revoke_after *= 2;
    config.guard_timing.patience *= 2;
    config.guard_timing.interval *= 2;
    if (rng_.one_in(2)) config.timing.store_loss_limit = rng_.between(3s, 8s);
  }
  config.drain_timeout = 3s;
  config.rebalance = {200ms, 50ms, 500ms};
  config.seed = rng_.next();
  ++host.life;
  host.frozen = host.stalled = false;
  host.backlog.clear();
  host.datagrams.clear();
  host.armed.reset();
  host.guard_armed.reset();
  host.key.clear();
  host.guard = std::make_unique<coord::Guard>(host.name, config.guard_timing);
  host.node = std::make_unique<daemon::Node>(config, local(host, now_));
  tell(host.name.str() + " starts");
  deliver(host, daemon::LinksRead{links(host)});
  after(rng_.between(0ms, 200ms), [this, &host, life = host.life] {
    if (host.life == life) deliver(host, daemon::DesiredRead{desired_});
  });
}

void World::crash(Host& host) {
  if (!host.node) return;
  tell(host.name.str() + " crashes");
  end(host);
}

// The process is gone, and its responder with it.
void World::end(Host& host) {
  host.node.reset();
  host.guard.reset();
  host.grants = {};
  grants_changed_ = true;
  ++host.life;
  host.frozen = host.stalled = false;
}

void World::deliver(Host& host, Event event) {
  if (!host.node) return;
  if (host.frozen || host.stalled) {
    host.backlog.push_back(std::move(event));
    return;
  }
  step(host, {&event, 1});
}

void World::step(Host& host, std::span<const Event> events) {
  if (!host.node) return;
  const auto life = host.life;
  const auto effects = host.node->step(events, local(host, now_));
  for (const auto& effect : effects) {
    perform(host, effect);
    if (host.life != life) return;
  }
  arm(host);
}

void World::arm(Host& host) {
  const auto deadline = host.node->next_deadline();
  if (deadline == host.armed) return;
  host.armed = deadline;
  const auto timer = ++host.timer;
  if (!deadline) return;
  after(true_wait(host, *deadline), [this, &host, timer, life = host.life] {
    if (host.life != life || host.timer != timer) return;
    host.armed.reset();
    deliver(host, daemon::TimePassed{});
  });
}

void World::perform(Host& host, const daemon::Effect& effect) {
  if (const auto* e = std::get_if<daemon::SetGrants>(&effect)) {
    const bool silences =
        std::any_of(host.grants.links.begin(), host.grants.links.end(), [&](const auto& link) {
          const auto now = e->links.find(link.first);
          return now == e->links.end() ||
                 !std::includes(now->second.vips.begin(), now->second.vips.end(),
                                link.second.vips.begin(), link.second.vips.end());
        });
    const auto change = [this, &host, links = e->links, life = host.life] {
      if (host.life != life) return;
      host.grants.links = links;
      grants_changed_ = true;
    };
    if (options_.wrong == Wrong::GrantsAppliedLate && silences) {
      after(100ms, change);
    } else {
      change();
    }
  } else if (const auto* g = std::get_if<daemon::ApplyGuard>(&effect)) {
    host.key = g->orders->key;
    host.guard->apply(g->orders, local(host, now_));
    host.guard->tick(local(host, now_));
    pump(host);
  } else if (const auto* a = std::get_if<daemon::AskStore>(&effect)) {
    ask(host, *a);
  } else if (const auto* log = std::get_if<daemon::Log>(&effect)) {
    tell(host.name.str() + ": " + log->text);
  } else if (const auto* said = std::get_if<daemon::OperatorAnswered>(&effect)) {
    tell(fmt::format("{} answers: {}", host.name.str(), said->answer.message));
  } else if (std::holds_alternative<daemon::Exit>(effect)) {
    tell(host.name.str() + " has stopped");
    end(host);
    if (calm_) {
      start(host);
    } else {
      after(rng_.between(100ms, 5s), [this, &host] { start(host); });
    }
  }
}

// ---- the guards, and the network between them
// ---------------------------------------------------------------------

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

// ---- the store, and the way to it
// ---------------------------------------------------------------------

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

// ---- faults
// -----------------------------------------------------------------------------------------

void World::fault() {
  if (calm_) return;
  Host& host = *hosts_[rng_.below(hosts_.size())];
  // Most bugs live near the length of a lease.
  const Duration patience = guard_timing_.patience;
  const Duration length = rng_.one_in(3)   ? rng_.between(patience / 2, 3 * patience)
                          : rng_.one_in(2) ? rng_.between(10ms, 1s)
                                           : rng_.between(timing_.lease / 2, timing_.lease * 4);
  switch (rng_.below(10)) {
    case 0:
      if (!swarm_.crash) break;
      crash(host);
      after(rng_.one_in(3) ? rng_.between(2ms, 60ms) : length, [this, &host] { start(host); });
      if (!swarm_.orders) break;
      after(rng_.between(0ms, length), [this] {
        if (!calm_) order(*hosts_[rng_.below(hosts_.size())]);
      });
      break;
    case 1:
      if (!swarm_.freeze || host.frozen || !host.node) break;
      tell(fmt::format("{} freezes for {}", host.name.str(), to_string(length)));
      host.frozen = true;
      after(length, [this, &host, life = host.life, length] {
        if (host.life != life || !host.frozen) return;
        if (options_.wrong == Wrong::ClockStopsInSuspend) host.offset -= length;
        thaw(host);
      });
      break;
    case 2:
      if (!swarm_.cut) break;
      tell(fmt::format("{} is cut from the store for {}", host.name.str(), to_string(length)));
      host.cut = true;
      after(length, [&host] { host.cut = false; });
      break;
    case 3:
      if (!swarm_.outage || !rng_.one_in(3)) break;
      tell(fmt::format("the store is away for {}", to_string(length)));
      outage_ = true;
      after(length, [this] { outage_ = false; });
      break;
    case 4:
      if (!swarm_.carrier || !host.node) break;
      host.carrier = !host.carrier;
      tell(fmt::format("{} carrier {}", host.name.str(), host.carrier));
      deliver(host, daemon::LinksRead{links(host)});
      break;
    case 5:
      if (!swarm_.stop || !host.node) break;
      tell(host.name.str() + " is to stop");
      deliver(host, daemon::StopRequested{});
      break;
    case 6:
      if (swarm_.partition) cut_peers();
      break;
    case 7:
      if (!swarm_.stall || host.frozen || host.stalled || !host.node) break;
      tell(fmt::format("the node of {} stalls for {}", host.name.str(), to_string(length)));
      host.stalled = true;
      after(length, [this, &host, life = host.life] {
        if (host.life == life && host.stalled && !host.frozen) thaw(host);
      });
      break;
    case 8:
      if (swarm_.orders) order(host);
      break;
    default:
      if (swarm_.edits) edit();
  }
  after(rng_.between(10ms, options_.hunt ? 500ms : 900ms), [this] { fault(); });
}

// Heartbeats are lost: from or to one host, both, or one way between two.
void World::cut_peers() {
  const std::size_t a = rng_.below(hosts_.size()), b = rng_.below(hosts_.size());
  const auto kind = rng_.below(4);
  const Duration patience = guard_timing_.patience;
  const Duration length =
      rng_.one_in(2) ? rng_.between(patience / 2, 3 * patience) : rng_.between(500ms, 5s);
  tell(fmt::format("heartbeats {} are lost for {}",
                   kind == 0   ? "from " + hosts_[a]->name.str()
                   : kind == 1 ? "to " + hosts_[a]->name.str()
                   : kind == 2 ? "from and to " + hosts_[a]->name.str()
                               : hosts_[a]->name.str() + " -> " + hosts_[b]->name.str(),
                   to_string(length)));
  const auto set = [this, a, b, kind](bool cut) {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      if (kind == 0 || kind == 2) peers_cut_[a][i] = cut;
      if (kind == 1 || kind == 2) peers_cut_[i][a] = cut;
    }
    if (kind == 3) peers_cut_[a][b] = cut;
  };
  set(true);
  after(length, [set] { set(false); });
}

// An operator's word, through some host. Only what has no process is declared dead: its late writes
// may still come, and its next life.
void World::order(Host& host) {
  using daemon::OperatorRequest;
  OperatorRequest request;
  std::vector<const Host*> dead;
  for (const auto& h : hosts_) {
    if (!h->node && h->life > 0) dead.push_back(h.get());
  }
  const bool declare_dead = !dead.empty() && !rng_.one_in(3);
  const Host& subject =
      declare_dead ? *dead[rng_.below(dead.size())] : *hosts_[rng_.below(hosts_.size())];
  request.node = subject.name;
  request.wait = rng_.one_in(2);
  request.timeout = rng_.between(50ms, 3s);
  const auto kind = rng_.below(3);
  if (declare_dead) {
    request.what = OperatorRequest::What::ForceDead;
  } else if (kind == 2) {
    const auto table = store_.table();
    if (table.empty()) return;
    request.what = OperatorRequest::What::Move;
    request.ip =
        std::next(table.begin(), static_cast<std::ptrdiff_t>(rng_.below(table.size())))->first;
  } else {
    request.what = kind == 0 ? OperatorRequest::What::Drain : OperatorRequest::What::Undrain;
  }
  tell(fmt::format("{} is asked to {} {}", host.name.str(),
                   request.what == OperatorRequest::What::ForceDead ? "declare dead"
                   : request.ip ? "move " + to_string(*request.ip) + " to"
                   : kind == 0  ? "drain"
                                : "undrain",
                   subject.name.str()));
  deliver(host, daemon::OperatorAsked{++orders_, request});
}

void World::edit() {
  if (services_.size() > 1 && rng_.one_in(2)) {
    const auto victim =
        services_.begin() + static_cast<std::ptrdiff_t>(rng_.below(services_.size()));
    tell("service " + to_string(*victim) + " is deleted");
    services_.erase(victim);
  } else {
    services_.push_back({"default", fmt::format("s{}", next_service_++)});
    tell("service " + to_string(services_.back()) + " is new");
  }
  desired_ = make_desired();
  for (auto& host : hosts_) {
    after(rng_.between(0ms, 500ms), [this, h = host.get(), life = host->life, d = desired_] {
      // A later edit may have overtaken this one.
      if (h->life == life && d == desired_) deliver(*h, daemon::DesiredRead{d});
    });
  }
}

std::shared_ptr<const Desired> World::make_desired() {
  auto out = std::make_shared<Desired>();
  Pool pool;
  pool.name = PoolName("lan");
  pool.ranges = {IpRange::of(*IpPrefix::parse("10.25.150.0/26"))};
  out->pools = {pool};
  for (const ObjectName& name : services_) {
    Service s;
    s.name = name;
    s.created = 0;
    out->services.push_back(s);
  }
  L2Policy policy;
  policy.name = "all";
  policy.rebalance = swarm_.rebalance;
  out->l2_policies = {policy};
  store_.set_wanted({services_.begin(), services_.end()});
  return out;
}

void World::heal() {
  tell("calm");
  calm_ = true;
  outage_ = false;
  for (auto& host : hosts_) {
    host->cut = false;
    host->carrier = true;
    if (host->frozen || host->stalled) thaw(*host);
    if (!host->node) start(*host);
    deliver(*host, daemon::LinksRead{links(*host)});
    deliver(*host, daemon::DesiredRead{desired_});
    deliver(*host, daemon::TimePassed{});
  }
}

// ---- what must hold
// --------------------------------------------------------------------------------

// Which VIPs several hosts have a grant for: for these alone deadlines matter, and they are few.
void World::note_grants() {
  std::map<IpAddress, std::vector<std::size_t>> holders;
  for (const auto& host : hosts_) {
    for (const auto& [link, grant] : host->grants.links) {
      for (const IpAddress& vip : grant.vips) holders[vip].push_back(host->index);
    }
  }
  contested_.clear();
  for (auto& [vip, hosts] : holders) {
    const auto [was, first] = answering_.emplace(vip, hosts.front());
    if (std::find(hosts.begin(), hosts.end(), was->second) == hosts.end()) {
      was->second = hosts.front();
      ++verdict_.moves;
    }
    if (hosts.size() > 1) contested_.emplace_back(vip, std::move(hosts));
  }
}

void World::check() {
  if (std::exchange(grants_changed_, false)) note_grants();
  for (const auto& [vip, hosts] : contested_) {
    std::size_t speakers = 0;
    for (const std::size_t index : hosts) {
      const Host& host = *hosts_[index];
      // The wrong clock: a frozen host's stands still.
      if (options_.wrong == Wrong::ClockStopsInSuspend && host.frozen) continue;
      if (local(host, now_) < host.grants.deadline) ++speakers;
    }
    if (speakers > 1) fail(fmt::format("{} hosts may answer for {}", speakers, to_string(vip)));
  }
}

std::string World::settling_fault() const {
  const auto table = store_.table();
  std::set<NodeName> drained;
  if (const auto it = store_.documents().find(coord::cluster_key());
      it != store_.documents().end()) {
    drained = std::get<coord::ClusterDocument>(it->second).drained;
  }
  std::set<ObjectName> served;
  for (const auto& [vip, entry] : table) {
    std::size_t speakers = 0;
    for (const auto& host : hosts_) {
      if (host->grants.may_answer(LinkIndex(2), vip, local(*host, now_))) ++speakers;
    }
    if (drained.size() < hosts_.size() && entry.owner && drained.contains(*entry.owner)) {
      return fmt::format("{} stays on {}, which is drained", to_string(vip), entry.owner->str());
    }
    if (speakers != 1) {
      return fmt::format("{}: {} hosts answer after the calm", to_string(vip), speakers);
    }
    for (const ObjectName& s : entry.services) served.insert(s);
  }
  for (const ObjectName& s : services_) {
    if (!served.contains(s)) return to_string(s) + " has no IP after the calm";
  }
  if (table.size() != services_.size()) {
    return fmt::format("{} IPs are held for {} services", table.size(), services_.size());
  }
  std::size_t leaders = 0;
  for (const auto& host : hosts_) {
    if (host->node && host->node->election().leads(local(*host, now_))) ++leaders;
  }
  return leaders == 1 ? "" : fmt::format("{} leaders after the calm", leaders);
}

}  // namespace herald::sim
