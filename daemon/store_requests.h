// daemon/store_requests.h: what was asked of the store and is not answered yet.
//
// A request without an answer in time counts as failed; what comes later is dropped, a watch or the
// next list settles it. Every document is listed at the start and again every relist interval.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "coord/store.h"
#include "daemon/events.h"

namespace herald::daemon {

class StoreRequests {
 public:
  struct Asked {
    coord::StoreRequest request;
    Instant sent;
  };

  StoreRequests(coord::LeaseTiming timing, Instant now);

  // What carries the request out; it is remembered until answered() or expired().
  AskStore ask(coord::StoreRequest request, Instant now);
  // The request that this answer is for; nullopt: it came too late.
  std::optional<Asked> answered(std::uint64_t id);
  // Those that have waited too long; each is given once.
  std::vector<Asked> expired(Instant now);

  // True if a list is due: then it counts as asked for.
  bool begin_list(Instant now);
  void on_list(bool succeeded, Instant now);

  std::optional<Instant> next_deadline() const;

 private:
  Instant limit(const Asked& asked) const;

  coord::LeaseTiming timing_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Asked> asked_;
  Instant next_list_;
  bool list_in_flight_ = false;
};

}  // namespace herald::daemon
