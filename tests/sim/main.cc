// herald_sim: runs seeds of the simulation, or tells the story of one.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include "tests/sim/world.h"

namespace {

using namespace herald::sim;

int tell_story(std::uint64_t seed, bool hunt) {
  World world(
      {seed, true, Wrong::Nothing, [](const std::string& line) { std::puts(line.c_str()); }, hunt});
  const Verdict v = world.run();
  std::printf("seed %lu: %s; %lu events, %lu moves, trace %016lx\n", seed,
              v.violation.empty() ? "all was well" : v.violation.c_str(), v.events, v.moves,
              v.trace_hash);
  return v.violation.empty() ? 0 : 1;
}

int run_many(std::uint64_t from, std::uint64_t count, unsigned jobs, bool first, bool hunt) {
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> next{from}, bad{0}, events{0}, moves{0};
  std::uint64_t first_bad = 0;
  std::mutex printing;
  const auto work = [&] {
    for (std::uint64_t s = next++; s < from + count; s = next++) {
      const Verdict v = World({s, true, Wrong::Nothing, {}, hunt}).run();
      events += v.events;
      moves += v.moves;
      if (v.violation.empty()) continue;
      const std::lock_guard lock(printing);
      if (bad++ == 0 || s < first_bad) first_bad = s;
      std::printf("seed %lu: %s\n", s, v.violation.c_str());
      std::fflush(stdout);
      if (first) next = from + count;
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < jobs; ++i) threads.emplace_back(work);
  threads.clear();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%lu seeds, %lu events, %lu moves in %.1f s (%.0f seeds/s); %lu bad\n", count,
              events.load(), moves.load(), took.count(), static_cast<double>(count) / took.count(),
              bad.load());
  if (bad == 0) return 0;
  std::printf("first bad seed: %lu; `herald_sim%s --seed %lu` tells its story again:\n\n",
              first_bad, hunt ? " --hunt" : "", first_bad);
  tell_story(first_bad, hunt);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 0, from = 1, count = 2000;
  unsigned jobs = 1;
  bool first = false, hunt = false;
  CLI::App app{"Herald's deterministic simulation: whole nodes in a fake world"};
  auto* one = app.add_option("--seed", seed, "replay this seed and print its story");
  app.add_option("--from", from, "first seed")->capture_default_str();
  app.add_option("--count", count, "how many seeds")->capture_default_str();
  app.add_option("--jobs", jobs, "how many to run side by side")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_flag("--first", first, "stop at the first bad seed");
  app.add_flag("--hunt", hunt,
               "worlds in which two owners are likelier, without a calm at the end");
  CLI11_PARSE(app, argc, argv);
  return *one ? tell_story(seed, hunt) : run_many(from, count, jobs, first, hunt);
}
