// base/literal.h: a text of the program itself. It is there for as long as the program is, so it is
// kept by its place, and copying it costs nothing.
#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace herald {

class Literal {
 public:
  constexpr Literal() = default;
  consteval Literal(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  constexpr operator std::string_view() const { return text_; }  // NOLINT(*-explicit-constructor)
  constexpr std::string_view view() const { return text_; }
  std::string str() const { return text_; }
  constexpr bool empty() const { return *text_ == '\0'; }
  constexpr bool operator==(const Literal& other) const {
    return text_ == other.text_ || view() == other.view();
  }
  constexpr std::strong_ordering operator<=>(const Literal& other) const {
    if (text_ == other.text_) return std::strong_ordering::equal;
    return view() <=> other.view();
  }

 private:
  const char* text_ = "";
};

}  // namespace herald
