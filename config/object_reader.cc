#include "config/object_reader.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "config/translate.h"

namespace herald::config {
namespace {

bool is_scalar(const Value& v) {
  return v.type == Value::Type::Bool || v.type == Value::Type::Number ||
         v.type == Value::Type::String;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto* const last = text.data() + text.size();
  const auto [end, fault] = std::from_chars(text.data(), last, value);
  if (text.empty() || fault != std::errc{} || end != last) return std::nullopt;
  return value;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& words) {
  const auto meant = closest(word, words);
  return meant ? "; did you mean '" + *meant + "'?" : "";
}

std::string not_among(const std::string& word, const std::vector<std::string>& words) {
  return "'" + word + "' is none of " + join(words, ", ") + did_you_mean(word, words);
}

}  // namespace

MapReader::MapReader(const Value* map, std::string path, Translated& object)
    : map_(map), path_(std::move(path)), object_(&object) {
  if (map_ != nullptr && map_->type == Value::Type::Null) map_ = nullptr;
  if (map_ != nullptr && map_->type != Value::Type::Map) {
    complain(Severity::Error, "", map_->line, "must be a map, not " + map_->describe());
    map_ = nullptr;
  }
}

std::string MapReader::path_of(const std::string& key) const {
  if (path_.empty() || key.empty()) return path_ + key;
  return key[0] == '[' ? path_ + key : path_ + "." + key;
}

void MapReader::complain(Severity severity, const std::string& key, int line,
                         const std::string& message) {
  object_->problems.push_back({severity,
                               {object_->source.file, line > 0 ? line : object_->source.line},
                               object_->kind,
                               object_->ns,
                               object_->name,
                               path_of(key),
                               message});
  if (severity == Severity::Error) object_->good = false;
}

bool MapReader::has(std::string_view key) const {
  const Value* v = map_ == nullptr ? nullptr : map_->find(key);
  return v != nullptr && v->type != Value::Type::Null;
}

const Value* MapReader::ask(const std::string& key) {
  known_.push_back(key);
  return has(key) ? map_->find(key) : nullptr;
}

void MapReader::error(const std::string& key, const std::string& message) {
  const Value* v = map_ == nullptr ? nullptr : map_->find(key.substr(0, key.find('[')));
  complain(Severity::Error, key,
           v != nullptr      ? v->line
           : map_ != nullptr ? map_->line
                             : 0,
           message);
}

void MapReader::fault(const std::string& key, const std::string& message) {
  const bool good = object_->good;
  error(key, message);
  object_->good = good;
}

void MapReader::warning(const std::string& key, const std::string& message) {
  const Value* v = map_ == nullptr ? nullptr : map_->find(key);
  complain(Severity::Warning, key, v == nullptr ? 0 : v->line, message);
}

std::optional<std::string> MapReader::text(const std::string& key) {
  const Value* v = ask(key);
  if (v == nullptr) return std::nullopt;
  if (is_scalar(*v)) return v->text;
  error(key, "must be text, not " + v->describe());
  return std::nullopt;
}

std::optional<std::int64_t> MapReader::integer(const std::string& key, std::int64_t min,
                                               std::int64_t max) {
  const Value* v = ask(key);
  if (v == nullptr) return std::nullopt;
  const auto number = is_scalar(*v) ? parse_integer(v->text) : std::nullopt;
  if (number && *number >= min && *number <= max) return number;
  error(key, v->describe() + " is no whole number from " + std::to_string(min) + " to " +
                 std::to_string(max));
  return std::nullopt;
}

std::optional<bool> MapReader::boolean(const std::string& key) {
  const Value* v = ask(key);
  if (v == nullptr) return std::nullopt;
  if (v->type == Value::Type::Bool) return v->text[0] == 't' || v->text[0] == 'T';
  const bool quoted = v->text == "true" || v->text == "false";
  error(key, quoted ? v->describe() + " is text, and neither true nor false: leave the quotes out"
                    : v->describe() + " is neither true nor false");
  return std::nullopt;
}

std::optional<Duration> MapReader::duration(const std::string& key, Duration min, Duration max) {
  const Value* v = ask(key);
  if (v == nullptr) return std::nullopt;
  const auto d = is_scalar(*v) ? parse_duration(v->text) : std::nullopt;
  if (!d) {
    error(key, v->describe() + " is no duration: write a number with a unit, like 90s or 200ms");
    return std::nullopt;
  }
  if (*d < min || *d > max) {
    error(key, v->describe() + " is not between " + to_string(min) + " and " + to_string(max));
    return std::nullopt;
  }
  return d;
}

std::optional<IpAddress> MapReader::ip(const std::string& key) {
  const auto t = text(key);
  if (!t) return std::nullopt;
  const auto address = IpAddress::parse(*t);
  if (!address) error(key, "'" + *t + "' is no IP address, like 192.0.2.1 or 2001:db8::1");
  return address;
}

void MapReader::each(const std::string& key,
                     const std::function<std::optional<std::string>(const std::string&)>& take) {
  const Value* v = ask(key);
  if (v == nullptr) return;
  if (v->type != Value::Type::List) {
    error(key, "must be a list, not " + v->describe());
    return;
  }
  for (std::size_t i = 0; i < v->items.size(); ++i) {
    const Value& item = v->items[i];
    const auto fault =
        is_scalar(item) ? take(item.text) : std::optional("must be text, not " + item.describe());
    if (fault) complain(Severity::Error, key + "[" + std::to_string(i) + "]", item.line, *fault);
  }
}

std::vector<std::string> MapReader::texts(const std::string& key) {
  std::vector<std::string> out;
  each(key, [&](const std::string& t) -> std::optional<std::string> {
    out.push_back(t);
    return std::nullopt;
  });
  return out;
}

std::optional<std::size_t> MapReader::choice(const std::string& key,
                                             const std::vector<std::string>& words) {
  const auto t = text(key);
  if (!t) return std::nullopt;
  const auto it = std::find(words.begin(), words.end(), *t);
  if (it != words.end()) return static_cast<std::size_t>(it - words.begin());
  error(key, not_among(*t, words));
  return std::nullopt;
}

std::optional<std::vector<std::size_t>> MapReader::choices(const std::string& key,
                                                           const std::vector<std::string>& words) {
  if (!has(key)) {
    ask(key);
    return std::nullopt;
  }
  std::vector<std::size_t> out;
  each(key, [&](const std::string& t) -> std::optional<std::string> {
    const auto it = std::find(words.begin(), words.end(), t);
    if (it == words.end()) return not_among(t, words);
    out.push_back(static_cast<std::size_t>(it - words.begin()));
    return std::nullopt;
  });
  return out;
}

Labels MapReader::labels(const std::string& key) {
  const Value* v = ask(key);
  if (v == nullptr) return {};
  if (v->type != Value::Type::Map) {
    error(key, "must be a map, not " + v->describe());
    return {};
  }
  std::vector<Labels::value_type> out;
  for (std::size_t i = 0; i < v->keys.size(); ++i) {
    const Value& item = v->items[i];
    if (is_scalar(item) || item.type == Value::Type::Null) {
      out.emplace_back(v->keys[i], item.text);
    } else {
      complain(Severity::Error, key + "." + v->keys[i], item.line,
               "must be text, not " + item.describe());
    }
  }
  return Labels(std::move(out));
}

std::vector<std::string> MapReader::keys(const std::string& key) {
  const Value* v = ask(key);
  if (v == nullptr) return {};
  if (v->type != Value::Type::Map) {
    error(key, "must be a map");
    return {};
  }
  return v->keys;
}

MapReader MapReader::map(const std::string& key) {
  return {ask(key), path_of(key), *object_};
}

std::vector<MapReader> MapReader::maps(const std::string& key) {
  std::vector<MapReader> out;
  const Value* v = ask(key);
  if (v == nullptr) return out;
  if (v->type != Value::Type::List) {
    error(key, "must be a list, not " + v->describe());
    return out;
  }
  for (std::size_t i = 0; i < v->items.size(); ++i) {
    out.emplace_back(&v->items[i], path_of(key) + "[" + std::to_string(i) + "]", *object_);
  }
  return out;
}

LabelSelector MapReader::as_selector() {
  LabelSelector out;
  out.match_labels = labels("matchLabels");
  for (MapReader& e : maps("matchExpressions")) {
    LabelSelector::Expression expression;
    expression.key = e.text("key").value_or("");
    if (expression.key.empty()) e.error("key", "is missing: name the label that is meant");
    const auto op = e.choice("operator", {"In", "NotIn", "Exists", "DoesNotExist"});
    if (!op && !e.has("operator")) {
      e.error("operator", "is missing: write In, NotIn, Exists or DoesNotExist");
    }
    expression.op = static_cast<LabelSelector::Operator>(op.value_or(2));
    expression.values = e.texts("values");
    if (op && (*op < 2) == expression.values.empty()) {
      e.error("values", *op < 2 ? "is empty: In and NotIn need at least one value"
                                : "must be empty with Exists and DoesNotExist");
    }
    e.finish();
    out.match_expressions.push_back(std::move(expression));
  }
  finish();
  return out;
}

std::optional<LabelSelector> MapReader::selector(const std::string& key) {
  if (!has(key)) {
    ask(key);
    return std::nullopt;
  }
  return map(key).as_selector();
}

Selectors MapReader::selectors(const std::string& key) {
  auto one = selector(key);
  return one ? Selectors{std::move(*one)} : Selectors{};
}

void MapReader::not_yet(const std::string& key) {
  if (ask(key) != nullptr) {
    warning(key, "is understood, but not in force yet in this version: it has no effect");
  }
}

void MapReader::finish() {
  if (map_ == nullptr || object_->lenient) return;
  for (std::size_t i = 0; i < map_->keys.size(); ++i) {
    const std::string& key = map_->keys[i];
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    complain(Severity::Error, key.substr(0, 80), map_->items[i].line,
             "unknown field" + (closest(key, known_) ? did_you_mean(key, known_)
                                                     : "; known are " + join(known_, ", ")));
  }
}

void MapReader::warn_of_slips(const std::vector<std::string>& prefixes) {
  // What the API server has accepted in a map of its own is no slip.
  if (map_ == nullptr || (object_->lenient && prefixes.empty())) return;
  for (std::size_t i = 0; i < map_->keys.size(); ++i) {
    const std::string key = map_->keys[i].substr(0, 80);
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const bool ours = std::any_of(prefixes.begin(), prefixes.end(),
                                  [&](const std::string& p) { return key.rfind(p, 0) == 0; });
    if (!ours && !(prefixes.empty() && closest(key, known_))) continue;
    complain(Severity::Warning, key, map_->items[i].line,
             "is not known, and has no effect" + did_you_mean(key, known_));
  }
}

std::optional<std::string> parse_block(const std::string& text, AddressBlock& out) {
  if (const auto prefix = IpPrefix::parse(text)) {
    out = {IpRange::of(*prefix), prefix};
    return std::nullopt;
  }
  if (text.find('/') != std::string::npos) {
    return "'" + text + "' is no CIDR: write it like 10.0.0.0/24 or fd00::/64";
  }
  const auto dash = text.find('-');
  const auto first = IpAddress::parse(trim(std::string_view(text).substr(0, dash)));
  const auto last = dash == std::string::npos
                        ? first
                        : IpAddress::parse(trim(std::string_view(text).substr(dash + 1)));
  if (!first || !last) {
    return "'" + text +
           "' is no address, range or CIDR: write it like 10.0.0.0/24, 10.0.0.1-10.0.0.9 or "
           "10.0.0.1";
  }
  if (first->family() != last->family()) {
    return "'" + text + "' mixes IPv4 and IPv6: give each its own entry";
  }
  if (*last < *first) return "'" + text + "' ends before it begins: swap the two addresses";
  out = {{*first, *last}, std::nullopt};
  return std::nullopt;
}

}  // namespace herald::config
