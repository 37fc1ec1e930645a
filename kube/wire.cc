#include "kube/wire.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <functional>
#include <limits>
#include <utility>

#include <boost/json.hpp>

#include "base/text.h"

namespace herald::kube {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxStatusBytes = std::size_t{256} << 10;
constexpr std::size_t kMaxSaidBytes = 300;   // of the server's words in a sentence of ours
constexpr std::size_t kMaxNameBytes = 1024;  // of a name, a version, a uid
constexpr std::size_t kMaxTokenBytes = std::size_t{64} << 10;
constexpr const char* kInitialEventsEnd = "k8s.io/initial-events-end";

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Walks over JSON text without building anything.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // With its quotes, escapes as they are.
  std::optional<std::string_view> take_string() {
    skip_space();
    const std::size_t from = at_;
    if (at_ >= text_.size() || text_[at_] != '"') return std::nullopt;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return text_.substr(from, at_ - from);
      } else if (static_cast<unsigned char>(text_[at_]) < 0x20) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }
  // Any value; nothing if it does not close.
  std::optional<std::string_view> take_value() {
    skip_space();
    const std::size_t from = at_;
    std::bitset<kMaxDepth> braces;  // which of the open brackets are braces
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!take_string()) return std::nullopt;
      } else if (c == '{' || c == '[') {
        if (depth == kMaxDepth) return std::nullopt;
        braces[depth++] = c == '{';
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0 || braces[depth - 1] != (c == '}')) return std::nullopt;
        --depth;
        ++at_;
      } else if (depth == 0) {
        return take_word();
      } else {
        ++at_;
        continue;
      }
      if (depth == 0) return text_.substr(from, at_ - from);
    }
    return std::nullopt;
  }

 private:
  std::optional<std::string_view> take_word() {  // a number, true, false, null
    const std::size_t from = at_;
    const auto part_of_word = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == 'E' || c == '+' || c == '-' ||
             c == '.';
    };
    while (at_ < text_.size() && part_of_word(text_[at_])) ++at_;
    if (at_ == from) return std::nullopt;
    return text_.substr(from, at_ - from);
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Calls `take` with each key (without its quotes) and value of an object. False: it is none.
bool each_member(std::string_view object,
                 const std::function<void(std::string_view, std::string_view)>& take) {
  Scanner in(object);
  if (!in.take('{')) return false;
  if (in.take('}')) return in.at_end();
  do {
    const auto key = in.take_string();
    if (!key || !in.take(':')) return false;
    const auto value = in.take_value();
    if (!value) return false;
    take(key->substr(1, key->size() - 2), *value);
  } while (in.take(','));
  return in.take('}') && in.at_end();
}

bool each_item(std::string_view list, const std::function<void(std::string_view)>& take) {
  Scanner in(list);
  if (!in.take('[')) return false;
  if (in.take(']')) return in.at_end();
  do {
    const auto value = in.take_value();
    if (!value) return false;
    take(*value);
  } while (in.take(','));
  return in.take(']') && in.at_end();
}

// A string of the server's own making: no escapes are needed in any of those that are read.
bool plain_text(std::string_view value, std::size_t limit, std::string& out) {
  if (value.size() < 2 || value.front() != '"' || value.size() > limit + 2) return false;
  value = value.substr(1, value.size() - 2);
  if (value.find('\\') != std::string_view::npos) return false;
  out = value;
  return true;
}

std::string printable(std::string_view stranger) {
  std::string out(stranger.substr(0, kMaxSaidBytes));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return std::string(trim(out)) + (stranger.size() > kMaxSaidBytes ? "..." : "");
}

}  // namespace

std::optional<std::uint64_t> version_number(std::string_view resource_version) {
  return parse_number(resource_version, std::numeric_limits<std::uint64_t>::max());
}

std::string_view member(std::string_view object, std::string_view name) {
  std::string_view found;
  each_member(object, [&](std::string_view key, std::string_view value) {
    if (key == name) found = value;
  });
  return found;
}

