// base/back_off.h: how long to wait before another try. Who has many peers adds chance to it, or
// all try again at once.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace herald {

// `first`, doubled for each failure there was, and `longest` at most.
constexpr Duration back_off(Duration first, unsigned failures, Duration longest) {
  Duration wait = first;
  while (failures-- > 0 && wait < longest) wait *= 2;
  return std::min(wait, longest);
}

}  // namespace herald
