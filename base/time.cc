#include "base/time.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace herald {
namespace {

struct Unit {
  std::string_view name;
  Duration length;
};

// Longest names first where one is the beginning of another ("ms" before "m").
constexpr std::array<Unit, 7> kUnits = {
    {{"ms", 1ms}, {"us", 1us}, {"\u00b5s", 1us}, {"ns", 1ns}, {"h", 1h}, {"m", 1min}, {"s", 1s}}};

const Unit* unit_at(std::string_view text) {
  const auto it = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) {
    return text.substr(0, u.name.size()) == u.name;
  });
  return it == kUnits.end() ? nullptr : &*it;
}

}  // namespace

std::string to_string(Duration d) {
  if (d < Duration::zero()) return "-" + to_string(-d);
  constexpr std::array<Unit, 6> kDown = {
      {{"h", 1h}, {"m", 1min}, {"s", 1s}, {"ms", 1ms}, {"\u00b5s", 1us}, {"ns", 1ns}}};
  std::string out;
  for (const Unit& unit : kDown) {
    const auto count = d / unit.length;
    if (count == 0) continue;
    out += std::to_string(count);
    out += unit.name;
    d -= count * unit.length;
  }
  return out.empty() ? "0s" : out;
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  if (text.empty()) return std::nullopt;
  constexpr double kMax = 9.2e18;
  double total_ns = 0;
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
    if (digits == 0 || error != std::errc{} || end != text.data() + digits) return std::nullopt;
    text.remove_prefix(digits);
    const Unit* unit = unit_at(text);
    if (unit == nullptr) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total_ns += value * static_cast<double>(unit->length.count());
    if (total_ns > kMax) return std::nullopt;
  }
  return Duration(std::llround(total_ns));
}

}  // namespace herald
