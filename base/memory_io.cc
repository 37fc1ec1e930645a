#include "base/memory_io.h"

#include <malloc.h>

namespace herald {
namespace {

// Setting it also keeps glibc from raising it each time that such a block is freed.
constexpr int kLargeBlock = 128 * 1024;

}  // namespace

void limit_memory_kept() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  ::mallopt(M_TRIM_THRESHOLD, 2 * kLargeBlock);
}

void give_memory_back() {
  ::malloc_trim(0);
}

}  // namespace herald
