#include "daemon/store_requests.h"

#include <utility>

namespace herald::daemon {
namespace {
// A store that does not answer a list keeps it in flight no longer than this many time-outs.
constexpr int kListTimeouts = 10;
}  // namespace

StoreRequests::StoreRequests(coord::LeaseTiming timing, Instant now)
    : timing_(timing), next_list_(now) {}

AskStore StoreRequests::ask(coord::StoreRequest request, Instant now) {
  const std::uint64_t id = next_id_++;
  asked_[id] = {request, now};
  return AskStore{id, std::move(request)};
}

std::optional<StoreRequests::Asked> StoreRequests::answered(std::uint64_t id) {
  const auto it = asked_.find(id);
  if (it == asked_.end()) return std::nullopt;
  std::optional<Asked> out = std::move(it->second);
  asked_.erase(it);
  return out;
}

Instant StoreRequests::limit(const Asked& asked) const {
  const bool list = std::holds_alternative<coord::ListDocuments>(asked.request);
  return asked.sent + timing_.request_timeout * (list ? kListTimeouts : 1);
}

std::vector<StoreRequests::Asked> StoreRequests::expired(Instant now) {
  std::vector<Asked> late;
  for (auto it = asked_.begin(); it != asked_.end();) {
    if (now < limit(it->second)) {
      ++it;
      continue;
    }
    late.push_back(std::move(it->second));
    it = asked_.erase(it);
  }
  return late;
}

bool StoreRequests::begin_list(Instant now) {
  if (now < next_list_ || list_in_flight_) return false;
  list_in_flight_ = true;
  return true;
}

void StoreRequests::on_list(bool succeeded, Instant now) {
  list_in_flight_ = false;
  next_list_ = now + (succeeded ? timing_.relist : timing_.request_timeout);
}

std::optional<Instant> StoreRequests::next_deadline() const {
  std::optional<Instant> next;
  if (!list_in_flight_) next = next_list_;
  for (const auto& [id, asked] : asked_) next = earliest(next, limit(asked));
  return next;
}

}  // namespace herald::daemon
