// model/labels.h: Kubernetes labels and label selectors.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace herald {

using Labels = std::map<std::string, std::string>;

// metav1.LabelSelector: all requirements must hold; an empty selector selects everything.
struct LabelSelector {
  enum class Operator { In, NotIn, Exists, DoesNotExist };
  struct Expression {
    std::string key;
    Operator op = Operator::Exists;
    std::vector<std::string> values;  // of In and NotIn; empty otherwise
    bool operator==(const Expression&) const = default;
  };

  Labels match_labels;
  std::vector<Expression> match_expressions;

  // As Kubernetes: NotIn and DoesNotExist also select objects without the key.
  bool matches(const Labels& labels) const;
  bool operator==(const LabelSelector&) const = default;
};

// "app=web,tier in (a,b),!canary": the form of kubectl. "<everything>" for an empty selector.
std::string to_string(const LabelSelector& selector);

// Several selectors choose what any of them chooses; none at all chooses everything.
using Selectors = std::vector<LabelSelector>;
bool selects(const Selectors& selectors, const Labels& labels);
// "app=web or app=db"; "<everything>" for none.
std::string to_string(const Selectors& selectors);

}  // namespace herald
