// kube/object.h: an object of an API server, as its paths name it.
#pragma once

#include <compare>
#include <string>

#include "base/literal.h"

namespace herald::kube {

// A kind, as the API server serves it: /apis/GROUP/VERSION/[namespaces/NS/]PLURAL; of the core
// group (empty), /api/VERSION/... All those that Herald knows are written in it.
struct Resource {
  Literal group, version, plural, kind;
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
// "metallb.io/v1beta1"; "v1" in the core group: apiVersion of its objects.
std::string api_version(const Resource& resource);
// "pools.example.com", as its CustomResourceDefinition is called; "services" in the core group.
std::string name_of(const Resource& resource);
// "Service default/web": for messages.
std::string to_string(const ObjectRef& object);

}  // namespace herald::kube
