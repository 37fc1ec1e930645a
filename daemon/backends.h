// daemon/backends.h: where a service's pods are, as far as its EndpointSlices say.
//
// A service without any slice is not known to have none: it is announced as if it had. Endpoints
// that are ready count, and those that serve although they are not ready; those that serve while
// they end count only if there are no others in any slice, as kube-proxy has it (of the whole
// cluster: an IP leaves a node whose last pod ends while another node has a ready one, and what
// still comes to the old node is served by the pod that ends).
//
// An IP is served by the endpoints of its own family; a service that has slices of the other one
// alone is judged by those.
//
// Where an endpoint without a node is, nobody knows. Cilium's dummy for a Gateway or an Ingress
// stands for a proxy on every node. Others count for every node only if the service has no endpoint
// with a node: kube-proxy takes none of them for local, so beside local ones they are none.
#pragma once

#include <array>
#include <span>

#include "model/objects.h"
#include "model/short_list.h"

namespace herald::daemon {

struct Backends {
  bool any = false;                  // somewhere
  bool everywhere = false;           // without regard to the node
  bool gateway = false;              // as a proxy on every node serves
  ShortList<const NodeName*> nodes;  // of the slices that it is made of; sorted, each once
  bool on(const NodeName& node) const;
  bool operator==(const Backends& other) const;  // the same nodes by name
};

struct ServiceBackends {
  std::array<Backends, 2> by_family;  // IPv4, IPv6
  std::array<bool, 2> known{};        // it has a slice that may be of this family
  // For its IPs of this family.
  const Backends& of(IpFamily family) const;
  bool has_slice() const { return known[0] || known[1]; }
};

// All slices of one service; what is returned points into them.
ServiceBackends backends_of(std::span<const EndpointSlice* const> slices);

}  // namespace herald::daemon
