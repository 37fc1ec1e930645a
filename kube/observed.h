// kube/observed.h: what is seen of the objects of an API server that Herald writes to.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/shared.h"
#include "kube/object.h"
#include "model/shared_list.h"

namespace herald::kube {

// What was last seen of an object that Herald may write to.
struct ObservedObject {
  std::string uid, resource_version;
  std::int64_t generation = 0;
  std::string status;  // .status as JSON text; empty: it has none
  // What of .status is ours, as metadata.managedFields says: the fieldsV1 of our field manager, as
  // JSON text; empty: nothing. So a new leader knows what an older one wrote.
  SharedText managed;
  bool created = false;  // our field manager has fields outside of .status: we made the object
  bool operator==(const ObservedObject&) const = default;
};

// Objects by what names them. Copies share those that they have in common.
class ObservedObjects {
 public:
  using Named = std::pair<const ObjectRef, ObservedObject>;
  using const_iterator = SharedList<Named>::const_iterator;

  // Null: it is not there. As long as the object was not set anew, the same pointer.
  std::shared_ptr<const ObservedObject> find(const ObjectRef& object) const;
  bool contains(const ObjectRef& object) const { return find(object) != nullptr; }
  void set(const ObjectRef& object, ObservedObject is);
  bool erase(const ObjectRef& object);  // false: it was not there

  bool empty() const { return objects_.empty(); }
  std::size_t size() const { return objects_.size(); }
  const_iterator begin() const { return objects_.begin(); }
  const_iterator end() const { return objects_.end(); }
  // The first that is not before it: objects of one kind stand together.
  const_iterator at_or_after(const ObjectRef& object) const;

 private:
  SharedList<Named> objects_;  // sorted
};

struct Observed {
  // Of the kinds whose status Herald writes, every object that may be ours to write to, and every
  // one with something of ours: services of type LoadBalancer, and those with `managed`.
  ObservedObjects objects;
  // name_of() each optional kind that the server has.
  std::set<std::string> kinds;
};

}  // namespace herald::kube
