// bench/ipam_bench.cc: what one address costs with a million held, and a whole plan of 10,000
// services and 100 pools. Run: build/release/bin/ipam_bench (option HERALD_BENCH).
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "ipam/allocator.h"
#include "ipam/pool_space.h"

namespace herald::ipam {
namespace {

constexpr std::uint32_t kHeld = 1'000'000;

Pool slash8() {
  Pool pool;
  pool.name = PoolName("ten");
  pool.ranges = {IpRange::of(*IpPrefix::parse("10.0.0.0/8"))};
  return pool;
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

// Argument: 0, nothing is held yet; 1, everything is and nothing changes.
void plan_10000_services_100_pools(benchmark::State& state) {
  std::vector<Pool> pools;
  for (std::uint32_t i = 0; i < 100; ++i) {
    Pool pool;
    pool.name = PoolName("pool-" + std::to_string(i));
    pool.ranges = {IpRange::of(IpPrefix(IpAddress::v4((10u << 24) + (i << 8)), 24))};
    pool.service_selectors.emplace_back().match_labels = {{"group", std::to_string(i % 50)}};
    pools.push_back(pool);
  }
  std::vector<Service> services;
  for (int i = 0; i < 10'000; ++i) {
    Service s;
    s.name = {"ns-" + std::to_string(i % 20), "service-" + std::to_string(i)};
    s.labels = {{"app", "web"}, {"group", std::to_string(i % 50)}};
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
BENCHMARK(plan_10000_services_100_pools)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace herald::ipam
