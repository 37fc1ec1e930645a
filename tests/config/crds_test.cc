// deploy/crds against the reader of the same kinds: the server and heraldd take the same fields, in
// the same form, within the same bounds. What the reader takes is learned from what it says of a
// field that it does not know, and of values that are out of bounds.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "config/manifests.h"
#include "config/yaml_document.h"

namespace herald::config {
namespace {

const std::string kRoot = HERALD_SOURCE_DIR;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in.is_open()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Crd {
  std::string kind;
  Value schema;  // of the whole object
};

// Those that people write; the others are heraldd's own.
std::vector<Crd> crds() {
  const std::set<std::string> own = {"IPTableShard", "NodeStatus"};
  std::vector<Crd> out;
  for (const auto& file : std::filesystem::directory_iterator(kRoot + "/deploy/crds")) {
    if (file.path().extension() != ".yaml" || file.path().stem() == "kustomization") continue;
    const YamlFile yaml = parse_yaml(read_file(file.path()));
    EXPECT_TRUE(yaml.errors.empty()) << file.path();
    const Value& spec = *yaml.documents.at(0).find("spec");
    const std::string kind = spec.find("names")->find("kind")->text;
    if (own.contains(kind)) continue;
    const Value& version = spec.find("versions")->items.at(0);
    EXPECT_EQ(version.find("name")->text, "v1alpha1");
    out.push_back({kind, *version.find("schema")->find("openAPIV3Schema")});
  }
  EXPECT_EQ(out.size(), 5u);
  return out;
}

// "spec.avoid[0]" of a field that is written "spec", "avoid", "[0]".
using Path = std::vector<std::string>;

std::string name_of(const Path& path) {
  std::string out;
  for (const std::string& part : path) out += (part[0] == '[' || out.empty() ? "" : ".") + part;
  return out;
}

// `value` at that place, and nothing beside it.
std::string object_with(const std::string& kind, const Path& path, std::string value) {
  for (auto part = path.rbegin(); part != path.rend(); ++part) {
    value = (*part)[0] == '[' ? "[" + value + "]" : "{" + *part + ": " + value + "}";
  }
  return "{apiVersion: herald.io/v1alpha1, kind: " + kind + ", metadata: {name: x}, " +
         value.substr(1);
}

// The errors that the reader has of this very field.
std::vector<std::string> errors_of(const std::string& kind, const Path& path,
                                   const std::string& value, const std::string& field) {
  Manifests m;
  m.set_file("x.yaml", object_with(kind, path, value));
  std::vector<std::string> out;
  for (const Problem& p : m.desired().problems) {
    if (p.severity == Severity::Error && p.field == field) out.push_back(p.message);
  }
  return out;
}
std::vector<std::string> errors_of(const std::string& kind, const Path& path,
                                   const std::string& value) {
  return errors_of(kind, path, value, name_of(path));
}

std::set<std::string> known_fields(const std::string& kind, Path path) {
  const std::string strange = "qqqqqqqqqqqqqqqqqqqq";
  const std::string field = name_of(path) + "." + strange;
  const auto said = errors_of(kind, path, "{" + strange + ": 1}", field);
  const std::string before = "unknown field; known are ";
  if (said.size() != 1 || said[0].rfind(before, 0) != 0) {
    ADD_FAILURE() << kind << " " << field << ": " << (said.empty() ? "no error" : said[0]);
    return {};
  }
  const auto names = split_list(said[0].substr(before.size()));
  return {names.begin(), names.end()};
}

// Calls `visit` with each field of a schema that has a type, from the top down.
void walk(const Value& schema, const Path& path,
          const std::function<void(const Path&, const Value&)>& visit) {
  visit(path, schema);
  if (const Value* properties = schema.find("properties")) {
    for (std::size_t i = 0; i < properties->keys.size(); ++i) {
      Path inner = path;
      inner.push_back(properties->keys[i]);
      walk(properties->items[i], inner, visit);
    }
  }
  if (const Value* items = schema.find("items")) {
    Path inner = path;
    inner.emplace_back("[0]");
    walk(*items, inner, visit);
  }
}

void walk_all(const std::function<void(const std::string&, const Path&, const Value&)>& visit) {
  for (const Crd& crd : crds()) {
    const Value* spec = crd.schema.find("properties")->find("spec");
    ASSERT_NE(spec, nullptr) << crd.kind;
    walk(*spec, {"spec"}, [&](const Path& path, const Value& field) {
      SCOPED_TRACE(crd.kind + " " + name_of(path));
      visit(crd.kind, path, field);
    });
  }
}

std::string type_of(const Value& schema) {
  const Value* type = schema.find("type");
  return type == nullptr ? "" : type->text;
}

TEST(Crds, HaveTheFieldsThatTheReaderAsksFor) {
  walk_all([](const std::string& kind, const Path& path, const Value& field) {
    const Value* properties = field.find("properties");
    if (properties == nullptr) return;
    const std::set<std::string> has(properties->keys.begin(), properties->keys.end());
    EXPECT_EQ(has, known_fields(kind, path));
  });
}

TEST(Crds, GiveEachFieldTheFormThatTheReaderTakes) {
  walk_all([](const std::string& kind, const Path& path, const Value& field) {
    const std::string type = type_of(field);
    const auto refuses = [&](const std::string& value, const std::string& words) {
      const auto said = errors_of(kind, path, value);
      EXPECT_TRUE(
          std::any_of(said.begin(), said.end(),
                      [&](const std::string& s) { return s.find(words) != std::string::npos; }))
          << value << ": " << join(said, "; ");
    };
    if (type == "object") return refuses("x", "must be a map");
    if (type == "array") return refuses("x", "must be a list");
    if (type == "string") return refuses("{a: 1}", "");
    if (type == "boolean") {
      EXPECT_TRUE(errors_of(kind, path, "true").empty());
      return refuses("1", "is neither true nor false");
    }
    if (type == "integer") return refuses("x", "is no whole number");
    const Value* either = field.find("x-kubernetes-int-or-string");
    ASSERT_TRUE(either != nullptr && either->text == "true") << "a field without a type";
    EXPECT_TRUE(errors_of(kind, path, "65000").empty());
    EXPECT_TRUE(errors_of(kind, path, "'65000'").empty());
  });
}

TEST(Crds, HaveTheBoundsOfTheReader) {
  int bounds = 0;
  walk_all([&](const std::string& kind, const Path& path, const Value& field) {
    if (type_of(field) != "integer") return;
    const Value *least = field.find("minimum"), *most = field.find("maximum");
    ASSERT_TRUE(least != nullptr && most != nullptr);
    ++bounds;
    const std::int64_t min = std::stoll(least->text), max = std::stoll(most->text);
    EXPECT_TRUE(errors_of(kind, path, std::to_string(min)).empty()) << min;
    EXPECT_TRUE(errors_of(kind, path, std::to_string(max)).empty()) << max;
    EXPECT_FALSE(errors_of(kind, path, std::to_string(min - 1)).empty()) << min;
    EXPECT_FALSE(errors_of(kind, path, std::to_string(max + 1)).empty()) << max;
  });
  EXPECT_GT(bounds, 10);
}

TEST(Crds, HaveTheBoundsOfDurations) {
  // The rule that schema.py writes.
  const std::regex rule(
      R"(duration\(self\) >= duration\('(\w+)'\) && duration\(self\) <= duration\('(\w+)'\)$)");
  int durations = 0;
  walk_all([&](const std::string& kind, const Path& path, const Value& field) {
    const bool is_duration =
        type_of(field) == "string" && !errors_of(kind, path, "x").empty() &&
        errors_of(kind, path, "x")[0].find("is no duration") != std::string::npos;
    const Value* rules = field.find("x-kubernetes-validations");
    std::smatch found;
    if (rules != nullptr) {
      for (const Value& one : rules->items) {
        const std::string& text = one.find("rule")->text;
        if (std::regex_search(text, found, rule)) break;
      }
    }
    ASSERT_EQ(is_duration, !found.empty());
    if (!is_duration) return;
    ++durations;
    const std::string least = found[1], most = found[2];
    const auto out_of_bounds = [&](const std::string& value) {
      const auto said = errors_of(kind, path, value);
      return !said.empty() && said[0] == "'" + value + "' is not between " + least + " and " + most;
    };
    EXPECT_FALSE(out_of_bounds(least));
    EXPECT_FALSE(out_of_bounds(most));
    EXPECT_TRUE(out_of_bounds(most + "1s")) << most;
    EXPECT_EQ(out_of_bounds("0s"), least != "0s");
  });
  EXPECT_GT(durations, 10);
}

TEST(Crds, HaveTheWordsOfTheReader) {
  int lists = 0;
  walk_all([&](const std::string& kind, const Path& path, const Value& field) {
    const std::string strange = "qqqqqqqqqqqqqqqqqqqq";
    const Value* words = field.find("enum");
    if (words == nullptr) {
      // Nothing but an enum is a choice of words.
      for (const std::string& said : errors_of(kind, path, strange)) {
        EXPECT_EQ(said.find(" is none of "), std::string::npos) << said;
      }
      return;
    }
    ++lists;
    std::vector<std::string> all;
    for (const Value& word : words->items) all.push_back(word.text);
    EXPECT_EQ(errors_of(kind, path, strange),
              std::vector<std::string>{"'" + strange + "' is none of " + join(all, ", ")});
  });
  EXPECT_GT(lists, 10);
}

TEST(Crds, RequireWhatTheReaderRequires) {
  walk_all([](const std::string& kind, const Path& path, const Value& field) {
    const Value* properties = field.find("properties");
    if (properties == nullptr) return;
    std::set<std::string> required;
    if (const Value* list = field.find("required")) {
      for (const Value& name : list->items) required.insert(name.text);
    }
    for (const std::string& name : properties->keys) {
      // Rules say when these are: they may be left out where something else is there.
      if (kind == "BGPPeer" && (name == "address" || name == "localASN")) continue;
      const auto said = errors_of(kind, path, "{}", name_of(path) + "." + name);
      EXPECT_EQ(required.contains(name), !said.empty()) << name << ": " << join(said, "; ");
    }
  });
}

// tests/deploy/objects: each is taken, or refused, by heraldd and by the server.
std::vector<std::string> documents(const std::string& file) {
  std::vector<std::string> out(1);
  const std::string text = read_file(kRoot + "/tests/deploy/objects/" + file);
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (line == "---") {
      out.emplace_back();
    } else {
      out.back() += line + "\n";
    }
    at = end + 1;
  }
  return out;
}

std::vector<std::string> errors_in(const std::string& document) {
  Manifests m;
  m.set_file("x.yaml", document);
  const Desired desired = m.desired();
  EXPECT_EQ(desired.objects_read, 1) << document;
  std::vector<std::string> out;
  for (const Problem& p : desired.problems) {
    if (p.severity == Severity::Error) out.push_back(p.field + ": " + p.message);
  }
  return out;
}

TEST(Crds, GoodObjectsAreGood) {
  for (const std::string& document : documents("good.yaml")) {
    EXPECT_EQ(errors_in(document), std::vector<std::string>{}) << document;
  }
}

TEST(Crds, BadObjectsAreRefusedWithTheWordsOfTheServer) {
  for (const std::string& document : documents("bad.yaml")) {
    const YamlFile yaml = parse_yaml(document);
    ASSERT_EQ(yaml.documents.size(), 1u) << document;
    const Value* notes = yaml.documents[0].find("metadata")->find("annotations");
    ASSERT_NE(notes, nullptr) << document;
    const std::string field = notes->find("field")->text;
    const Value* says = notes->find("says");
    const auto said = errors_in(document);
    EXPECT_TRUE(std::any_of(said.begin(), said.end(),
                            [&](const std::string& s) {
                              return s.rfind(field, 0) == 0 &&
                                     (says == nullptr || s.find(says->text) != std::string::npos);
                            }))
        << document << join(said, "\n");
  }
}

}  // namespace
}  // namespace herald::config
