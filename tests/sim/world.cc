#include "tests/sim/world.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

namespace herald::sim {

using daemon::Event;

struct World::Host {
  std::size_t index = 0;
  NodeName name;
  double rate = 1.0;                   // of its clock
  Duration offset = 0s;                // of its clock
  std::unique_ptr<daemon::Node> node;  // none: not running
  std::uint64_t life = 0;              // which process: what belongs to an older one is dropped
  std::uint64_t timer = 0;             // which timer is armed
  l2::Grants grants;                   // of its responder, which does not freeze
  bool frozen = false, cut = false, carrier = true;
  Instant frozen_since;
  std::vector<Event> backlog;  // of a frozen node
};

namespace {
constexpr Duration kFaults = 40s, kCalm = 40s, kQuiet = 10s;
constexpr std::uint64_t kMaxEvents = 400'000;
}  // namespace

Swarm Swarm::of(Rng& rng) {
  Swarm s;
  for (bool* fault : {&s.crash, &s.freeze, &s.cut, &s.outage, &s.lose_requests, &s.lose_replies,
                      &s.late_writes, &s.slow, &s.stale_watch, &s.carrier, &s.stop, &s.edits}) {
    *fault = rng.one_in(2);
  }
  return s;
}

World::World(Options options)
    : options_(std::move(options)),
      rng_(options_.seed),
      store_(options_.wrong == Wrong::StoreIgnoresBase) {
  if (options_.faults) swarm_ = Swarm::of(rng_);
  timing_.lease = rng_.between(1s, 3s);
  timing_.revoke_after = timing_.lease + timing_.lease / 4;
  const std::size_t hosts = 1 + rng_.below(5);
  for (std::size_t i = 0; i < hosts; ++i) {
    auto host = std::make_unique<Host>();
    host->index = i;
    host->name = NodeName("n" + std::to_string(i + 1));
    host->rate = options_.faults ? (rng_.one_in(2) ? 1.01 : 0.99) : 1.0;  // the extremes
    if (options_.wrong == Wrong::ClocksBeyondDrift) host->rate = i % 2 == 0 ? 0.8 : 1.2;
    host->offset = rng_.between(0s, 1000s);
    hosts_.push_back(std::move(host));
  }
  const auto count = 1 + rng_.below(12);
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

void World::after(Duration delay, std::function<void()> what) {
  queue_.push({now_ + delay, sequence_++, std::move(what)});
}

Verdict World::run() {
  tell(fmt::format("{} hosts, D {}", hosts_.size(), to_string(timing_.lease)));
  for (auto& host : hosts_) {
    after(rng_.between(0s, 3s), [this, h = host.get()] { start(*h); });
  }
  if (options_.faults) after(5s, [this] { fault(); });
  after(kFaults, [this] { heal(); });
  const Instant end = now_ + kFaults + kCalm;
  std::uint64_t writes_at_quiet = 0;
  after(kFaults + kCalm - kQuiet, [&, this] { writes_at_quiet = store_.table_writes(); });
  while (!queue_.empty() && queue_.top().at <= end && verdict_.violation.empty()) {
    const Due due = queue_.top();
    queue_.pop();
    now_ = due.at;
    verdict_.trace_hash =
        (verdict_.trace_hash ^ static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^
         due.sequence) *
        0x100000001b3ull;
    due.what();
    if (++verdict_.events > kMaxEvents) fail("too many events: something spins");
    check();
  }
  if (verdict_.violation.empty()) {
    check_settled();
    if (store_.table_writes() != writes_at_quiet) fail("the table is still written in the calm");
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
  if (options_.wrong == Wrong::TimingsDisagree && host.index % 2 == 0) {
    config.timing.lease *= 2;
    config.timing.revoke_after *= 2;
  }
  config.drain_timeout = 3s;
  config.seed = rng_.next();
  ++host.life;
  host.frozen = false;
  host.backlog.clear();
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
  host.node.reset();
  host.grants = {};
  ++host.life;
  host.frozen = false;
}

void World::deliver(Host& host, Event event) {
  if (!host.node) return;
  if (host.frozen) {
    host.backlog.push_back(std::move(event));
    return;
  }
  const auto life = host.life;
  const auto effects = host.node->step(event, local(host, now_));
  for (const auto& effect : effects) {
    perform(host, effect);
    if (host.life != life) return;
  }
  arm(host);
}

void World::arm(Host& host) {
  const auto deadline = host.node->next_deadline();
  const auto timer = ++host.timer;
  if (!deadline) return;
  const Duration wait = *deadline - local(host, now_);
  // Timers fire a little late; never early by the host's own clock.
  const auto true_wait =
      Duration(static_cast<Duration::rep>(
          static_cast<double>(std::max(wait, Duration::zero()).count()) / host.rate)) +
      rng_.between(10us, 2ms);
  after(true_wait, [this, &host, timer, life = host.life] {
    if (host.life == life && host.timer == timer) deliver(host, daemon::TimePassed{});
  });
}

void World::perform(Host& host, const daemon::Effect& effect) {
  const auto grant = [&](std::function<void(l2::Grants&)> change) {
    l2::Grants next = host.grants;
    change(next);
    const bool silences =
        std::any_of(host.grants.links.begin(), host.grants.links.end(), [&](const auto& link) {
          const l2::LinkGrant* now = next.link(link.first);
          return now == nullptr || !std::includes(now->vips.begin(), now->vips.end(),
                                                  link.second.vips.begin(), link.second.vips.end());
        });
    if (options_.wrong == Wrong::GrantsAppliedLate && silences) {
      after(100ms, [&host, change, life = host.life] {
        if (host.life == life) change(host.grants);
      });
    } else {
      host.grants = next;
    }
  };
  const Duration overstay = options_.wrong == Wrong::DeadlineOverstayed ? timing_.lease / 2 : 0s;
  const auto later = [overstay](Instant t) { return t == Instant::min() ? t : t + overstay; };
  if (const auto* e = std::get_if<daemon::SetGrants>(&effect)) {
    grant([grants = e->grants, later](l2::Grants& g) {
      g = grants;
      g.deadline = later(grants.deadline);
    });
  } else if (const auto* d = std::get_if<daemon::SetDeadline>(&effect)) {
    grant([deadline = d->deadline, later](l2::Grants& g) { g.deadline = later(deadline); });
  } else if (const auto* a = std::get_if<daemon::AskStore>(&effect)) {
    ask(host, *a);
  } else if (const auto* log = std::get_if<daemon::Log>(&effect)) {
    tell(host.name.str() + ": " + log->text);
  } else if (std::holds_alternative<daemon::Exit>(effect)) {
    tell(host.name.str() + " has stopped");
    host.node.reset();
    host.grants = {};
    ++host.life;
    if (calm_) {
      start(host);
    } else {
      after(rng_.between(100ms, 5s), [this, &host] { start(host); });
    }
  }
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
  if (!calm_ && swarm_.late_writes && rng_.one_in(30)) delay += rng_.between(100ms, 4s);
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
  const Duration length =
      rng_.one_in(2) ? rng_.between(10ms, 1s) : rng_.between(500ms, timing_.lease * 4);
  switch (rng_.below(7)) {
    case 0:
      if (!swarm_.crash) break;
      crash(host);
      after(length, [this, &host] { start(host); });
      break;
    case 1:
      if (!swarm_.freeze || host.frozen || !host.node) break;
      tell(fmt::format("{} freezes for {}", host.name.str(), to_string(length)));
      host.frozen = true;
      after(length, [this, &host, life = host.life, length] {
        if (host.life != life || !host.frozen) return;
        host.frozen = false;
        if (options_.wrong == Wrong::ClockStopsInSuspend) {
          host.offset -= length;
        }
        tell(host.name.str() + " goes on");
        for (auto& e : std::exchange(host.backlog, {})) deliver(host, std::move(e));
        deliver(host, daemon::TimePassed{});
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
    default:
      if (swarm_.edits) edit();
  }
  after(rng_.between(50ms, 3s), [this] { fault(); });
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
    if (host->frozen) {
      host->frozen = false;
      for (auto& e : std::exchange(host->backlog, {})) deliver(*host, std::move(e));
    }
    if (!host->node) start(*host);
    host->carrier = true;
    deliver(*host, daemon::LinksRead{links(*host)});
    deliver(*host, daemon::DesiredRead{desired_});
    deliver(*host, daemon::TimePassed{});
  }
}

// ---- what must hold
// --------------------------------------------------------------------------------

void World::check() {
  std::map<IpAddress, std::size_t> may;
  for (const auto& host : hosts_) {
    Instant clock = local(*host, now_);
    // The wrong clock: a frozen host's stands still.
    if (options_.wrong == Wrong::ClockStopsInSuspend && host->frozen) continue;
    if (clock >= host->grants.deadline) continue;
    for (const auto& [link, grant] : host->grants.links) {
      for (const IpAddress& vip : grant.vips) {
        const auto [other, first] = may.emplace(vip, host->index);
        if (!first && other->second != host->index) {
          fail(fmt::format("{} and {} may both answer for {}", hosts_[other->second]->name.str(),
                           host->name.str(), to_string(vip)));
        }
      }
    }
  }
  for (const auto& [vip, index] : may) {
    const auto [was, first] = answering_.emplace(vip, index);
    if (first || was->second == index) continue;
    was->second = index;
    ++verdict_.moves;
  }
}

void World::check_settled() {
  const auto table = store_.table();
  std::set<ObjectName> served;
  for (const auto& [vip, entry] : table) {
    std::size_t speakers = 0;
    for (const auto& host : hosts_) {
      if (host->grants.may_answer(LinkIndex(2), vip, local(*host, now_))) ++speakers;
    }
    if (speakers != 1)
      fail(fmt::format("{}: {} hosts answer after the calm", to_string(vip), speakers));
    for (const ObjectName& s : entry.services) served.insert(s);
  }
  for (const ObjectName& s : services_) {
    if (!served.contains(s)) fail(to_string(s) + " has no IP after the calm");
  }
  if (table.size() != services_.size()) {
    fail(fmt::format("{} IPs are held for {} services", table.size(), services_.size()));
  }
  std::size_t leaders = 0;
  for (const auto& host : hosts_) {
    if (host->node && host->node->election().leads(local(*host, now_))) ++leaders;
  }
  if (leaders != 1) fail(fmt::format("{} leaders after the calm", leaders));
}

}  // namespace herald::sim
