// net/mac.h: IEEE 802 MAC addresses and the multicast addresses that IPv6 maps to them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/ip.h"

namespace herald {

struct MacAddress {
  std::array<std::uint8_t, 6> octets{};

  static std::optional<MacAddress> parse(std::string_view text);  // "02:00:00:00:00:0a"
  bool is_group() const { return (octets[0] & 1) != 0; }          // multicast or broadcast
  bool is_zero() const { return *this == MacAddress{}; }
  auto operator<=>(const MacAddress&) const = default;
};
inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

std::string to_string(const MacAddress& mac);

// ff02::1:ffXX:XXXX for an IPv6 address (RFC 4291 §2.7.1).
IpAddress solicited_node_group(const IpAddress& address);
// 33:33:XX:XX:XX:XX for an IPv6 multicast address (RFC 2464 §7).
MacAddress multicast_mac(const IpAddress& group);

}  // namespace herald
