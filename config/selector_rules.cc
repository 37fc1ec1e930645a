#include "config/selector_rules.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace herald::config {
namespace {

constexpr std::size_t kMaxName = 63, kMaxPrefix = 253;

bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// The form of a label's value, and of its key after the slash.
bool good_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && alphanumeric(text.front()) &&
         alphanumeric(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
           return alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

// A DNS subdomain (RFC 1123).
bool good_prefix(std::string_view text) {
  if (text.empty() || text.size() > kMaxPrefix) return false;
  for (char before = '.'; const char c : text) {
    const bool edge = c == '.' || c == '-';
    if (!edge && (!alphanumeric(c) || (c >= 'A' && c <= 'Z'))) return false;
    if (edge && (before == '.' || (c == '.' && before == '-'))) return false;
    before = c;
  }
  return text.back() != '.' && text.back() != '-';
}

bool good_key(std::string_view key) {
  const auto slash = key.find('/');
  return slash == std::string_view::npos
             ? good_name(key)
             : good_prefix(key.substr(0, slash)) && good_name(key.substr(slash + 1));
}

LabelSelector sorted(LabelSelector selector) {
  for (auto& e : selector.match_expressions) std::sort(e.values.begin(), e.values.end());
  return selector;
}

std::string text_of(const LabelSelector::Expression& e) {
  return to_string(LabelSelector{{}, {e}});
}

}  // namespace

std::string canonical(const LabelSelector& selector) {
  LabelSelector out = sorted(selector);
  std::sort(out.match_expressions.begin(), out.match_expressions.end(),
            [](const auto& a, const auto& b) { return text_of(a) < text_of(b); });
  return to_string(out);
}

std::optional<std::string> label_fault(const LabelSelector& selector) {
  const auto bad_key = [](const std::string& key) -> std::optional<std::string> {
    if (key.empty() || good_key(key)) return std::nullopt;  // the reader has complained of none
    return "'" + key.substr(0, 80) +
           "' is no name of a label: write it like app or example.com/app";
  };
  const auto bad_value = [](const std::string& value) -> std::optional<std::string> {
    if (value.empty() || good_name(value)) return std::nullopt;
    return "'" + value.substr(0, 80) +
           "' is no value of a label: at most 63 letters, digits, - _ or ., with a letter or "
           "digit at both ends";
  };
  for (const auto& [key, value] : selector.match_labels) {
    if (auto fault = bad_key(std::string(key))) return fault;
    if (auto fault = bad_value(std::string(value))) return fault;
  }
  for (const auto& e : selector.match_expressions) {
    if (auto fault = bad_key(e.key)) return fault;
    for (const std::string& value : e.values) {
      if (auto fault = bad_value(value)) return fault;
    }
  }
  return std::nullopt;
}

std::optional<std::string> double_fault(const LabelSelector& selector) {
  std::set<std::string> seen;
  for (const auto& e : sorted(selector).match_expressions) {
    const auto twice = std::adjacent_find(e.values.begin(), e.values.end());
    if (twice != e.values.end()) {
      return "lists the value '" + *twice + "' of " + e.key + " twice: remove one";
    }
    if (!seen.insert(text_of(e)).second) {
      return "has the expression '" + text_of(e) + "' twice: remove one";
    }
  }
  return std::nullopt;
}

Selectors read_selector_list(MapReader& spec, const std::string& key) {
  Selectors out;
  std::set<std::string> seen;
  for (MapReader& in : spec.maps(key)) {
    LabelSelector selector = in.as_selector();
    if (const auto fault = label_fault(selector)) {
      in.error("", *fault);
    } else if (const auto doubled = double_fault(selector)) {
      in.error("", *doubled);
    } else if (!seen.insert(canonical(selector)).second) {
      in.error("", "'" + to_string(selector) + "' is in the list twice: remove one");
    }
    out.push_back(std::move(selector));
  }
  return out;
}

std::vector<std::string> read_name_list(MapReader& spec, const std::string& key) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  spec.each(key, [&](const std::string& name) -> std::optional<std::string> {
    if (name.empty()) return "is empty: write a name";
    if (!seen.insert(name).second) return "'" + name + "' is in the list twice: remove one";
    out.push_back(name);
    return std::nullopt;
  });
  return out;
}

}  // namespace herald::config
