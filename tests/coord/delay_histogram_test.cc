#include "coord/delay_histogram.h"

#include <gtest/gtest.h>

namespace herald::coord {
namespace {

TEST(DelayHistogram, TellsMedianTailAndWorst) {
  DelayHistogram delays;
  const Instant t0 = Instant(1h);
  EXPECT_EQ(delays.last_minute(t0), DelaySummary{});
  for (int i = 0; i < 98; ++i) delays.record(50us, t0 + i * 1ms);
  delays.record(3ms, t0);
  delays.record(20ms, t0);
  const DelaySummary s = delays.last_minute(t0 + 1s);
  EXPECT_EQ(s.count, 100U);
  EXPECT_GE(s.p50, 50us);
  EXPECT_LE(s.p50, 50us * 5 / 4 + 1us);
  EXPECT_GE(s.p99, 3ms);
  EXPECT_LE(s.p99, 3750us);
  EXPECT_EQ(s.worst, 20ms);
}

// Alone, each delay is its own median: never told too short, at most a fourth too long.
TEST(DelayHistogram, BucketsAreClose) {
  for (Duration d = 1us; d < 16s; d = d * 9 / 8 + 1us) {
    DelayHistogram delays;
    delays.record(d, Instant(1h));
    delays.record(30s, Instant(1h));  // or the worst would bound it
    const Duration p50 = delays.last_minute(Instant(1h)).p50;
    EXPECT_GE(p50, d) << to_string(d);
    EXPECT_LE(p50, d * 5 / 4 + 1us) << to_string(d);
  }
}

TEST(DelayHistogram, ForgetsAfterAMinuteAndIsBounded) {
  DelayHistogram delays;
  delays.record(-5us, Instant(1s));
  delays.record(10h, Instant(1s));
  EXPECT_EQ(delays.last_minute(Instant(60s)).count, 2U);
  EXPECT_EQ(delays.last_minute(Instant(60s)).worst, Duration(10h));
  EXPECT_EQ(delays.last_minute(Instant(71s)).count, 0U);
  delays.record(1us, Instant(71s));
  EXPECT_EQ(delays.last_minute(Instant(75s)).worst, Duration(1us));
}

}  // namespace
}  // namespace herald::coord
