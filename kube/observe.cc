#include "kube/observe.h"

#include <boost/json.hpp>

#include "base/text.h"

namespace herald::kube {
namespace {

namespace json = boost::json;

const json::value* find(const json::object& object, std::string_view key) {
  return object.if_contains(json::string_view(key.data(), key.size()));
}
const json::object* child(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  return value == nullptr ? nullptr : value->if_object();
}
std::string_view text(const json::object& object, std::string_view key) {
  const json::value* value = find(object, key);
  const json::string* word = value == nullptr ? nullptr : value->if_string();
  return word == nullptr ? std::string_view{} : std::string_view(word->data(), word->size());
}

}  // namespace

ObservedObject observe(const json::object& object, std::string_view field_manager) {
  ObservedObject out;
  if (const json::value* status = find(object, "status")) {
    out.status = json::serialize(*status);
    out.status.shrink_to_fit();  // it grew by doubling, and there are thousands
  }
  const json::object* meta = child(object, "metadata");
  if (meta == nullptr) return out;
  out.uid = text(*meta, "uid");
  out.resource_version = text(*meta, "resourceVersion");
  if (const json::value* generation = find(*meta, "generation");
      generation != nullptr && generation->is_int64()) {
    out.generation = generation->get_int64();
  }
  const json::value* managers = find(*meta, "managedFields");
  if (managers == nullptr || !managers->is_array()) return out;
  for (const json::value& entry : managers->get_array()) {
    const json::object* one = entry.if_object();
    if (one == nullptr || text(*one, "manager") != field_manager) continue;
    const json::object* fields = child(*one, "fieldsV1");
    if (fields == nullptr || text(*one, "operation") != "Apply") continue;
    const std::string_view part = text(*one, "subresource");
    if (part.empty()) out.created = true;
    if (part != "status") continue;
    if (const json::object* status = child(*fields, "f:status")) {
      out.managed = json::serialize(*status);
    }
  }
  return out;
}

std::optional<ObservedObject> observe(std::string_view text, std::string_view field_manager) {
  boost::system::error_code failed;
  const json::value root = json::parse(json::string_view(text.data(), text.size()), failed);
  if (failed || !root.is_object()) return std::nullopt;
  ObservedObject out = observe(root.get_object(), field_manager);
  if (out.resource_version.empty()) return std::nullopt;
  return out;
}

bool at_least(std::string_view version, std::string_view than) {
  if (version == than) return true;
  const auto a = parse_number(version, ~std::uint64_t{0}),
             b = parse_number(than, ~std::uint64_t{0});
  return a && b && *a >= *b;
}

}  // namespace herald::kube
