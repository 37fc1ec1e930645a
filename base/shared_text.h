// base/shared_text.h: a text that many have alike, kept once.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace herald {

// Never changes; a copy is a pointer.
class SharedText {
 public:
  SharedText() = default;
  SharedText(std::string text)  // NOLINT(google-explicit-constructor)
      : text_(text.empty() ? nullptr : std::make_shared<const std::string>(std::move(text))) {}
  SharedText(const char* text) : SharedText(std::string(text)) {}  // NOLINT(*-explicit-constructor)

  bool empty() const { return text_ == nullptr; }
  std::string_view view() const { return text_ ? std::string_view(*text_) : std::string_view(); }
  bool operator==(const SharedText& other) const {
    return text_ == other.text_ || view() == other.view();
  }
  auto operator<=>(const SharedText& other) const { return view() <=> other.view(); }

 private:
  friend class SharedTexts;
  std::shared_ptr<const std::string> text_;
};

// Those that are in use, to give the same one to all who have the same text.
class SharedTexts {
 public:
  SharedText one(SharedText text) {
    if (text.empty()) return text;
    const auto [it, first] = texts_.insert(std::move(text));
    SharedText out = *it;
    if (first && texts_.size() > 2 * in_use_) forget_unused();
    return out;
  }

 private:
  // As often as there are twice as many as were in use the last time.
  void forget_unused() {
    std::erase_if(texts_, [](const SharedText& one) { return one.text_.use_count() == 1; });
    in_use_ = std::max<std::size_t>(texts_.size(), kFew);
  }

  static constexpr std::size_t kFew = 32;
  std::set<SharedText> texts_;
  std::size_t in_use_ = kFew;
};

}  // namespace herald
