// bench/heartbeat_bench.cc: what a heartbeat costs its sender and its receiver, HMAC included, and
// what it costs to refuse a forged one. Run: build/release/bin/heartbeat_bench (HERALD_BENCH).
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "coord/heartbeat_wire.h"

namespace herald::coord {
namespace {

const HeartbeatSeal& seal() {
  static const HeartbeatSeal kSeal = *HeartbeatSeal::make("default", std::string(32, 'k'));
  return kSeal;
}

// A heartbeat and so many standing fences.
std::vector<GuardMessage> messages(std::int64_t fences) {
  const NodeName self("worker-1.example.com");
  std::vector<GuardMessage> out = {
      {self, Incarnation(7),
       Heartbeat{NodeName("worker-2.example.com"), Incarnation(3), Revision(12), 123'456}}};
  for (std::int64_t i = 0; i < fences; ++i) {
    const NodeName ward("worker-" + std::to_string(100 + i) + ".example.com");
    out.push_back({self, Incarnation(7), Fence{ward, Revision(5)}});
  }
  return out;
}

void encode(benchmark::State& state) {
  const auto all = messages(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(seal().close(all));
}
BENCHMARK(encode)->Arg(0)->Arg(4);

void check_and_decode(benchmark::State& state) {
  const Bytes datagram = seal().close(messages(state.range(0)))->front();
  for (auto _ : state) benchmark::DoNotOptimize(seal().open(datagram));
}
BENCHMARK(check_and_decode)->Arg(0)->Arg(4);

// The last octet of the HMAC is wrong: nothing is saved by that.
void refuse_forged(benchmark::State& state) {
  Bytes datagram = seal().close(messages(0))->front();
  datagram.back() ^= 1;
  for (auto _ : state) benchmark::DoNotOptimize(seal().open(datagram));
}
BENCHMARK(refuse_forged);

void refuse_other_cluster(benchmark::State& state) {
  const auto other = *HeartbeatSeal::make("other", std::string(32, 'k'));
  const Bytes datagram = other.close(messages(0))->front();
  for (auto _ : state) benchmark::DoNotOptimize(seal().open(datagram));
}
BENCHMARK(refuse_other_cluster);

}  // namespace
}  // namespace herald::coord
