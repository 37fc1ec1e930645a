// base/rng.h: the only source of randomness in the core: a generator that its owner seeds.
// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same numbers on every machine.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace herald {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next();
  // Uniform in [0, bound); 0 if bound is 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [low, high].
  Duration between(Duration low, Duration high);
  // True once in `n` times on average.
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace herald
