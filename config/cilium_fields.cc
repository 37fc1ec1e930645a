#include "config/cilium_fields.h"

#include <fmt/core.h>

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/selector_rules.h"

namespace herald::config {
namespace {

constexpr std::uint64_t kMaxU16 = 0xffff, kMaxU32 = 0xffffffff;

std::optional<std::uint32_t> parse_part(std::string_view text, std::uint64_t max) {
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  const auto n = parse_number(text, max);
  return n ? std::optional(static_cast<std::uint32_t>(*n)) : std::nullopt;
}

// "a:b:c" in exactly so many parts; nothing if one of them is no number.
std::optional<std::vector<std::uint32_t>> parse_parts(std::string_view text, std::size_t count,
                                                      std::uint64_t max) {
  std::vector<std::uint32_t> out;
  while (true) {
    const std::size_t colon = text.find(':');
    const auto part = parse_part(text.substr(0, colon), max);
    if (!part || out.size() == count) return std::nullopt;
    out.push_back(*part);
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  return out.size() == count ? std::optional(out) : std::nullopt;
}

}  // namespace

std::optional<LabelSelector> read_checked_selector(MapReader& in, const std::string& key) {
  auto out = in.selector(key);
  if (const auto fault = out ? label_fault(*out) : std::nullopt) in.error(key, *fault);
  return out;
}

Selectors read_checked_selectors(MapReader& in, const std::string& key) {
  auto one = read_checked_selector(in, key);
  return one ? Selectors{std::move(*one)} : Selectors{};
}

std::vector<MapReader> read_required_list(MapReader& in, const std::string& key,
                                          bool may_be_empty) {
  auto out = in.maps(key);
  if (!in.has(key)) {
    in.error(key, "is missing: it is required");
  } else if (out.empty() && !may_be_empty) {
    in.error(key, "is empty: list at least one");
  }
  return out;
}

void warn_of_local_port(MapReader& in, std::int64_t min, std::int64_t max) {
  const auto port = in.integer("localPort", min, max);
  if (!port) return;
  if (*port < 1 || *port > 65535) {
    in.warning("localPort", fmt::format("{} is no port: write 1 to 65535", *port));
  } else {
    in.warning("localPort",
               "is understood, but has no effect: the setting bgp-local-port of each node says "
               "whether, and where, routers may connect to it");
  }
}

std::optional<std::string> parse_cilium_address(const std::string& text, CiliumAddress& out) {
  const std::string bad =
      "'" + text + "' is no IP address: write it like 192.0.2.1, 2001:db8::1 or fe80::1%eth0";
  std::string_view rest = trim(text);
  std::string zone;
  const std::size_t percent = rest.find('%');
  if (percent != std::string_view::npos) {
    zone = rest.substr(percent + 1);
    rest = rest.substr(0, percent);
    if (zone.empty() || rest.find(':') == std::string_view::npos) return bad;
  }
  auto address = IpAddress::parse(rest);
  for (const std::string_view mapped : {"::ffff:", "::FFFF:"}) {
    if (address || rest.substr(0, mapped.size()) != mapped) continue;
    address = IpAddress::parse(rest.substr(mapped.size()));
    if (address && address->is_v6()) return bad;
  }
  if (!address) return bad;
  out = {*address, std::move(zone)};
  return std::nullopt;
}

std::optional<std::uint32_t> parse_standard_community(const std::string& text) {
  if (text.find(':') == std::string::npos) return parse_part(text, kMaxU32);
  const auto parts = parse_parts(text, 2, kMaxU16);
  return parts ? std::optional((*parts)[0] << 16 | (*parts)[1]) : std::nullopt;
}

std::optional<std::uint32_t> parse_well_known_community(const std::string& name) {
  static const std::map<std::string, std::uint32_t> kNames = {
      {"internet", 0},
      {"planned-shut", 0xffff0000},
      {"accept-own", 0xffff0001},
      {"route-filter-translated-v4", 0xffff0002},
      {"route-filter-v4", 0xffff0003},
      {"route-filter-translated-v6", 0xffff0004},
      {"route-filter-v6", 0xffff0005},
      {"llgr-stale", 0xffff0006},
      {"no-llgr", 0xffff0007},
      {"blackhole", 0xffff029a},
      {"no-export", 0xffffff01},
      {"no-advertise", 0xffffff02},
      {"no-export-subconfed", 0xffffff03},
      {"no-peer", 0xffffff04}};
  const auto it = kNames.find(name);
  return it == kNames.end() ? std::nullopt : std::optional(it->second);
}

std::optional<LargeCommunity> parse_large_community(const std::string& text) {
  const auto parts = parse_parts(text, 3, kMaxU32);
  if (!parts) return std::nullopt;
  return LargeCommunity{(*parts)[0], (*parts)[1], (*parts)[2]};
}

}  // namespace herald::config
