#include "config/manifests.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "config/json_document.h"
#include "config/validate.h"

namespace herald::config {
namespace {

constexpr const char* kStillUsing = "; still using the version read before";

// MetalLB's objects lie in its namespace, but what they become has none.
const std::string& space_of(const Translated& object) {
  static const std::string kNone;
  return is_metallb(object.api) ? kNone : object.ns;
}

bool same_object(const Translated& a, const Translated& b) {
  return std::tie(a.sort, space_of(a), a.name) == std::tie(b.sort, space_of(b), b.name);
}

struct Collect {
  Desired& out;
  CiliumBgp& cilium;
  void operator()(const std::monostate& /*nothing*/) {}
  void operator()(const Service& o) { out.services.push_back(o); }
  void operator()(const Pool& o) { out.pools.push_back(o); }
  void operator()(const L2Policy& o) { out.l2_policies.push_back(o); }
  void operator()(const BgpPeer& o) { out.peers.push_back(o); }
  void operator()(const BgpAdvertisement& o) { out.advertisements.push_back(o); }
  void operator()(const NodeObject& o) { out.nodes.push_back(o); }
  void operator()(const NamespaceObject& o) { out.namespaces.push_back(o); }
  void operator()(const EndpointSlice& o) { out.endpoint_slices.push_back(o); }
  void operator()(const BfdProfile& o) { out.bfd_profiles.push_back(o); }
  void operator()(const SecretObject& o) { out.secrets.push_back(o); }
  void operator()(const UnmanagedService& o) { out.unmanaged.push_back(o); }
  // join_metallb() makes these part of the model, once all are there.
  void operator()(const metallb::Peer& /*joined*/) {}
  void operator()(const metallb::Advertisement& /*joined*/) {}
  void operator()(const metallb::Community& /*joined*/) {}
  void operator()(const CiliumBgpClusterConfig& o) { cilium.clusters.push_back(o); }
  void operator()(const CiliumBgpPeerConfig& o) { cilium.peer_configs.push_back(o); }
  void operator()(const CiliumBgpAdvertisement& o) { cilium.advertisements.push_back(o); }
  void operator()(const CiliumBgpNodeOverride& o) { cilium.overrides.push_back(o); }
};

// Why the service is somebody else's, by its spec.loadBalancerClass; nothing if it is ours.
std::optional<std::string> not_ours(const Service& service, const ManifestOptions& options) {
  const auto& classes = options.load_balancer_classes;
  if (!service.load_balancer_class) {
    if (options.class_less_services) return std::nullopt;
    return "it has no loadBalancerClass, and class-less-services is false: give it one of " +
           join(classes, ", ");
  }
  if (std::find(classes.begin(), classes.end(), *service.load_balancer_class) != classes.end()) {
    return std::nullopt;
  }
  return "its loadBalancerClass is " +
         (service.load_balancer_class->empty() ? "empty" : *service.load_balancer_class) +
         ", which is none of load-balancer-classes (" + join(classes, ", ") + ")";
}

// A Service that is somebody else's becomes what is kept of those.
void set_apart_if_foreign(Object& object, const ManifestOptions& options) {
  const auto* service = std::get_if<Service>(&object);
  if (service == nullptr) return;
  if (auto why = not_ours(*service, options)) {
    UnmanagedService foreign{service->name, service->source, std::move(*why)};
    object = std::move(foreign);
  }
}

// What validate() finds about an object of MetalLB, in the words of its manifest.
void name_as_written(const std::vector<const Translated*>& objects, std::size_t from,
                     std::vector<Problem>& problems) {
  static const std::map<std::string, std::string> kFields = {{"spec.pools", "spec.ipAddressPools"},
                                                             {"spec.address", "spec.peerAddress"}};
  std::map<std::tuple<std::string, int, std::string>, const Translated*> by_place;
  for (const Translated* o : objects) {
    if (is_metallb(o->api)) by_place[{o->source.file, o->source.line, o->name}] = o;
  }
  for (std::size_t i = from; i < problems.size() && !by_place.empty(); ++i) {
    Problem& p = problems[i];
    const auto it = by_place.find({p.source.file, p.source.line, p.name});
    if (it == by_place.end()) continue;
    p.ns = it->second->ns;
    if (const auto field = kFields.find(p.field); field != kFields.end()) p.field = field->second;
  }
}

template <typename T>
void sort_by_name(std::vector<T>& objects) {
  std::sort(objects.begin(), objects.end(), [](const T& a, const T& b) { return a.name < b.name; });
}
template <typename T>
void sort_by_name(SharedList<T>& objects) {
  objects.sort([](const T& a, const T& b) { return a.name < b.name; });
}

// The member of a JSON object, made if it is not there.
Value& member_of(Value& map, const std::string& key) {
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    if (map.keys[i] == key) return map.items[i];
  }
  map.keys.push_back(key);
  return map.items.emplace_back();
}
void set_text(Value& map, const std::string& key, const std::string& text) {
  Value& value = member_of(map, key);
  value = Value{};
  value.type = Value::Type::String;
  value.text = text;
}

// What the path says of an object, its text cannot say otherwise: by that it is found when it goes.
Value named_as(const Manifests::ApiObject& object, Value text = {}) {
  text.type = Value::Type::Map;
  set_text(text, "apiVersion", object.api);
  set_text(text, "kind", object.kind);
  Value& metadata = member_of(text, "metadata");
  if (metadata.type != Value::Type::Map) {
    metadata = Value{};
    metadata.type = Value::Type::Map;
  }
  set_text(metadata, "name", object.name);
  if (!object.ns.empty()) set_text(metadata, "namespace", object.ns);
  return text;
}

// Few files do, and to look through all objects for each of ten thousand would take minutes.
bool is_remembered(const std::vector<Translated>& objects) {
  return std::any_of(objects.begin(), objects.end(), [](const Translated& object) {
    return std::holds_alternative<metallb::Community>(object.object) ||
           std::holds_alternative<metallb::Advertisement>(object.object) ||
           std::holds_alternative<CiliumBgpClusterConfig>(object.object) ||
           std::holds_alternative<CiliumBgpPeerConfig>(object.object);
  });
}

}  // namespace

