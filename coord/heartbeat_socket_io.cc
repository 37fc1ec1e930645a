#include "coord/heartbeat_socket_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>

#include <array>

#include "coord/heartbeat_wire.h"

namespace herald::coord {
namespace {

constexpr int kReceiveBuffer = 128 << 10;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const Endpoint& endpoint) {
  SocketAddress out;
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    v4.sin_addr.s_addr = htonl(endpoint.address.v4_number());
    memcpy(&out.storage, &v4, sizeof v4);
    out.length = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    v6.sin6_scope_id = endpoint.scope;
    const auto octets = endpoint.address.octets16();
    memcpy(&v6.sin6_addr, octets.data(), octets.size());
    memcpy(&out.storage, &v6, sizeof v6);
    out.length = sizeof v6;
  }
  return out;
}

Endpoint endpoint_of(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    memcpy(&v4, &storage, sizeof v4);
    return {IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port), 0};
  }
  sockaddr_in6 v6{};
  memcpy(&v6, &storage, sizeof v6);
  const auto address = IpAddress::from_bytes({v6.sin6_addr.s6_addr, 16});
  return {address.value_or(IpAddress()), ntohs(v6.sin6_port), v6.sin6_scope_id};
}

void set_option(int fd, int level, int option, int value) {
  // All of these are only for better service; without them it works as well.
  [[maybe_unused]] const int ignored = setsockopt(fd, level, option, &value, sizeof value);
}

// 0, or the errno of the failure.
int bind_socket(UniqueFd& out, const IpAddress& address, std::uint16_t port) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  if (address.is_v4()) {
    set_option(fd.get(), IPPROTO_IP, IP_TOS, IPTOS_CLASS_CS6);  // network control, RFC 4594
  } else {
    set_option(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, IPTOS_CLASS_CS6);
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  const SocketAddress at = socket_address({address, port, 0});
  if (bind(fd.get(), at.get(), at.length) != 0) return errno;
  out = std::move(fd);
  return 0;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 0;
  return endpoint_of(storage).port;
}

std::string bind_fault(const Endpoint& at, int number) {
  const std::string what = "heartbeat-listen: cannot listen on UDP " + to_string(at) + ": ";
  if (number == EADDRINUSE) {
    return what +
           fmt::format(
               "another program uses the port ('ss -ulpn sport = :{}' names it); stop it, or give "
               "another port with --heartbeat-listen: nodes need not have the same",
               at.port);
  }
  if (number == EADDRNOTAVAIL) {
    return what + "this host has no such address; give one that it has, or a port alone";
  }
  if (number == EACCES || number == EPERM) {
    return what + "not permitted; give a port from 1024 on with --heartbeat-listen";
  }
  return what + strerror(number);
}

}  // namespace

std::string to_string(const Endpoint& endpoint) {
  const std::string address = to_string(endpoint.address);
  return fmt::format("{}:{}", endpoint.address.is_v4() ? address : "[" + address + "]",
                     endpoint.port);
}

// Of a longer datagram the kernel says that it was cut (MSG_TRUNC).
struct HeartbeatSockets::Buffers {
  std::array<std::array<std::uint8_t, kMaxHeartbeatBytes>, kBatch> bytes;
  std::array<iovec, kBatch> parts;
  std::array<sockaddr_storage, kBatch> from;
  std::array<mmsghdr, kBatch> messages;
  std::vector<Received> received;
};

HeartbeatSockets::HeartbeatSockets() = default;
HeartbeatSockets::~HeartbeatSockets() = default;

Result<void> HeartbeatSockets::open(const std::optional<IpAddress>& address, std::uint16_t port) {
  const IpAddress any_v4, any_v6 = IpAddress::v6(0);
  const IpAddress first = address.value_or(any_v4);
  if (const int bad = bind_socket(first.is_v4() ? v4_ : v6_, first, port)) {
    return error(bind_fault({first, port, 0}, bad));
  }
  port_ = port_of(first.is_v4() ? v4_.get() : v6_.get());
  if (!address) {
    const int bad = bind_socket(v6_, any_v6, port_);
    if (bad != 0 && bad != EAFNOSUPPORT) {  // a host without IPv6 has heartbeats over IPv4
      close();
      return error(bind_fault({any_v6, port, 0}, bad));
    }
  }
  buffers_ = std::make_unique<Buffers>();
  return {};
}

void HeartbeatSockets::close() {
  v4_.reset();
  v6_.reset();
}

std::vector<int> HeartbeatSockets::fds() const {
  std::vector<int> out;
  if (v4_) out.push_back(v4_.get());
  if (v6_) out.push_back(v6_.get());
  return out;
}

std::span<const Received> HeartbeatSockets::receive(int fd, int& fault) {
  Buffers& b = *buffers_;
  for (std::size_t i = 0; i < kBatch; ++i) {
    b.parts[i] = {b.bytes[i].data(), b.bytes[i].size()};
    b.messages[i] = {};
    b.messages[i].msg_hdr.msg_iov = &b.parts[i];
    b.messages[i].msg_hdr.msg_iovlen = 1;
    b.messages[i].msg_hdr.msg_name = &b.from[i];
    b.messages[i].msg_hdr.msg_namelen = sizeof b.from[i];
  }
  b.received.clear();
  const int n = recvmmsg(fd, b.messages.data(), kBatch, MSG_DONTWAIT, nullptr);
  fault = n < 0 && errno != EAGAIN && errno != EINTR ? errno : 0;
  for (std::size_t i = 0; n > 0 && i < static_cast<std::size_t>(n); ++i) {
    const mmsghdr& message = b.messages[i];
    b.received.push_back({ByteView(b.bytes[i]).first(message.msg_len),
                          (message.msg_hdr.msg_flags & MSG_TRUNC) != 0, endpoint_of(b.from[i])});
  }
  return b.received;
}

int HeartbeatSockets::send(const Endpoint& to, ByteView bytes) const {
  const UniqueFd& fd = to.address.is_v4() ? v4_ : v6_;
  if (!fd) return EAFNOSUPPORT;
  const SocketAddress at = socket_address(to);
  const auto n = sendto(fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT, at.get(), at.length);
  return n < 0 ? errno : 0;
}

}  // namespace herald::coord
