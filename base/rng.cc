#include "base/rng.h"

namespace herald {

std::uint64_t Rng::next() {
  state_ += 0x9e3779b97f4a7c15ull;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

std::uint64_t Rng::below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // The modulo's bias is below bound / 2^64: nothing here can notice it.
  return next() % bound;
}

Duration Rng::between(Duration low, Duration high) {
  if (high <= low) return low;
  return low + Duration(static_cast<Duration::rep>(
                   below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

}  // namespace herald
