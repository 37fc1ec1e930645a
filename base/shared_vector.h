// base/shared_vector.h: a list that does not change, and that many have alike: a copy is a pointer.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace herald {

template <typename T>
class SharedVector {
 public:
  SharedVector() = default;
  SharedVector(std::vector<T> all)  // NOLINT(google-explicit-constructor)
      : all_(all.empty() ? nullptr : std::make_shared<const std::vector<T>>(std::move(all))) {}
  SharedVector(std::initializer_list<T> all) : SharedVector(std::vector<T>(all)) {}

  bool empty() const { return all_ == nullptr; }
  std::size_t size() const { return all_ ? all_->size() : 0; }
  const T* begin() const { return all_ ? all_->data() : nullptr; }
  const T* end() const { return begin() + size(); }
  bool operator==(const SharedVector& other) const {
    return all_ == other.all_ || std::equal(begin(), end(), other.begin(), other.end());
  }
  auto operator<=>(const SharedVector& other) const {
    return std::lexicographical_compare_three_way(begin(), end(), other.begin(), other.end());
  }

 private:
  std::shared_ptr<const std::vector<T>> all_;  // null: empty
};

}  // namespace herald
