// model/shared_value.h: a std::optional that never changes what it has, so that copies share it.
#pragma once

#include <compare>
#include <memory>
#include <utility>

#include "base/check.h"

namespace herald {

template <typename T>
class SharedValue {
 public:
  SharedValue() = default;
  SharedValue(T value) : value_(std::make_shared<T>(std::move(value))) {}  // NOLINT: as optional

  explicit operator bool() const { return value_ != nullptr; }
  const T& operator*() const {
    HERALD_CHECK(value_ != nullptr);
    return *value_;
  }
  // No copy has it, too.
  bool alone() const { return value_.use_count() == 1; }

  // By value; none is the least.
  bool operator==(const SharedValue& other) const { return (*this <=> other) == 0; }
  std::strong_ordering operator<=>(const SharedValue& other) const {
    if (value_ == other.value_) return std::strong_ordering::equal;
    if (!value_ || !other.value_) return (value_ != nullptr) <=> (other.value_ != nullptr);
    return *value_ <=> *other.value_;
  }

 private:
  std::shared_ptr<const T> value_;
};

}  // namespace herald
