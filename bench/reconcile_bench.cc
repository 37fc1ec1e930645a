// bench/reconcile_bench.cc: what 10,000 IPs on 5 nodes cost the thread that decides: the parts, and
// a whole node on the way through a failover. Run: build/release/bin/reconcile_bench (option
// HERALD_BENCH).
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coord/guard.h"
#include "daemon/node.h"

namespace herald::daemon {
namespace {

constexpr std::size_t kIps = 10'000;
constexpr int kNodes = 5;
const Instant kNow{1000s};

NodeName name(int n) {
  return NodeName(fmt::format("n{}", n));
}

std::shared_ptr<const Desired> desired() {
  auto out = std::make_shared<Desired>();
  Pool pool;
  pool.name = PoolName("lan");
  pool.ranges = {IpRange::of(*IpPrefix::parse("10.200.64.0/18"))};
  out->pools = {pool};
  for (std::size_t i = 0; i < kIps; ++i) {
    Service s;
    s.name = {"default", fmt::format("s{}", i)};
    s.created = 0;
    out->services.push_back(std::move(s));
  }
  L2Policy policy;
  policy.name = "all";
  out->l2_policies = {policy};
  return out;
}

coord::MemberDocument member(int n, std::uint64_t rev = 1) {
  coord::MemberDocument d;
  d.node = name(n);
  d.rev = coord::Revision(rev);
  d.inc = coord::Incarnation(1);
  d.info.machine_id = "machine-" + d.node.str();
  d.info.links = {{"eth0", {*IpPrefix::parse("10.200.0.0/16")}}};
  return d;
}

// Every IP, dealt out one by one.
std::vector<coord::TableDocument> shards() {
  std::vector<coord::TableDocument> out(coord::kShards);
  IpAddress vip = *IpAddress::parse("10.200.64.0");
  for (std::size_t i = 0; i < kIps; ++i, vip = vip.next()) {
    coord::TableDocument& d = out[coord::shard_of(vip)];
    d.shard = coord::shard_of(vip);
    d.rev = coord::Revision(1);
    d.highest = coord::Epoch(1);
    coord::TableEntry& e = d.entries[vip];
    e.services = {{"default", fmt::format("s{}", i)}};
    e.owner = name(static_cast<int>(i % kNodes) + 1);
    e.inc = coord::Incarnation(1);
    e.epoch = coord::Epoch(1);
  }
  return out;
}

coord::Table table() {
  coord::Table out;
  for (const auto& d : shards()) out.on_seen(d, kNow);
  out.on_listed();
  return out;
}

coord::Peers peers() {
  coord::Peers out(name(1), coord::LeaseTiming{});
  for (int n = 1; n <= kNodes; ++n) out.on_seen(member(n), kNow);
  return out;
}

// Who may own what: made anew when a member comes or goes.
void placing(benchmark::State& state) {
  const Policies policies(desired());
  const auto holdings = holdings_of(table());
  const auto members = eligible_members(peers(), std::nullopt, kNow);
  for (auto _ : state) benchmark::DoNotOptimize(place(policies, holdings, members, {}));
}
BENCHMARK(placing)->Unit(benchmark::kMillisecond);

// The leader's choice: made anew when a service or the holdings change.
void allocating(benchmark::State& state) {
  const Policies policies(desired());
  const coord::Table all = table();
  for (auto _ : state) benchmark::DoNotOptimize(allocate(policies, all, {}, {}));
}
BENCHMARK(allocating)->Unit(benchmark::kMillisecond);

// From the evidence that n5 is gone to 16 writes that give its 2,000 IPs to the others.
void deciding_a_failover(benchmark::State& state) {
  const Policies policies(desired());
  const coord::Table all = table();
  coord::Peers others = peers();
  coord::MemberDocument gone = member(kNodes, 2);
  gone.revoked = true;
  others.on_cas(gone, coord::CasOutcome::Won, kNow);
  const auto plan =
      place(policies, holdings_of(all), eligible_members(others, std::nullopt, kNow), {});
  const coord::Editor editor{name(1), coord::Incarnation(1), true, false, false, true, true, 1};
  for (auto _ : state) {
    state.PauseTiming();
    coord::Table copy = all;
    state.ResumeTiming();
    copy.edit(plan, editor, others, kNow);
    if (copy.take_requests().size() != coord::kShards) state.SkipWithError("not 16 writes");
  }
}
BENCHMARK(deciding_a_failover)->Unit(benchmark::kMillisecond);

// A whole node that leads, with a store that answers at once.
class Whole {
 public:
  Whole() : node_(config(), now_) {
    for (const auto& d : shards()) keep(d);
    for (int n = 2; n <= kNodes; ++n) keep(member(n));
    Link eth0;
    eth0.index = LinkIndex(2);
    eth0.name = "eth0";
    eth0.mac = *MacAddress::parse("02:00:00:00:00:01");
    eth0.up = eth0.ethernet = eth0.carrier = true;
    eth0.addresses = {{*IpAddress::parse("10.200.0.1"), 16}};
    step(LinksRead{{eth0}});
    step(DesiredRead{desired()});
    for (int i = 0; i < 100; ++i) {  // the statuses are told
      now_ += 1ms;
      step(TimePassed{});
    }
  }

