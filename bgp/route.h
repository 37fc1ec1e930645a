// bgp/route.h: what we tell a peer: prefixes and their attributes, as plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "net/ip.h"

namespace herald::bgp {

struct LargeCommunity {  // RFC 8092
  std::uint32_t global = 0, local1 = 0, local2 = 0;
  auto operator<=>(const LargeCommunity&) const = default;
};

// ORIGIN is always IGP; AS_PATH and NEXT_HOP come from the session.
struct RouteAttributes {
  unsigned as_path_prepend = 0;  // our AS so many times more than needed
  std::optional<std::uint32_t> med;
  std::optional<std::uint32_t> local_pref;  // sent to internal peers only; they get 100 by default
  std::vector<std::uint32_t> communities;   // RFC 1997, sorted
  std::vector<LargeCommunity> large_communities;  // sorted
  auto operator<=>(const RouteAttributes&) const = default;
};

struct Route {
  IpPrefix prefix;
  RouteAttributes attributes;
  auto operator<=>(const Route&) const = default;
};

}  // namespace herald::bgp
