// l2/ndp_wire.h: Neighbor Solicitation and Advertisement (RFC 4861 §4.3, §4.4): frames <-> values.
//
// Parsing checks all that RFC 4861 §7.1 says MUST be silently discarded, the checksum included.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "l2/ethernet_wire.h"
#include "l2/frame.h"
#include "l2/verdict.h"
#include "net/mac.h"

namespace herald::l2 {

enum class NdpType : std::uint8_t { Solicitation = 135, Advertisement = 136 };

struct NdpFrame {
  EthernetHeader ethernet;
  IpAddress source = IpAddress::v6(0);
  IpAddress destination = IpAddress::v6(0);
  NdpType type = NdpType::Solicitation;
  bool router = false, solicited = false, override_flag = false;  // advertisements only
  IpAddress target = IpAddress::v6(0);
  // Source link-layer address of a solicitation, target link-layer address of an advertisement.
  std::optional<MacAddress> link_layer;
  bool operator==(const NdpFrame&) const = default;
};

// A whole frame. Other ICMPv6 and IPv6 packets are NotASolicitation.
Result<NdpFrame, Verdict> parse_ndp(ByteView frame);
// The same behind an Ethernet header that has been read already.
Result<NdpFrame, Verdict> parse_ndp(const EthernetHeader& ethernet, ByteReader in);
Bytes encode(const NdpFrame& frame);

// The advertisement that answers `solicitation` (RFC 4861 §7.2.4): solicited, to `to`; or, when
// the source is unspecified (duplicate address detection), unsolicited to all nodes. Override is
// set: the VIP has one owner, and what others have cached about it is older than we are.
Frame ndp_reply(const NdpFrame& solicitation, const MacAddress& to, const MacAddress& mac);
// RFC 4861 §7.2.6: to all nodes, Override set.
Frame ndp_announcement(const IpAddress& vip, const MacAddress& mac);
// RFC 4862 §5.4.2: a solicitation for the VIP from the unspecified address, to its group.
Frame ndp_probe(const IpAddress& vip, const MacAddress& mac);

}  // namespace herald::l2
