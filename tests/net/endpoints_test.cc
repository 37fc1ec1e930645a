#include "net/endpoints.h"

#include <gtest/gtest.h>

#include <set>

namespace herald {
namespace {

constexpr Instant kStart{1000s};

TEST(Endpoints, KeepsOneWhileItWorksAndSpreadsNodes) {
  std::set<std::size_t> firsts;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Endpoints endpoints(3, Rng(seed));
    const auto first = endpoints.choose({}, kStart);
    ASSERT_TRUE(first);
    firsts.insert(*first);
    endpoints.worked(*first, kStart);
    EXPECT_EQ(endpoints.choose({}, kStart + 1h), first);
  }
  EXPECT_EQ(firsts.size(), 3U);
}

TEST(Endpoints, OneThatRefusesIsLeftAloneLongerEachTime) {
  Endpoints endpoints(1, Rng(1));
  Instant now = kStart;
  Duration longest{};
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(endpoints.choose({}, now), 0U);
    endpoints.refused(0, now);
    EXPECT_FALSE(endpoints.choose({}, now + 9ms));
    const Instant before = now;
    while (!endpoints.choose({}, now)) now += 1ms;
    longest = now - before;
    ASSERT_LE(longest, 401ms);
  }
  EXPECT_GE(longest, 200ms);
  endpoints.worked(0, now);
  endpoints.refused(0, now);
  EXPECT_TRUE(endpoints.choose({}, now + 20ms));
}

TEST(Endpoints, WhoAsksSeldomIsNotSentToTheDeadOneEachTime) {
  Endpoints endpoints(3, Rng(1));
  Instant now = kStart;
  const std::size_t dead = *endpoints.choose({}, now);
  const std::size_t hangs = (dead + 1) % 3;
  int asked = 0;
  for (; asked < 10; ++asked, now += 1s) {
    const std::size_t next = *endpoints.choose({}, now);
    if (next == dead) {
      endpoints.refused(dead, now);
    } else if (next == hangs) {
      endpoints.silent(hangs, now);
    } else {
      break;
    }
  }
  EXPECT_EQ(asked, 2);
}

TEST(Endpoints, OthersComeFirstAfterSilenceAndThereIsNoWayBackWithoutNeed) {
  Endpoints endpoints(3, Rng(1));
  const std::size_t first = *endpoints.choose({}, kStart);
  endpoints.silent(first, kStart);
  const std::size_t second = *endpoints.choose({}, kStart);
  EXPECT_NE(second, first);
  endpoints.worked(second, kStart);
  EXPECT_EQ(endpoints.choose({}, kStart + 1h), second);
  const std::size_t third = *endpoints.choose({second}, kStart);
  EXPECT_NE(third, first);
  // The doubted one is still better than none.
  EXPECT_EQ(endpoints.choose({second, third}, kStart), first);
  EXPECT_FALSE(endpoints.choose({first, second, third}, kStart));
  // A lone one is asked whatever happens.
  Endpoints lone(1, Rng(1));
  lone.silent(0, kStart);
  EXPECT_EQ(lone.choose({}, kStart), 0U);
}

}  // namespace
}  // namespace herald
