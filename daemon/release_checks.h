// daemon/release_checks.h: with an API server, an IP is not released before the server itself has
// said that no service is told of it.
//
// What a leader has seen of a service may be old: its watch may lag by a minute, and the leader
// before it may have told the service of an IP meanwhile. So whatever is to be released is looked
// at once more, without a cache in between: the service is gone; or its status names what the
// service has now, and not the IP that goes. A service that is to have nothing must have been seen
// as it is: one that the watch has not shown yet may be new, and a status be on its way to it.
// Until the server has said so, the IP stays.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "daemon/events.h"
#include "ipam/allocator.h"

namespace herald::daemon {

// The v1 Service of this name, for the API server.
kube::ObjectRef service_ref(const ObjectName& name);
// status.loadBalancer.ingress[].ip of a Service's .status, as JSON text.
std::vector<IpAddress> ingress_of(std::string_view status);

class ReleaseChecks {
 public:
  // Requests are numbered from first_id upwards.
  ReleaseChecks(std::uint64_t first_id, Rng rng)
      : first_id_(first_id), next_id_(first_id), rng_(rng) {}

  // awaited: those of plan.released that wait for this; plan.decisions: what services have instead;
  // observed: of the moment that the plan was made of, or earlier.
  void set(const std::set<ipam::Holding>& awaited, const ipam::Plan& plan,
           const kube::Observed& observed, Instant now);
  void forget();

  struct Seen {  // an object as an answer showed it
    kube::ObjectRef object;
    std::string body;
  };
  // False: the id is not one of ours.
  bool on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now);
  std::vector<AskKube> take_requests(Instant now);
  std::vector<Seen> take_seen() { return std::exchange(seen_, {}); }
  std::optional<Instant> next_deadline() const;

  const std::set<ipam::Holding>& untold() const { return untold_; }
  std::uint64_t version() const { return version_; }  // of untold()

 private:
  static constexpr std::size_t kMostAtOnce = 16;
  struct Check {
    std::vector<IpAddress> leaving;
    std::vector<IpAddress> has;  // what its status is to name instead; sorted
    std::string shown;           // its resourceVersion, as the watch shows it; empty: it is not
    Instant next;
    unsigned tries = 0;
    std::uint64_t under_way = 0;
    Instant sent;
  };
  std::uint64_t first_id_, next_id_;
  Rng rng_;
  std::map<ObjectName, Check> checks_;
  std::set<ipam::Holding> untold_;
  std::uint64_t version_ = 1;
  std::vector<Seen> seen_;
};

}  // namespace herald::daemon
