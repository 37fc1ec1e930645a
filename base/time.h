// base/time.h: what time is to the core: something it is handed, never something it asks for.
//
// An Instant is a reading of CLOCK_BOOTTIME, which goes on while the machine is suspended: a lease
// must age during a suspend. The clock type has no now(), so reading the time in the core does not
// compile; *_io files read it and pass it in.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace herald {

using Duration = std::chrono::nanoseconds;

struct BootClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
using Instant = BootClock::time_point;

using namespace std::chrono_literals;

inline constexpr Instant kNever = Instant::max();

// The earlier of two deadlines, either of which may be absent.
inline std::optional<Instant> earliest(std::optional<Instant> a, std::optional<Instant> b) {
  if (!a || (b && *b < *a)) return b;
  return a;
}

// "1m30s", "2s", "150ms", "90µs": the units of Kubernetes durations, no zero parts. "0s" for zero.
std::string to_string(Duration d);

// Reads what to_string() writes, and Go's decimals ("1.5s"). Units: h m s ms us µs ns. A sign, an
// empty text, a missing unit or a value that overflows is refused (nullopt). "0" alone is zero.
std::optional<Duration> parse_duration(std::string_view text);

}  // namespace herald
