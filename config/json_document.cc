#include "config/json_document.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>

namespace herald::config {
namespace {

namespace json = boost::json;
using ErrorCode = boost::system::error_code;
using Text = json::string_view;

struct Skipped {
  std::string_view outer, key;
};
constexpr Skipped kSkipped[] = {{"metadata", "managedFields"}, {"status", "images"}};

// Builds the tree from the parser's calls; each returns whether to go on.
class Builder {
 public:
  static constexpr std::size_t max_object_size = kMaxNodes;
  static constexpr std::size_t max_array_size = kMaxNodes;
  static constexpr std::size_t max_key_size = kMaxFileBytes;
  static constexpr std::size_t max_string_size = kMaxFileBytes;

  bool on_document_begin(ErrorCode& /*bad*/) { return true; }
  bool on_document_end(ErrorCode& /*bad*/) { return true; }
  bool on_object_begin(ErrorCode& bad) { return open(Value::Type::Map, bad); }
  bool on_object_end(std::size_t /*n*/, ErrorCode& bad) { return close(bad); }
  bool on_array_begin(ErrorCode& bad) { return open(Value::Type::List, bad); }
  bool on_array_end(std::size_t /*n*/, ErrorCode& bad) { return close(bad); }

  bool on_key_part(Text part, std::size_t /*n*/, ErrorCode& /*bad*/) { return add_part(part); }
  bool on_key(Text part, std::size_t /*n*/, ErrorCode& /*bad*/) {
    add_part(part);
    if (passing_ > 0) {
      text_.clear();
      return true;
    }
    const Value& root = open_.front();
    pass_next_ =
        open_.size() == 2 && root.type == Value::Type::Map && is_skipped(root.keys.back(), text_);
    if (!pass_next_) open_.back().keys.push_back(std::move(text_));
    text_.clear();
    return true;
  }
  bool on_string_part(Text part, std::size_t /*n*/, ErrorCode& /*bad*/) { return add_part(part); }
  bool on_string(Text part, std::size_t /*n*/, ErrorCode& bad) {
    add_part(part);
    return scalar(Value::Type::String, bad);
  }
  bool on_number_part(Text part, ErrorCode& /*bad*/) { return add_part(part); }
  bool on_int64(std::int64_t /*v*/, Text part, ErrorCode& bad) { return number(part, bad); }
  bool on_uint64(std::uint64_t /*v*/, Text part, ErrorCode& bad) { return number(part, bad); }
  bool on_double(double /*v*/, Text part, ErrorCode& bad) { return number(part, bad); }
  bool on_bool(bool v, ErrorCode& bad) {
    text_ = v ? "true" : "false";
    return scalar(Value::Type::Bool, bad);
  }
  bool on_null(ErrorCode& bad) { return scalar(Value::Type::Null, bad); }
  bool on_comment_part(Text /*part*/, ErrorCode& /*bad*/) { return true; }
  bool on_comment(Text /*part*/, ErrorCode& /*bad*/) { return true; }

  Value take() { return std::move(root_); }
  const std::string& fault() const { return fault_; }

 private:
  static bool is_skipped(std::string_view outer, std::string_view key) {
    return std::any_of(std::begin(kSkipped), std::end(kSkipped),
                       [&](const Skipped& s) { return s.outer == outer && s.key == key; });
  }
  bool add_part(Text part) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool number(Text part, ErrorCode& bad) {
    add_part(part);
    return scalar(Value::Type::Number, bad);
  }
  bool fail(std::string why, ErrorCode& bad) {
    fault_ = std::move(why);
    bad = json::error::exception;
    return false;
  }

  bool open(Value::Type type, ErrorCode& bad) {
    if (passing_ > 0 || pass_next_) {
      ++passing_;
      pass_next_ = false;
      return true;
    }
    if (++nodes_ > kMaxNodes) return fail("has too many values", bad);
    Value value;
    value.type = type;
    open_.push_back(std::move(value));
    return true;
  }
  bool close(ErrorCode& bad) {
    if (passing_ > 0) {
      --passing_;
      return true;
    }
    Value value = std::move(open_.back());
    open_.pop_back();
    std::vector<std::string_view> keys(value.keys.begin(), value.keys.end());
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) {
      return fail("has the key '" + std::string(twice->substr(0, 80)) + "' twice in one object",
                  bad);
    }
    put(std::move(value));
    return true;
  }
  bool scalar(Value::Type type, ErrorCode& bad) {
    if (passing_ > 0 || pass_next_) {
      pass_next_ = false;
      text_.clear();
      return true;
    }
    if (++nodes_ > kMaxNodes) return fail("has too many values", bad);
    Value value;
    value.type = type;
    value.text = std::move(text_);
    text_.clear();
    put(std::move(value));
    return true;
  }
  void put(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else {
      open_.back().items.push_back(std::move(value));
    }
  }

  std::vector<Value> open_;  // outermost first
  Value root_;
  std::string text_;  // of the key or scalar under way
  std::size_t nodes_ = 0;
  std::size_t passing_ = 0;  // depth within what is passed over
  bool pass_next_ = false;   // the value to come is
  std::string fault_;
};

}  // namespace

Result<Value> parse_json(std::string_view text) {
  if (text.size() > kMaxFileBytes) return error("is too large to be an object");
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::basic_parser<Builder> parser(options);
  ErrorCode bad;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), bad);
  if (!parser.handler().fault().empty()) return error(parser.handler().fault());
  if (bad) {
    return error("is no JSON from octet " + std::to_string(read) + " on (" + bad.message() + ")");
  }
  const std::size_t more = text.find_first_not_of(" \t\r\n", read);
  if (more != std::string_view::npos) {
    return error("goes on after its end, at octet " + std::to_string(more));
  }
  return parser.handler().take();
}

}  // namespace herald::config
