#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace herald::sim {
namespace {

Verdict run(std::uint64_t seed, bool faults = true, Wrong wrong = Wrong::Nothing) {
  return World({seed, faults, wrong, {}, false}).run();
}

// herald_sim runs seeds by the thousand; here is what must hold of the simulation itself.

TEST(Simulation, WithoutFaultsNothingMoves) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const Verdict v = run(seed, false);
    ASSERT_EQ(v.violation, "") << "seed " << seed;
    ASSERT_EQ(v.moves, 0u) << "seed " << seed;
  }
}

TEST(Simulation, TheSameSeedIsTheSameStory) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Verdict a = run(seed), b = run(seed);
    EXPECT_EQ(a.trace_hash, b.trace_hash) << "seed " << seed;
    EXPECT_EQ(a.events, b.events) << "seed " << seed;
  }
}

// The checks are worth something: each wrong world is caught.
class Wrongs : public testing::TestWithParam<Wrong> {};

TEST_P(Wrongs, IsCaught) {
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    if (!World({seed, true, GetParam(), {}, true}).run().violation.empty()) {
      RecordProperty("seed", static_cast<int>(seed));
      return;
    }
  }
  FAIL() << "4,000 seeds found nothing wrong";
}

INSTANTIATE_TEST_SUITE_P(World, Wrongs,
                         testing::Values(Wrong::ClockStopsInSuspend, Wrong::GrantsAppliedLate,
                                         Wrong::DeadlineOverstayed, Wrong::StoreIgnoresBase,
                                         Wrong::ClocksBeyondDrift));

}  // namespace
}  // namespace herald::sim
