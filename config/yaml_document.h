// config/yaml_document.h: YAML and JSON text as a small tree that knows its lines.
//
// The text is hostile: size, depth and number of nodes are bounded; aliases are refused (a few
// lines of them can stand for gigabytes) and so is a key written twice. Documents are split at
// "---" before parsing, so that a slip in one leaves the others readable.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace herald::config {

inline constexpr std::size_t kMaxFileBytes = std::size_t{32} << 20;
inline constexpr std::size_t kMaxNodes = 2'000'000;
inline constexpr std::size_t kMaxDepth = 64;

struct Value {
  enum class Type { Null, Bool, Number, String, List, Map };
  Type type = Type::Null;
  int line = 0;                   // of the file, from 1
  std::string text;               // of a scalar, as written
  std::vector<std::string> keys;  // of a map, in the order of the file
  std::vector<Value> items;       // of a list; of a map beside keys

  // The value under `key`; nullptr if there is none or this is no map.
  const Value* find(std::string_view key) const;
  // "a map", "a list", "'text'": for messages.
  std::string describe() const;
};

struct SyntaxError {
  int line = 0;
  std::string message;
};

struct YamlFile {
  std::vector<Value> documents;  // without empty ones
  std::vector<SyntaxError> errors;
};

YamlFile parse_yaml(std::string_view text);

// Where parse_yaml() splits: the documents as text, each but the first with its line "---".
struct DocumentText {
  std::string_view text;
  int line = 1;  // its first one
};
std::vector<DocumentText> split_documents(std::string_view text);

}  // namespace herald::config
