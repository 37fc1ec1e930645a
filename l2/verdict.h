// l2/verdict.h: what became of a frame that was received, and why.
//
// One enum from the parser's complaint to the metric label: to_string() is the label.
#pragma once

#include <cstddef>
#include <cstdint>

namespace herald::l2 {

enum class Verdict : std::uint8_t {
  Replied,
  Conflict,    // another station claims a VIP that is ours (RFC 5227 §2.4, RFC 4862 §5.4.4)
  LeaseStale,  // the VIP is ours, but the right to answer has run out
  NotOurs,     // asks for an address that is not announced from this link
  // Well formed, and nothing to us.
  OwnFrame,  // sent by this very link and looped back
  NotARequest,
  NotASolicitation,
  OtherDestination,  // the Ethernet destination is neither ours nor a group
  OtherVlan,
  OtherEthertype,
  BadSender,   // a sender that nobody could reply to: group address, zero MAC
  Fragmented,  // RFC 6980 §5: NDP never comes in fragments
  // Malformed.
  Truncated,
  HardwareType,
  ProtocolType,
  HardwareLength,
  ProtocolLength,
  HopLimit,  // RFC 4861 §7.1: 255, or a router has forwarded it
  Checksum,
  Code,
  OptionLength,  // RFC 4861 §4.6: zero, or longer than the packet
  Invalid,       // another "MUST silently discard" of RFC 4861 §7.1
};
inline constexpr std::size_t kVerdicts = static_cast<std::size_t>(Verdict::Invalid) + 1;

// "replied", "lease_stale", ...
const char* to_string(Verdict verdict);
inline bool is_malformed(Verdict verdict) {
  return verdict >= Verdict::Truncated;
}

}  // namespace herald::l2
