#include "config/yaml_document.h"

#include <yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>
#include <utility>

namespace herald::config {
namespace {

template <std::size_t N>
bool one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool looks_like_number(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) == 0) return false;
  const auto digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) return true;
  std::size_t dots = 0;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    if (c == '.') return ++dots == 1;
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
}

// The core schema of YAML 1.2, plus what Kubernetes reads as a boolean.
Value::Type type_of_plain(std::string_view text) {
  if (one_of<5>(text, {"", "~", "null", "Null", "NULL"})) return Value::Type::Null;
  if (one_of<6>(text, {"true", "True", "TRUE", "false", "False", "FALSE"}))
    return Value::Type::Bool;
  return looks_like_number(text) ? Value::Type::Number : Value::Type::String;
}

// Builds the tree from the parser's events. The first fault ends it.
class Builder {
 public:
  Builder(int first_line, std::size_t& nodes) : first_line_(first_line), nodes_(nodes) {}

  std::optional<SyntaxError> take_in(const yaml_event_t& event) {
    line_ = first_line_ + static_cast<int>(event.start_mark.line);
    switch (event.type) {
      case YAML_SCALAR_EVENT:
        return scalar(event.data.scalar);
      case YAML_ALIAS_EVENT:
        return fault("an alias (*name) is not supported: write the value out");
      case YAML_SEQUENCE_START_EVENT:
        return open(Value::Type::List);
      case YAML_MAPPING_START_EVENT:
        return open(Value::Type::Map);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        close();
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }
  // The document that has just ended.
  Value take() { return std::exchange(root_, Value{}); }

 private:
  // A list or map that has not ended.
  struct Open {
    Value value;
    bool has_key = false;        // a key waits for its value
    std::set<std::string> seen;  // the keys, once they are many
  };

  SyntaxError fault(const std::string& message) const { return {line_, message}; }
  bool wants_key() const {
    return !open_.empty() && open_.back().value.type == Value::Type::Map && !open_.back().has_key;
  }
  std::optional<SyntaxError> count() {
    if (++nodes_ <= kMaxNodes) return std::nullopt;
    return fault("more than " + std::to_string(kMaxNodes) + " values in one file: split it");
  }

  std::optional<SyntaxError> scalar(const auto& data) {
    std::string text(reinterpret_cast<const char*>(data.value), data.length);
    if (wants_key()) return key(std::move(text));
    const bool plain = data.style == YAML_PLAIN_SCALAR_STYLE && data.tag == nullptr;
    Value value;
    value.type = plain ? type_of_plain(text) : Value::Type::String;
    value.line = line_;
    if (value.type != Value::Type::Null) value.text = std::move(text);
    place(std::move(value));
    return count();
  }

  std::optional<SyntaxError> key(std::string text) {
    Open& map = open_.back();
    auto& keys = map.value.keys;
    bool twice = false;
    if (keys.size() < kManyKeys) {
      twice = std::find(keys.begin(), keys.end(), text) != keys.end();
    } else {
      if (map.seen.empty()) map.seen.insert(keys.begin(), keys.end());
      twice = !map.seen.insert(text).second;
    }
    if (twice) return fault("key '" + text.substr(0, 64) + "' is there twice");
    keys.push_back(std::move(text));
    map.has_key = true;
    return count();
  }

  std::optional<SyntaxError> open(Value::Type type) {
    if (wants_key()) return fault("a key must be plain text");
    if (open_.size() >= kMaxDepth) {
      return fault("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    }
    Open& fresh = open_.emplace_back();
    fresh.value.type = type;
    fresh.value.line = line_;
    return count();
  }
  void close() {
    Value value = std::move(open_.back().value);
    open_.pop_back();
    place(std::move(value));
  }
  void place(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    open_.back().has_key = false;
    open_.back().value.items.push_back(std::move(value));
  }

  static constexpr std::size_t kManyKeys = 16;

  int first_line_;
  int line_ = 0;  // of the event that is taken in
  std::size_t& nodes_;
  Value root_;
  std::vector<Open> open_;
};

// libyaml's parser over one text.
class Parser {
 public:
  explicit Parser(std::string_view text) {
    ready_ = yaml_parser_initialize(&parser_) == 1;
    if (!ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Parser() {
    if (ready_) yaml_parser_delete(&parser_);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  bool next(yaml_event_t& event) { return ready_ && yaml_parser_parse(&parser_, &event) == 1; }
  // After next() has failed; lines from 0.
  SyntaxError error() const {
    const char* problem = parser_.problem;
    if (!ready_ || problem == nullptr) return {0, "this is no YAML, or there is no memory left"};
    std::string message = problem;
    if (parser_.context != nullptr) message += std::string(" ") + parser_.context;
    return {static_cast<int>(parser_.problem_mark.line), message};
  }

 private:
  yaml_parser_t parser_{};
  bool ready_ = false;
};

void parse_chunk(std::string_view chunk, int first_line, std::size_t& nodes, YamlFile& out) {
  Parser parser(chunk);
  Builder builder(first_line, nodes);
  for (bool more = true; more;) {
    yaml_event_t event;
    if (!parser.next(event)) {
      SyntaxError bad = parser.error();
      out.errors.push_back({first_line + bad.line, std::move(bad.message)});
      return;
    }
    auto fault = builder.take_in(event);
    if (event.type == YAML_DOCUMENT_END_EVENT) {
      Value document = builder.take();
      if (document.type != Value::Type::Null) out.documents.push_back(std::move(document));
    }
    more = event.type != YAML_STREAM_END_EVENT;
    yaml_event_delete(&event);
    if (fault) {
      out.errors.push_back(std::move(*fault));
      return;
    }
  }
}

bool separates(std::string_view line) {
  return line.substr(0, 3) == "---" &&
         (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

}  // namespace

const Value* Value::find(std::string_view key) const {
  if (type != Type::Map) return nullptr;
  const auto it = std::find(keys.begin(), keys.end(), key);
  return it == keys.end() ? nullptr : &items[static_cast<std::size_t>(it - keys.begin())];
}

std::string Value::describe() const {
  switch (type) {
    case Type::Null:
      return "nothing";
    case Type::List:
      return "a list";
    case Type::Map:
      return "a map";
    default:
      return "'" + (text.size() > 80 ? text.substr(0, 80) + "..." : text) + "'";
  }
}

YamlFile parse_yaml(std::string_view text) {
  YamlFile out;
  if (text.size() > kMaxFileBytes) {
    out.errors.push_back({1, "the file has " + std::to_string(text.size()) +
                                 " bytes, more than the 32 MiB that are read: split it"});
    return out;
  }
  if (text.find('\0') != std::string_view::npos) {
    out.errors.push_back({1, "the file has a NUL byte in it: it is no text"});
    return out;
  }
  std::size_t nodes = 0;
  for (const DocumentText& one : split_documents(text)) {
    parse_chunk(one.text, one.line, nodes, out);
  }
  return out;
}

std::vector<DocumentText> split_documents(std::string_view text) {
  std::vector<DocumentText> out;
  // The byte order mark that some editors write; the parser takes it within a line for a key's.
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  std::size_t begin = 0, at = 0;
  int line = 1, begin_line = 1;
  while (at < text.size()) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (at != begin && separates(text.substr(at, end - at))) {
      out.push_back({text.substr(begin, at - begin), begin_line});
      begin = at;
      begin_line = line;
    }
    at = end + 1;
    ++line;
  }
  if (begin < text.size()) out.push_back({text.substr(begin), begin_line});
  return out;
}

}  // namespace herald::config
