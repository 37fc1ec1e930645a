// daemon/dialect_statuses.h: what the statuses of the objects that users wrote should say: pools,
// policies and peers, each in the form of its own dialect. Pure; for the leader, who writes them.
//
// One function for each dialect (status_herald.h, status_cilium.h, status_metallb.h) makes them of
// what all have in common (dialect_view.h). An object is found by where it was read: that is its
// path at the API server. Nothing is wanted of an object that is not there, nor of a kind that the
// server does not have. docs/kubernetes-status-dialects.md tells the same to users.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coord/peers.h"
#include "coord/table.h"
#include "daemon/decide.h"
#include "daemon/dialect_view.h"
#include "daemon/object_status.h"
#include "daemon/policies.h"
#include "ipam/allocator.h"
#include "kube/observed.h"

namespace herald::daemon {

struct DialectInput {
  const kube::Observed& observed;
  const Policies& policies;  // of manifests that were read
  // In the order of Desired::pools; nullptr: nothing was allocated yet, and no counter is told.
  const std::vector<ipam::PoolUsage>* pools = nullptr;
  const coord::Table& table;
  const coord::Peers& peers;
  const std::set<NodeName>& drained;
  Instant now;
  // How many objects of MetalLB's ServiceL2Status, and how many of its ServiceBGPStatus.
  std::size_t most_service_statuses = 2000;
};

// Asked often: with thousands of services it takes milliseconds, so what depends on each of them is
// remembered until manifests, IP table or members have changed.
class DialectStatuses {
 public:
  void add(const DialectInput& in, WantedObjects& out);

 private:
  struct MadeOf {
    std::shared_ptr<const Desired> desired;
    std::array<coord::Revision, coord::kShards> table;
    std::vector<Eligible> members;
    std::set<NodeName> drained;
    std::set<std::string> kinds;
    std::size_t most = 0;
    bool operator==(const MadeOf&) const = default;
  };
  struct Told {  // by a node's own object
    std::shared_ptr<const kube::ObservedObject> object;
    std::set<PeerName> established;
  };
  void read_nodes(const kube::Observed& observed);

  std::optional<MadeOf> made_of_;
  std::vector<PlannedNode> nodes_;
  DialectView::Reached reached_;
  WantedObjects service_statuses_;
  std::map<NodeName, Told> told_;
};

}  // namespace herald::daemon
