#include "l2/ndp_wire.h"

namespace herald::l2 {
namespace {

constexpr std::uint8_t kIcmpv6 = 58;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kHopLimit = 255;
constexpr std::uint8_t kSourceLinkLayer = 1;
constexpr std::uint8_t kTargetLinkLayer = 2;

IpAddress all_nodes() {
  return IpAddress::v6((Uint128{0xff02} << 112) | 1);
}

// RFC 4443 §2.3: over the pseudo header and the message; 0 if the message carries its own.
std::uint16_t checksum(const IpAddress& source, const IpAddress& destination, ByteView message) {
  std::uint64_t sum = message.size() + kIcmpv6;
  const auto add = [&sum](ByteView data) {
    ByteReader in(data);
    while (in.remaining() >= 2) sum += in.u16();
    if (!in.empty()) sum += static_cast<std::uint64_t>(in.u8()) << 8;
  };
  add(source.octets16());
  add(destination.octets16());
  add(message);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// RFC 4861 §4.6: unknown options are passed over, a length of zero ends everything.
Result<std::optional<MacAddress>, Verdict> link_layer_option(ByteReader in, std::uint8_t wanted) {
  std::optional<MacAddress> found;
  while (!in.empty()) {
    const auto type = in.u8();
    const auto units = in.u8();
    if (units == 0) return error(Verdict::OptionLength);
    ByteReader body(in.bytes(units * std::size_t{8} - 2));
    if (!in.ok()) return error(Verdict::OptionLength);
    if (type == wanted && units == 1 && !found) found = MacAddress{body.array<6>()};
  }
  return found;
}

// RFC 4861 §7.1.1 and §7.1.2, what remains when the lengths and the checksum are right.
bool valid(const NdpFrame& frame) {
  if (frame.target.is_multicast()) return false;
  if (frame.type == NdpType::Advertisement) {
    return !frame.destination.is_multicast() || !frame.solicited;
  }
  if (!frame.source.is_unspecified()) return true;
  return frame.destination == solicited_node_group(frame.target) && !frame.link_layer;
}

}  // namespace

Result<NdpFrame, Verdict> parse_ndp(const EthernetHeader& ethernet, ByteReader in) {
  NdpFrame frame;
  frame.ethernet = ethernet;
  const auto version = in.u32() >> 28;
  const auto payload_length = in.u16();
  const auto next_header = in.u8();
  const auto hop_limit = in.u8();
  const ByteView source = in.bytes(16);
  const ByteView destination = in.bytes(16);
  const ByteView message = in.bytes(payload_length);
  if (!in.ok()) return error(Verdict::Truncated);
  if (version != 6) return error(Verdict::Invalid);
  if (next_header == kFragment) return error(Verdict::Fragmented);
  if (next_header != kIcmpv6) return error(Verdict::NotASolicitation);
  frame.source = *IpAddress::from_bytes(source);
  frame.destination = *IpAddress::from_bytes(destination);

  ByteReader icmp(message);
  const auto type = icmp.u8();
  const auto code = icmp.u8();
  icmp.u16();  // the checksum, which is taken over the whole message
  const auto flags = icmp.u32();
  const ByteView target = icmp.bytes(16);
  if (!message.empty() && type != 135 && type != 136) return error(Verdict::NotASolicitation);
  if (!icmp.ok()) return error(Verdict::Truncated);
  if (hop_limit != kHopLimit) return error(Verdict::HopLimit);
  if (checksum(frame.source, frame.destination, message) != 0) return error(Verdict::Checksum);
  if (code != 0) return error(Verdict::Code);
  frame.type = NdpType{type};
  const bool advertisement = frame.type == NdpType::Advertisement;
  frame.router = advertisement && (flags >> 31 & 1) != 0;
  frame.solicited = advertisement && (flags >> 30 & 1) != 0;
  frame.override_flag = advertisement && (flags >> 29 & 1) != 0;
  frame.target = *IpAddress::from_bytes(target);
  const auto option = link_layer_option(icmp, advertisement ? kTargetLinkLayer : kSourceLinkLayer);
  if (!option) return error(option.error());
  frame.link_layer = *option;
  if (!valid(frame)) return error(Verdict::Invalid);
  return frame;
}

Result<NdpFrame, Verdict> parse_ndp(ByteView bytes) {
  ByteReader in(bytes);
  const auto ethernet = parse_ethernet(in);
  if (!ethernet) return error(ethernet.error());
  if (ethernet->ethertype != kEtherTypeIpv6) return error(Verdict::OtherEthertype);
  return parse_ndp(*ethernet, in);
}

Bytes encode(const NdpFrame& frame) {
  const bool advertisement = frame.type == NdpType::Advertisement;
  ByteWriter message;
  message.u8(static_cast<std::uint8_t>(frame.type));
  message.u8(0);
  message.u16(0);
  message.u32((frame.router ? 1u << 31 : 0) | (frame.solicited ? 1u << 30 : 0) |
              (frame.override_flag ? 1u << 29 : 0));
  message.bytes(frame.target.octets16());
  if (frame.link_layer) {
    message.u8(advertisement ? kTargetLinkLayer : kSourceLinkLayer);
    message.u8(1);
    message.bytes(frame.link_layer->octets);
  }
  message.put_u16(2, checksum(frame.source, frame.destination, message.view()));

  ByteWriter out;
  write_ethernet(out, frame.ethernet);
  out.u32(6u << 28);
  out.u16(static_cast<std::uint16_t>(message.size()));
  out.u8(kIcmpv6);
  out.u8(kHopLimit);
  out.bytes(frame.source.octets16());
  out.bytes(frame.destination.octets16());
  out.bytes(message.view());
  return out.take();
}

Frame ndp_reply(const NdpFrame& solicitation, const MacAddress& to, const MacAddress& mac) {
  const IpAddress& vip = solicitation.target;
  if (solicitation.source.is_unspecified()) return ndp_announcement(vip, mac);
  NdpFrame reply;
  reply.ethernet = {to, mac, kEtherTypeIpv6};
  reply.source = vip;
  reply.destination = solicitation.source;
  reply.type = NdpType::Advertisement;
  reply.solicited = reply.override_flag = true;
  reply.target = vip;
  reply.link_layer = mac;
  return {encode(reply), vip, false};
}

Frame ndp_announcement(const IpAddress& vip, const MacAddress& mac) {
  const IpAddress group = all_nodes();
  NdpFrame frame;
  frame.ethernet = {multicast_mac(group), mac, kEtherTypeIpv6};
  frame.source = vip;
  frame.destination = group;
  frame.type = NdpType::Advertisement;
  frame.override_flag = true;
  frame.target = vip;
  frame.link_layer = mac;
  return {encode(frame), vip, false};
}

Frame ndp_probe(const IpAddress& vip, const MacAddress& mac) {
  NdpFrame frame;
  frame.destination = solicited_node_group(vip);
  frame.ethernet = {multicast_mac(frame.destination), mac, kEtherTypeIpv6};
  frame.type = NdpType::Solicitation;
  frame.target = vip;
  return {encode(frame), vip, true};
}

}  // namespace herald::l2
