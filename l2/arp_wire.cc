#include "l2/arp_wire.h"

namespace herald::l2 {
namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kProtocolIpv4 = 0x0800;

}  // namespace

Result<ArpFrame, Verdict> parse_arp(const EthernetHeader& ethernet, ByteReader in) {
  ArpFrame frame;
  frame.ethernet = ethernet;
  const auto hardware_type = in.u16();
  const auto protocol_type = in.u16();
  const auto hardware_length = in.u8();
  const auto protocol_length = in.u8();
  if (!in.ok()) return error(Verdict::Truncated);
  if (hardware_type != kHardwareEthernet) return error(Verdict::HardwareType);
  if (protocol_type != kProtocolIpv4) return error(Verdict::ProtocolType);
  if (hardware_length != 6) return error(Verdict::HardwareLength);
  if (protocol_length != 4) return error(Verdict::ProtocolLength);
  frame.operation = in.u16();
  frame.sender_mac.octets = in.array<6>();
  frame.sender_ip = IpAddress::v4(in.u32());
  frame.target_mac.octets = in.array<6>();
  frame.target_ip = IpAddress::v4(in.u32());
  if (!in.ok()) return error(Verdict::Truncated);
  return frame;
}

Result<ArpFrame, Verdict> parse_arp(ByteView bytes) {
  ByteReader in(bytes);
  const auto ethernet = parse_ethernet(in);
  if (!ethernet) return error(ethernet.error());
  if (ethernet->ethertype != kEtherTypeArp) return error(Verdict::OtherEthertype);
  return parse_arp(*ethernet, in);
}

Bytes encode(const ArpFrame& frame) {
  ByteWriter out;
  write_ethernet(out, frame.ethernet);
  out.u16(kHardwareEthernet);
  out.u16(kProtocolIpv4);
  out.u8(6);
  out.u8(4);
  out.u16(frame.operation);
  out.bytes(frame.sender_mac.octets);
  out.u32(frame.sender_ip.v4_number());
  out.bytes(frame.target_mac.octets);
  out.u32(frame.target_ip.v4_number());
  return out.take();
}

Frame arp_reply(const ArpFrame& request, const IpAddress& vip, const MacAddress& mac) {
  return {encode({{request.sender_mac, mac, kEtherTypeArp},
                  kArpReply,
                  mac,
                  vip,
                  request.sender_mac,
                  request.sender_ip}),
          vip, false};
}

Frame arp_announcement_request(const IpAddress& vip, const MacAddress& mac) {
  return {encode({{kBroadcastMac, mac, kEtherTypeArp}, kArpRequest, mac, vip, MacAddress{}, vip}),
          vip, false};
}

Frame arp_announcement_reply(const IpAddress& vip, const MacAddress& mac) {
  return {encode({{kBroadcastMac, mac, kEtherTypeArp}, kArpReply, mac, vip, kBroadcastMac, vip}),
          vip, false};
}

Frame arp_probe(const IpAddress& vip, const MacAddress& mac) {
  return {encode({{kBroadcastMac, mac, kEtherTypeArp},
                  kArpRequest,
                  mac,
                  IpAddress::v4(0),
                  MacAddress{},
                  vip}),
          vip, true};
}

}  // namespace herald::l2
