#include "config/convert.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "config/print.h"
#include "config/translate.h"
#include "config/yaml_writer.h"

namespace herald::config {
namespace {

// A document of the output, and its text if it had one of its own.
struct Kept {
  Value tree;
  std::optional<std::string> text;
};

bool same(const Value& a, const Value& b) {
  return a.type == b.type && a.text == b.text && a.keys == b.keys &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same);
}

std::string text_of(const Value& document, const char* key) {
  const Value* value = document.find(key);
  return value == nullptr ? std::string() : value->text;
}

bool is_list(const Value& document) {
  const Value* items = document.find("items");
  return text_of(document, "apiVersion") == "v1" && text_of(document, "kind") == "List" &&
         items != nullptr && items->type == Value::Type::List;
}

// Whether it is in Desired in a form that native_manifests() prints.
bool is_printed(const Value& document) {
  const std::string api = text_of(document, "apiVersion");
  if (api.find('/') == std::string::npos || api.rfind("discovery.k8s.io/", 0) == 0) return false;
  const auto objects = translate(document, "");
  return objects.size() == 1 && objects[0].sort != 0;
}

void keep_others(const Value& document, std::vector<Kept>& out) {
  if (is_list(document)) {
    for (const Value& item : document.find("items")->items) keep_others(item, out);
  } else if (!is_printed(document)) {
    out.push_back({document, std::nullopt});
  }
}

// The text between the separators, comments and all, if it says the same without them.
std::optional<std::string> own_text(std::string_view chunk, const Value& document) {
  if (chunk.substr(0, 3) == "---") chunk.remove_prefix(std::min(chunk.find('\n'), chunk.size()));
  while (!chunk.empty() && (chunk.front() == '\n' || chunk.front() == '\r')) chunk.remove_prefix(1);
  const auto end = chunk.find_last_not_of(" \t\r\n");
  std::string out(chunk.substr(0, end == std::string_view::npos ? 0 : end + 1));
  out += '\n';
  const YamlFile again = parse_yaml(out);
  const bool good = again.errors.empty() && again.documents.size() == 1;
  return good && same(again.documents[0], document) ? std::optional(std::move(out)) : std::nullopt;
}

void keep_others(std::string_view text, std::vector<Kept>& out) {
  for (const DocumentText& chunk : split_documents(text)) {
    const YamlFile parsed = parse_yaml(chunk.text);
    const std::size_t before = out.size();
    for (const Value& document : parsed.documents) keep_others(document, out);
    const bool alone = parsed.documents.size() == 1 && out.size() == before + 1;
    if (alone && !is_list(parsed.documents[0])) {
      out.back().text = own_text(chunk.text, parsed.documents[0]);
    }
  }
}

}  // namespace

std::string convert(const Desired& desired, const std::vector<std::string_view>& texts,
                    ManifestForm form) {
  std::vector<Kept> documents;
  for (Value& native : native_manifests(desired)) {
    documents.push_back({std::move(native), std::nullopt});
  }
  for (const std::string_view text : texts) keep_others(text, documents);
  if (form == ManifestForm::Json) {
    Value items = list_value(), list;
    for (Kept& document : documents) items.items.push_back(std::move(document.tree));
    set(list, "apiVersion", text_value("v1"));
    set(list, "kind", text_value("List"));
    set(list, "items", std::move(items));
    return to_json(list);
  }
  std::string out;
  for (const Kept& document : documents) {
    if (!out.empty()) out += "---\n";
    out += document.text ? *document.text : to_yaml(document.tree);
  }
  return out;
}

}  // namespace herald::config
