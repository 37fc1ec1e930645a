// whoami: the tiny server behind every VIP of the lab. Each node runs one and it says the node's
// name to whoever connects, so that a client can tell which node its packets reached.
//
//   whoami NAME [PORT]
//
// Listens on all addresses of both families, one connection after the other; speaks just enough
// HTTP/1.0 for curl. A datagram to the same port comes back with the name appended, from the
// address that it was sent to.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "base/fd_io.h"

namespace {

int listen_on(unsigned short port, int type) {
  const int fd = ::socket(AF_INET6, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1, off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      (type == SOCK_STREAM && ::listen(fd, 128) != 0)) {
    ::close(fd);
    return -1;
  }
  return fd;
}

void answer(int client, const std::string& reply) {
  // A client that says nothing must not keep the others waiting.
  const timeval patience{0, 200'000};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  char request[2048];
  if (::recv(client, request, sizeof request, 0) < 0) return;
  if (::send(client, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) return;
  ::shutdown(client, SHUT_WR);
}

// IPV6_PKTINFO of the question (an IPv4 address is a mapped one) goes into the answer as it is, but
// for the link: routing finds it.
void echo(int fd, const std::string& name) {
  char buffer[2048];
  while (true) {
    sockaddr_in6 from{};
    iovec part{buffer, sizeof buffer - name.size()};
    alignas(cmsghdr) char control[128];
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(fd, &message, 0);
    if (size < 0) continue;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO) continue;
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      info.ipi6_ifindex = 0;
      std::memcpy(CMSG_DATA(c), &info, sizeof info);
    }
    std::memcpy(buffer + size, name.data(), name.size());
    part.iov_len = static_cast<std::size_t>(size) + name.size();
    ::sendmsg(fd, &message, MSG_DONTWAIT);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: whoami NAME [PORT]\n");
    return 2;
  }
  const long port = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 80;
  if (port < 1 || port > 65535) {
    std::fprintf(stderr, "whoami: '%s' is no port: write 1 to 65535\n", argv[2]);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const herald::UniqueFd server(listen_on(static_cast<unsigned short>(port), SOCK_STREAM));
  const herald::UniqueFd datagrams(listen_on(static_cast<unsigned short>(port), SOCK_DGRAM));
  if (!server || !datagrams) {
    std::fprintf(stderr, "whoami: cannot listen on port %ld: %s\n", port, std::strerror(errno));
    return 1;
  }
  const std::string body = std::string(argv[1]) + "\n";
  const std::string reply = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
                            std::to_string(body.size()) + "\r\n\r\n" + body;
  std::thread(echo, datagrams.get(), std::string(argv[1])).detach();
  while (true) {
    const herald::UniqueFd client(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client) answer(client.get(), reply);
  }
}
