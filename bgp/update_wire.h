// bgp/update_wire.h: UPDATE messages (RFC 4271 §4.3, RFC 4760): packing ours, checking theirs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/message_wire.h"
#include "bgp/route.h"

namespace herald::bgp {

// What an announcement needs besides the route.
struct Announcing {
  Negotiated negotiated;
  Asn local_as;
  IpAddress next_hop;  // of the prefixes' family; IPv6: not a link-local address
  // IPv6: ours on the link that we share with the peer.
  std::optional<IpAddress> link_local = std::nullopt;
};

// Prefixes of one family, with the same attributes, in as few full messages as they fit. None if
// the attributes leave no room for a prefix: such a route must not be advertised (RFC 4271 §9.2).
std::vector<Bytes> encode_announcements(const std::vector<IpPrefix>& prefixes,
                                        const RouteAttributes& attributes,
                                        const Announcing& announcing);
std::vector<Bytes> encode_withdrawals(const std::vector<IpPrefix>& prefixes);
// RFC 4724 §2.
Bytes encode_end_of_rib(IpFamily family);

// What is to become of a received UPDATE. We keep no routes, so an attribute fault that RFC 7606
// answers with treat-as-withdraw or attribute discard costs nothing but a count.
enum class UpdateVerdict : std::uint8_t { Fine, TreatAsWithdraw, AttributeDiscard };
// A fault that ends the session (RFC 7606 §3, §5): the NOTIFICATION to send.
Result<UpdateVerdict, Notification> check_update(ByteView body, const Negotiated& negotiated);

}  // namespace herald::bgp
