// coord/delay_histogram.h: how late a thread was woken, over the last minute.
//
// Seven slots of ten seconds, each with four buckets to a power of two: a record costs a few
// instructions, and the whole is 5 kB however many are recorded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace herald::coord {

struct DelaySummary {
  std::uint64_t count = 0;
  Duration p50{}, p99{};  // upper ends of their buckets: at most a fourth too long
  Duration worst{};       // exact
  bool operator==(const DelaySummary&) const = default;
};

class DelayHistogram {
 public:
  void record(Duration delay, Instant now);
  // Of the last 60 to 70 s.
  DelaySummary last_minute(Instant now) const;

 private:
  static constexpr std::size_t kBuckets = 96;  // up to 16 s; longer ones fall into the last
  static constexpr std::size_t kSlots = 7;
  struct Slot {
    std::int64_t number = -1;  // of ten seconds since the boot
    std::array<std::uint64_t, kBuckets> counts{};
    Duration worst{};
  };
  static std::int64_t slot_number(Instant now);
  static std::size_t bucket_of(Duration delay);
  static Duration upper_end(std::size_t bucket);

  std::array<Slot, kSlots> slots_;
};

}  // namespace herald::coord
