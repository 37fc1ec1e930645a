#include "model/objects.h"

#include <algorithm>

namespace herald {

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
