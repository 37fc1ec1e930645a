#include "daemon/backends.h"

#include <algorithm>

namespace herald::daemon {
namespace {

void sort_unique(ShortList<const NodeName*>& nodes) {
  std::sort(nodes.begin(), nodes.end(),
            [](const NodeName* a, const NodeName* b) { return *a < *b; });
  const auto end = std::unique(nodes.begin(), nodes.end(),
                               [](const NodeName* a, const NodeName* b) { return *a == *b; });
  nodes.truncate(static_cast<std::size_t>(end - nodes.begin()));
}

// What the endpoints of one family add up to.
struct Count {
  Backends ready, ending;
  bool homeless_ready = false, homeless_ending = false;  // usable, but of no node
  bool any_node = false;                                 // some endpoint, usable or not, has a node

  void add(const Endpoint& e) {
    any_node = any_node || !e.node.empty();
    const bool usable = e.ready || (e.serving && !e.terminating);
    if (!usable && !e.serving) return;
    Backends& to = usable ? ready : ending;
    to.any = true;
    if (e.gateway) {
      to.gateway = to.everywhere = true;
    } else if (!e.node.empty()) {
      to.nodes.push_back(&*e.node);
    } else {
      (usable ? homeless_ready : homeless_ending) = true;
    }
  }
  Backends sum() {
    Backends& out = ready.any ? ready : ending;
    const bool homeless = ready.any ? homeless_ready : homeless_ending;
    if (homeless && !any_node) out.everywhere = true;
    sort_unique(out.nodes);
    return out;
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

bool Backends::on(const NodeName& node) const {
  return everywhere ||
         std::binary_search(nodes.begin(), nodes.end(), &node,
                            [](const NodeName* a, const NodeName* b) { return *a < *b; });
}

bool Backends::operator==(const Backends& other) const {
  return any == other.any && everywhere == other.everywhere && gateway == other.gateway &&
         std::equal(nodes.begin(), nodes.end(), other.nodes.begin(), other.nodes.end(),
                    [](const NodeName* a, const NodeName* b) { return *a == *b; });
}

ServiceBackends backends_of(std::span<const EndpointSlice* const> slices) {
  std::array<Count, 2> counts;
  ServiceBackends out;
  for (const EndpointSlice* slice : slices) {
    for (const IpFamily family : {IpFamily::IPv4, IpFamily::IPv6}) {
      const bool own = !slice->family || slice->family == family;
      if (own) out.known.at(place(family)) = true;
      for (const Endpoint& e : slice->endpoints) {
        // The dummy is an IPv4 address for the IPs of both families.
        if (own || e.gateway) counts.at(place(family)).add(e);
        if (e.gateway) out.known.at(place(family)) = true;
      }
    }
  }
  for (std::size_t i = 0; i < counts.size(); ++i) out.by_family.at(i) = counts.at(i).sum();
  return out;
}

}  // namespace herald::daemon
