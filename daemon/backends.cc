#include "daemon/backends.h"

namespace herald::daemon {
namespace {

void add(const Endpoint& endpoint, Backends& out) {
  out.any = true;
  if (!endpoint.node) {
    out.everywhere = true;
  } else {
    out.nodes.insert(*endpoint.node);
  }
}

}  // namespace

std::map<ObjectName, Backends> backends_of(const std::vector<EndpointSlice>& slices) {
  std::map<ObjectName, Backends> usable, ending;
  for (const EndpointSlice& slice : slices) {
    Backends& here = usable[slice.service];
    Backends& leaving = ending[slice.service];
    for (const Endpoint& e : slice.endpoints) {
      if (e.ready || (e.serving && !e.terminating)) {
        add(e, here);
      } else if (e.serving) {
        add(e, leaving);
      }
    }
  }
  for (auto& [service, backends] : usable) {
    if (!backends.any) backends = ending[service];
  }
  return usable;
}

}  // namespace herald::daemon
