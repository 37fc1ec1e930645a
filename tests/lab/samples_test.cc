// What the client's probe concludes from questions and answers: the benchmark's figures rest on it.
#include "integration/lab/samples.h"

#include <gtest/gtest.h>

namespace herald::lab {
namespace {

constexpr int kFirst = 0, kSecond = 1;
constexpr Nanoseconds kPatience = 100 * kMillisecond;

// Asks at 0, 1, 2 … ms; each test answers as it likes, at `at` ms.
class SamplesTest : public testing::Test {
 protected:
  void ask(int count) {
    for (int i = 0; i < count; ++i) samples_.ask(asked_++ * kMillisecond);
  }
  void answer(int from, int to, int who, double delay_ms = 0.5) {
    for (int i = from; i < to; ++i) {
      samples_.answer(static_cast<std::size_t>(i),
                      static_cast<Nanoseconds>((i + delay_ms) * kMillisecond), who);
    }
  }
  // Long after the last probe, so that each counts.
  Summary summary() const {
    return samples_.summarize((asked_ + 1000) * kMillisecond, kMillisecond, kPatience);
  }

  Samples samples_;
  Nanoseconds asked_ = 0;
};

TEST_F(SamplesTest, AllAnswered) {
  ask(100);
  answer(0, 100, kFirst);
  const Summary s = summary();
  EXPECT_EQ(s.sent, 100u);
  EXPECT_EQ(s.lost + s.late + s.dual_probes + s.changes + s.overruns, 0u);
  EXPECT_EQ(s.outage, 0);
  EXPECT_EQ(s.dual, 0);
  ASSERT_EQ(s.runs.size(), 1u);
  EXPECT_EQ(s.runs[0].answered, 100u);
}

TEST_F(SamplesTest, OutageIsFromTheFirstLostToTheNextAnswered) {
  ask(100);
  answer(0, 40, kFirst);
  answer(70, 100, kSecond);
  const Summary s = summary();
  EXPECT_EQ(s.lost, 30u);
  EXPECT_EQ(s.outage, 30 * kMillisecond);
  EXPECT_EQ(s.outage_start, 40 * kMillisecond);
  EXPECT_EQ(s.changes, 1u);
  EXPECT_EQ(s.dual, 0);
}

// A node that goes on after a long stop answers what has waited: too late, which is no success.
TEST_F(SamplesTest, AnswersThatComeLateFillNoGap) {
  ask(400);
  answer(0, 100, kFirst);
  answer(100, 300, kFirst, 250);
  answer(300, 400, kFirst);
  const Summary s = summary();
  EXPECT_EQ(s.lost, 200u);
  EXPECT_EQ(s.late, 200u);
  EXPECT_EQ(s.outage, 200 * kMillisecond);
}

TEST_F(SamplesTest, SilenceAtTheEndCounts) {
  ask(100);
  answer(0, 60, kFirst);
  const Summary s = samples_.summarize(100 * kMillisecond + kPatience, kMillisecond, kPatience);
  EXPECT_EQ(s.lost, 40u);
  EXPECT_EQ(s.outage, 40 * kMillisecond);
}

TEST_F(SamplesTest, ProbesTooYoungAreLeftOut) {
  ask(300);
  answer(0, 250, kFirst);
  const Summary s = samples_.summarize(300 * kMillisecond, kMillisecond, kPatience);
  EXPECT_EQ(s.lost, 0u);
  EXPECT_EQ(s.sent, 250u);
}

TEST_F(SamplesTest, TwoThatAnswerTheSameProbesAreTwoOwners) {
  ask(100);
  answer(0, 60, kFirst);
  answer(50, 100, kSecond, 0.6);
  const Summary s = summary();
  EXPECT_EQ(s.dual_probes, 10u);
  EXPECT_EQ(s.dual, 10 * kMillisecond);
  EXPECT_GT(s.changes, 1u);
}

// Each probe has one answer only, but not from the same: who loses packets must not hide it.
TEST_F(SamplesTest, TwoThatTakeTurnsAreTwoOwners) {
  ask(100);
  for (int i = 0; i < 100; ++i) answer(i, i + 1, i % 2 == 0 ? kFirst : kSecond);
  const Summary s = summary();
  EXPECT_EQ(s.dual_probes, 0u);
  EXPECT_EQ(s.dual, 97 * kMillisecond);  // from the second one's first to the first one's last
  EXPECT_EQ(s.changes, 99u);
}

// The old owner's answer to an old question, when the new one has answered already.
TEST_F(SamplesTest, AWordAfterTheTakeoverIsTwoOwners) {
  ask(200);
  answer(0, 100, kFirst);
  answer(110, 200, kSecond);
  answer(105, 106, kFirst, 25);  // arrives at 130
  const Summary s = summary();
  EXPECT_EQ(s.dual, static_cast<Nanoseconds>(19.5 * kMillisecond));
  EXPECT_EQ(s.changes, 3u);
}

TEST_F(SamplesTest, AMoveAndALaterReturnAreNotTwoOwners) {
  ask(300);
  answer(0, 100, kFirst);
  answer(100, 200, kSecond);
  answer(200, 300, kFirst);
  const Summary s = summary();
  EXPECT_EQ(s.dual, 0);
  EXPECT_EQ(s.changes, 2u);
  EXPECT_EQ(s.runs.size(), 3u);
}

TEST_F(SamplesTest, WhatTheProberMissedIsTold) {
  ask(10);
  asked_ += 20;  // it slept
  ask(10);
  answer(0, 20, kFirst);
  const Summary s = summary();
  EXPECT_EQ(s.overruns, 20u);
  EXPECT_EQ(s.longest_pause, 21 * kMillisecond);
}

TEST_F(SamplesTest, AnAnswerToAProbeThatNeverWasIsNothing) {
  ask(1);
  samples_.answer(7, 0, kFirst);
  EXPECT_EQ(summary().lost, 1u);
  EXPECT_EQ(summary().changes, 0u);
}

}  // namespace
}  // namespace herald::lab
