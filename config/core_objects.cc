#include "config/core_objects.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <unordered_set>

namespace herald::config {
namespace {

struct HashName {
  std::size_t operator()(const ObjectName* n) const {
    return std::hash<std::string_view>()(n->ns) * 31 + std::hash<std::string_view>()(n->name);
  }
};
struct SameName {
  bool operator()(const ObjectName* a, const ObjectName* b) const { return *a == *b; }
};
using Names = std::unordered_set<const ObjectName*, HashName, SameName>;

// True if anything but the status changed.
Change compare(const Service& before, const Service& now) {
  if (before == now) return Change::None;
  Service as_before = now;
  as_before.held = before.held;
  return before == as_before ? Change::Minor : Change::Wanted;
}

// What readers tell apart: where there are endpoints of which state, not how many.
void make_small(EndpointSlice& slice) {
  const auto key = [](const Endpoint& e) {
    return std::tie(e.node, e.ready, e.serving, e.terminating);
  };
  std::sort(slice.endpoints.begin(), slice.endpoints.end(),
            [&](const Endpoint& a, const Endpoint& b) { return key(a) < key(b); });
  slice.endpoints.erase(std::unique(slice.endpoints.begin(), slice.endpoints.end()),
                        slice.endpoints.end());
  slice.endpoints.shrink_to_fit();
}

template <typename T>
bool same(const std::shared_ptr<const T>& before, const T& now) {
  return before != nullptr && *before == now;
}

}  // namespace

bool CoreObjects::is_ours(const ObjectName& service) const {
  const auto at = services_.find(service);
  // One that is not here may be elsewhere, for it has a fault.
  return at == services_.end() || at->second.ours != nullptr;
}

std::optional<Change> CoreObjects::set(Object& object) {
  if (auto* service = std::get_if<Service>(&object)) {
    OneService& one = services_[service->name];
    const Change change = one.ours == nullptr ? Change::Wanted : compare(*one.ours, *service);
    if (change != Change::None) one.ours = std::make_shared<Service>(std::move(*service));
    one.other.reset();
    return change;
  }
  if (auto* service = std::get_if<UnmanagedService>(&object)) {
    OneService& one = services_[service->name];
    const bool was_ours = one.ours != nullptr;
    if (!was_ours && same(one.other, *service)) return Change::None;
    // For those who ask why it has no IP; nobody waits for that.
    const Change change = was_ours ? Change::Wanted : Change::Minor;
    one = {nullptr, std::make_shared<UnmanagedService>(std::move(*service))};
    return change;
  }
  if (auto* slice = std::get_if<EndpointSlice>(&object)) {
    make_small(*slice);
    auto& known = slices_[slice->name];
    if (same(known, *slice)) return Change::None;
    const bool matters = is_ours(slice->service) || (known != nullptr && is_ours(known->service));
    known = std::make_shared<EndpointSlice>(std::move(*slice));
    return matters ? Change::Wanted : Change::None;
  }
  if (auto* node = std::get_if<NodeObject>(&object)) {
    auto& known = nodes_[node->name];
    if (same(known, *node)) return Change::None;
    known = std::make_shared<NodeObject>(std::move(*node));
    return Change::Wanted;
  }
  return std::nullopt;
}

bool CoreObjects::remove(const ObjectKey& key) {
  const auto& [sort, ns, name] = key;
  if (sort == kSort<Service>) {
    const auto at = services_.find({ns, name});
    if (at == services_.end()) return false;
    services_.erase(at);
    return true;
  }
  if (sort == kSort<EndpointSlice>) {
    const auto at = slices_.find({ns, name});
    if (at == slices_.end()) return false;
    const bool matters = is_ours(at->second->service);
    slices_.erase(at);
    return matters;
  }
  return sort == kSort<NodeObject> && nodes_.erase(NodeName(name)) > 0;
}

Object CoreObjects::find(const ObjectKey& key) const {
  const auto& [sort, ns, name] = key;
  if (sort == kSort<Service>) {
    const auto at = services_.find({ns, name});
    if (at != services_.end() && at->second.ours) return *at->second.ours;
    if (at != services_.end() && at->second.other) return *at->second.other;
  } else if (sort == kSort<EndpointSlice>) {
    const auto at = slices_.find({ns, name});
    if (at != slices_.end()) return *at->second;
  } else if (sort == kSort<NodeObject>) {
    const auto at = nodes_.find(NodeName(name));
    if (at != nodes_.end()) return *at->second;
  }
  return {};
}

void CoreObjects::add_to(Desired& out, const std::set<ObjectKey>& replaced) const {
  const auto is_replaced = [&](std::size_t sort, const std::string& ns, const std::string& name) {
    return !replaced.empty() && replaced.contains({sort, ns, name});
  };
  out.services.reserve(out.services.size() + services_.size());
  for (const auto& [name, one] : services_) {
    if (is_replaced(kSort<Service>, name.ns, name.name)) continue;
    if (one.ours) out.services.push_back(one.ours);
    if (one.other) out.unmanaged.push_back(one.other);
  }
  Names ours;
  ours.reserve(out.services.size());
  for (const Service& service : std::as_const(out.services)) ours.insert(&service.name);
  for (const auto& [name, slice] : slices_) {
    if (!ours.contains(&slice->service)) continue;
    if (!is_replaced(kSort<EndpointSlice>, name.ns, name.name)) {
      out.endpoint_slices.push_back(slice);
    }
  }
  for (const auto& [name, node] : nodes_) {
    if (!is_replaced(kSort<NodeObject>, "", name.str())) out.nodes.push_back(node);
  }
}

}  // namespace herald::config
