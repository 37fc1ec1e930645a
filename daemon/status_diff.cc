#include "daemon/status_diff.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <boost/json.hpp>

namespace herald::daemon {
namespace {

namespace json = boost::json;

constexpr const char* kConditions = "conditions";
constexpr const char* kTransition = "lastTransitionTime";
constexpr const char* kGeneration = "observedGeneration";

json::object parse(std::string_view text) {
  boost::system::error_code failed;
  json::value value = json::parse(json::string_view(text.data(), text.size()), failed);
  if (failed || !value.is_object()) return {};
  return std::move(value.get_object());
}

bool is_condition(const json::value& value) {
  const json::object* object = value.if_object();
  const json::value* type = object == nullptr ? nullptr : object->if_contains("type");
  return type != nullptr && type->is_string();
}

const json::object* find_condition(const json::value* list, const json::string& type) {
  if (list == nullptr || !list->is_array()) return nullptr;
  for (const json::value& one : list->get_array()) {
    if (is_condition(one) && one.get_object().at("type").get_string() == type) {
      return &one.get_object();
    }
  }
  return nullptr;
}

// An API server leaves out what is empty.
bool is_empty(const json::value& value) {
  return (value.is_array() && value.get_array().empty()) ||
         (value.is_object() && value.get_object().empty());
}

// The number 3 is the same however it was read.
bool same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return json::serialize(a) == json::serialize(b);
  return a == b;
}

class Comparison {
 public:
  explicit Comparison(std::vector<std::string>& out) : out_(out) {}

  void objects(const json::object& wanted, const json::object& seen, const std::string& path) {
    for (const auto& field : wanted) {
      const std::string here = path + "." + std::string(field.key());
      const json::value* there = seen.if_contains(field.key());
      if (field.key() == kConditions && field.value().is_array()) {
        conditions(field.value().get_array(), there, here);
      } else if (field.value().is_object()) {
        static const json::object kNone;
        const bool object = there != nullptr && there->is_object();
        objects(field.value().get_object(), object ? there->get_object() : kNone, here);
      } else if (there == nullptr ? !is_empty(field.value()) : !same(field.value(), *there)) {
        note(here, there);
      }
    }
  }

  // `ours`: a node of fieldsV1.
  void leftovers(const json::object& ours, const json::value* wanted, const json::value* seen,
                 const std::string& path) {
    for (const auto& field : ours) {
      const std::string_view key(field.key().data(), field.key().size());
      const json::value* is_wanted = nullptr;
      const json::value* is_there = nullptr;
      std::string here = path;
      if (key.starts_with("f:")) {
        const auto name = json::string_view(key.data() + 2, key.size() - 2);
        if (name == kTransition) continue;
        if (wanted != nullptr && wanted->is_object()) {
          is_wanted = wanted->get_object().if_contains(name);
        }
        if (seen != nullptr && seen->is_object()) is_there = seen->get_object().if_contains(name);
        here += "." + std::string(name);
      } else if (key.starts_with("k:") && path.ends_with(kConditions)) {
        const json::object by = parse(key.substr(2));
        const json::value* type = by.if_contains("type");
        if (type == nullptr || !type->is_string()) continue;
        here += "[" + std::string(type->get_string()) + "]";
        if (condition_of(wanted, type->get_string()) != nullptr) continue;
        if (condition_of(seen, type->get_string()) != nullptr) note(here, nullptr);
        continue;
      } else {
        continue;
      }
      if (is_there == nullptr || is_empty(*is_there)) continue;
      if (is_wanted == nullptr) {
        note(here, is_there);
      } else if (field.value().is_object() &&
                 (is_wanted->is_object() || here.ends_with(kConditions))) {
        leftovers(field.value().get_object(), is_wanted, is_there, here);
      }
    }
  }

 private:
  static const json::object* condition_of(const json::value* list, const json::string& type) {
    return find_condition(list, type);
  }
  void conditions(const json::array& wanted, const json::value* seen, const std::string& path) {
    for (const json::value& one : wanted) {
      if (!is_condition(one)) continue;
      const json::string& type = one.get_object().at("type").get_string();
      const json::object* there = find_condition(seen, type);
      const std::string here = path + "[" + std::string(type) + "]";
      if (there == nullptr) {
        note(here, nullptr);
        continue;
      }
      for (const auto& field : one.get_object()) {
        if (field.key() == kTransition) continue;
        const json::value* value = there->if_contains(field.key());
        if (value == nullptr || !same(field.value(), *value)) {
          note(here + "." + std::string(field.key()), value);
        }
      }
    }
  }
  void note(const std::string& path, const json::value* there) {
    out_.push_back(path + " = " + (there == nullptr ? "nothing" : json::serialize(*there)));
  }

  std::vector<std::string>& out_;
};

void fill_in(json::object& status, const json::object& seen, const WantedObject& wanted,
             std::int64_t generation, std::string_view now) {
  using Where = WantedObject::Generation;
  // Objects without a generation (Services, on most servers) are not said to have one.
  const bool tell = generation > 0 && wanted.generation != Where::Nowhere;
  if (tell && wanted.generation == Where::Everywhere) status[kGeneration] = generation;
  json::value* list = status.if_contains(kConditions);
  if (list == nullptr || !list->is_array()) return;
  for (json::value& one : list->get_array()) {
    if (!is_condition(one)) continue;
    json::object& condition = one.get_object();
    if (tell) condition[kGeneration] = generation;
    const json::object* there =
        find_condition(seen.if_contains(kConditions), condition.at("type").get_string());
    const json::value* since = there == nullptr ? nullptr : there->if_contains(kTransition);
    const json::value* was = there == nullptr ? nullptr : there->if_contains("status");
    const json::value* is = condition.if_contains("status");
    if (since != nullptr && was != nullptr && is != nullptr && *was == *is) {
      condition[kTransition] = *since;
    } else {
      condition[kTransition] = json::string_view(now.data(), now.size());
    }
  }
}

}  // namespace

StatusDiff compare(const WantedObject& wanted, const kube::ObservedObject& seen,
                   std::string_view now) {
  json::value status = parse(*wanted.status);
  const json::value there = parse(seen.status);
  fill_in(status.get_object(), there.get_object(), wanted, seen.generation, now);
  StatusDiff out;
  Comparison comparison(out.what);
  comparison.objects(status.get_object(), there.get_object(), "status");
  if (!seen.managed.empty()) {
    comparison.leftovers(parse(*seen.managed), &status, &there, "status");
  }
  if (!status.get_object().empty()) out.status = json::serialize(status);
  return out;
}

std::string kube_time(std::int64_t seconds) {
  return fmt::format("{:%FT%TZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace herald::daemon
