#include "coord/heartbeat_wire.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <optional>
#include <utility>

#include "base/check.h"

namespace herald::coord {
namespace {

constexpr std::uint16_t kMagic = 0x4862;
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kCountAt = 3;
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kMaxName = 253;  // of a Kubernetes object
constexpr std::size_t kMaxMessages = 255;

enum Kind : std::uint8_t { kHeartbeat = 1, kAck = 2, kFence = 3 };

std::uint32_t fnv1a(std::string_view text) {
  std::uint32_t hash = 0x811c9dc5;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x01000193;
  return hash;
}

bool valid(const NodeName& name) {
  return !name.empty() && name.str().size() <= kMaxName;
}

ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void put(ByteWriter& out, const NodeName& name) {
  out.u8(static_cast<std::uint8_t>(name.str().size()));
  out.bytes(bytes_of(name.str()));
}

// An empty name is what a bad length gives.
NodeName get_name(ByteReader& in) {
  const std::size_t length = in.u8();
  if (length > kMaxName) return {};
  const ByteView text = in.bytes(length);
  return NodeName(std::string(text.begin(), text.end()));
}

const NodeName& named_in(const GuardMessage& message) {
  struct {
    const NodeName& operator()(const Heartbeat& h) const { return h.to; }
    const NodeName& operator()(const Ack& a) const { return a.to; }
    const NodeName& operator()(const Fence& f) const { return f.ward; }
  } named;
  return std::visit(named, message.body);
}

struct Put {
  ByteWriter& out;
  void operator()(const Heartbeat& h) const {
    out.u8(kHeartbeat);
    put(out, h.to);
    out.u64(h.to_inc.value);
    out.u64(h.rev.value);
    out.u64(h.seq);
  }
  void operator()(const Ack& a) const {
    out.u8(kAck);
    put(out, a.to);
    out.u64(a.rev.value);
    out.u64(a.seq);
  }
  void operator()(const Fence& f) const {
    out.u8(kFence);
    put(out, f.ward);
    out.u64(f.rev.value);
  }
};

// The fields in the order of the wire; whether they were all there is asked by the caller.
std::optional<std::variant<Heartbeat, Ack, Fence>> get_body(ByteReader& in) {
  const std::uint8_t kind = in.u8();
  const NodeName name = get_name(in);
  if (name.empty()) return std::nullopt;
  if (kind == kHeartbeat) {
    Heartbeat h{name, Incarnation(in.u64()), {}, 0};
    h.rev = Revision(in.u64());
    h.seq = in.u64();
    return h;
  }
  if (kind == kAck) {
    Ack a{name, Revision(in.u64()), 0};
    a.seq = in.u64();
    return a;
  }
  if (kind == kFence) return Fence{name, Revision(in.u64())};
  return std::nullopt;
}

}  // namespace

const char* to_string(HeartbeatFault fault) {
  switch (fault) {
    case HeartbeatFault::Malformed:
      return "malformed";
    case HeartbeatFault::OtherCluster:
      return "of another cluster";
    case HeartbeatFault::BadMac:
      return "not authentic";
  }
  return "";
}

Result<HeartbeatSeal> HeartbeatSeal::make(std::string cluster, std::string key) {
  if (cluster.empty() || cluster.size() > kMaxClusterName) {
    return error("the cluster's name has " + std::to_string(cluster.size()) +
                 " characters: it must have 1 to 253");
  }
  if (key.size() < kMinHeartbeatKey || key.size() > kMaxHeartbeatKey) {
    return error("the heartbeat key has " + std::to_string(key.size()) +
                 " octets: it must have 16 to 64; make one with 'openssl rand -hex 32'");
  }
  return HeartbeatSeal(std::move(cluster), std::move(key));
}

HeartbeatSeal::HeartbeatSeal(std::string cluster, std::string key)
    : cluster_(std::move(cluster)), key_(std::move(key)), tag_(fnv1a(cluster_)) {}

// The name's length comes first, so that no name and datagram run into one another.
Bytes HeartbeatSeal::mac(ByteView sealed) const {
  ByteWriter text;
  text.u8(static_cast<std::uint8_t>(cluster_.size()));
  text.bytes(bytes_of(cluster_));
  text.bytes(sealed);
  Bytes out(kMacBytes);
  unsigned length = 0;
  const auto* done = HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
                          text.view().data(), text.size(), out.data(), &length);
  HERALD_CHECK(done != nullptr && length == kMacBytes);
  return out;
}

