// daemon/backends.h: where a service's pods are, as far as its EndpointSlices say.
//
// A service without any slice is not known to have none: it is announced as if it had. Endpoints
// that are ready count, and those that serve although they are not ready; those that serve while
// they end count only if there are no others, as kube-proxy has it. An endpoint without a node
// (the dummy of a gateway, an address outside of the cluster) can be reached from every node.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "model/objects.h"

namespace herald::daemon {

struct Backends {
  bool any = false;         // somewhere
  bool everywhere = false;  // one without a node
  std::set<NodeName> nodes;
  bool on(const NodeName& node) const { return everywhere || nodes.contains(node); }
  bool operator==(const Backends&) const = default;
};

// Of every service that has a slice.
std::map<ObjectName, Backends> backends_of(const std::vector<EndpointSlice>& slices);

}  // namespace herald::daemon
