#include "net/ip.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace herald {
namespace {

constexpr Uint128 kAllV6 = ~Uint128{0};

Uint128 host_mask(IpFamily family, unsigned length) {
  const unsigned bits = family == IpFamily::IPv4 ? 32 : 128;
  const unsigned host_bits = bits - std::min(length, bits);
  if (host_bits == 0) return 0;
  if (host_bits == 128) return kAllV6;
  return (Uint128{1} << host_bits) - 1;
}

}  // namespace

const char* to_string(IpFamily family) {
  return family == IpFamily::IPv4 ? "IPv4" : "IPv6";
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  return {IpFamily::IPv4, host_order};
}
IpAddress IpAddress::v6(Uint128 value) {
  return {IpFamily::IPv6, value};
}
IpAddress IpAddress::from_number(IpFamily family, Uint128 value) {
  return family == IpFamily::IPv4 ? v4(static_cast<std::uint32_t>(value)) : v6(value);
}

std::optional<IpAddress> IpAddress::from_bytes(ByteView octets) {
  if (octets.size() != 4 && octets.size() != 16) return std::nullopt;
  Uint128 value = 0;
  for (const std::uint8_t octet : octets) value = (value << 8) | octet;
  return from_number(octets.size() == 4 ? IpFamily::IPv4 : IpFamily::IPv6, value);
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string terminated(text);
  std::array<std::uint8_t, 16> octets{};
  if (inet_pton(AF_INET, terminated.c_str(), octets.data()) == 1) {
    return from_bytes(ByteView(octets).first(4));
  }
  if (inet_pton(AF_INET6, terminated.c_str(), octets.data()) == 1) {
    const auto address = from_bytes(octets);
    if (address->number() >> 32 == 0xffff) return std::nullopt;  // IPv4-mapped
    return address;
  }
  return std::nullopt;
}

std::array<std::uint8_t, 16> IpAddress::octets16() const {
  std::array<std::uint8_t, 16> out{};
  Uint128 v = number();
  for (std::size_t i = 16; i-- > 0; v >>= 8) out[i] = static_cast<std::uint8_t>(v);
  return out;
}

Bytes IpAddress::to_bytes() const {
  const auto all = octets16();
  return {is_v4() ? all.begin() + 12 : all.begin(), all.end()};
}

bool IpAddress::is_loopback() const {
  return is_v4() ? number() >> 24 == 127 : number() == 1;
}
bool IpAddress::is_multicast() const {
  return is_v4() ? number() >> 28 == 0xe : number() >> 120 == 0xff;
}
bool IpAddress::is_link_local() const {
  return is_v4() ? number() >> 16 == 0xa9fe : number() >> 118 == 0xfe80 >> 6;
}

IpAddress IpAddress::next() const {
  return is_v4() ? v4(v4_number() + 1) : v6(number() + 1);
}

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const Bytes octets = address.to_bytes();
  inet_ntop(address.is_v4() ? AF_INET : AF_INET6, octets.data(), text.data(), text.size());
  return text.data();
}

IpPrefix::IpPrefix(const IpAddress& address, unsigned length)
    : address_(IpAddress::from_number(address.family(),
                                      address.number() & ~host_mask(address.family(), length))),
      length_(std::min(length, address.bits())) {}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const auto length = parse_number(text.substr(slash + 1), address->bits());
  if (!length) return std::nullopt;
  return IpPrefix(*address, static_cast<unsigned>(*length));
}

IpAddress IpPrefix::last() const {
  return IpAddress::from_number(family(), address_.number() | host_mask(family(), length_));
}

bool IpPrefix::contains(const IpAddress& a) const {
  return a.family() == family() &&
         (a.number() & ~host_mask(family(), length_)) == address_.number();
}

std::string to_string(const IpPrefix& prefix) {
  return to_string(prefix.address()) + "/" + std::to_string(prefix.length());
}

Uint128 IpRange::size() const {
  const Uint128 steps = last.number() - first.number();
  return steps == kAllV6 ? kAllV6 : steps + 1;
}

std::string to_string(const IpRange& range) {
  if (range.first == range.last) return to_string(range.first);
  return to_string(range.first) + "-" + to_string(range.last);
}

std::string to_string(Uint128 count) {
  std::string out;
  do {
    out += static_cast<char>('0' + static_cast<int>(count % 10));
    count /= 10;
  } while (count != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace herald
