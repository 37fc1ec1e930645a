#include "l2/ethernet_wire.h"

namespace herald::l2 {
namespace {

constexpr std::uint16_t kCustomerTag = 0x8100;  // IEEE 802.1Q
constexpr std::uint16_t kServiceTag = 0x88a8;   // IEEE 802.1ad

}  // namespace

Result<EthernetHeader, Verdict> parse_ethernet(ByteReader& in) {
  EthernetHeader header;
  header.destination.octets = in.array<6>();
  header.source.octets = in.array<6>();
  header.ethertype = in.u16();
  if (header.ethertype == kCustomerTag || header.ethertype == kServiceTag) {
    const auto vlan = in.u16() & 0x0fff;
    header.ethertype = in.u16();
    if (in.ok() && vlan != 0) return error(Verdict::OtherVlan);
  }
  if (!in.ok()) return error(Verdict::Truncated);
  return header;
}

void write_ethernet(ByteWriter& out, const EthernetHeader& header) {
  out.bytes(header.destination.octets);
  out.bytes(header.source.octets);
  out.u16(header.ethertype);
}

}  // namespace herald::l2
