#include "model/objects.h"

#include <algorithm>

namespace herald {

bool PoolChoice::chooses(const Pool* pool) const {
  if (all()) return true;
  if (pool == nullptr) return false;
  return std::find(names.begin(), names.end(), pool->name) != names.end() ||
         (!selectors.empty() && selects(selectors, pool->labels));
}

}  // namespace herald
