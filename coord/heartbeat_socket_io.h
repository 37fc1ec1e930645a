// coord/heartbeat_socket_io.h: the UDP sockets of the heartbeats: one for each address family.
//
// open() -> receive() a batch at a time, until a batch is not full -> send(). Nothing here blocks.
// The receive buffer is small on purpose: what it can hold is what one round has to read before
// the machine may say of anybody that he was silent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd_io.h"
#include "base/result.h"
#include "net/ip.h"

namespace herald::coord {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;  // the link's index of an IPv6 link-local address
};
std::string to_string(const Endpoint& endpoint);  // "192.0.2.1:7950", "[fe80::1]:7950"

struct Received {
  ByteView bytes;    // good until the next receive()
  bool cut = false;  // longer than a datagram of ours may be
  Endpoint from;
};

class HeartbeatSockets {
 public:
  static constexpr std::size_t kBatch = 64;
  // Batches that empty any receive buffer: 128 kB, which the kernel doubles, at 768 bytes or more
  // for each datagram.
  static constexpr std::size_t kMaxBatches = 8;

  HeartbeatSockets();
  ~HeartbeatSockets();

  // No address: all of both families. The error is a sentence with a remedy.
  Result<void> open(const std::optional<IpAddress>& address, std::uint16_t port);
  void close();
  std::uint16_t port() const { return port_; }  // the chosen one, if 0 was asked for
  std::vector<int> fds() const;
  bool covers(IpFamily family) const { return bool(family == IpFamily::IPv4 ? v4_ : v6_); }

  // At most kBatch datagrams of one socket. An errno other than "nothing more" is left in `fault`.
  std::span<const Received> receive(int fd, int& fault);
  // 0, or an errno; EAFNOSUPPORT: no socket of that family is open.
  int send(const Endpoint& to, ByteView bytes) const;

 private:
  struct Buffers;
  UniqueFd v4_, v6_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace herald::coord