  void step(const Event& event) {
    auto effects = node_.step(event, now_);
    for (std::size_t i = 0; i < effects.size(); ++i) {
      const auto* ask = std::get_if<AskStore>(&effects[i]);
      if (ask == nullptr) continue;
      auto more = node_.step(StoreAnswered{ask->id, answer(ask->request)}, now_);
      for (auto& effect : more) effects.push_back(std::move(effect));
    }
  }
  coord::TableDocument shard(unsigned s) const {
    return std::get<coord::TableDocument>(documents_.at(coord::table_key(s)));
  }
  void keep(const coord::Document& d) { documents_[coord::key_of(d)] = d; }
  bool leads() const { return node_.election().leads(now_); }

 private:
  static NodeConfig config() {
    NodeConfig c;
    c.name = name(1);
    c.machine_id = "machine-n1";
    c.timing.lease = 1h;  // the others are never silent here
    c.timing.revoke_after = c.timing.leader_lease = 2h;
    return c;
  }
  coord::StoreReply answer(const coord::StoreRequest& request) {
    if (const auto* read = std::get_if<coord::ReadDocument>(&request)) {
      const auto it = documents_.find(read->key);
      return it == documents_.end() ? coord::ReadReply{} : coord::ReadReply{it->second};
    }
    if (const auto* cas = std::get_if<coord::CasDocument>(&request)) {
      keep(cas->document);
      return coord::CasReply{coord::CasOutcome::Won, ""};
    }
    coord::ListReply all;
    for (const auto& [key, d] : documents_) all.documents.push_back(d);
    return all;
  }

  Instant now_ = kNow;
  Node node_;
  std::map<coord::DocumentKey, coord::Document> documents_;
};

// A node hears that a shard has other owners: 16 times in each failover, on every node.
void hearing_of_a_shard(benchmark::State& state) {
  Whole whole;
  if (!whole.leads()) return state.SkipWithError("it does not lead");
  unsigned s = 0;
  for (auto _ : state) {
    state.PauseTiming();
    coord::TableDocument d = whole.shard(s);
    d.rev = d.rev.next();
    d.highest = d.highest.next();
    for (auto& [vip, entry] : d.entries) {  // n5's and n4's change places
      if (entry.owner != name(4) && entry.owner != name(5)) continue;
      entry.owner = name(entry.owner == name(4) ? 5 : 4);
      entry.epoch = d.highest;
    }
    whole.keep(d);
    const Event event = StoreChanged{{d}};
    s = (s + 1) % coord::kShards;
    state.ResumeTiming();
    whole.step(event);
  }
}
BENCHMARK(hearing_of_a_shard)->Unit(benchmark::kMillisecond);

// Any event that changes nothing.
void hearing_nothing_new(benchmark::State& state) {
  Whole whole;
  for (auto _ : state) whole.step(TimePassed{});
}
BENCHMARK(hearing_nothing_new)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace herald::daemon
