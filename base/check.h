// base/check.h: the program itself is wrong: stop, in release too; the peers take over.
#pragma once

namespace herald {
// Prints "file:line: check failed: condition" to stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace herald

#define HERALD_CHECK(condition) \
  ((condition) ? void(0) : ::herald::check_failed(#condition, __FILE__, __LINE__))