Result<Metadata> parse_metadata(std::string_view object) {
  Metadata out;
  if (object.size() > kMaxObjectBytes) return error("is larger than any object can be");
  std::string_view metadata;
  if (!each_member(object, [&](std::string_view key, std::string_view value) {
        if (key == "metadata") metadata = value;
      })) {
    return error("is no whole JSON object");
  }
  bool good = true;
  const bool whole = each_member(metadata, [&](std::string_view key, std::string_view value) {
    const auto read = [&](std::string& field) {
      good = good && plain_text(value, kMaxNameBytes, field);
    };
    if (key == "name") read(out.name);
    if (key == "namespace") read(out.ns);
    if (key == "uid") read(out.uid);
    if (key == "resourceVersion") read(out.resource_version);
    if (key == "generation") {
      const auto n = parse_number(value, std::numeric_limits<std::int64_t>::max());
      out.generation = static_cast<std::int64_t>(n.value_or(0));
    }
    if (key == "annotations") {
      out.initial_events_end = member(value, kInitialEventsEnd) == "\"true\"";
    }
  });
  if (!whole) return error("has no metadata");
  if (!good) return error("has metadata of a strange form");
  return out;
}

Result<Page> parse_page(std::string_view body) {
  Page out;
  std::string_view metadata, items;
  if (!each_member(body, [&](std::string_view key, std::string_view value) {
        if (key == "metadata") metadata = value;
        if (key == "items") items = value;
      })) {
    return error("is no whole JSON object: it was cut short, or is of another program");
  }
  bool good = true;
  if (!each_member(metadata, [&](std::string_view key, std::string_view value) {
        if (key == "resourceVersion") {
          good = good && plain_text(value, kMaxNameBytes, out.resource_version);
        }
        if (key == "continue") good = good && plain_text(value, kMaxTokenBytes, out.continue_token);
      })) {
    return error("is no list: it has no metadata");
  }
  if (!good || out.resource_version.empty()) return error("is a list without a resourceVersion");
  if (items.empty()) return error("is no list: it has no items");
  // Go writes an empty list as null.
  if (items != "null" &&
      !each_item(items, [&](std::string_view item) { out.items.push_back(item); })) {
    return error("has items that are no list");
  }
  return out;
}

Result<WatchLine> parse_watch_line(std::string_view line) {
  WatchLine out;
  std::string type;
  if (!each_member(line, [&](std::string_view key, std::string_view value) {
        if (key == "type") plain_text(value, kMaxNameBytes, type);
        if (key == "object") out.object = value;
      })) {
    return error("is no whole JSON object: it was cut short, or is of another program");
  }
  constexpr std::array<std::string_view, 5> kTypes = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK",
                                                      "ERROR"};
  const auto known = std::find(kTypes.begin(), kTypes.end(), type);
  if (known == kTypes.end()) return error("is of no known type ('" + printable(type) + "')");
  out.type = static_cast<WatchLine::Type>(known - kTypes.begin());
  if (out.object.empty() || out.object.front() != '{') return error("has no object");
  return out;
}

std::optional<Status> parse_status(std::string_view body) {
  if (body.size() > kMaxStatusBytes) return std::nullopt;
  boost::system::error_code bad;
  const json::value root = json::parse({body.data(), body.size()}, bad);
  if (bad || !root.is_object()) return std::nullopt;
  const json::object& object = root.get_object();
  const auto text = [&](const char* name) -> std::string {
    const json::value* v = object.if_contains(name);
    return v != nullptr && v->is_string() ? printable(v->get_string()) : "";
  };
  if (text("kind") != "Status") return std::nullopt;
  Status out;
  out.reason = text("reason");
  out.message = text("message");
  if (const json::value* code = object.if_contains("code"); code != nullptr && code->is_int64()) {
    const std::int64_t number = code->get_int64();
    if (number > 0 && number < 1000) out.code = static_cast<unsigned>(number);
  }
  return out;
}

}  // namespace herald::kube
