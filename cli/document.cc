#include "cli/document.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include <boost/json.hpp>

namespace herald::cli {
namespace {

namespace json = boost::json;

void append_json(std::string& out, const json::value& value, std::size_t indent) {
  const auto line = [&](std::size_t depth) {
    out += '\n';
    out.append(depth * 2, ' ');
  };
  if (const json::object* object = value.if_object(); object && !object->empty()) {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : *object) {
      if (!std::exchange(first, false)) out += ',';
      line(indent + 1);
      out += json::serialize(key) + ": ";
      append_json(out, member, indent + 1);
    }
    line(indent);
    out += '}';
  } else if (const json::array* array = value.if_array(); array && !array->empty()) {
    out += '[';
    bool first = true;
    for (const json::value& element : *array) {
      if (!std::exchange(first, false)) out += ',';
      line(indent + 1);
      append_json(out, element, indent + 1);
    }
    line(indent);
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

// Letters, digits and a few marks that mean nothing to YAML, beginning with a letter, and none of
// the words that are booleans or null: such a string needs no quotes.
bool is_plain(std::string_view text) {
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text.front())) == 0) return false;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
        std::string_view("-_./").find(c) == std::string_view::npos) {
      return false;
    }
  }
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string_view words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
  return std::find(std::begin(words), std::end(words), lower) == std::end(words);
}

std::string yaml_scalar(const json::value& value) {
  // A JSON string is a YAML double-quoted string.
  if (const json::string* s = value.if_string(); s && is_plain(*s)) return std::string(*s);
  return json::serialize(value);
}

std::string yaml_key(std::string_view key) {
  return is_plain(key) ? std::string(key) : json::serialize(json::string(key));
}

bool is_block(const json::value& value) {
  return (value.is_object() && !value.get_object().empty()) ||
         (value.is_array() && !value.get_array().empty());
}

// `at_line_start` is false right after "- ": the first member goes on the same line.
void append_yaml(std::string& out, const json::value& value, std::size_t indent,
                 bool at_line_start) {
  const auto begin = [&] {
    if (std::exchange(at_line_start, true)) out.append(indent, ' ');
  };
  if (value.is_object()) {
    for (const auto& [key, member] : value.get_object()) {
      begin();
      out += yaml_key(key) + ":";
      if (is_block(member)) {
        out += '\n';
        append_yaml(out, member, member.is_array() ? indent : indent + 2, true);
      } else {
        out += " " + yaml_scalar(member) + "\n";
      }
    }
    return;
  }
  for (const json::value& element : value.get_array()) {
    begin();
    out += "- ";
    if (is_block(element)) {
      append_yaml(out, element, indent + 2, false);
    } else {
      out += yaml_scalar(element) + "\n";
    }
  }
}

}  // namespace

std::string to_pretty_json(const json::value& value) {
  std::string out;
  append_json(out, value, 0);
  return out + "\n";
}

std::string to_yaml(const json::value& value) {
  if (!is_block(value)) return yaml_scalar(value) + "\n";
  std::string out;
  append_yaml(out, value, 0, true);
  return out;
}

}  // namespace herald::cli
