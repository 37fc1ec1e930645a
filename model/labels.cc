#include "model/labels.h"

#include <algorithm>

#include "base/text.h"

namespace herald {
namespace {

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
  for (const auto& [key, value] : selector.match_labels) parts.push_back(key + "=" + value);
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
