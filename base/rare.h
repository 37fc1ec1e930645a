// base/rare.h: a value that is hardly ever there, for things of which there are thousands. Like
// std::optional, but while it is not there it takes the room of a pointer, whatever its type.
#pragma once

#include <memory>
#include <optional>
#include <utility>

namespace herald {

template <typename T>
class Rare {
 public:
  Rare() = default;
  Rare(std::nullopt_t) {}  // NOLINT(google-explicit-constructor)
  Rare(T value)            // NOLINT(google-explicit-constructor)
      : value_(std::make_unique<T>(std::move(value))) {}
  Rare(const Rare& other) : value_(other ? std::make_unique<T>(*other) : nullptr) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(Rare other) noexcept {
    value_ = std::move(other.value_);
    return *this;
  }
  ~Rare() = default;

  bool has_value() const { return value_ != nullptr; }
  explicit operator bool() const { return has_value(); }
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  void reset() { value_.reset(); }

  friend bool operator==(const Rare& a, const Rare& b) { return a ? b && *a == *b : !b; }
  friend bool operator==(const Rare& a, const T& b) { return a && *a == b; }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace herald
