// herald_sim: runs seeds of the simulation, or tells the story of one.
#include <chrono>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "tests/sim/world.h"

int main(int argc, char** argv) {
  using namespace herald::sim;
  std::uint64_t seed = 0, from = 1, count = 2000;
  CLI::App app{"Herald's deterministic simulation: whole nodes in a fake world"};
  auto* one = app.add_option("--seed", seed, "replay this seed and print its story");
  app.add_option("--from", from, "first seed")->capture_default_str();
  app.add_option("--count", count, "how many seeds")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  if (*one) {
    World world(
        {seed, true, Wrong::Nothing, [](const std::string& line) { std::puts(line.c_str()); }});
    const Verdict v = world.run();
    std::printf("seed %lu: %s; %lu events, %lu moves, trace %016lx\n", seed,
                v.violation.empty() ? "all was well" : v.violation.c_str(), v.events, v.moves,
                v.trace_hash);
    return v.violation.empty() ? 0 : 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t bad = 0, events = 0, moves = 0;
  for (std::uint64_t s = from; s < from + count; ++s) {
    const Verdict v = World({s, true, Wrong::Nothing, {}}).run();
    events += v.events;
    moves += v.moves;
    if (v.violation.empty()) continue;
    ++bad;
    std::printf("seed %lu: %s (herald_sim --seed %lu tells how)\n", s, v.violation.c_str(), s);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%lu seeds, %lu events, %lu moves in %.1f s; %lu bad\n", count, events, moves,
              took.count(), bad);
  return bad == 0 ? 0 : 1;
}
