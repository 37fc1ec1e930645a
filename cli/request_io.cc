#include "cli/request_io.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>

namespace herald::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A daemon with 100,000 services answers in some 50 MB; beyond that it is not our daemon.
constexpr std::size_t kLargestReply = std::size_t{256} << 20;

class Socket {
 public:
  Socket() : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// False when the deadline has passed, or poll() failed.
bool wait_for(int fd, short events, SteadyClock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
    if (left <= 0) return false;
    pollfd p{.fd = fd, .events = events, .revents = 0};
    const int n = ::poll(&p, 1, static_cast<int>(left));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

std::string remedy(int code) {
  switch (code) {
    case ENOENT:
      return "is heraldd running? Name its socket with --admin or HERALD_ADMIN";
    case ECONNREFUSED:
      return "heraldd has stopped: start it again";
    case EACCES:
    case EPERM:
      return "ask as root, or as a user who may write to it";
    default:
      return "look at the log of heraldd";
  }
}

tl::unexpected<std::string> unreachable(const std::string& path, const std::string& why,
                                        const std::string& what_to_do) {
  return error(fmt::format("cannot reach heraldd at {}: {}; {}", path, why, what_to_do));
}
tl::unexpected<std::string> unreachable(const std::string& path, int code) {
  return unreachable(path, std::strerror(code), remedy(code));
}

}  // namespace

Result<std::string> ask(const std::string& path, const std::string& line, Duration limit) {
  const auto deadline =
      SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(limit);
  const auto too_late = [&] {
    return unreachable(path, fmt::format("no answer within {}", to_string(limit)),
                       "it is stopped or overloaded: look at its log");
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return unreachable(
        path, "that is no path of a socket",
        fmt::format("give --admin a path of 1 to {} characters", sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());

  const Socket socket;
  if (socket.fd() < 0) return unreachable(path, errno);
  // A full backlog says EAGAIN on a Unix socket and cannot be polled: it is tried again.
  while (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EAGAIN && errno != EINTR) return unreachable(path, errno);
    if (SteadyClock::now() >= deadline) return too_late();
    ::poll(nullptr, 0, 10);
  }

  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t n = ::send(socket.fd(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      if (!wait_for(socket.fd(), POLLOUT, deadline)) return too_late();
    } else if (errno != EINTR) {
      return unreachable(path, errno);
    }
  }

  std::string reply;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (n > 0) {
      const std::string_view part(buffer.data(), static_cast<std::size_t>(n));
      const auto end = part.find('\n');
      reply += part.substr(0, end);
      if (end != std::string_view::npos) return reply;
      if (reply.size() > kLargestReply) {
        return unreachable(path, "the reply has no end", "is that heraldd's admin socket?");
      }
    } else if (n == 0) {
      return unreachable(path, "it closed the connection without an answer",
                         "look at the log of heraldd");
    } else if (errno == EAGAIN) {
      if (!wait_for(socket.fd(), POLLIN, deadline)) return too_late();
    } else if (errno != EINTR) {
      return unreachable(path, errno);
    }
  }
}

}  // namespace herald::cli
