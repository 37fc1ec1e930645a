// coord/heartbeat_wire.h: GuardMessages of one sender <-> sealed datagrams.
//
// messages -> as few datagrams as hold them, in order -> HMAC-SHA256 over the cluster's name and
// the datagram -> the same check at the other end, before a single field is believed -> messages,
// all of a datagram or none.
//
//   u16 0x4862 "Hb", u8 version 1, u8 how many messages, u32 cluster tag,
//   u64 incarnation of the sender, name of the sender, messages, 32 octets of HMAC
//   heartbeat  u8 1, name to,   u64 to's incarnation, u64 rev, u64 seq
//   ack        u8 2, name to,   u64 rev, u64 seq
//   fence      u8 3, name ward, u64 rev
//   name       u8 length 1..253, that many octets
//
// Big endian. The tag (FNV-1a of the cluster's name) only tells "of another cluster" from "forged";
// it is the HMAC that binds a datagram to the cluster. A copy that is sent again says nothing new:
// a heartbeat counts by its seq and the receiver's incarnation, an ACK by rev and seq, and a fence
// stays true for ever (coord/guard.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "coord/guard.h"

namespace herald::coord {

// Fits every link of 1,500 octets, tunnels included, so that a heartbeat is never in fragments.
inline constexpr std::size_t kMaxHeartbeatBytes = 1400;
inline constexpr std::size_t kMinHeartbeatKey = 16, kMaxHeartbeatKey = 64;  // octets
inline constexpr std::size_t kMaxClusterName = 253;

enum class HeartbeatFault : std::uint8_t {
  Malformed,     // no datagram of ours, or of another version
  OtherCluster,  // ours, under another cluster's name
  BadMac,        // another key, or changed on the way
};
const char* to_string(HeartbeatFault fault);

// What the nodes of one cluster share, and nobody else has.
class HeartbeatSeal {
 public:
  // Refuses a key that is not of 16 to 64 octets, and a name that is not of 1 to 253.
  static Result<HeartbeatSeal> make(std::string cluster, std::string key);

  // Messages of one sender and incarnation, 255 or fewer to a datagram. The error names a name that
  // is too long or empty, or senders that differ; then nothing is to be sent.
  Result<std::vector<Bytes>> close(std::span<const GuardMessage> messages) const;
  Result<std::vector<GuardMessage>, HeartbeatFault> open(ByteView datagram) const;

 private:
  HeartbeatSeal(std::string cluster, std::string key);
  Bytes mac(ByteView sealed) const;

  std::string cluster_, key_;
  std::uint32_t tag_;
};

// What open() reads once the HMAC was right: `sealed` is the datagram without it. Malformed is all
// that can be wrong. For tests and fuzzing; nothing else may believe a datagram by this alone.
Result<std::vector<GuardMessage>, HeartbeatFault> parse_sealed(ByteView sealed);

}  // namespace herald::coord