// The version in use of what `bad` wants to replace: in its own file first, else in any (an object
// may have moved from one file to another).
const Translated* Manifests::last_good(const std::string& path, const Translated& bad) const {
  if (bad.sort == 0 || bad.name.empty()) return nullptr;
  const auto find_in = [&](const File& file) -> const Translated* {
    const auto it = std::find_if(file.objects.begin(), file.objects.end(), [&](const auto& o) {
      return same_object(o, bad) && o.object.index() != 0;
    });
    return it == file.objects.end() ? nullptr : &*it;
  };
  if (const auto own = files_.find(path); own != files_.end()) {
    if (const Translated* found = find_in(own->second)) return found;
  }
  for (const auto& [other, file] : files_) {
    if (const Translated* found = find_in(file)) return found;
  }
  return nullptr;
}

void Manifests::set_file(const std::string& path, std::string_view text) {
  unreadable_.erase(path);
  const YamlFile parsed = parse_yaml(text);
  const auto before = files_.find(path);
  const bool known_before = before != files_.end() && before->second.complete;
  File file;
  bool parts_lost = !parsed.errors.empty();
  for (const Value& document : parsed.documents) {
    for (Translated& object : translate(document, path)) {
      ++file.objects_read;
      set_apart_if_foreign(object.object, options_);
      if (object.good) {
        file.objects.push_back(std::move(object));
        continue;
      }
      if (object.sort == 0 && object.may_be_service) parts_lost = true;
      if (const Translated* old = last_good(path, object)) {
        object.object = old->object;
        for (Problem& p : object.problems) {
          if (p.severity == Severity::Error) p.message += kStillUsing;
        }
      } else if (object.may_be_service && object.sort != 0) {
        file.complete = false;
      }
      file.objects.push_back(std::move(object));
    }
  }
  if (parts_lost) {
    // Whatever the text that cannot be read was about: keep all that was there and is not now.
    if (!known_before) file.complete = false;
    const std::size_t fresh = file.objects.size();
    if (before != files_.end()) {
      for (const Translated& old : before->second.objects) {
        const bool replaced = std::any_of(file.objects.begin(),
                                          file.objects.begin() + static_cast<std::ptrdiff_t>(fresh),
                                          [&](const Translated& o) { return same_object(o, old); });
        if (old.object.index() == 0 || replaced) continue;
        file.objects.push_back(old);
        file.objects.back().problems.clear();
      }
    }
    const bool kept = file.objects.size() > fresh;
    for (const SyntaxError& fault : parsed.errors) {
      file.problems.push_back({Severity::Error,
                               {path, fault.line},
                               "",
                               "",
                               "",
                               "",
                               "cannot be parsed: " + fault.message +
                                   (kept ? "; still using the version read before of what is "
                                           "not readable now"
                                         : "")});
    }
  }
  put_file(path, std::move(file));
}

