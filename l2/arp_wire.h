// l2/arp_wire.h: ARP for IPv4 over Ethernet (RFC 826, RFC 5227): frames <-> values.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "l2/ethernet_wire.h"
#include "l2/frame.h"
#include "l2/verdict.h"
#include "net/mac.h"

namespace herald::l2 {

inline constexpr std::uint16_t kArpRequest = 1;
inline constexpr std::uint16_t kArpReply = 2;

struct ArpFrame {
  EthernetHeader ethernet;
  std::uint16_t operation = 0;
  MacAddress sender_mac;
  IpAddress sender_ip;
  MacAddress target_mac;
  IpAddress target_ip;
  bool operator==(const ArpFrame&) const = default;
};

// A whole frame; what follows the packet is padding. Any operation is let through.
Result<ArpFrame, Verdict> parse_arp(ByteView frame);
// The same behind an Ethernet header that has been read already.
Result<ArpFrame, Verdict> parse_arp(const EthernetHeader& ethernet, ByteReader in);
Bytes encode(const ArpFrame& frame);

// "the VIP is at `mac`", to whoever sent `request`.
Frame arp_reply(const ArpFrame& request, const IpAddress& vip, const MacAddress& mac);
// RFC 5227 §2.3 and §3: a broadcast request from the VIP for the VIP.
Frame arp_announcement_request(const IpAddress& vip, const MacAddress& mac);
// The same as an unasked broadcast reply ("gratuitous ARP").
Frame arp_announcement_reply(const IpAddress& vip, const MacAddress& mac);
// RFC 5227 §2.1.1: a broadcast request for the VIP from nobody, which no cache learns from.
Frame arp_probe(const IpAddress& vip, const MacAddress& mac);

}  // namespace herald::l2
