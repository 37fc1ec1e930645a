#include "coord/delay_histogram.h"

#include <algorithm>
#include <bit>

namespace herald::coord {

std::int64_t DelayHistogram::slot_number(Instant now) {
  return std::max<std::int64_t>(0, now.time_since_epoch() / 10s);
}

// 0, 1, 2, 3 µs have a bucket each; from 4 µs on the two bits after the highest choose it.
std::size_t DelayHistogram::bucket_of(Duration delay) {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(0, delay / 1us));
  if (us < 4) return us;
  const auto power = static_cast<std::size_t>(std::bit_width(us)) - 1;
  const auto quarter = static_cast<std::size_t>(us >> (power - 2)) & 3;
  return std::min(kBuckets - 1, (power - 1) * 4 + quarter);
}

Duration DelayHistogram::upper_end(std::size_t bucket) {
  const std::size_t next = bucket + 1;
  if (next < 4) return static_cast<std::int64_t>(next) * 1us;
  const std::int64_t start = static_cast<std::int64_t>(4 + next % 4) << (next / 4 - 1);
  return start * 1us;
}

void DelayHistogram::record(Duration delay, Instant now) {
  const std::int64_t number = slot_number(now);
  Slot& slot = slots_[static_cast<std::size_t>(number) % kSlots];
  if (slot.number != number) slot = Slot{number, {}, {}};
  ++slot.counts[bucket_of(delay)];
  slot.worst = std::max(slot.worst, delay);
}

DelaySummary DelayHistogram::last_minute(Instant now) const {
  const std::int64_t newest = slot_number(now);
  std::array<std::uint64_t, kBuckets> counts{};
  DelaySummary out;
  for (const Slot& slot : slots_) {
    if (slot.number < 0 || slot.number > newest || newest - slot.number >= 7) continue;
    for (std::size_t i = 0; i < kBuckets; ++i) counts[i] += slot.counts[i];
    out.worst = std::max(out.worst, slot.worst);
  }
  for (const std::uint64_t n : counts) out.count += n;
  const auto at = [&](std::uint64_t rank) {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += counts[i];
      if (seen >= rank) return std::min(upper_end(i), out.worst);
    }
    return out.worst;
  };
  if (out.count == 0) return out;
  out.p50 = at((out.count + 1) / 2);
  out.p99 = at(out.count - out.count / 100);
  return out;
}

}  // namespace herald::coord
