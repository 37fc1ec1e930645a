// kube/object.h: an object of an API server, as its paths name it, and what is seen of those that
// Herald writes to.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace herald::kube {

// A kind, as the API server serves it: /apis/GROUP/VERSION/[namespaces/NS/]PLURAL; of the core
// group (empty), /api/VERSION/...
struct Resource {
  std::string group, version, plural, kind;
  bool namespaced = true;
  auto operator<=>(const Resource&) const = default;
};

struct ObjectRef {
  Resource resource;
  std::string ns, name;  // ns is empty if the resource is cluster-scoped
  auto operator<=>(const ObjectRef&) const = default;
};

// "/api/v1/namespaces/default/services/web"
std::string path_of(const ObjectRef& object);
// "/apis/cilium.io/v2/ciliumloadbalancerippools"; ns: empty: of all namespaces.
std::string path_of(const Resource& resource, const std::string& ns = "");
// "pools.example.com", as its CustomResourceDefinition is called; "services" in the core group.
std::string name_of(const Resource& resource);
// "Service default/web": for messages.
std::string to_string(const ObjectRef& object);

// What was last seen of an object that Herald may write to.
struct ObservedObject {
  std::string uid, resource_version;
  std::int64_t generation = 0;
  std::string status;  // .status as JSON text; empty: it has none
  // What of .status is ours, as metadata.managedFields says: the fieldsV1 of our field manager, as
  // JSON text; empty: nothing. So a new leader knows what an older one wrote.
  std::string managed;
  bool created = false;  // our field manager has fields outside of .status: we made the object
  bool operator==(const ObservedObject&) const = default;
};

struct Observed {
  // Of the kinds whose status Herald writes, every object that may be ours to write to, and every
  // one with something of ours: services of type LoadBalancer, and those with `managed`.
  std::map<ObjectRef, std::shared_ptr<const ObservedObject>> objects;
  // name_of() each optional kind that the server has.
  std::set<std::string> kinds;
};

}  // namespace herald::kube