void Manifests::put_file(const std::string& path, File file) {
  const auto before = files_.find(path);
  const bool remembered = is_remembered(file.objects) ||
                          (before != files_.end() && is_remembered(before->second.objects));
  files_[path] = std::move(file);
  if (remembered) remember_names();
}

Change Manifests::set_object(const ApiObject& object, std::string_view json) {
  auto document = parse_json(json);
  if (document && document->type != Value::Type::Map) document = error("is no JSON object");
  const Value root = named_as(object, document ? std::move(*document) : Value{});
  Translated translated = translate_lenient(root, object.path);
  if (!document) {
    translated.good = false;
    translated.object = {};
    translated.problems = {{Severity::Error, translated.source, object.kind, object.ns, object.name,
                            "", document.error() + ": the API server sends it so"}};
  }
  set_apart_if_foreign(translated.object, options_);
  if (translated.good && translated.problems.empty()) {
    if (const auto change = core_.set(translated.object)) {
      // Its fault is mended: the picture may be complete again.
      return files_.erase(object.path) > 0 ? Change::Wanted : *change;
    }
  }
  return put_faulty(object.path, std::move(translated));
}

// An object with faults, or one of those kinds of which there are few.
Change Manifests::put_faulty(const std::string& path, Translated object) {
  File file;
  file.objects_read = 1;
  const ObjectKey key{object.sort, space_of(object), object.name};
  if (!object.good) {
    Object known = core_.find(key);
    if (known.index() == 0) {
      if (const Translated* old = last_good(path, object)) known = old->object;
    }
    if (known.index() == 0) {
      file.complete = !(object.may_be_service && object.sort != 0);
    } else {
      for (Problem& p : object.problems) {
        if (p.severity == Severity::Error) p.message += kStillUsing;
      }
    }
    object.object = std::move(known);
  }
  core_.remove(key);
  const auto before = files_.find(path);
  if (before != files_.end() && before->second.objects.size() == 1 &&
      before->second.objects.front() == object) {
    return Change::None;
  }
  file.objects.push_back(std::move(object));
  put_file(path, std::move(file));
  return Change::Wanted;
}

Change Manifests::remove_object(const ApiObject& object) {
  const Translated translated = translate_lenient(named_as(object), object.path);
  bool changed = core_.remove({translated.sort, space_of(translated), translated.name});
  const auto at = files_.find(object.path);
  if (at != files_.end()) {
    const bool remembered = is_remembered(at->second.objects);
    files_.erase(at);
    if (remembered) remember_names();
    changed = true;
  }
  return changed ? Change::Wanted : Change::None;
}

void Manifests::apply_file(const std::string& path, std::string_view text) {
  set_file(path, text);
  files_[path].applied = true;
}

void Manifests::remove_file(const std::string& path) {
  files_.erase(path);
  unreadable_.erase(path);
  remember_names();
}

void Manifests::remember_names() {
  std::vector<const Translated*> objects;
  for (const auto& [path, file] : files_) {
    for (const Translated& object : file.objects) objects.push_back(&object);
  }
  aliases_ = known_aliases(objects, aliases_);

  std::set<std::string> named, there;
  for (const Translated* object : objects) {
    if (const auto* config = std::get_if<CiliumBgpPeerConfig>(&object->object)) {
      peer_configs_[config->name] = *config;
      there.insert(config->name);
    } else if (const auto* cluster = std::get_if<CiliumBgpClusterConfig>(&object->object)) {
      for (const CiliumBgpInstance& instance : cluster->instances) {
        for (const CiliumBgpPeer& peer : instance.peers) {
          if (peer.peer_config) named.insert(*peer.peer_config);
        }
      }
    }
  }
  std::erase_if(peer_configs_, [&](const auto& known) {
    return !named.contains(known.first) && !there.contains(known.first);
  });
}

