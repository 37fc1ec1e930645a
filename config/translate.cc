#include "config/translate.h"

#include <array>
#include <charconv>
#include <chrono>

#include "config/object_reader.h"

namespace herald::config {
namespace {

constexpr std::size_t kMaxListDepth = 4;  // a List within a List is legal, though nobody writes it

void translate_into(const Value& document, const std::string& file, std::size_t depth,
                    std::vector<Translated>& out, bool lenient = false) {
  Translated object;
  object.lenient = lenient;
  object.source = {file, document.line};
  if (const Value* kind = document.find("kind")) object.kind = kind->text;
  object.source.kind = object.kind;
  MapReader root(&document, "", object);
  if (root.present()) {
    const std::string api = root.text("apiVersion").value_or("");
    root.ignore("kind");
    object.api = api;
    if (object.kind == "List" && api == "v1" && depth < kMaxListDepth && !lenient) {
      const Value* items = document.find("items");
      if (items != nullptr && items->type == Value::Type::List) {
        for (const Value& item : items->items) translate_into(item, file, depth + 1, out);
      }
      return;
    }
    if (const Value* metadata = document.find("metadata")) {
      if (const Value* name = metadata->find("name")) object.name = name->text;
      if (const Value* ns = metadata->find("namespace")) object.ns = ns->text;
    }
    if (object.kind.empty() || api.empty()) {
      object.may_be_service = true;
      root.error(object.kind.empty() ? "kind" : "apiVersion",
                 "is missing: every document needs apiVersion, kind and metadata.name");
    } else if (!translate_core(api, root, object) && !translate_herald(api, root, object) &&
               !translate_cilium(api, root, object) && !translate_metallb(api, root, object)) {
      object.sort = 0;  // a kind of somebody else
    } else if (object.sort != 0 && object.name.empty()) {
      root.error("metadata.name", "is missing: give the object a name");
    }
  } else {
    object.may_be_service = true;
  }
  if (!object.good) object.object = std::monostate{};
  out.push_back(std::move(object));
}

}  // namespace

std::vector<Translated> translate(const Value& document, const std::string& file) {
  std::vector<Translated> out;
  translate_into(document, file, 0, out);
  return out;
}

Translated translate_lenient(const Value& document, const std::string& path) {
  std::vector<Translated> out;
  translate_into(document, path, 0, out, true);
  return std::move(out.front());
}

CreationTime read_creation_time(MapReader& metadata) {
  const auto text = metadata.text("creationTimestamp");
  if (!text) return std::nullopt;
  // RFC 3339 as Kubernetes writes it: 2024-01-31T12:00:00Z
  std::array<int, 6> part{};
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  bool ok = text->size() == kForm.size();
  std::size_t index = 0;
  for (std::size_t i = 0; ok && i < kForm.size(); ++i) {
    const char c = (*text)[i];
    if (kForm[i] == '0') {
      ok = c >= '0' && c <= '9';
      part[index] = part[index] * 10 + (c - '0');
    } else {
      ok = c == kForm[i];
      ++index;
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(part[0]),
                                         std::chrono::month(static_cast<unsigned>(part[1])),
                                         std::chrono::day(static_cast<unsigned>(part[2]))};
  if (!ok || !date.ok() || part[3] > 23 || part[4] > 59 || part[5] > 60) {
    metadata.error("creationTimestamp",
                   "'" + *text + "' is no time: write it like 2024-01-31T12:00:00Z");
    return std::nullopt;
  }
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(days).count() + 3600L * part[3] +
         60L * part[4] + part[5];
}

}  // namespace herald::config
