#include "net/mac.h"

#include "base/bytes.h"

namespace herald {

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 2; i < text.size(); i += 3) {
    if (text[i] != ':') return std::nullopt;
  }
  const Bytes octets = from_hex(text);
  if (octets.size() != 6) return std::nullopt;
  MacAddress mac;
  std::copy(octets.begin(), octets.end(), mac.octets.begin());
  return mac;
}

std::string to_string(const MacAddress& mac) {
  std::string out;
  for (const std::uint8_t octet : mac.octets) {
    if (!out.empty()) out += ':';
    out += to_hex(ByteView(&octet, 1));
  }
  return out;
}

IpAddress solicited_node_group(const IpAddress& address) {
  const Uint128 base = IpAddress::parse("ff02::1:ff00:0")->number();
  return IpAddress::v6(base | (address.number() & 0xffffff));
}

MacAddress multicast_mac(const IpAddress& group) {
  const auto octets = group.octets16();
  return {{0x33, 0x33, octets[12], octets[13], octets[14], octets[15]}};
}

}  // namespace herald
