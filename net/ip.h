// net/ip.h: IP addresses, prefixes and ranges as plain values.
//
// Addresses order by family (IPv4 first), then numerically. Text forms follow RFC 5952 (IPv6) and
// strict dotted decimal without leading zeros (IPv4). An IPv4-mapped IPv6 address (::ffff:0:0/96)
// is refused by parse(): two spellings of one VIP would be two VIPs.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace herald {

__extension__ typedef unsigned __int128 Uint128;

enum class IpFamily : std::uint8_t { IPv4, IPv6 };
const char* to_string(IpFamily family);  // "IPv4", "IPv6", as in Kubernetes

class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(Uint128 value);
  static IpAddress from_number(IpFamily family, Uint128 value);
  // 4 or 16 octets in network order; anything else is nullopt.
  static std::optional<IpAddress> from_bytes(ByteView octets);
  static std::optional<IpAddress> parse(std::string_view text);

  IpFamily family() const { return family_; }
  bool is_v4() const { return family_ == IpFamily::IPv4; }
  bool is_v6() const { return family_ == IpFamily::IPv6; }
  unsigned bits() const { return is_v4() ? 32 : 128; }
  Uint128 number() const { return Uint128{high_} << 64 | low_; }
  std::uint32_t v4_number() const { return static_cast<std::uint32_t>(low_); }
  Bytes to_bytes() const;                         // 4 or 16 octets
  std::array<std::uint8_t, 16> octets16() const;  // the number in network order, 16 octets

  bool is_unspecified() const { return high_ == 0 && low_ == 0; }
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local() const;  // 169.254.0.0/16, fe80::/10

  // The address after this one; wraps at the end of the family.
  IpAddress next() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  IpAddress(IpFamily family, Uint128 value)
      : family_(family),
        high_(static_cast<std::uint64_t>(value >> 64)),
        low_(static_cast<std::uint64_t>(value)) {}
  IpFamily family_ = IpFamily::IPv4;
  std::uint64_t high_ = 0, low_ = 0;  // a Uint128 would have all of it take 32 octets
};
std::string to_string(const IpAddress& address);

// An address block in CIDR form; host bits are always zero.
class IpPrefix {
 public:
  IpPrefix() = default;
  // length is clamped to the family's bits; host bits are masked off.
  IpPrefix(const IpAddress& address, unsigned length);
  static IpPrefix host(const IpAddress& address) { return {address, address.bits()}; }
  // "10.0.0.0/24", "fd00::/64". Host bits are masked off, as Kubernetes pools allow; no length:
  // nullopt.
  static std::optional<IpPrefix> parse(std::string_view text);

  const IpAddress& address() const { return address_; }
  unsigned length() const { return length_; }
  IpFamily family() const { return address_.family(); }
  IpAddress first() const { return address_; }
  IpAddress last() const;
  bool contains(const IpAddress& a) const;
  auto operator<=>(const IpPrefix&) const = default;

 private:
  IpAddress address_;
  unsigned length_ = 0;
};
std::string to_string(const IpPrefix& prefix);

// Addresses from first to last, both included, of one family.
struct IpRange {
  IpAddress first, last;

  static IpRange of(const IpPrefix& prefix) { return {prefix.first(), prefix.last()}; }
  static IpRange single(const IpAddress& a) { return {a, a}; }

  IpFamily family() const { return first.family(); }
  bool contains(const IpAddress& a) const { return first <= a && a <= last; }
  bool overlaps(const IpRange& o) const { return first <= o.last && o.first <= last; }
  // How many addresses; the whole of IPv6 (2^128) counts as 2^128 - 1.
  Uint128 size() const;
  auto operator<=>(const IpRange&) const = default;
};
// "10.0.0.1-10.0.0.9"; one address alone as itself.
std::string to_string(const IpRange& range);
// Decimal digits of a 128-bit count.
std::string to_string(Uint128 count);

}  // namespace herald
