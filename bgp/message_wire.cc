#include "bgp/message_wire.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

namespace herald::bgp {
namespace {

enum Type : std::uint8_t { kOpen = 1, kUpdate, kNotification, kKeepalive, kRouteRefresh };

// Codes of NOTIFICATION: §4.5.
constexpr std::uint8_t kHeaderError = 1, kOpenError = 2;

struct Limits {
  std::size_t min, max;
};
// §6.1: what length a type may have.
constexpr std::array<Limits, 6> kLimits = {
    {{0, 0}, {29, kMaxMessage}, {23, kMaxMessage}, {21, kMaxMessage}, {19, 19}, {23, kMaxMessage}}};

enum Capability : std::uint8_t { kMultiprotocol = 1, kRefresh = 2, kFourOctetAs = 65 };

Notification open_error(std::uint8_t subcode) {
  return {kOpenError, subcode, {}};
}

bool read_capabilities(ByteReader in, Open& open) {
  while (!in.empty()) {
    const auto code = in.u8();
    const auto length = in.u8();
    ByteReader value(in.bytes(length));
    if (!in.ok()) return false;
    if (code == kMultiprotocol && length == 4) {
      const auto afi = value.u16();
      value.u8();
      const auto safi = value.u8();
      open.multiprotocol = true;
      if (safi == 1 && afi == 1) open.ipv4_unicast = true;
      if (safi == 1 && afi == 2) open.ipv6_unicast = true;
    } else if (code == kRefresh) {
      open.route_refresh = true;
    } else if (code == kFourOctetAs) {
      if (length != 4) return false;
      open.four_octet_as = true;
      open.as = Asn(value.u32());
    }
  }
  return true;
}

// Optional parameters: type, length, value; RFC 9072: with two octets of length. What is wrong with
// them by §6.2, if anything; a length that does not fit says more than an unknown type before it.
std::optional<Notification> read_parameters(ByteReader in, bool extended, Open& open) {
  constexpr std::uint8_t kCapabilities = 2;
  bool all_known = true;
  while (!in.empty()) {
    const auto type = in.u8();
    const std::size_t length = extended ? in.u16() : in.u8();
    const ByteView value = in.bytes(length);
    if (!in.ok()) return open_error(0);
    if (type != kCapabilities) {
      all_known = false;
    } else if (!read_capabilities(ByteReader(value), open)) {
      return open_error(0);
    }
  }
  return all_known ? std::nullopt : std::optional(open_error(4));
}

Result<Message, Notification> parse_open(ByteReader in) {
  Open open;
  const auto version = in.u8();
  open.as = Asn(in.u16());
  const auto two_octet_as = open.as;
  open.hold_time_s = in.u16();
  open.bgp_id = IpAddress::v4(in.u32());
  std::size_t length = in.u8();
  if (!in.ok()) return error(Notification{kHeaderError, 2, {}});
  if (version != 4) return error(Notification{kOpenError, 1, {0, 4}});
  bool extended = false;
  // RFC 9072 §2: a first type of 255 alone tells the long form; the short length is then ignored.
  if (in.remaining() >= 3) {
    ByteReader ahead = in;
    if (ahead.u8() == 255) {
      extended = true;
      length = ahead.u16();
      in = ahead;
    }
  }
  if (length != in.remaining()) return error(open_error(0));
  if (auto fault = read_parameters(in, extended, open)) return error(std::move(*fault));
  if (!open.multiprotocol) open.ipv4_unicast = true;
  if (open.as.value == 0 || two_octet_as.value == 0) return error(open_error(2));
  if (open.hold_time_s == 1 || open.hold_time_s == 2) return error(open_error(6));
  if (open.bgp_id.is_unspecified()) return error(open_error(3));
  return open;
}

}  // namespace

std::string to_string(const Notification& n) {
  constexpr std::array<const char*, 8> kCodes = {"unknown",
                                                 "message header error",
                                                 "OPEN message error",
                                                 "UPDATE message error",
                                                 "hold timer expired",
                                                 "FSM error",
                                                 "cease",
                                                 "ROUTE-REFRESH error"};
  constexpr std::array<const char*, 12> kOpenErrors = {"unspecific",
                                                       "unsupported version",
                                                       "bad peer AS",
                                                       "bad BGP identifier",
                                                       "unsupported optional parameter",
                                                       "",
                                                       "unacceptable hold time",
                                                       "unsupported capability",
                                                       "",
                                                       "",
                                                       "",
                                                       "role mismatch"};
  constexpr std::array<const char*, 11> kCease = {"unspecific",
                                                  "maximum number of prefixes",
                                                  "administrative shutdown",
                                                  "peer de-configured",
                                                  "administrative reset",
                                                  "connection rejected",
                                                  "other configuration change",
                                                  "connection collision",
                                                  "out of resources",
                                                  "hard reset",
                                                  "BFD down"};
  std::string text = kCodes.at(n.code < kCodes.size() ? n.code : 0);
  if (n.code == 2 && n.subcode < kOpenErrors.size()) {
    text += fmt::format(", {}", kOpenErrors.at(n.subcode));
  } else if (n.code == 6 && n.subcode < kCease.size()) {
    text += fmt::format(", {}", kCease.at(n.subcode));
  }
  return fmt::format("{}/{} ({})", n.code, n.subcode, text);
}

Result<std::optional<std::size_t>, Notification> message_length(ByteView in) {
  const std::size_t marker = std::min<std::size_t>(in.size(), 16);
  if (std::any_of(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(marker),
                  [](std::uint8_t octet) { return octet != 0xff; })) {
    return error(Notification{kHeaderError, 1, {}});
  }
  if (in.size() < kHeaderSize) return std::optional<std::size_t>();
  ByteReader header(in.subspan(16, 3));
  const std::uint16_t length = header.u16();
  const std::uint8_t type = header.u8();
  const Bytes shown = {static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)};
  if (length < kHeaderSize || length > kMaxMessage)
    return error(Notification{kHeaderError, 2, shown});
  if (type == 0 || type >= kLimits.size()) return error(Notification{kHeaderError, 3, {type}});
  // RFC 7313 gives a ROUTE-REFRESH of another length an error of its own; it is read below.
  if (length < kLimits[type].min || length > kLimits[type].max) {
    return error(Notification{kHeaderError, 2, shown});
  }
  return std::optional<std::size_t>(length);
}

