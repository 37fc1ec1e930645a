// The simulated world: its queue of events, its hosts, and what becomes of their effects.
#include <fmt/core.h>

#include <algorithm>

#include "tests/sim/world_host.h"

namespace herald::sim {

using daemon::Event;

namespace {
constexpr std::uint64_t kMaxEvents = 4'000'000;
constexpr Duration kQuiet = 1s;
const MacAddress kStranger{{2, 0, 0, 0, 1, 1}};
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
  s.strangers = rng.one_in(6);  // each probe is an event
  s.holds = s.edits && rng.one_in(2);
  // Of sharers, who comes back finds no rest: the others still have the IP.
  s.shares = !s.holds && rng.one_in(3);
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
  if (swarm_.holds) release_hold_ = rng_.between(500ms, 5s);
  if (swarm_.strangers) {
    for (std::uint64_t i = 1 + rng_.below(3); i > 0; --i) {
      const auto first = std::uint32_t{0x0a199600u};
      strangers_.insert(IpAddress::v4(first + static_cast<std::uint32_t>(rng_.below(6))));
    }
  }
  objects_ = options_.seed % 2 == 0;
  if (objects_) {
    store_.set_told([this](const ObjectName& s, const IpAddress& vip) { return told(s, vip); });
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
                 // What rests is written once more when its time is over.
      calm = (swarm_.mixed_settings ? 8 : 4) * timing_.lease + 4s + release_hold_ + kQuiet +
             (objects_ ? 8s : 0s);
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
  config.objects = objects_;
  config.rebalance = {200ms, 50ms, 500ms};
  config.seed = rng_.next();
  ++host.life;
  host.frozen = host.stalled = false;
  host.backlog.clear();
  host.datagrams.clear();
  host.armed.reset();
  host.guard_armed.reset();
  host.key.clear();
  host.watching = false;
  host.guard = std::make_unique<coord::Guard>(host.name, config.guard_timing);
  host.node = std::make_unique<daemon::Node>(config, local(host, now_));
  tell(host.name.str() + " starts");
  deliver(host, daemon::LinksRead{links(host)});
  after(rng_.between(0ms, 200ms), [this, &host, life = host.life] {
    if (host.life != life) return;
    if (objects_) {
      show(host, picture());
    } else {
      deliver(host, daemon::DesiredRead{desired_});
    }
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
  } else if (const auto* k = std::get_if<daemon::AskKube>(&effect)) {
    ask_objects(host, *k);
  } else if (const auto* sent = std::get_if<daemon::SendFrame>(&effect)) {
    const IpAddress& vip = sent->frame.vip;
    if (!sent->frame.probe || !strangers_.contains(vip) ||
        !host.grants.may_probe(sent->link, vip, local(host, now_))) {
      return;
    }
    after(rng_.between(50us, 20ms), [this, &host, life = host.life, link = sent->link, vip] {
      if (host.life == life) deliver(host, daemon::ConflictSeen{link, vip, kStranger});
    });
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

}  // namespace herald::sim
