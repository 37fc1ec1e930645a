// bgp/message_wire.h: BGP messages, bytes <-> values (RFC 4271 §4, RFC 5492 capabilities).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/names.h"
#include "base/result.h"
#include "net/ip.h"

namespace herald::bgp {

inline constexpr std::size_t kHeaderSize = 19;
inline constexpr std::size_t kMaxMessage = 4096;
inline constexpr Asn kAsTrans = Asn(23456);  // RFC 6793

// NOTIFICATION (§4.5), as received, or to be sent about what the peer did.
struct Notification {
  std::uint8_t code = 0, subcode = 0;
  Bytes data;
  bool operator==(const Notification&) const = default;
};
// "2/2 (OPEN message error, bad peer AS)"
std::string to_string(const Notification& notification);

// OPEN (§4.2) with the capabilities that we know; others are passed over.
struct Open {
  Asn as;  // from the 4-octet AS capability if there is one, else "My Autonomous System"
  std::uint16_t hold_time_s = 0;
  IpAddress bgp_id;
  bool four_octet_as = false;
  bool route_refresh = false;
  bool multiprotocol = false;  // any MP capability at all; without: IPv4 unicast alone
  bool ipv4_unicast = false, ipv6_unicast = false;
  bool operator==(const Open&) const = default;
};

// What both sides can do.
struct Negotiated {
  bool internal = false;
  bool four_octet_as = false;
  bool ipv4 = false, ipv6 = false;
};

struct RouteRefresh {  // RFC 2918
  std::uint16_t afi = 0;
  std::uint8_t subtype = 0, safi = 0;
};
struct Keepalive {};
struct UpdateBody {
  Bytes body;  // for update_wire
};
using Message = std::variant<Open, UpdateBody, Notification, Keepalive, RouteRefresh>;

// The length of the message whose header begins `in`; nullopt: the header is not complete yet.
// Wrong marker, length or type: the NOTIFICATION to send (§6.1).
Result<std::optional<std::size_t>, Notification> message_length(ByteView in);
// One whole message, header included; faults of an OPEN are those of §6.2 that need no session.
Result<Message, Notification> parse_message(ByteView message);

Bytes encode_open(const Open& open);
Bytes encode_keepalive();
Bytes encode_notification(const Notification& notification);
// A message of this type around a body of at most kMaxMessage - kHeaderSize octets.
Bytes encode_message(std::uint8_t type, ByteView body);
inline constexpr std::uint8_t kTypeUpdate = 2;

}  // namespace herald::bgp
