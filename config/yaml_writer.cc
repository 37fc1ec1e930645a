#include "config/yaml_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <utility>

namespace herald::config {
namespace {

using Type = Value::Type;

constexpr std::size_t kLongestLine = 80;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Text that YAML would read as something else, of any of its versions.
bool is_word_of_yaml(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* word : {"", "null", "true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == word) return true;
  }
  return false;
}

// Whether the text may stand without quotes: words, addresses, durations. In doubt it may not.
bool is_plain(std::string_view text) {
  if (is_word_of_yaml(text)) return false;
  const bool harmless = std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '/' || c == '_' ||
           c == '-';
  });
  if (!harmless || text.front() == '-') return false;
  if (!is_digit(text.front()) && text.front() != '.') return true;
  const char last = text.back();
  return std::count(text.begin(), text.end(), '.') > 1 || last == 's' || last == 'm' || last == 'h';
}

// Between double quotes, as both YAML and JSON understand it. `text` is UTF-8; what YAML does not
// print, or folds like a line break, is escaped.
std::string double_quoted(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto at = [&](std::size_t n) {
      return i + n < text.size() ? static_cast<unsigned char>(text[i + n]) : 0U;
    };
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[i];
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else if (byte == 0xc2 && at(1) < 0xa0) {  // C1 controls
      out += fmt::format("\\u{:04x}", at(1));
      ++i;
    } else if ((byte == 0xe2 && at(1) == 0x80 && (at(2) == 0xa8 || at(2) == 0xa9)) ||
               (byte == 0xef && at(1) == 0xbb && at(2) == 0xbf) ||
               (byte == 0xef && at(1) == 0xbf && at(2) >= 0xbe)) {
      out +=
          fmt::format("\\u{:04x}", (byte & 0x0fU) << 12 | (at(1) & 0x3fU) << 6 | (at(2) & 0x3fU));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out + '"';
}

std::string quoted(const std::string& text) {
  if (is_plain(text)) return text;
  const bool simple = std::all_of(text.begin(), text.end(),
                                  [](char c) { return c >= ' ' && c < 0x7f && c != '\''; });
  return simple ? "'" + text + "'" : double_quoted(text);
}

std::string scalar(const Value& value) {
  if (value.type == Type::Null) return "null";
  return value.type == Type::String ? quoted(value.text) : value.text;
}

// What fits on the line of its key; nothing if it needs lines of its own.
std::optional<std::string> on_one_line(const Value& value) {
  if (value.type == Type::Map) return value.keys.empty() ? std::optional("{}") : std::nullopt;
  if (value.type != Type::List) return scalar(value);
  std::string out = "[";
  for (const Value& item : value.items) {
    if (item.type == Type::List || item.type == Type::Map) return std::nullopt;
    out += (out.size() > 1 ? ", " : "") + scalar(item);
  }
  if (out.size() > kLongestLine && value.items.size() > 1) return std::nullopt;
  return out + "]";
}

void write_block(const Value& value, std::size_t indent, std::string& out) {
  const std::string blanks(indent, ' ');
  if (const auto line = on_one_line(value)) {
    out += blanks + *line + "\n";
    return;
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    const Value& item = value.items[i];
    const auto line = on_one_line(item);
    if (value.type == Type::Map) {
      out += blanks + quoted(value.keys[i]) + ":";
      out += line ? " " + *line + "\n" : "\n";
      if (!line) write_block(item, item.type == Type::List ? indent : indent + 2, out);
    } else if (line) {
      out += blanks + "- " + *line + "\n";
    } else {
      const std::size_t at = out.size();
      write_block(item, indent + 2, out);
      out.replace(at + indent, 2, "- ");
    }
  }
}

// RFC 8259 §6.
bool is_json_number(std::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front()) || !is_digit(text.back())) return false;
  return text[0] != '0' || text.size() == 1 || text[1] == '.';
}

void write_json(const Value& value, std::size_t indent, std::string& out) {
  const std::string inner(indent + 2, ' ');
  switch (value.type) {
    case Type::Null:
      out += "null";
      return;
    case Type::Bool:
      out += value.text[0] == 't' || value.text[0] == 'T' ? "true" : "false";
      return;
    case Type::Number:
      out += is_json_number(value.text) ? value.text : double_quoted(value.text);
      return;
    case Type::String:
      out += double_quoted(value.text);
      return;
    case Type::List:
    case Type::Map:
      break;
  }
  const bool map = value.type == Type::Map;
  out += map ? '{' : '[';
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    out += (i > 0 ? ",\n" : "\n") + inner;
    if (map) out += double_quoted(value.keys[i]) + ": ";
    write_json(value.items[i], indent + 2, out);
  }
  if (!value.items.empty()) out += "\n" + std::string(indent, ' ');
  out += map ? '}' : ']';
}

Value scalar_value(Type type, std::string text) {
  Value out;
  out.type = type;
  out.text = std::move(text);
  return out;
}

}  // namespace

std::string to_yaml(const Value& document) {
  std::string out;
  write_block(document, 0, out);
  return out;
}

std::string to_json(const Value& document) {
  std::string out;
  write_json(document, 0, out);
  return out + "\n";
}

Value text_value(std::string text) {
  return scalar_value(Type::String, std::move(text));
}
Value number_value(std::int64_t number) {
  return scalar_value(Type::Number, std::to_string(number));
}
Value bool_value(bool yes) {
  return scalar_value(Type::Bool, yes ? "true" : "false");
}

Value list_value(std::vector<Value> items) {
  Value out;
  out.type = Type::List;
  out.items = std::move(items);
  return out;
}

Value& set(Value& map, std::string key, Value value) {
  map.type = Type::Map;
  map.keys.push_back(std::move(key));
  map.items.push_back(std::move(value));
  return map;
}

}  // namespace herald::config
