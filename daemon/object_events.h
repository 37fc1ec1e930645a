// daemon/object_events.h: what kubectl describe shows below an object: events (events.k8s.io/v1).
//
// An event's name is made of what it says and of when (to ten minutes), so that a later leader that
// says the same once more says nothing new. A server is not flooded: after a burst only so many a
// second are sent. What is too much is counted, and told in one sentence on the Node object.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/names.h"
#include "base/time.h"
#include "daemon/events.h"

namespace herald::daemon {

struct ObjectEvent {
  kube::ObjectRef regarding;
  std::string uid;
  bool warning = false;
  std::string reason;  // "Allocated"
  std::string action;  // "Allocate"
  std::string note;    // for people; what is longer than the server takes is cut
};

class ObjectEvents {
 public:
  // Requests are numbered from first_id upwards. self: who reports.
  ObjectEvents(std::uint64_t first_id, NodeName self)
      : first_id_(first_id), next_id_(first_id), self_(std::move(self)) {}

  // Until it is known, nothing is sent.
  void set_wall_clock(Duration at_zero) { wall_clock_ = at_zero; }
  // Of the Node object of this node, if it is known.
  void set_node_uid(std::string uid) { node_uid_ = std::move(uid); }

  void add(ObjectEvent event, Instant now);
  void forget();  // what was not sent yet is the next leader's to tell

  bool on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now);
  std::vector<AskKube> take_requests(Instant now);
  std::optional<Instant> next_deadline() const;
  std::vector<Log> take_logs() { return std::exchange(logs_, {}); }

 private:
  struct Ready {
    kube::Write write;
    unsigned tries = 0;
  };
  kube::Write write_of(const ObjectEvent& event, Instant now) const;
  void refill(Instant now);

  std::uint64_t first_id_, next_id_;
  NodeName self_;
  std::string node_uid_;
  std::optional<Duration> wall_clock_;
  std::deque<Ready> queue_;
  std::deque<std::pair<Instant, ObjectEvent>> early_;  // before the clock was known
  std::map<std::uint64_t, Ready> under_way_;
  std::int64_t tokens_ = 0;
  std::optional<Instant> filled_;              // until then; none: the bucket is full
  std::map<std::string, std::size_t> untold_;  // by reason
  std::optional<Instant> summary_at_;
  bool refused_ = false;
  std::vector<Log> logs_;
};

}  // namespace herald::daemon
