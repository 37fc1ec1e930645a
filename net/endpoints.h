// net/endpoints.h: which of several servers of the same thing to ask next.
//
// One is kept for as long as it works. One that could not be connected to is left alone for a while
// that doubles each time, with jitter, so that many nodes do not come back at one instant. One that
// took a request and gave no answer is asked only when there is no other.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "base/time.h"

namespace herald {

class Endpoints {
 public:
  // `count` of them; the first one asked is chosen at random, to spread the nodes.
  Endpoints(std::size_t count, Rng rng);

  // The best one that is not among `tried`. none: all others are to be left alone for now.
  std::optional<std::size_t> choose(const std::vector<std::size_t>& tried, Instant now) const;

  void worked(std::size_t endpoint, Instant now);
  void refused(std::size_t endpoint, Instant now);  // no connection
  void silent(std::size_t endpoint, Instant now);   // no answer, or not one that helps

  std::size_t size() const { return states_.size(); }

 private:
  void leave(std::size_t endpoint);

  struct State {
    int refusals = 0;  // without a success between them
    Instant closed_until{};
    Instant doubted_until{};
  };
  std::vector<State> states_;
  std::size_t current_ = 0;
  Rng rng_;
};

}  // namespace herald
