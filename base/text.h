// base/text.h: small things with strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace herald {

std::string_view trim(std::string_view text);
// "a, b,,c" -> {"a", "b", "c"}: parts are trimmed, empty ones dropped.
std::vector<std::string> split_list(std::string_view text, char separator = ',');
std::string join(const std::vector<std::string>& parts, std::string_view separator);
// Decimal digits alone (no sign, no blank), at most `max`.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max);
// A stranger's text for a sentence of ours: one line, printable, and short enough for a log.
std::string printable(std::string_view stranger);
// The member of `candidates` that `word` was most likely meant to be, if one is close.
std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace herald
