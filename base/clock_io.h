// base/clock_io.h: the one place where time is read. Only *_io files and the shell include it.
#pragma once

#include "base/time.h"

namespace herald {

// CLOCK_BOOTTIME, which goes on during a suspend.
Instant boot_now();

}  // namespace herald
