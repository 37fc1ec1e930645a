#include "model/objects.h"

#include <algorithm>
#include <array>

namespace herald {
namespace {

// Its place at an API server.
Source place_of(const ObjectName& service) {
  return {"/api/v1/namespaces/" + service.ns + "/services/" + service.name, 0, "Service"};
}

}  // namespace

const char* to_string(Protocol protocol) {
  constexpr std::array<const char*, 3> kWords = {"TCP", "UDP", "SCTP"};
  return kWords.at(static_cast<std::size_t>(protocol));
}

Source source_of(const Service& service) {
  return service.source.value_or(place_of(service.name));
}
Source source_of(const UnmanagedService& service) {
  return service.source.value_or(place_of(service.name));
}
Source source_of(const NodeObject& node) {
  return node.source.value_or({"/api/v1/nodes/" + node.name.str(), 0, "Node"});
}

std::string conflict_of(const Pool& pool) {
  if (!pool.conflicts_with) return "";
  return pool.conflicts_with == pool.name ? "overlaps itself"
                                          : "overlaps the older pool " + pool.conflicts_with->str();
}

bool PoolChoice::chooses(const Pool* pool) const {
  if (all()) return true;
  if (pool == nullptr) return false;
  return std::find(names.begin(), names.end(), pool->name) != names.end() ||
         (!selectors.empty() && selects(selectors, pool->labels));
}

}  // namespace herald
