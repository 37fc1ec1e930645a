// config/yaml_writer.h: a tree of values as YAML or JSON text, which parse_yaml() reads as the same
// tree (but for its lines).
#pragma once

#include <string>

#include "config/yaml_document.h"

namespace herald::config {

// Block style, two blanks for each level, short lists of scalars on one line. No "---".
std::string to_yaml(const Value& document);

// Indented by two blanks; ends with a line feed.
std::string to_json(const Value& document);

// Builders for what is to be written.
Value text_value(std::string text);
Value number_value(std::int64_t number);
Value bool_value(bool yes);
Value list_value(std::vector<Value> items = {});
// Adds a member to a map; an empty value becomes a map by it.
Value& set(Value& map, std::string key, Value value);

}  // namespace herald::config
