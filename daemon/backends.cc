#include "daemon/backends.h"

#include <utility>

namespace herald::daemon {
namespace {

// What the endpoints of one family add up to.
struct Count {
  Backends ready, ending;
  bool homeless_ready = false, homeless_ending = false;  // usable, but of no node
  bool any_node = false;                                 // some endpoint, usable or not, has a node

  void add(const Endpoint& e) {
    any_node = any_node || e.node.has_value();
    const bool usable = e.ready || (e.serving && !e.terminating);
    if (!usable && !e.serving) return;
    Backends& to = usable ? ready : ending;
    to.any = true;
    if (e.gateway) {
      to.gateway = to.everywhere = true;
    } else if (e.node) {
      to.nodes.insert(*e.node);
    } else {
      (usable ? homeless_ready : homeless_ending) = true;
    }
  }
  Backends sum() {
    Backends& out = ready.any ? ready : ending;
    const bool homeless = ready.any ? homeless_ready : homeless_ending;
    if (homeless && !any_node) out.everywhere = true;
    return std::move(out);
  }
};

constexpr std::size_t place(IpFamily family) {
  return family == IpFamily::IPv4 ? 0 : 1;
}

}  // namespace

const Backends& ServiceBackends::of(IpFamily family) const {
  const std::size_t own = place(family);
  return by_family.at(known.at(own) ? own : 1 - own);
}

std::map<ObjectName, ServiceBackends> backends_of(const SharedList<EndpointSlice>& slices) {
  std::map<ObjectName, std::array<Count, 2>> counts;
  std::map<ObjectName, ServiceBackends> out;
  for (const EndpointSlice& slice : slices) {
    ServiceBackends& service = out[slice.service];
    std::array<Count, 2>& count = counts[slice.service];
    for (const IpFamily family : {IpFamily::IPv4, IpFamily::IPv6}) {
      const bool own = !slice.family || slice.family == family;
      if (own) service.known.at(place(family)) = true;
      for (const Endpoint& e : slice.endpoints) {
        // The dummy is an IPv4 address for the IPs of both families.
        if (own || e.gateway) count.at(place(family)).add(e);
        if (e.gateway) service.known.at(place(family)) = true;
      }
    }
  }
  for (auto& [name, service] : out) {
    auto& count = counts.at(name);
    for (std::size_t i = 0; i < count.size(); ++i) service.by_family.at(i) = count.at(i).sum();
  }
  return out;
}

}  // namespace herald::daemon
