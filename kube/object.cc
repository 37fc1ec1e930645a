#include "kube/object.h"

namespace herald::kube {

std::string path_of(const Resource& resource, const std::string& ns) {
  std::string path = (resource.group.empty() ? "/api/" : "/apis/") + api_version(resource);
  if (!ns.empty()) path += "/namespaces/" + ns;
  return path + "/" + resource.plural.str();
}

std::string path_of(const ObjectRef& object) {
  return path_of(object.resource, object.ns) + "/" + object.name;
}

std::string api_version(const Resource& resource) {
  return (resource.group.empty() ? "" : resource.group.str() + "/") + resource.version.str();
}

std::string name_of(const Resource& resource) {
  return resource.plural.str() + (resource.group.empty() ? "" : "." + resource.group.str());
}

std::string to_string(const ObjectRef& object) {
  return object.resource.kind.str() + " " + (object.ns.empty() ? "" : object.ns + "/") +
         object.name;
}

}  // namespace herald::kube
