// What befalls the hosts, what operators and users do meanwhile, and the calm after it.
#include <fmt/core.h>

#include <algorithm>

#include "tests/sim/world_host.h"

namespace herald::sim {

using daemon::Event;

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
  if (objects_ && rng_.one_in(3)) {
    edit_status();
    return;
  }
  if (services_.size() > 1 && rng_.one_in(2)) {
    const auto victim =
        services_.begin() + static_cast<std::ptrdiff_t>(rng_.below(services_.size()));
    tell("service " + to_string(*victim) + " is deleted");
    deleted_.push_back(*victim);
    services_.erase(victim);
  } else if (swarm_.holds && !deleted_.empty() && rng_.one_in(2)) {
    services_.push_back(deleted_.back());
    deleted_.pop_back();
    tell("service " + to_string(services_.back()) + " comes back");
  } else {
    services_.push_back({"default", fmt::format("s{}", next_service_++)});
    tell("service " + to_string(services_.back()) + " is new");
  }
  desired_ = make_desired();
  if (objects_) return;
  for (auto& host : hosts_) {
    after(rng_.between(0ms, 500ms), [this, h = host.get(), life = host->life, d = desired_] {
      // A later edit may have overtaken this one.
      if (h->life == life && d == desired_) deliver(*h, daemon::DesiredRead{d});
    });
  }
}

namespace {

// By the number in its name: two keys or none, three ports, so that some may share and some not.
void set_sharing(Service& service) {
  const int number = std::stoi(service.name.name.substr(1));
  if (number % 5 != 4) service.sharing.emplace().key = number % 2 == 0 ? "even" : "odd";
  service.ports = {{static_cast<std::uint16_t>(80 + number / 2 % 3), Protocol::TCP}};
}

bool may_share(const ObjectName& a, const ObjectName& b) {
  Service one, other;
  one.name = a;
  other.name = b;
  set_sharing(one);
  set_sharing(other);
  return one.sharing && other.sharing && one.sharing->key == other.sharing->key &&
         one.ports != other.ports;
}

}  // namespace

std::shared_ptr<const Desired> World::make_desired() {
  auto out = std::make_shared<Desired>();
  Pool pool;
  pool.name = PoolName("lan");
  pool.ranges = {IpRange::of(*IpPrefix::parse("10.25.150.0/26"))};
  pool.release_hold = release_hold_;
  pool.probe = swarm_.strangers;
  out->pools = {pool};
  for (const ObjectName& name : services_) {
    Service s;
    s.name = name;
    s.created = 0;
    if (swarm_.shares) set_sharing(s);
    out->services.push_back(s);
  }
  L2Policy policy;
  policy.name = "all";
  policy.rebalance = swarm_.rebalance;
  out->l2_policies = {policy};
  store_.set_wanted({services_.begin(), services_.end()});
  if (swarm_.shares) store_.set_may_share(may_share);
  if (objects_) {
    desired_ = out;
    set_objects();
  }
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
    if (objects_) {
      show(*host, picture());
    } else {
      deliver(*host, daemon::DesiredRead{desired_});
    }
    deliver(*host, daemon::TimePassed{});
  }
}

}  // namespace herald::sim
