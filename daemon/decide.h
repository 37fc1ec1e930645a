// daemon/decide.h: the leader's decisions, as pure functions: who gets which IP, and who may own
// it. Every node's half (from which links, to which peers) is in daemon/policies.h and routes.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "coord/peers.h"
#include "coord/table.h"
#include "daemon/external_ips.h"
#include "daemon/policies.h"
#include "ipam/allocator.h"

namespace herald::daemon {

// The leader's allocation: a decision for every service, and what the table should hold.
struct Allocation {
  ipam::Plan plan;
  ipam::Holdings holdings;  // after the plan, with external IPs
  // IPs of the table that no service has any more and that are not free yet: they rest for one, or
  // are in quarantine.
  std::map<IpAddress, Rare<ObjectName>> staying;
  std::vector<RefusedExternal> refused_external;
};
// What a leader remembers beside the documents.
struct Remembered {
  ipam::Holdings pending;                   // decided, and not in the table yet
  std::map<IpAddress, PoolName> came_from;  // from which pool an IP was given
};
// Which pool each IP was said to be from. Empty if no pool ever takes an IP back for it.
std::map<IpAddress, PoolName> pools_told(const Policies& policies, const Statuses& statuses);
// A choice is made once: what the table does not show yet is remembered. `statuses`: which IP a
// service was told that it has. Two leaders one after the other may have given it two, in two
// shards; then the one that was told is kept and the other is released.
//
// A requested IP that is in quarantine stays with its service, which is told that it has none, so
// that its owner goes on probing it.
Allocation allocate(const Policies& policies, const coord::Table& table,
                    const Remembered& remembered, const Statuses& statuses);
// Of the table's IPs that `holdings` lacks, those that are not free yet; `over`: they are, as their
// rest or quarantine has lasted long enough.
std::map<IpAddress, Rare<ObjectName>> staying(const Policies& policies, const coord::Table& table,
                                              const ipam::Holdings& holdings,
                                              const std::set<IpAddress>& over);
// Who uses an IP: "02:00:00:00:00:09, seen by n1 on eth0".
std::string who_uses(const coord::Quarantine& quarantine);

// Who is not to own IPs: drained members only if nobody else may (the last one is never drained
// away), the one that is leaving in no case.
struct Unwilling {
  const std::set<NodeName>& drained;
  std::optional<NodeName> leaving;
};
// A member that may own VIPs, as far as the members' documents and heartbeats say.
struct Eligible {
  NodeName node;
  coord::MemberInfo info;
  bool operator==(const Eligible&) const = default;
};
std::vector<Eligible> eligible_members(const coord::Peers& peers,
                                       const std::optional<NodeName>& leaving, Instant now);

// Addresses of the members' own links, whether they live or not, and where they are. Each but by
// the member itself would be announced by two.
using Homes = std::map<IpAddress, coord::Quarantine>;
Homes homes(const coord::Peers& peers);

// Of `candidates`, those to choose from. Each rule holds back nodes only as long as another one is
// left, so that none of them silences an IP: those on the VIP's subnet, those with endpoints for
// all of its services, those that Kubernetes finds well, those that are neither drained nor
// cordoned.
struct Chair {
  NodeName node;
  L2Scope::Seat seat;
  bool willing = true, well = true;
};
std::vector<coord::Candidate> candidates(const std::vector<Chair>& chairs);

// Exclusive routes need an owner as well. Nodes that may be it, where L2 policies have none.
class ExclusiveScope {
 public:
  ExclusiveScope(const Policies& policies, const NodeFacts& node);
  bool may(const Picks<BgpAdvertisement>& picks, IpFamily family) const;

 private:
  NodeName node_;
  std::vector<bool> reaches_;  // by index: exclusive, and a peer of it has a session with the node
};
bool any_exclusive(const Policies& policies);

// For every VIP of `holdings`: its services and the nodes that may own it, for the table.
struct PlaceNode {
  NodeFacts facts;
  const std::vector<coord::MemberLink>* links;  // see L2Scope
  bool drained = false;
};
coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const std::vector<PlaceNode>& nodes, const Homes& homes = {});
coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const std::vector<Eligible>& members, const std::set<NodeName>& drained,
                       const Homes& homes = {});
coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const coord::Peers& peers, const Unwilling& unwilling, Instant now);

// To whom `self` leaves its BGP routes: if it is drained or unwell, the members that are neither.
std::vector<NodeFacts> substitutes(const NodeName& self, const Policies& policies,
                                   const coord::Peers& peers, const std::set<NodeName>& drained,
                                   Instant now);

// What the table says is held by whom.
ipam::Holdings holdings_of(const coord::Table& table);

}  // namespace herald::daemon