Result<Message, Notification> parse_message(ByteView message) {
  const auto length = message_length(message);
  if (!length) return error(length.error());
  if (!*length || **length != message.size()) return error(Notification{kHeaderError, 2, {}});
  ByteReader body(message.subspan(kHeaderSize));
  switch (message[18]) {
    case kOpen:
      return parse_open(body);
    case kUpdate: {
      const ByteView rest = body.rest();
      return UpdateBody{Bytes(rest.begin(), rest.end())};
    }
    case kNotification: {
      Notification n;
      n.code = body.u8();
      n.subcode = body.u8();
      const ByteView rest = body.rest();
      n.data.assign(rest.begin(), rest.end());
      return n;
    }
    case kKeepalive:
      return Keepalive{};
    default: {
      RouteRefresh r;
      r.afi = body.u16();
      r.subtype = body.u8();
      r.safi = body.u8();
      return r;
    }
  }
}

Bytes encode_message(std::uint8_t type, ByteView body) {
  ByteWriter out;
  for (int i = 0; i < 16; ++i) out.u8(0xff);
  out.u16(static_cast<std::uint16_t>(kHeaderSize + body.size()));
  out.u8(type);
  out.bytes(body);
  return out.take();
}

Bytes encode_keepalive() {
  return encode_message(kKeepalive, {});
}

Bytes encode_notification(const Notification& n) {
  ByteWriter body;
  body.u8(n.code);
  body.u8(n.subcode);
  body.bytes(ByteView(n.data).first(std::min<std::size_t>(n.data.size(), 255)));
  return encode_message(kNotification, body.view());
}

Bytes encode_open(const Open& open) {
  ByteWriter capabilities;
  const auto multiprotocol = [&](std::uint16_t afi) {
    capabilities.u8(kMultiprotocol);
    capabilities.u8(4);
    capabilities.u16(afi);
    capabilities.u16(1);
  };
  if (open.ipv4_unicast) multiprotocol(1);
  if (open.ipv6_unicast) multiprotocol(2);
  if (open.route_refresh) {
    capabilities.u8(kRefresh);
    capabilities.u8(0);
  }
  if (open.four_octet_as) {
    capabilities.u8(kFourOctetAs);
    capabilities.u8(4);
    capabilities.u32(open.as.value);
  }
  ByteWriter body;
  body.u8(4);
  body.u16(static_cast<std::uint16_t>(open.as.value > 0xffff ? kAsTrans.value : open.as.value));
  body.u16(open.hold_time_s);
  body.u32(open.bgp_id.v4_number());
  if (capabilities.size() == 0) {
    body.u8(0);
  } else {
    body.u8(static_cast<std::uint8_t>(capabilities.size() + 2));
    body.u8(2);
    body.u8(static_cast<std::uint8_t>(capabilities.size()));
    body.bytes(capabilities.view());
  }
  return encode_message(kOpen, body.view());
}

}  // namespace herald::bgp
