#include "l2/verdict.h"

#include <array>

namespace herald::l2 {

const char* to_string(Verdict verdict) {
  static constexpr std::array<const char*, kVerdicts> kNames = {
      "replied",         "conflict",      "lease_stale",        "not_ours",
      "own_frame",       "not_a_request", "not_a_solicitation", "ethernet_destination",
      "other_vlan",      "ethertype",     "bad_sender",         "fragmented",
      "truncated",       "hardware_type", "protocol_type",      "hardware_length",
      "protocol_length", "hop_limit",     "checksum",           "code",
      "option_length",   "invalid"};
  const auto index = static_cast<std::size_t>(verdict);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace herald::l2
