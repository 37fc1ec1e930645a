#include "base/clock_io.h"

#include <time.h>

#include "base/check.h"

namespace herald {

Instant boot_now() {
  timespec now{};
  HERALD_CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace herald
