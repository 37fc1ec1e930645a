#include "ipam/matching.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <tuple>

namespace herald::ipam {
namespace {

constexpr const char* kNameLabel = "kubernetes.io/metadata.name";

std::int64_t age_key(const CreationTime& created) {
  return created.value_or(std::numeric_limits<std::int64_t>::max());
}

}  // namespace

Labels selectable_labels(const Service& service) {
  Labels labels = service.labels;
  labels.set({{"io.kubernetes.service.namespace", service.name.ns},
              {"io.kubernetes.service.name", service.name.name}});
  return labels;
}

NamespaceLabels::NamespaceLabels(const std::vector<NamespaceObject>& namespaces) {
  for (const NamespaceObject& object : namespaces) {
    Labels& labels = labels_[object.name];
    labels = object.labels;
    labels.set(kNameLabel, object.name);
  }
}

const Labels& NamespaceLabels::of(const std::string& ns) {
  const auto [at, is_new] = labels_.try_emplace(ns);
  if (is_new) at->second.set(kNameLabel, ns);
  return at->second;
}

bool pool_selects(const Pool& pool, const Labels& service_labels, const Labels& namespace_labels) {
  return selects(pool.namespace_selectors, namespace_labels) &&
         selects(pool.service_selectors, service_labels);
}

bool better_pool(const Pool& a, const Pool& b) {
  const auto key = [](const Pool& p) {
    return std::tuple(p.priority.value_or(std::numeric_limits<int>::max()), age_key(p.created),
                      p.name);
  };
  return key(a) < key(b);
}

bool older_service(const Service& a, const Service& b) {
  return std::tuple(age_key(a.created), a.name) < std::tuple(age_key(b.created), b.name);
}

}  // namespace herald::ipam