void Manifests::add_peer_configs_that_are_gone(CiliumBgp& cilium, Desired& out) const {
  std::set<std::string> there;
  for (const CiliumBgpPeerConfig& config : cilium.peer_configs) there.insert(config.name);
  for (const auto& [name, config] : peer_configs_) {
    if (there.contains(name)) continue;
    cilium.peer_configs.push_back(config);
    cilium.gone.insert(name);
    out.problems.push_back(
        {Severity::Warning, config.source, "CiliumBGPPeerConfig", "", name, "",
         "is gone, and a CiliumBGPClusterConfig still names it: it is used as it was, until the "
         "daemon starts again; put it back, or take the peers out of the CiliumBGPClusterConfig"});
  }
}

void Manifests::set_unreadable(const std::string& path, const std::string& reason) {
  unreadable_[path] = reason;
}

Desired Manifests::desired() const {
  Desired out;
  CiliumBgp cilium;
  // Kind, namespace, name -> where it was first read.
  std::map<ObjectKey, Source> seen;
  std::vector<const Translated*> used;
  std::vector<const File*> in_order;
  for (const auto& [path, file] : files_) in_order.push_back(&file);
  const auto rest = std::stable_partition(in_order.begin(), in_order.end(),
                                          [](const File* file) { return file->applied; });
  std::set<ObjectKey> replaced;
  for (auto at = in_order.begin(); at != in_order.end(); ++at) {
    if (at == rest) {
      for (const auto& [key, source] : seen) replaced.insert(key);
    }
    const File& file = **at;
    out.complete = out.complete && file.complete;
    out.objects_read += file.objects_read;
    out.problems.insert(out.problems.end(), file.problems.begin(), file.problems.end());
    for (const Translated& object : file.objects) {
      if (replaced.contains({object.sort, space_of(object), object.name})) continue;
      out.problems.insert(out.problems.end(), object.problems.begin(), object.problems.end());
      if (object.sort != 0) {
        const auto [first, fresh] =
            seen.try_emplace({object.sort, space_of(object), object.name}, object.source);
        if (!fresh) {
          out.problems.push_back(
              {Severity::Error, object.source, object.kind, object.ns, object.name, "metadata.name",
               "is there twice: the one at " + place_of(first->second) + " is used, the one at " +
                   place_of(object.source) + " is not; rename or remove one"});
          continue;
        }
      }
      std::visit(Collect{out, cilium}, object.object);
      used.push_back(&object);
    }
  }
  if (rest == in_order.end()) {
    for (const auto& [key, source] : seen) replaced.insert(key);
  }
  core_.add_to(out, replaced);
  out.objects_read += static_cast<int>(core_.size());
  for (const auto& [path, reason] : unreadable_) {
    out.complete = false;
    const auto below = files_.lower_bound(path);
    const bool known = below != files_.end() && below->first.rfind(path, 0) == 0;
    out.problems.push_back(
        {Severity::Error,
         {path, 0},
         "",
         "",
         "",
         "",
         "cannot be read: " + reason + (known ? "; what was read before stays in use" : "")});
  }
  const std::set<PeerName> compared = join_metallb(used, aliases_, out);
  add_peer_configs_that_are_gone(cilium, out);
  resolve_cilium_bgp(cilium, out);
  sort_by_name(out.services);
  sort_by_name(out.pools);
  sort_by_name(out.l2_policies);
  sort_by_name(out.peers);
  sort_by_name(out.advertisements);
  sort_by_name(out.nodes);
  sort_by_name(out.namespaces);
  sort_by_name(out.endpoint_slices);
  sort_by_name(out.bfd_profiles);
  sort_by_name(out.secrets);
  sort_by_name(out.unmanaged);
  const std::size_t found = out.problems.size();
  validate(out, compared);
  name_as_written(used, found, out.problems);
  return out;
}

}  // namespace herald::config
