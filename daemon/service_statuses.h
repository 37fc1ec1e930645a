// daemon/service_statuses.h: what the leader wants in the status of each Service: its IPs, whether
// it has what it asked for, and who announces it (docs/kubernetes-status.md).
//
// No status names an IP before the table has it for the service (rule T5). Each service is made
// anew only when something that its status tells of has changed.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coord/table.h"
#include "daemon/announced_by.h"
#include "daemon/decide.h"
#include "daemon/object_events.h"
#include "daemon/object_status.h"

namespace herald::daemon {

class ServiceStatuses {
 public:
  struct Facts {
    const Policies& policies;
    const std::shared_ptr<const Allocation>& allocation;
    const coord::Table& table;
    const coord::Peers& peers;
    const std::set<NodeName>& drained;
    const kube::Observed& observed;
  };
  // To `out`, in Cilium's words as well where Cilium's pools are there. `before`: what came of the
  // last time. Unless `all`, only services are made whose IPs or owners are others than then: what
  // else changes (the manifests, the members) is told when all are made.
  // What has changed against what the objects' statuses say goes to `events`, for kubectl describe.
  void add(const Facts& facts, const WantedObjects& before, bool all, Instant now,
           WantedObjects& out, ObjectEvents& events);
  void forget() { *this = {}; }

 private:
  struct MadeOf {  // for all services
    std::shared_ptr<const Desired> desired;
    std::vector<Eligible> members;
    std::set<NodeName> drained;
    bool cilium = false;
    bool operator==(const MadeOf&) const = default;
  };
  std::optional<MadeOf> made_of_;
  // These as well, of which each service has its own part.
  std::shared_ptr<const Allocation> allocation_;
  std::array<coord::Table::Shard, coord::kShards> shards_;
};

// What a Service's .status says of it; nullopt: no leader has said anything.
std::optional<coord::StatusDocument> told_in(const ObjectName& service, const std::string& status);

// The words of Cilium's condition cilium.io/IPAMRequestSatisfied.
struct CiliumVerdict {
  const char* reason;
  std::string message;
};
CiliumVerdict cilium_verdict(const Service& service, const ipam::Decision& decision);

}  // namespace herald::daemon
