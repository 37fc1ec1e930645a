#include "config/yaml_document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <set>
#include <sstream>
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

// Builds the tree from the parser's events. Faults are thrown as the parser's own exception, and
// caught in parse_chunk() together with those.
class Builder : public YAML::EventHandler {
 public:
  Builder(int first_line, std::size_t& nodes) : first_line_(first_line), nodes_(nodes) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    add(mark, Value::Type::Null, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw YAML::ParserException(mark, "an alias (*name) is not supported: write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    if (!stack_.empty() && stack_.back().type == Value::Type::Map && has_key_.back() == 0) {
      auto& keys = stack_.back().keys;
      if (!seen_.back().insert(value).second) {
        throw YAML::ParserException(mark, "key '" + value.substr(0, 64) + "' is there twice");
      }
      keys.push_back(value);
      has_key_.back() = 1;
      count(mark);
      return;
    }
    add(mark, tag == "?" || tag.empty() ? type_of_plain(value) : Value::Type::String, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    open(mark, Value::Type::List);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, Value::Type::Map);
  }
  void OnMapEnd() override { close(); }

  Value take() { return std::move(root_); }

 private:
  void count(const YAML::Mark& mark) {
    if (++nodes_ > kMaxNodes) {
      throw YAML::ParserException(
          mark, "more than " + std::to_string(kMaxNodes) + " values in one file: split it");
    }
  }
  void check_key(const YAML::Mark& mark) const {
    if (!stack_.empty() && stack_.back().type == Value::Type::Map && has_key_.back() == 0) {
      throw YAML::ParserException(mark, "a key must be plain text");
    }
  }
  void place(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return;
    }
    has_key_.back() = 0;
    stack_.back().items.push_back(std::move(value));
  }
  void add(const YAML::Mark& mark, Value::Type type, const std::string& text) {
    check_key(mark);
    count(mark);
    Value value;
    value.type = type;
    value.line = first_line_ + mark.line;
    value.text = text;
    place(std::move(value));
  }
  void open(const YAML::Mark& mark, Value::Type type) {
    check_key(mark);
    count(mark);
    if (stack_.size() >= kMaxDepth) {
      throw YAML::ParserException(mark,
                                  "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    }
    Value value;
    value.type = type;
    value.line = first_line_ + mark.line;
    stack_.push_back(std::move(value));
    has_key_.push_back(0);
    seen_.emplace_back();
  }
  void close() {
    Value value = std::move(stack_.back());
    stack_.pop_back();
    has_key_.pop_back();
    seen_.pop_back();
    place(std::move(value));
  }

  int first_line_;
  std::size_t& nodes_;
  Value root_;
  std::vector<Value> stack_;
  std::vector<char> has_key_;  // per open container: a key waits for its value
  std::vector<std::set<std::string>> seen_;
};

void parse_chunk(std::string_view chunk, int first_line, std::size_t& nodes, YamlFile& out) {
  try {
    std::istringstream in{std::string(chunk)};
    YAML::Parser parser(in);
    // On some malformed text the parser yields empty documents without end and without progress.
    const std::size_t limit = nodes + 2 * chunk.size() + 16;
    while (true) {
      if (++nodes > limit) {
        out.errors.push_back({first_line, "this is no YAML"});
        return;
      }
      Builder builder(first_line, nodes);
      if (!parser.HandleNextDocument(builder)) return;
      Value document = builder.take();
      if (document.type != Value::Type::Null) out.documents.push_back(std::move(document));
    }
  } catch (const YAML::Exception& fault) {
    const int line = fault.mark.is_null() ? 0 : fault.mark.line;
    out.errors.push_back({first_line + line, fault.msg});
  } catch (const std::exception& fault) {
    out.errors.push_back({first_line, fault.what()});
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
                                 " bytes, more than the 8 MiB that are read: split it"});
    return out;
  }
  if (text.find('\0') != std::string_view::npos) {
    out.errors.push_back({1, "the file has a NUL byte in it: it is no text"});
    return out;
  }
  std::size_t nodes = 0, begin = 0, at = 0;
  int line = 1, begin_line = 1;
  while (at < text.size()) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (at != begin && separates(text.substr(at, end - at))) {
      parse_chunk(text.substr(begin, at - begin), begin_line, nodes, out);
      begin = at;
      begin_line = line;
    }
    at = end + 1;
    ++line;
  }
  if (begin < text.size()) parse_chunk(text.substr(begin), begin_line, nodes, out);
  return out;
}

}  // namespace herald::config
