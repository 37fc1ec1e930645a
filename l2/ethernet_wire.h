// l2/ethernet_wire.h: the Ethernet II header, which ARP and NDP frames share.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "l2/verdict.h"
#include "net/mac.h"

namespace herald::l2 {

inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;

struct EthernetHeader {
  MacAddress destination, source;
  std::uint16_t ethertype = 0;
  bool operator==(const EthernetHeader&) const = default;
};

// Reads the header and leaves `in` behind it. A tag with VLAN 0 (priority only, IEEE 802.1Q §6.9)
// is passed over; another VLAN is OtherVlan, as its hosts are not on this link.
Result<EthernetHeader, Verdict> parse_ethernet(ByteReader& in);
void write_ethernet(ByteWriter& out, const EthernetHeader& header);

}  // namespace herald::l2
