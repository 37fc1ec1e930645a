// model/labels.h: Kubernetes labels and label selectors.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace herald {

// Keys with their values, in the order of the keys. Thousands of objects have some, so all labels
// of one are a single text, in which a key is looked for from the front: there are few.
class Labels {
 public:
  using value_type = std::pair<std::string_view, std::string_view>;  // key, value
  class const_iterator;
  using iterator = const_iterator;

  Labels() = default;
  // In whatever order; of two with the same key the last.
  explicit Labels(std::vector<value_type> labels);
  Labels(std::initializer_list<value_type> labels) : Labels(std::vector<value_type>(labels)) {}
  Labels(const Labels& other);
  Labels(Labels&&) noexcept = default;
  Labels& operator=(const Labels& other) { return *this = Labels(other); }
  Labels& operator=(Labels&&) noexcept = default;
  ~Labels() = default;

  bool empty() const { return text_ == nullptr; }
  const_iterator begin() const;
  const_iterator end() const;
  const_iterator find(std::string_view key) const;
  bool contains(std::string_view key) const;

  // They take the places of those with the same keys.
  void set(const Labels& others);
  void set(std::string_view key, std::string_view value) { set(Labels{{key, value}}); }

  bool operator==(const Labels& other) const { return text() == other.text(); }

 private:
  std::string_view text() const;

  // How long the rest is; then of each label the lengths of key and value, the key, the value.
  // Without any label there is none.
  std::unique_ptr<char[]> text_;
};

class Labels::const_iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Labels::value_type;
  using difference_type = std::ptrdiff_t;
  using pointer = const value_type*;
  using reference = value_type;

  const_iterator() = default;
  value_type operator*() const { return label_; }
  const value_type* operator->() const { return &label_; }
  const_iterator& operator++() { return *this = const_iterator(rest_); }
  const_iterator operator++(int) { return std::exchange(*this, const_iterator(rest_)); }
  bool operator==(const const_iterator& other) const { return at_ == other.at_; }

 private:
  friend class Labels;
  explicit const_iterator(std::string_view text);  // from its beginning

  const char* at_ = nullptr;
  std::string_view rest_;  // behind this label
  value_type label_;
};

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
