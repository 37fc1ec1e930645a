// config/interface_match.h: which links a list of regular expressions means. RE2: linear time, so a
// hostile pattern costs nothing but memory, which is bounded too.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace herald::config {

// What is wrong with a pattern and how to mend it; nothing if it is good.
std::optional<std::string> check_pattern(const std::string& pattern);

class InterfaceMatcher {
 public:
  // Unanchored, any of; no pattern at all matches every link. Bad patterns match nothing.
  explicit InterfaceMatcher(const std::vector<std::string>& patterns);
  ~InterfaceMatcher();
  InterfaceMatcher(InterfaceMatcher&&) noexcept;
  InterfaceMatcher& operator=(InterfaceMatcher&&) noexcept;

  bool matches(const std::string& link) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace herald::config