Result<std::vector<Bytes>> HeartbeatSeal::close(std::span<const GuardMessage> messages) const {
  std::vector<Bytes> out;
  for (std::size_t i = 0; i < messages.size();) {
    const GuardMessage& first = messages[i];
    if (!valid(first.from)) return error("a heartbeat's sender has no name, or one over 253");
    Bytes datagram;
    {
      ByteWriter head;
      head.u16(kMagic);
      head.u8(kVersion);
      head.u8(0);
      head.u32(tag_);
      head.u64(first.inc.value);
      put(head, first.from);
      datagram = head.take();
    }
    std::uint8_t count = 0;
    for (; i < messages.size() && count < kMaxMessages; ++i, ++count) {
      const GuardMessage& message = messages[i];
      if (message.from != first.from || message.inc != first.inc) {
        return error("heartbeats of two senders, or two lives of one, were to be one datagram");
      }
      if (!valid(named_in(message))) return error("a heartbeat names a node without a name");
      ByteWriter body;
      std::visit(Put{body}, message.body);
      if (datagram.size() + body.size() + kMacBytes > kMaxHeartbeatBytes) break;
      datagram.insert(datagram.end(), body.view().begin(), body.view().end());
    }
    datagram[kCountAt] = count;
    const Bytes code = mac(datagram);
    datagram.insert(datagram.end(), code.begin(), code.end());
    out.push_back(std::move(datagram));
  }
  return out;
}

// The cheap questions come first: what is not even meant for us costs no hash.
Result<std::vector<GuardMessage>, HeartbeatFault> HeartbeatSeal::open(ByteView datagram) const {
  if (datagram.size() > kMaxHeartbeatBytes || datagram.size() < kMacBytes) {
    return error(HeartbeatFault::Malformed);
  }
  const ByteView sealed = datagram.first(datagram.size() - kMacBytes);
  ByteReader head(sealed);
  const auto magic = head.u16();
  const auto version = head.u8();
  head.u8();
  const auto tag = head.u32();
  if (!head.ok() || magic != kMagic || version != kVersion) return error(HeartbeatFault::Malformed);
  if (tag != tag_) return error(HeartbeatFault::OtherCluster);
  const Bytes expected = mac(sealed);
  if (CRYPTO_memcmp(expected.data(), datagram.data() + sealed.size(), kMacBytes) != 0) {
    return error(HeartbeatFault::BadMac);
  }
  return parse_sealed(sealed);
}

Result<std::vector<GuardMessage>, HeartbeatFault> parse_sealed(ByteView sealed) {
  ByteReader in(sealed);
  const auto magic = in.u16();
  const auto version = in.u8();
  const std::size_t count = in.u8();
  in.u32();  // the tag: open() has looked at it
  const Incarnation inc(in.u64());
  const NodeName from = get_name(in);
  if (sealed.size() + kMacBytes > kMaxHeartbeatBytes || magic != kMagic || version != kVersion ||
      count == 0 || from.empty()) {
    return error(HeartbeatFault::Malformed);
  }
  std::vector<GuardMessage> out;
  for (std::size_t i = 0; i < count; ++i) {
    auto body = get_body(in);
    if (!body || !in.ok()) return error(HeartbeatFault::Malformed);
    out.push_back({from, inc, std::move(*body)});
  }
  if (!in.empty()) return error(HeartbeatFault::Malformed);
  return out;
}

}  // namespace herald::coord
