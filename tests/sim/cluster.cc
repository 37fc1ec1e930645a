#include "tests/sim/cluster.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"

namespace herald::sim {
namespace {
constexpr Duration kDatagram = 100us, kToStore = 1ms, kFromStore = 1ms, kWatch = 1500us;
constexpr Duration kTimerLate = 100us;
const LinkIndex kLink(2);
}  // namespace

struct Cluster::Host {
  std::size_t index = 0;
  NodeName name;
  Duration offset = 0s;                 // of its clock
  std::unique_ptr<daemon::Node> node;   // none: not running
  std::unique_ptr<coord::Guard> guard;  // lives and dies with it
  std::string key;                      // of heartbeats, as its node told its guard
  std::uint64_t life = 0;               // which process: what belongs to an older one is dropped
  std::optional<Instant> node_due, guard_due;  // by its own clock
  l2::Grants grants;
  bool spoke = false;  // had a VIP and the right to answer for it
  std::uint64_t interruptions = 0;
  Writes writes;
};

Writes Writes::operator-(const Writes& before) const {
  return {member - before.member, table - before.table, leader - before.leader,
          status - before.status, cluster - before.cluster};
}

Cluster::Cluster(Options options) : options_(std::move(options)) {
  for (std::size_t i = 0; i < options_.hosts; ++i) {
    auto host = std::make_unique<Host>();
    host->index = i;
    host->name = name(i);
    host->offset = 100s * static_cast<int>(i);
    hosts_.push_back(std::move(host));
  }
  want_services(0);
}

Cluster::~Cluster() = default;

// ---- what a test tells
// -------------------------------------------------------------------------------

void Cluster::start(std::size_t index) {
  Host& host = *hosts_.at(index);
  if (host.node) return;
  daemon::NodeConfig config;
  config.name = host.name;
  config.machine_id = "machine-" + host.name.str();
  config.timing = options_.timing;
  config.guard_timing = options_.guard_timing;
  if (options_.heartbeats) {
    config.new_heartbeat_key = Bytes(coord::kHeartbeatKeyBytes, std::uint8_t{7});
    config.heartbeat_port = 7471;
  }
  ++host.life;
  config.seed = 100 * index + host.life;
  host.guard = std::make_unique<coord::Guard>(host.name, config.guard_timing);
  host.node = std::make_unique<daemon::Node>(config, local(host));
  Link eth0;
  eth0.index = kLink;
  eth0.name = "eth0";
  eth0.mac = MacAddress{{2, 0, 0, 0, 0, static_cast<std::uint8_t>(index + 1)}};
  eth0.up = eth0.ethernet = eth0.carrier = true;
  eth0.addresses = {{IpAddress::v4(0x0ac80001u + static_cast<std::uint32_t>(index)), 16}};
  deliver(host, daemon::LinksRead{{eth0}});
  deliver(host, daemon::DesiredRead{desired_});
}

void Cluster::start_all() {
  for (const auto& host : hosts_) start(host->index);
}

void Cluster::crash(std::size_t host) {
  end(*hosts_.at(host));
}

void Cluster::stop(std::size_t host) {
  deliver(*hosts_.at(host), daemon::StopRequested{});
}

void Cluster::want_services(std::size_t count) {
  auto desired = std::make_shared<Desired>();
  Pool pool;
  pool.name = PoolName("lan");
  pool.ranges = {IpRange::of(*IpPrefix::parse("10.200.64.0/18"))};
  desired->pools = {pool};
  std::set<ObjectName> names;
  for (std::size_t i = 0; i < count; ++i) {
    Service s;
    s.name = {"default", fmt::format("s{}", i)};
    s.created = 0;
    names.insert(s.name);
    desired->services.push_back(std::move(s));
  }
  L2Policy policy;
  policy.name = "all";
  desired->l2_policies = {policy};
  store_.set_wanted(std::move(names));
  desired_ = std::move(desired);
  for (auto& host : hosts_) deliver(*host, daemon::DesiredRead{desired_});
}

// The process is gone, and its responder with it.
void Cluster::end(Host& host) {
  const auto interruptions = host.interruptions;
  set_grants(host, {});
  host.interruptions = interruptions;
  host.grants = {};
  host.spoke = false;
  host.node.reset();
  host.guard.reset();
  host.key.clear();
  host.node_due.reset();
  host.guard_due.reset();
  ++host.life;
}

// ---- time
// --------------------------------------------------------------------------------------------

void Cluster::after(Duration delay, std::function<void()> what) {
  queue_.push_back({now_ + delay, sequence_++, std::move(what)});
  std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
}

void Cluster::after(Duration delay, Host& host, std::function<void()> what) {
  after(delay, [&host, life = host.life, what = std::move(what)] {
    if (host.life == life && host.node) what();
  });
}

void Cluster::next() {
  std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
  const Due due = std::move(queue_.back());
  queue_.pop_back();
  now_ = due.at;
  watch_rights();  // as time alone has left them
  due.what();
}

void Cluster::run_for(Duration time) {
  const Instant end = now_ + time;
  while (!queue_.empty() && queue_.front().at <= end) next();
  now_ = end;
}

bool Cluster::run_until(const std::function<bool()>& so, Duration limit) {
  const Instant end = now_ + limit;
  while (!so()) {
    if (now_ >= end) return false;
    run_for(5ms);
  }
  return true;
}

Instant Cluster::local(const Host& host) const {
  return now_ + host.offset;
}

void Cluster::arm(Host& host) {
  if (!host.node) return;
  const auto timer = [&](std::optional<Instant> due, std::optional<Instant> Host::*armed,
                         std::function<void()> what) {
    if (due == host.*armed) return;
    host.*armed = due;
    if (!due) return;
    const Duration wait = std::max(*due - local(host), Duration::zero()) + kTimerLate;
    after(wait, host, [&host, armed, due, what = std::move(what)] {
      if (host.*armed != due) return;  // it was armed anew
      (host.*armed).reset();
      what();
    });
  };
  timer(host.node->next_deadline(), &Host::node_due,
        [this, &host] { deliver(host, daemon::TimePassed{}); });
  timer(host.guard->next_deadline(), &Host::guard_due, [this, &host] {
    host.guard->tick(local(host));
    pump(host);
  });
}

// ---- hosts, their store and their network
// ----------------------------------------------------------

void Cluster::deliver(Host& host, daemon::Event event) {
  if (!host.node) return;
  const auto life = host.life;
  for (const auto& effect : host.node->step(event, local(host))) {
    perform(host, effect);
    if (host.life != life) return;
  }
  arm(host);
}

void Cluster::perform(Host& host, const daemon::Effect& effect) {
  if (const auto* g = std::get_if<daemon::SetGrants>(&effect)) {
    set_grants(host, g->links);
  } else if (const auto* o = std::get_if<daemon::ApplyGuard>(&effect)) {
    host.key = o->orders->key;
    host.guard->apply(o->orders, local(host));
    host.guard->tick(local(host));
    pump(host);
  } else if (const auto* a = std::get_if<daemon::AskStore>(&effect)) {
    ask(host, *a);
  } else if (std::holds_alternative<daemon::Exit>(effect)) {
    end(host);
  }
}

void Cluster::set_grants(Host& host, l2::LinkGrants links) {
  const auto vips = [](const l2::LinkGrants& grants) -> const std::vector<IpAddress>& {
    static const std::vector<IpAddress> kNone;
    const auto it = grants.find(kLink);
    return it == grants.end() ? kNone : it->second.vips;
  };
  for (const IpAddress& vip : vips(host.grants.links)) {
    granted_[vip].erase(host.index);
    if (!std::binary_search(vips(links).begin(), vips(links).end(), vip)) ++host.interruptions;
  }
  host.grants.links = std::move(links);
  for (const IpAddress& vip : vips(host.grants.links)) {
    auto& holders = granted_[vip];
    holders.insert(host.index);
    if (holders.size() < 2) continue;
    const auto speakers = std::count_if(holders.begin(), holders.end(), [&](std::size_t i) {
      return local(*hosts_[i]) < hosts_[i]->grants.deadline;
    });
    if (speakers > 1) fail(fmt::format("{} hosts may answer for {}", speakers, to_string(vip)));
  }
}

void Cluster::watch_rights() {
  for (auto& host : hosts_) {
    const bool speaks = !host->grants.links.empty() && local(*host) < host->grants.deadline;
    if (host->spoke && !speaks && !host->grants.links.empty()) ++host->interruptions;
    host->spoke = speaks;
  }
}

void Cluster::pump(Host& host) {
  host.grants.deadline = host.guard->deadline();
  for (const coord::Outgoing& o : host.guard->take_messages()) send(host, o);
  if (auto report = host.guard->take_report()) {
    after(50us, host,
          [this, &host, said = std::move(*report)] { deliver(host, daemon::GuardReported{said}); });
  }
  arm(host);
}

void Cluster::send(Host& from, const coord::Outgoing& outgoing) {
  const auto to = std::find_if(hosts_.begin(), hosts_.end(),
                               [&](const auto& host) { return host->name == outgoing.to; });
  HERALD_CHECK(to != hosts_.end());
  after(kDatagram, [this, &target = **to, message = outgoing.message, key = from.key] {
    if (!target.node || key.empty() || target.key != key) return;
    target.guard->receive(message, local(target));
    target.guard->tick(local(target));
    pump(target);
  });
}

void Cluster::ask(Host& host, const daemon::AskStore& ask) {
  if (store_away_) return;
  const auto* cas = std::get_if<coord::CasDocument>(&ask.request);
  if (cas != nullptr) {
    Writes& w = host.writes;
    std::uint64_t* const counters[] = {&w.member, &w.table, &w.leader, &w.status, &w.cluster};
    ++*counters[cas->document.index()];
  }
  after(kToStore, [this, &host, ask, life = host.life] {
    coord::StoreReply answer;
    if (const auto* read = std::get_if<coord::ReadDocument>(&ask.request)) {
      answer = store_.read(read->key);
    } else if (const auto* write = std::get_if<coord::CasDocument>(&ask.request)) {
      const auto outcome = store_.cas(*write);
      answer = coord::CasReply{outcome, ""};
      if (!store_.violation().empty()) fail(store_.violation());
      for (auto& watcher : hosts_) {
        if (outcome != coord::CasOutcome::Won || store_away_) break;
        after(kWatch, *watcher, [this, w = watcher.get(), document = write->document] {
          deliver(*w, daemon::StoreChanged{{document}});
        });
      }
    } else {
      answer = store_.list();
    }
    if (store_away_ || host.life != life) return;
    after(kFromStore, host, [this, &host, id = ask.id, answer = std::move(answer)] {
      deliver(host, daemon::StoreAnswered{id, answer});
    });
  });
}

// ---- what a test sees
// -----------------------------------------------------------------------------------

NodeName Cluster::name(std::size_t host) {
  return NodeName(fmt::format("n{}", host + 1));
}

bool Cluster::runs(std::size_t host) const {
  return hosts_.at(host)->node != nullptr;
}

const daemon::Node& Cluster::node(std::size_t host) const {
  HERALD_CHECK(runs(host));
  return *hosts_[host]->node;
}

std::optional<std::size_t> Cluster::leader() const {
  for (const auto& host : hosts_) {
    if (host->node && host->node->election().leads(local(*host))) return host->index;
  }
  return std::nullopt;
}

std::map<std::size_t, std::size_t> Cluster::answering() const {
  std::map<std::size_t, std::size_t> out;
  for (const auto& [vip, holders] : granted_) {
    for (const std::size_t i : holders) {
      if (local(*hosts_[i]) < hosts_[i]->grants.deadline) ++out[i];
    }
  }
  return out;
}

bool Cluster::served() const {
  std::size_t answered = 0;
  for (const auto& [host, count] : answering()) answered += count;
  return answered == desired_->services.size();
}

Writes Cluster::writes() const {
  Writes all;
  for (const auto& host : hosts_) {
    const Writes& w = host->writes;
    all.member += w.member;
    all.table += w.table;
    all.leader += w.leader;
    all.status += w.status;
    all.cluster += w.cluster;
  }
  return all;
}

const Writes& Cluster::writes(std::size_t host) const {
  return hosts_.at(host)->writes;
}

std::uint64_t Cluster::interruptions(std::size_t host) const {
  return hosts_.at(host)->interruptions;
}

void Cluster::fail(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

}  // namespace herald::sim
