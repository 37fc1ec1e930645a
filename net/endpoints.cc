#include "net/endpoints.h"

#include <algorithm>

namespace herald {
namespace {

constexpr Duration kFirstPause = 20ms;
// Well below a lease: a store that is back must be found in time to renew.
constexpr Duration kLongestPause = 400ms;
constexpr Duration kDoubt = 5s;

}  // namespace

Endpoints::Endpoints(std::size_t count, Rng rng) : states_(count), rng_(rng) {
  current_ = static_cast<std::size_t>(rng_.below(count));
}

std::optional<std::size_t> Endpoints::choose(const std::vector<std::size_t>& tried,
                                             Instant now) const {
  std::optional<std::size_t> doubted;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const std::size_t at = (current_ + i) % states_.size();
    if (now < states_[at].closed_until) continue;
    if (std::find(tried.begin(), tried.end(), at) != tried.end()) continue;
    if (now >= states_[at].doubted_until) return at;
    if (!doubted) doubted = at;
  }
  return doubted;
}

void Endpoints::worked(std::size_t endpoint, Instant now) {
  states_[endpoint] = {};
  const State& current = states_[current_];
  if (now < std::max(current.closed_until, current.doubted_until)) current_ = endpoint;
}

void Endpoints::refused(std::size_t endpoint, Instant now) {
  State& state = states_[endpoint];
  // Requests that were under way together find the same: one refusal.
  if (now < state.closed_until) return;
  const Duration pause = std::min(kLongestPause, kFirstPause * (1 << std::min(state.refusals, 5)));
  state.refusals += 1;
  state.closed_until = now + rng_.between(pause / 2, pause);
  leave(endpoint);
}

void Endpoints::silent(std::size_t endpoint, Instant now) {
  states_[endpoint].doubted_until = now + kDoubt;
  leave(endpoint);
}

// The doubt or the pause passes, but there is no going back without need. Besides, who asks as
// seldom as the pauses are long would else ask the dead one each time.
void Endpoints::leave(std::size_t endpoint) {
  if (endpoint == current_) current_ = (current_ + 1) % states_.size();
}

}  // namespace herald
