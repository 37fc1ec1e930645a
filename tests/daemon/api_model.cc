#include "tests/daemon/api_model.h"

#include <fmt/core.h>

#include <algorithm>

#include <boost/json.hpp>

namespace herald::daemon {
namespace {

namespace json = boost::json;
using kube::Write;
using kube::WriteAnswer;

void flatten_into(const json::value& value, const std::string& path,
                  std::map<std::string, std::string>& out) {
  const bool conditions = path == "conditions" && value.is_array();
  if (value.is_object() && !value.get_object().empty()) {
    for (const auto& field : value.get_object()) {
      flatten_into(field.value(), (path.empty() ? "" : path + "/") + std::string(field.key()), out);
    }
  } else if (conditions) {
    for (const json::value& one : value.get_array()) {
      flatten_into(one, "conditions/" + std::string(one.at("type").as_string()), out);
    }
  } else {
    out[path] = json::serialize(value);
  }
}

}  // namespace

// A condition's type may have a '/': its fields come after the last one.
void ApiModel::flatten(const std::string& text, Fields& out) {
  if (text.empty()) return;
  const json::value value = json::parse(text);
  if (value.get_object().empty()) return;
  flatten_into(value, "", out);
}

std::string ApiModel::status_of(const Object& object) {
  json::object out;
  std::map<std::string, json::object> conditions;
  for (const auto& [path, field] : object.status) {
    if (path.starts_with("conditions/")) {
      const std::size_t end = path.rfind('/');
      conditions[path.substr(11, end - 11)][path.substr(end + 1)] = json::parse(field.value);
      continue;
    }
    json::object* at = &out;
    std::size_t from = 0;
    for (std::size_t to = path.find('/'); to != std::string::npos; to = path.find('/', from)) {
      json::value& next = (*at)[path.substr(from, to - from)];
      if (!next.is_object()) next = json::object{};
      at = &next.get_object();
      from = to + 1;
    }
    (*at)[path.substr(from)] = json::parse(field.value);
  }
  if (!conditions.empty()) {
    json::array list;
    for (auto& [type, condition] : conditions) list.push_back(std::move(condition));
    out["conditions"] = std::move(list);
  }
  return json::serialize(out);
}

std::string ApiModel::managed_fields(const Object& object) {
  std::map<std::string, json::object> by_manager;
  for (const auto& [path, field] : object.status) {
    for (const std::string& owner : field.owners) {
      json::object* at = &by_manager[owner];
      const auto down = [&at](const std::string& key) {
        json::value& next = (*at)[key];
        if (!next.is_object()) next = json::object{};
        at = &next.get_object();
      };
      if (path.starts_with("conditions/")) {
        const std::size_t end = path.rfind('/');
        down("f:conditions");
        down("k:" + json::serialize(json::object{{"type", path.substr(11, end - 11)}}));
        down("f:" + path.substr(end + 1));
        continue;
      }
      std::size_t from = 0;
      for (std::size_t to = path.find('/'); from != std::string::npos; to = path.find('/', from)) {
        down("f:" + path.substr(from, to - from));
        from = to == std::string::npos ? to : to + 1;
      }
    }
  }
  json::array out;
  for (auto& [manager, fields] : by_manager) {
    // Whoever does not apply, updates: nothing of that is anybody's to take back.
    out.push_back(json::object{{"manager", manager},
                               {"operation", manager.starts_with("herald") ? "Apply" : "Update"},
                               {"subresource", "status"},
                               {"fieldsV1", json::object{{"f:status", std::move(fields)}}}});
  }
  for (const std::string& maker : object.makers) {
    out.push_back(json::object{{"manager", maker},
                               {"operation", "Apply"},
                               {"fieldsV1", json::object{{"f:metadata", {}}}}});
  }
  return json::serialize(out);
}

std::string ApiModel::json_of(const kube::ObjectRef& ref, const Object& object) const {
  return json::serialize(json::object{
      {"kind", ref.resource.kind.str()},
      {"metadata", json::object{{"name", ref.name},
                                {"namespace", ref.ns},
                                {"uid", object.uid},
                                {"resourceVersion", std::to_string(object.version)},
                                {"generation", object.generation},
                                {"managedFields", json::parse(managed_fields(object))}}},
      {"status", json::parse(status_of(object))}});
}

void ApiModel::create(const kube::ObjectRef& object) {
  Object made;
  made.uid = fmt::format("uid-{}", ++uids_);
  made.version = ++version_;
  objects_[object] = std::move(made);
}

void ApiModel::set_status(const kube::ObjectRef& object, const std::string& manager,
                          const std::string& status) {
  Object& at = objects_.at(object);
  Fields fields;
  flatten(status, fields);
  std::map<std::string, Field> after;
  for (const auto& [path, value] : fields) {
    const auto was = at.status.find(path);
    after[path] = was != at.status.end() && was->second.value == value ? was->second
                                                                       : Field{value, {manager}};
  }
  if (after == at.status) return;
  at.status = std::move(after);
  at.version = ++version_;
}

void ApiModel::next_generation(const kube::ObjectRef& object) {
  Object& at = objects_.at(object);
  ++at.generation;
  at.version = ++version_;
}

WriteAnswer ApiModel::answer(const Write& write) {
  ++writes_;
  WriteAnswer out;
  out.outcome = WriteAnswer::Outcome::Done;
  out.status = 200;
  const auto it = objects_.find(write.object);
  const auto gone = [&] {
    out.outcome = WriteAnswer::Outcome::Gone;
    out.status = 404;
    out.message = to_string(write.object) + " not found";
    return out;
  };
  const auto conflict = [&](std::string message) {
    out.outcome = WriteAnswer::Outcome::Conflict;
    out.status = 409;
    out.message = std::move(message);
    return out;
  };
  switch (write.verb) {
    case Write::Verb::Look:
      if (it == objects_.end()) return gone();
      out.body = json_of(write.object, it->second);
      return out;
    case Write::Verb::Delete:
      if (it != objects_.end()) {
        objects_.erase(it);
        ++changes_;
      }
      return out;
    case Write::Verb::Create:
      if (it == objects_.end()) {
        create(write.object);
        ++changes_;
      }
      return out;
    case Write::Verb::Apply: {
      if (it == objects_.end()) create(write.object);
      Object& at = objects_.at(write.object);
      if (at.makers.insert(write.field_manager).second || at.meta != write.body) {
        at.meta = write.body;
        at.version = ++version_;
        ++changes_;
      }
      out.body = json_of(write.object, at);
      return out;
    }
    case Write::Verb::ApplyStatus:
      break;
  }
  if (it == objects_.end()) {
    if (write.object.resource.kind != "Service") return gone();
    // As kube-apiserver answers: never 404.
    if (writes_ % 2 == 0) return conflict("Operation cannot be fulfilled: uid mismatch: ...");
    out.outcome = WriteAnswer::Outcome::Refused;
    out.status = 422;
    out.message = to_string(write.object) + " is invalid: spec.ports: Required value";
    return out;
  }
  Object& at = it->second;
  const json::value body = json::parse(write.body);
  const json::object& meta = body.at("metadata").as_object();
  if (const json::value* version = meta.if_contains("resourceVersion")) {
    if (version->as_string() != std::to_string(at.version)) {
      return conflict("Operation cannot be fulfilled: the object has been modified");
    }
  }
  if (const json::value* uid = meta.if_contains("uid"); uid && uid->as_string() != at.uid) {
    return conflict("Precondition failed: UID in precondition differs");
  }
  Fields fields;
  if (const json::value* status = body.as_object().if_contains("status")) {
    flatten(json::serialize(*status), fields);
  }
  std::erase_if(fields, [&](const auto& field) {
    return std::any_of(dropped.begin(), dropped.end(),
                       [&](const std::string& end) { return field.first.ends_with(end); });
  });
  std::set<std::string> others;
  for (const auto& [path, value] : fields) {
    const auto was = at.status.find(path);
    if (was == at.status.end() || was->second.value == value) continue;
    for (const std::string& owner : was->second.owners) {
      if (owner != write.field_manager) others.insert(owner);
    }
  }
  if (!others.empty() && !write.force) {
    std::string message = fmt::format("Apply failed with {} conflicts:", others.size());
    for (const std::string& other : others) {
      message += fmt::format(" conflicts with \"{}\" using v1: .status", other);
    }
    return conflict(message);
  }
  auto after = at.status;
  for (const auto& [path, value] : fields) {
    Field& field = after[path];
    if (field.value != value) field = {value, {}};
    field.owners.insert(write.field_manager);
  }
  for (auto& [path, field] : after) {
    if (!fields.contains(path)) field.owners.erase(write.field_manager);
  }
  std::erase_if(after, [](const auto& field) { return field.second.owners.empty(); });
  if (after != at.status) {
    at.status = std::move(after);
    at.version = ++version_;
    ++changes_;
  }
  out.body = json_of(write.object, at);
  return out;
}

std::string ApiModel::status(const kube::ObjectRef& object) const {
  const auto it = objects_.find(object);
  return it == objects_.end() ? "" : status_of(it->second);
}

std::string ApiModel::json(const kube::ObjectRef& object) const {
  const auto it = objects_.find(object);
  return it == objects_.end() ? "" : json_of(object, it->second);
}

kube::Observed ApiModel::observed(const std::string& manager) const {
  std::vector<kube::ObjectRef> gone;
  for (const auto& [ref, seen] : seen_) {
    if (!objects_.contains(ref)) gone.push_back(ref);
  }
  for (const kube::ObjectRef& ref : gone) seen_.erase(ref);
  for (const auto& [ref, object] : objects_) {
    const auto seen = seen_.find(ref);
    if (!seen || seen->resource_version != std::to_string(object.version) ||
        seen->uid != object.uid) {
      seen_.set(ref, *kube::observe(json_of(ref, object), manager));
    }
  }
  return {seen_, {}};
}

}  // namespace herald::daemon
