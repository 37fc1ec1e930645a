// bench/ipam_bench.cc: what one address costs with a million held, alone and shared, in time and in
// octets, and a whole plan of 10,000 services and 100 pools. Run: build/release/bin/ipam_bench
// (option HERALD_BENCH).
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "ipam/allocator.h"
#include "ipam/ledger.h"
#include "ipam/pool_space.h"

namespace herald::ipam {
namespace {

constexpr std::uint32_t kHeld = 1'000'000;

Pool big(const char* prefix) {
  Pool pool;
  pool.name = PoolName("big");
  pool.ranges = {IpRange::of(*IpPrefix::parse(prefix))};
  return pool;
}
Pool slash8() {
  return big("10.0.0.0/8");
}

double octets_in_use() {
  return static_cast<double>(mallinfo2().uordblks);
}

// Every `step`-th address from 10.0.0.0 on: 1 is one interval, 2 is as many as there can be.
PoolSpace held(std::uint32_t step) {
  PoolSpace space(slash8());
  for (std::uint32_t i = 0; i < kHeld; ++i) {
    space.take(IpAddress::v4((10u << 24) + i * step));
  }
  return space;
}

void allocate_and_free(benchmark::State& state) {
  PoolSpace space = held(static_cast<std::uint32_t>(state.range(0)));
  for (auto _ : state) {
    const IpAddress ip = *space.lowest_free(IpFamily::IPv4);
    space.take(ip);
    space.give_back(ip);
  }
}
BENCHMARK(allocate_and_free)->Arg(1)->Arg(2);

// Random addresses among the held ones: freed, then imported again.
void free_and_import(benchmark::State& state) {
  const auto step = static_cast<std::uint32_t>(state.range(0));
  PoolSpace space = held(step);
  Rng rng(1);
  std::vector<IpAddress> ips;
  for (int i = 0; i < 1 << 16; ++i) {
    const auto nth = static_cast<std::uint32_t>(rng.below(kHeld));
    ips.push_back(IpAddress::v4((10u << 24) + nth * step));
  }
  std::size_t i = 0;
  for (auto _ : state) {
    const IpAddress& ip = ips[i++ % ips.size()];
    space.give_back(ip);
    space.take(ip);
  }
}
BENCHMARK(free_and_import)->Arg(1)->Arg(2);

// A million from an empty pool, one after the other.
void fill(benchmark::State& state) {
  for (auto _ : state) {
    PoolSpace space(slash8());
    for (std::uint32_t i = 0; i < kHeld; ++i) space.take(*space.lowest_free(IpFamily::IPv4));
    benchmark::DoNotOptimize(space);
  }
  state.SetItemsProcessed(state.iterations() * kHeld);
}
BENCHMARK(fill)->Unit(benchmark::kMillisecond);

// The same from an IPv6 /64.
void fill_v6(benchmark::State& state) {
  for (auto _ : state) {
    PoolSpace space(big("fd00::/64"));
    for (std::uint32_t i = 0; i < kHeld; ++i) space.take(*space.lowest_free(IpFamily::IPv6));
    benchmark::DoNotOptimize(space);
  }
  state.SetItemsProcessed(state.iterations() * kHeld);
}
BENCHMARK(fill_v6)->Unit(benchmark::kMillisecond);

// A million addresses with their holders. Argument: services per address; those that share have one
// key for each group.
void ledger(benchmark::State& state) {
  const auto together = static_cast<std::size_t>(state.range(0));
  const std::vector<Pool> pools = {slash8()};
  const std::size_t groups = kHeld / 1000;
  std::vector<Service> services(groups * together);
  for (std::size_t i = 0; i < services.size(); ++i) {
    services[i].name = {"default", "s" + std::to_string(i)};
    services[i].ports = {{static_cast<std::uint16_t>(i % together + 1), Protocol::TCP}};
    if (together > 1) services[i].sharing = Sharing{"k" + std::to_string(i / together), {}, false};
  }
  double octets = 0;
  for (auto _ : state) {
    const double before = octets_in_use();
    Ledger all(pools);
    for (std::uint32_t n = 0; n < kHeld; ++n) {
      const IpAddress ip = *all.space(0).lowest_free(IpFamily::IPv4);
      const std::size_t first = n % groups * together;
      for (std::size_t k = 0; k < together; ++k) all.add(ip, &services[first + k]);
    }
    octets = octets_in_use() - before;
  }
  state.SetItemsProcessed(state.iterations() * kHeld * static_cast<std::int64_t>(together));
  state.counters["octets_per_address"] = octets / kHeld;
}
BENCHMARK(ledger)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

// A million held; one that shares joins the lowest that it may, and leaves again.
void join_and_leave(benchmark::State& state) {
  const std::vector<Pool> pools = {slash8()};
  std::vector<Service> services(kHeld);
  Ledger all(pools);
  for (std::uint32_t i = 0; i < kHeld; ++i) {
    services[i].name = {"default", "s" + std::to_string(i)};
    services[i].ports = {{80, Protocol::TCP}};
    services[i].sharing = Sharing{"k" + std::to_string(i / 10), {}, false};
    all.add(IpAddress::v4((10u << 24) + i), &services[i]);
  }
  std::vector<Service> newcomers(1 << 12);
  for (std::size_t i = 0; i < newcomers.size(); ++i) {
    newcomers[i].name = {"default", "n" + std::to_string(i)};
    newcomers[i].ports = {{81, Protocol::TCP}};
    newcomers[i].sharing = Sharing{"k" + std::to_string(i * 20), {}, false};
  }
  std::size_t i = 0;
  for (auto _ : state) {
    const Service& s = newcomers[i++ % newcomers.size()];
    const IpAddress ip = *all.lowest_shareable(s, pools[0].ranges[0]);
    all.add(ip, &s);
    all.remove(ip, &s);
  }
}
BENCHMARK(join_and_leave);

// Arguments: 0, nothing is held yet; 1, everything is and nothing changes. 1: half of the services
// share, ten by ten, and all of these have the same ports.
void plan_10000_services_100_pools(benchmark::State& state) {
  std::vector<Pool> pools;
  for (std::uint32_t i = 0; i < 100; ++i) {
    Pool pool;
    pool.name = PoolName("pool-" + std::to_string(i));
    pool.ranges = {IpRange::of(IpPrefix(IpAddress::v4((10u << 24) + (i << 8)), 24))};
    pool.service_selectors.emplace_back().match_labels = {{"group", std::to_string(i % 50)}};
    pools.push_back(pool);
  }
  SharedList<Service> services;
  for (int i = 0; i < 10'000; ++i) {
    Service s;
    s.name = {"ns-" + std::to_string(i % 20), "service-" + std::to_string(i)};
    s.labels = {{"app", "web"}, {"group", std::to_string(i % 50)}};
    if (state.range(1) == 1 && i % 2 == 0) {
      s.sharing = Sharing{"key-" + std::to_string(i % 20), {"*"}, false};
      s.ports = {{80, Protocol::TCP}};
    }
    services.push_back(s);
  }
  Holdings holdings;
  if (state.range(0) == 1) {
    const Plan first = plan({pools, {}, services, holdings, true});
    holdings = carry_out(first, holdings);
  }
  const std::vector<NamespaceObject> namespaces;
  for (auto _ : state) {
    benchmark::DoNotOptimize(plan({pools, namespaces, services, holdings, true}));
  }
}
BENCHMARK(plan_10000_services_100_pools)
    ->ArgsProduct({{0, 1}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace herald::ipam
