#include "model/labels.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/text.h"

namespace herald {
namespace {

using Length = std::uint32_t;

Length length_at(const char* at) {
  Length out = 0;
  std::memcpy(&out, at, sizeof out);
  return out;
}

// Returns where it goes on.
char* put(char* at, Length length) {
  std::memcpy(at, &length, sizeof length);
  return at + sizeof length;
}
char* put(char* at, std::string_view text) {
  return std::copy(text.begin(), text.end(), at);
}

bool holds(const LabelSelector::Expression& e, const Labels& labels) {
  const auto it = labels.find(e.key);
  const bool present = it != labels.end();
  const bool listed =
      present && std::find(e.values.begin(), e.values.end(), it->second) != e.values.end();
  switch (e.op) {
    case LabelSelector::Operator::In:
      return listed;
    case LabelSelector::Operator::NotIn:
      return !listed;
    case LabelSelector::Operator::Exists:
      return present;
    case LabelSelector::Operator::DoesNotExist:
      return !present;
  }
  return false;
}

std::string print(const LabelSelector::Expression& e) {
  switch (e.op) {
    case LabelSelector::Operator::In:
      return e.key + " in (" + join(e.values, ",") + ")";
    case LabelSelector::Operator::NotIn:
      return e.key + " notin (" + join(e.values, ",") + ")";
    case LabelSelector::Operator::Exists:
      return e.key;
    case LabelSelector::Operator::DoesNotExist:
      return "!" + e.key;
  }
  return {};
}

}  // namespace

Labels::Labels(std::vector<value_type> labels) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // From the back: there the last of those with the same key stands first.
  const auto last = std::unique(labels.rbegin(), labels.rend(),
                                [](const auto& a, const auto& b) { return a.first == b.first; });
  labels.erase(labels.begin(), last.base());
  if (labels.empty()) return;
  std::size_t size = 0;
  for (const auto& [key, value] : labels) size += 2 * sizeof(Length) + key.size() + value.size();
  text_ = std::make_unique<char[]>(sizeof(Length) + size);
  char* at = put(text_.get(), static_cast<Length>(size));
  for (const auto& [key, value] : labels) {
    at = put(at, static_cast<Length>(key.size()));
    at = put(at, static_cast<Length>(value.size()));
    at = put(put(at, key), value);
  }
}

Labels::Labels(const Labels& other) {
  if (other.empty()) return;
  const std::size_t size = sizeof(Length) + other.text().size();
  text_ = std::make_unique<char[]>(size);
  std::copy_n(other.text_.get(), size, text_.get());
}

std::string_view Labels::text() const {
  if (empty()) return {};
  return {text_.get() + sizeof(Length), length_at(text_.get())};
}

Labels::const_iterator Labels::begin() const {
  return const_iterator(text());
}
Labels::const_iterator Labels::end() const {
  return const_iterator(text().substr(text().size()));
}

Labels::const_iterator Labels::find(std::string_view key) const {
  return std::find_if(begin(), end(), [&](const value_type& label) { return label.first == key; });
}
bool Labels::contains(std::string_view key) const {
  return find(key) != end();
}

void Labels::set(const Labels& others) {
  std::vector<value_type> all(begin(), end());
  all.insert(all.end(), others.begin(), others.end());
  *this = Labels(std::move(all));
}

Labels::const_iterator::const_iterator(std::string_view text) : at_(text.data()), rest_(text) {
  if (text.empty()) return;
  const std::size_t key = length_at(at_), value = length_at(at_ + sizeof(Length));
  label_.first = text.substr(2 * sizeof(Length), key);
  label_.second = text.substr(2 * sizeof(Length) + key, value);
  rest_ = text.substr(2 * sizeof(Length) + key + value);
}

bool LabelSelector::matches(const Labels& labels) const {
  const bool all_labels =
      std::all_of(match_labels.begin(), match_labels.end(), [&](const auto& wanted) {
        const auto it = labels.find(wanted.first);
        return it != labels.end() && it->second == wanted.second;
      });
  return all_labels && std::all_of(match_expressions.begin(), match_expressions.end(),
                                   [&](const Expression& e) { return holds(e, labels); });
}

std::string to_string(const LabelSelector& selector) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : selector.match_labels) {
    parts.push_back(std::string(key) + "=" + std::string(value));
  }
  for (const auto& e : selector.match_expressions) parts.push_back(print(e));
  return parts.empty() ? "<everything>" : join(parts, ",");
}

bool selects(const Selectors& selectors, const Labels& labels) {
  return selectors.empty() ||
         std::any_of(selectors.begin(), selectors.end(),
                     [&](const LabelSelector& s) { return s.matches(labels); });
}

std::string to_string(const Selectors& selectors) {
  if (selectors.empty()) return to_string(LabelSelector{});
  std::string out;
  for (const LabelSelector& s : selectors) out += (out.empty() ? "" : " or ") + to_string(s);
  return out;
}

}  // namespace herald
