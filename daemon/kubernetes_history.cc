#include "daemon/kubernetes_history.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/text.h"

namespace herald::daemon {
namespace {

using coord::DocumentKey;

std::string gone_back(const std::string& what, const std::string& from, const std::string& to) {
  return fmt::format(
      "the API server went back: {} was at {}, now it is at {}: its etcd was restored from a "
      "backup, or is another one. Restart every heraldd of this cluster",
      what, from, to);
}

bool behind(std::uint64_t version, std::uint64_t floor) {
  return version != 0 && floor != 0 && version < floor;
}

}  // namespace

std::uint64_t version_number(std::string_view resource_version) {
  return parse_number(resource_version, std::numeric_limits<std::uint64_t>::max()).value_or(0);
}

const KubernetesHistory::Seen* KubernetesHistory::find(const DocumentKey& key) const {
  const auto it = seen_.find(key);
  return it == seen_.end() ? nullptr : &it->second;
}

KubernetesHistory::Mark KubernetesHistory::mark(const DocumentKey& key) const {
  const Seen* seen = find(key);
  if (seen == nullptr) return {};
  return {seen->rev, version_number(seen->version.resource_version)};
}

// The newest counts: a watch and an answer may overtake each other.
void KubernetesHistory::keep(const StoredObject& object) {
  const coord::Revision rev = coord::revision_of(*object.document);
  const std::uint64_t version = version_number(object.resource_version);
  Seen& seen = seen_[object.key];
  if (rev < seen.rev) return;
  if (rev == seen.rev && behind(version, version_number(seen.version.resource_version))) return;
  seen = {rev, {object.uid, object.resource_version, object.times}, std::nullopt};
}

Result<void> KubernetesHistory::answered(const StoredObject& object, const Mark& mark) {
  const coord::Revision rev = coord::revision_of(*object.document);
  if (rev < mark.rev) {
    return error(gone_back("document " + object.key.str(), "rev " + std::to_string(mark.rev.value),
                           "rev " + std::to_string(rev.value)));
  }
  const std::uint64_t version = version_number(object.resource_version);
  if (behind(version, mark.version)) {
    return error(gone_back("document " + object.key.str(),
                           "resourceVersion " + std::to_string(mark.version),
                           "resourceVersion " + std::to_string(version)));
  }
  keep(object);
  return {};
}

KubernetesHistory::ListMark KubernetesHistory::list_mark(const kube::Resource& resource) const {
  ListMark out;
  out.resource = resource;
  if (const auto it = highest_.find(resource); it != highest_.end()) out.version = it->second;
  for (const auto& [key, seen] : seen_) {
    const auto object = object_of(key, "");
    if (object && object->resource == resource) out.documents[key] = mark(key);
  }
  return out;
}

Result<void> KubernetesHistory::listed(const std::string& resource_version, const ListMark& mark) {
  const std::uint64_t version = version_number(resource_version);
  if (behind(version, mark.version)) {
    return error(gone_back(kube::name_of(mark.resource),
                           "resourceVersion " + std::to_string(mark.version),
                           "resourceVersion " + std::to_string(version)));
  }
  highest_[mark.resource] = std::max(highest_[mark.resource], version);
  return {};
}

std::vector<DocumentKey> KubernetesHistory::lacking(const std::vector<StoredObject>& objects,
                                                    const ListMark& mark) {
  std::set<DocumentKey> there;
  for (const StoredObject& object : objects) there.insert(object.key);
  std::vector<DocumentKey> out;
  for (const auto& [key, at] : mark.documents) {
    if (!there.contains(key)) out.push_back(key);
  }
  return out;
}

Result<void> KubernetesHistory::told(const kube::Resource& resource, const StoredEvent& event) {
  const std::uint64_t version = version_number(event.resource_version);
  highest_[resource] = std::max(highest_[resource], version);
  if (!event.object || !event.object->document) return {};
  const StoredObject& object = *event.object;
  const Seen* known = find(object.key);
  const std::uint64_t seen = known ? version_number(known->version.resource_version) : 0;
  const coord::Revision rev = coord::revision_of(*object.document);
  if (known != nullptr && behind(version, seen)) return {};
  if (known != nullptr && rev < known->rev && seen != 0 && version > seen) {
    return error(gone_back("document " + object.key.str(),
                           "rev " + std::to_string(known->rev.value),
                           "rev " + std::to_string(rev.value)));
  }
  keep(object);
  if (event.kind == StoredEvent::Kind::Deleted) {
    Seen& gone = seen_[object.key];
    if (gone.rev == rev && version >= seen) gone.deleted = *object.document;
  }
  return {};
}

}  // namespace herald::daemon
