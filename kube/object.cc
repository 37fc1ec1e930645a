#include "kube/object.h"

namespace herald::kube {

std::string path_of(const Resource& resource, const std::string& ns) {
  std::string path = resource.group.empty() ? "/api/" : "/apis/" + resource.group + "/";
  path += resource.version;
  if (!ns.empty()) path += "/namespaces/" + ns;
  return path + "/" + resource.plural;
}

std::string path_of(const ObjectRef& object) {
  return path_of(object.resource, object.ns) + "/" + object.name;
}

std::string name_of(const Resource& resource) {
  return resource.group.empty() ? resource.plural : resource.plural + "." + resource.group;
}

std::string to_string(const ObjectRef& object) {
  return object.resource.kind + " " + (object.ns.empty() ? "" : object.ns + "/") + object.name;
}

}  // namespace herald::kube
