// base/shared.h: a value that does not change, and that many have alike: a copy is a pointer, and
// T() takes no room at all.
#pragma once

#include <algorithm>
#include <compare>
#include <concepts>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace herald {

template <typename T>
class Shared {
 public:
  Shared() = default;
  Shared(T value)  // NOLINT(google-explicit-constructor): it stands for one
      : value_(value == T() ? nullptr : std::make_shared<const T>(std::move(value))) {}
  template <typename U>
  requires std::convertible_to<const U&, T> &&(!std::same_as<U, T>)&&(!std::same_as<U, Shared>)
      Shared(const U& value)  // NOLINT(google-explicit-constructor)
      : Shared(T(value)) {}

  bool empty() const { return value_ == nullptr; }  // it is T()
  const T& operator*() const { return value_ ? *value_ : none(); }
  const T* operator->() const { return &**this; }

  // By value.
  bool operator==(const Shared& other) const { return value_ == other.value_ || **this == *other; }
  auto operator<=>(const Shared& other) const { return **this <=> *other; }

 private:
  template <typename>
  friend class Interner;
  static const T& none() {
    static const T kNone{};
    return kNone;
  }

  std::shared_ptr<const T> value_;  // null: T()
};

using SharedText = Shared<std::string>;

// Gives the same one to all who have the same value.
template <typename T>
class Interner {
 public:
  Shared<T> intern(Shared<T> value) {
    if (value.empty()) return value;
    const auto [it, first] = known_.insert(std::move(value));
    Shared<T> out = *it;
    if (first && known_.size() > 2 * in_use_) forget_unused();
    return out;
  }
  std::size_t size() const { return known_.size(); }  // those in use, and some that were

 private:
  // As often as there are twice as many as were in use the last time.
  void forget_unused() {
    std::erase_if(known_, [](const Shared<T>& one) { return one.value_.use_count() == 1; });
    in_use_ = std::max(known_.size(), kFew);
  }

  static constexpr std::size_t kFew = 32;
  std::set<Shared<T>> known_;
  std::size_t in_use_ = kFew;
};

}  // namespace herald
