#include "config/interface_match.h"

#include <re2/re2.h>

#include <algorithm>

namespace herald::config {
namespace {

constexpr std::size_t kMaxPattern = 256;

re2::RE2::Options options() {
  re2::RE2::Options out;
  out.set_log_errors(false);
  out.set_max_mem(1 << 20);
  return out;
}

}  // namespace

std::optional<std::string> check_pattern(const std::string& pattern) {
  if (pattern.size() > kMaxPattern) return "the regular expression is longer than 256 characters";
  const re2::RE2 compiled(pattern, options());
  if (compiled.ok()) return std::nullopt;
  return "'" + pattern + "' is no regular expression (" + compiled.error() +
         "): write it like ^eth[0-9]+$";
}

struct InterfaceMatcher::Compiled {
  bool everything = false;
  std::vector<std::unique_ptr<re2::RE2>> patterns;
};

InterfaceMatcher::InterfaceMatcher(const std::vector<std::string>& patterns)
    : compiled_(std::make_unique<Compiled>()) {
  compiled_->everything = patterns.empty();
  for (const std::string& pattern : patterns) {
    if (check_pattern(pattern)) continue;
    compiled_->patterns.push_back(std::make_unique<re2::RE2>(pattern, options()));
  }
}
InterfaceMatcher::~InterfaceMatcher() = default;
InterfaceMatcher::InterfaceMatcher(InterfaceMatcher&&) noexcept = default;
InterfaceMatcher& InterfaceMatcher::operator=(InterfaceMatcher&&) noexcept = default;

bool InterfaceMatcher::matches(const std::string& link) const {
  return compiled_->everything ||
         std::any_of(compiled_->patterns.begin(), compiled_->patterns.end(),
                     [&](const auto& p) { return re2::RE2::PartialMatch(link, *p); });
}

}  // namespace herald::config
