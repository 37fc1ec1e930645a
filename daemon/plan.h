// daemon/plan.h: what would be if these manifests were in force: `heraldctl plan`. Pure, and by the
// very functions that the daemon decides with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/manifests.h"
#include "daemon/announcements.h"
#include "daemon/decide.h"
#include "daemon/node.h"
#include "ipam/allocator.h"

namespace herald::daemon {

// A peer and the nodes that would have a session with it.
struct PlannedPeer {
  PeerName name;
  std::vector<NodeName> nodes;
  std::string reason;  // why no node would, in CamelCase; empty: some would
};

// A service whose IPs would not be what they are.
struct IpChange {
  ObjectName service;
  std::vector<IpAddress> from, to;
};

struct ManifestPlan {
  Allocation allocation;                   // decisions in the order of Desired::services
  std::vector<IpAnnouncements> announced;  // of each IP of allocation.holdings, in its order
  std::vector<PlannedPeer> peers;
  bool no_node = false;                          // none is known, so nothing can be announced
  std::optional<std::vector<IpChange>> changes;  // none: nothing to compare with
};

// From nothing but the manifests: what a service's status names is held by it.
ManifestPlan plan_offline(const Policies& wanted);
// By what the node knows of the IP table and of the members.
ManifestPlan plan_on(const Node& node, const Policies& wanted, Instant now);

// Answers {"command":"plan","files":[{"path":"web.yaml","text":"..."}]}: what would be if these
// files were applied to what `in_force` has. nullopt: the line asks for something else.
std::optional<std::string> answer_plan(const Node& node, const config::Manifests& in_force,
                                       std::string_view request, Instant now);

}  // namespace herald::daemon
