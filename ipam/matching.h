// ipam/matching.h: which services a pool is for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/objects.h"

namespace herald::ipam {

// A service's labels with the pseudo-labels that selectors of pools may use:
// io.kubernetes.service.namespace and io.kubernetes.service.name.
Labels selectable_labels(const Service& service);

// The labels of every namespace, with kubernetes.io/metadata.name, which Kubernetes sets itself.
class NamespaceLabels {
 public:
  explicit NamespaceLabels(const std::vector<NamespaceObject>& namespaces);
  // Of a namespace that nobody declared: its name alone.
  const Labels& of(const std::string& ns);

 private:
  std::map<std::string, Labels> labels_;
};

// Whether the selectors of services and of namespaces both let the service in; what the pool does
// not set lets everybody in. Neither disabled nor autoAssign matter here.
bool pool_selects(const Pool& pool, const Labels& service_labels, const Labels& namespace_labels);

// Best first: priority (1 before 2, none last), then the older, then by name.
bool better_pool(const Pool& a, const Pool& b);

// Older first: creation (none: youngest), then namespace/name.
bool older_service(const Service& a, const Service& b);

}  // namespace herald::ipam
