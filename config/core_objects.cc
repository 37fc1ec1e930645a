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

// Of a name: where it is or would be.
template <typename Objects, typename Name>
auto place(Objects& objects, const Name& name) {
  return std::lower_bound(objects.begin(), objects.end(), name,
                          [](const auto& object, const Name& n) { return object->name < n; });
}

// nullptr: there is none.
template <typename Objects, typename Name>
auto in(const Objects& objects, const Name& name) {
  const auto at = place(objects, name);
  return at == objects.end() || (*at)->name != name ? nullptr : at->get();
}

// In the place of the one of its name, if there is one.
template <typename Objects, typename T>
void put(Objects& objects, T object) {
  const auto at = place(objects, object.name);
  const bool there = at != objects.end() && (*at)->name == object.name;
  auto fresh = std::make_shared<T>(std::move(object));
  if (there) {
    *at = std::move(fresh);
  } else {
    objects.insert(at, std::move(fresh));
  }
}

// True if it was there.
template <typename Objects, typename Name>
bool take_out(Objects& objects, const Name& name) {
  const auto at = place(objects, name);
  if (at == objects.end() || (*at)->name != name) return false;
  objects.erase(at);
  return true;
}

template <typename T>
bool same(const T* before, const T& now) {
  return before != nullptr && *before == now;
}

}  // namespace

bool CoreObjects::is_ours(const ObjectName& service) const {
  // One that is not here may be elsewhere, for it has a fault.
  return in(unmanaged_, service) == nullptr;
}

// What readers tell apart: where there are endpoints of which state, not how many.
void CoreObjects::make_small(EndpointSlice& slice) {
  const auto key = [](const Endpoint& e) {
    return std::tie(e.node, e.ready, e.serving, e.terminating);
  };
  std::sort(slice.endpoints.begin(), slice.endpoints.end(),
            [&](const Endpoint& a, const Endpoint& b) { return key(a) < key(b); });
  slice.endpoints.erase(std::unique(slice.endpoints.begin(), slice.endpoints.end()),
                        slice.endpoints.end());
  slice.endpoints.shrink_to_fit();
  for (Endpoint& e : slice.endpoints) e.node = node_names_.intern(std::move(e.node));
}

std::optional<Change> CoreObjects::set(Object& object) {
  if (auto* service = std::get_if<Service>(&object)) {
    const Service* known = in(services_, service->name);
    const Change change = known == nullptr ? Change::Wanted : compare(*known, *service);
    take_out(unmanaged_, service->name);
    if (change != Change::None) put(services_, std::move(*service));
    return change;
  }
  if (auto* service = std::get_if<UnmanagedService>(&object)) {
    const bool was_ours = take_out(services_, service->name);
    if (same(in(unmanaged_, service->name), *service)) return Change::None;
    put(unmanaged_, std::move(*service));
    // For those who ask why it has no IP; nobody waits for that.
    return was_ours ? Change::Wanted : Change::Minor;
  }
  if (auto* slice = std::get_if<EndpointSlice>(&object)) {
    const EndpointSlice* known = in(slices_, slice->name);
    make_small(*slice);
    if (same(known, *slice)) return Change::None;
    const bool matters = is_ours(slice->service) || (known != nullptr && is_ours(known->service));
    put(slices_, std::move(*slice));
    return matters ? Change::Wanted : Change::None;
  }
  if (auto* node = std::get_if<NodeObject>(&object)) {
    if (same(in(nodes_, node->name), *node)) return Change::None;
    put(nodes_, std::move(*node));
    return Change::Wanted;
  }
  return std::nullopt;
}

bool CoreObjects::remove(const ObjectKey& key) {
  const auto& [sort, ns, name] = key;
  if (sort == kSort<Service>) {
    return take_out(services_, ObjectName{ns, name}) || take_out(unmanaged_, ObjectName{ns, name});
  }
  if (sort == kSort<EndpointSlice>) {
    const EndpointSlice* known = in(slices_, ObjectName{ns, name});
    const bool matters = known != nullptr && is_ours(known->service);
    take_out(slices_, ObjectName{ns, name});
    return matters;
  }
  return sort == kSort<NodeObject> && take_out(nodes_, NodeName(name));
}

Object CoreObjects::find(const ObjectKey& key) const {
  const auto& [sort, ns, name] = key;
  if (sort == kSort<Service>) {
    if (const auto* ours = in(services_, ObjectName{ns, name})) return *ours;
    if (const auto* other = in(unmanaged_, ObjectName{ns, name})) return *other;
  } else if (sort == kSort<EndpointSlice>) {
    if (const auto* slice = in(slices_, ObjectName{ns, name})) return *slice;
  } else if (sort == kSort<NodeObject>) {
    if (const auto* node = in(nodes_, NodeName(name))) return *node;
  }
  return {};
}

void CoreObjects::add_to(Desired& out, const std::set<ObjectKey>& replaced) const {
  const auto is_replaced = [&](std::size_t sort, const std::string& ns, const std::string& name) {
    return !replaced.empty() && replaced.contains({sort, ns, name});
  };
  out.services.reserve(out.services.size() + services_.size());
  for (const auto& service : services_) {
    const auto& [ns, name] = service->name;
    if (!is_replaced(kSort<Service>, ns, name)) out.services.push_back(service);
  }
  for (const auto& service : unmanaged_) {
    const auto& [ns, name] = service->name;
    if (!is_replaced(kSort<Service>, ns, name)) out.unmanaged.push_back(service);
  }
  Names ours;
  ours.reserve(out.services.size());
  for (const Service& service : std::as_const(out.services)) ours.insert(&service.name);
  for (const auto& slice : slices_) {
    if (!ours.contains(&slice->service)) continue;
    const auto& [ns, name] = slice->name;
    if (!is_replaced(kSort<EndpointSlice>, ns, name)) out.endpoint_slices.push_back(slice);
  }
  for (const auto& node : nodes_) {
    if (!is_replaced(kSort<NodeObject>, "", node->name.str())) out.nodes.push_back(node);
  }
}

}  // namespace herald::config
