// config/core_objects.h: the objects of an API server of which there are thousands, in little
// space: Services, EndpointSlices and Nodes without any fault.
//
// They are shared with every Desired that is made, so that one more costs a pointer for each.
// Slices of all services are kept, as a service may become ours later; only those of ours are
// given.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/shared.h"
#include "config/translate.h"
#include "model/desired.h"

namespace herald::config {

// Sort, namespace, name.
using ObjectKey = std::tuple<std::size_t, std::string, std::string>;

// What a new version of an object changes.
enum class Change : std::uint8_t {
  None,
  Minor,   // what nobody waits for: the IPs in a Service's status (mostly told by ourselves), why a
           // Service is not ours
  Wanted,  // what users want
};

class CoreObjects {
 public:
  // Takes it in, if it is of such a kind (else nullopt); and what that changed.
  std::optional<Change> set(Object& object);
  // True if it was there, and anything is wanted otherwise now.
  bool remove(const ObjectKey& key);
  // The object there, as a copy; monostate if there is none.
  Object find(const ObjectKey& key) const;
  std::size_t size() const {
    return services_.size() + unmanaged_.size() + slices_.size() + nodes_.size();
  }

  // Each kind sorted by name; not those whose key is in `replaced`. `out` has the services of
  // elsewhere already.
  void add_to(Desired& out, const std::set<ObjectKey>& replaced) const;

 private:
  template <typename T>
  using Objects = std::vector<std::shared_ptr<const T>>;  // sorted by name, as lists of them are

  bool is_ours(const ObjectName& service) const;
  void make_small(EndpointSlice& slice);

  Objects<Service> services_;
  Objects<UnmanagedService> unmanaged_;  // none of them is among services_
  Objects<EndpointSlice> slices_;
  Objects<NodeObject> nodes_;
  Interner<NodeName> node_names_;  // of the endpoints
};

}  // namespace herald::config
