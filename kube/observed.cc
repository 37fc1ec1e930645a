#include "kube/observed.h"

#include <algorithm>

namespace herald::kube {

ObservedObjects::const_iterator ObservedObjects::at_or_after(const ObjectRef& object) const {
  return std::lower_bound(objects_.begin(), objects_.end(), object,
                          [](const Named& one, const ObjectRef& ref) { return one.first < ref; });
}

std::shared_ptr<const ObservedObject> ObservedObjects::find(const ObjectRef& object) const {
  const auto at = at_or_after(object);
  if (at == objects_.end() || at->first != object) return nullptr;
  return {at.shared(), &at->second};
}

void ObservedObjects::set(const ObjectRef& object, ObservedObject is) {
  auto at = at_or_after(object);
  if (at != objects_.end() && at->first == object) at = objects_.erase(at);
  objects_.insert(at, std::make_shared<Named>(object, std::move(is)));
}

bool ObservedObjects::erase(const ObjectRef& object) {
  const auto at = at_or_after(object);
  if (at == objects_.end() || at->first != object) return false;
  objects_.erase(at);
  return true;
}

}  // namespace herald::kube
