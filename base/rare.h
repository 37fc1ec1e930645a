// base/rare.h: a value that is hardly ever there, for things of which there are thousands. Like
// std::optional, but while it is not there it takes the room of a pointer, whatever its type.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace herald {

template <typename T>
class Rare {
 public:
  using value_type = T;

  Rare() = default;
  Rare(std::nullopt_t) {}  // NOLINT: as std::optional
  template <typename U = T>
  requires std::constructible_from<T, U> &&(!std::same_as<std::remove_cvref_t<U>, Rare>)&&(
      !std::same_as<std::remove_cvref_t<U>, std::optional<T>>)
      Rare(U&& value)  // NOLINT: as std::optional
      : value_(std::make_unique<T>(std::forward<U>(value))) {}
  Rare(std::optional<T> value) {  // NOLINT: as std::optional
    if (value) value_ = std::make_unique<T>(std::move(*value));
  }
  Rare(const Rare& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(const Rare& other) { return *this = Rare(other); }
  Rare& operator=(Rare&&) noexcept = default;
  ~Rare() = default;

  bool has_value() const { return value_ != nullptr; }
  explicit operator bool() const { return has_value(); }
  const T& operator*() const { return checked(); }
  T& operator*() { return checked(); }
  const T* operator->() const { return &checked(); }
  T* operator->() { return &checked(); }
  T value_or(T other) const { return has_value() ? *value_ : std::move(other); }
  T& emplace() { return *(value_ = std::make_unique<T>()); }
  void reset() { value_.reset(); }

  bool operator==(const Rare& other) const {
    return has_value() == other.has_value() && (!has_value() || *value_ == *other.value_);
  }
  template <typename U>
  requires(!std::same_as<U, Rare>) && std::equality_comparable_with<T, U> bool operator==(
                                          const U& value) const {
    return has_value() && *value_ == value;
  }

 private:
  T& checked() const {
    HERALD_CHECK(value_ != nullptr);
    return *value_;
  }

  std::unique_ptr<T> value_;
};

}  // namespace herald
