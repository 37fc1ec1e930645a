#include "base/troubles.h"

#include <gtest/gtest.h>

namespace herald {
namespace {

constexpr Instant kStart{1000s};

TEST(Troubles, AreToldWhenTheyBeginOrChange) {
  Troubles troubles;
  EXPECT_EQ(troubles.set("a", "", kStart), std::nullopt);
  EXPECT_EQ(troubles.set("a", "cut", kStart), "cut");
  EXPECT_EQ(troubles.set("a", "cut", kStart + 1h), std::nullopt);
  EXPECT_EQ(troubles.set("b", "cut", kStart), "cut");
  EXPECT_EQ(troubles.set("a", "slow", kStart), "slow");
  EXPECT_EQ(troubles.set("a", "", kStart), std::nullopt);
  EXPECT_EQ(troubles.set("a", "slow", kStart), "slow");
  EXPECT_TRUE(troubles.covers("so slow"));
  EXPECT_TRUE(troubles.covers("slo"));
  EXPECT_FALSE(troubles.covers("fast"));
}

TEST(Troubles, OneThatFlapsIsToldAFewTimesAMinute) {
  Troubles troubles;
  int told = 0;
  for (int second = 0; second < 600; ++second) {
    const Instant now = kStart + second * 1s;
    const auto words = troubles.set("a", second % 2 == 0 ? "cut" : "slow", now);
    if (!words) continue;
    ++told;
    EXPECT_EQ(words->find("comes and goes") != std::string::npos, told % Troubles::kTimes == 0);
  }
  EXPECT_EQ(told, 10 * Troubles::kTimes);
}

TEST(Troubles, SubjectsOfStrangersAreBounded) {
  Troubles troubles;
  for (std::size_t i = 0; i < Troubles::kMaxSubjects; ++i) {
    EXPECT_TRUE(troubles.set(std::to_string(i), "bad", kStart));
  }
  EXPECT_FALSE(troubles.set("one more", "bad", kStart));
  troubles.set("7", "", kStart);
  EXPECT_TRUE(troubles.set("one more", "bad", kStart + Troubles::kWindow));
  EXPECT_FALSE(troubles.set("two more", "bad", kStart + Troubles::kWindow));
}

}  // namespace
}  // namespace herald
