#include "daemon/admin_io.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "base/fd_io.h"

namespace herald::daemon {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using ErrorCode = boost::system::error_code;

namespace {

constexpr auto kAcceptRetry = std::chrono::seconds(1);  // after we ran out of descriptors
constexpr int kBacklog = 64;

// What is to be said if nobody may listen at `path`; removes the socket of a dead process.
std::optional<std::string> make_room(const sockaddr_un& address, const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;  // bind() says what else is wrong
  if (!S_ISSOCK(status.st_mode)) {
    return fmt::format("admin: {} exists and is no socket: remove it, or name another with --admin",
                       path);
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN) {
    return fmt::format(
        "admin: another process listens at {}: stop it, or name another socket with --admin", path);
  }
  if (errno == ECONNREFUSED) ::unlink(path.c_str());
  return std::nullopt;
}

}  // namespace

class AdminServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& loop, std::string path, Handler handler, AdminLimits limits)
      : path_(std::move(path)),
        handler_(std::move(handler)),
        limits_(limits),
        acceptor_(loop),
        retry_(loop) {}

  Result<void> listen();
  void accept();
  void close();

 private:
  struct Connection {
    Connection(Protocol::socket s) : socket(std::move(s)), timer(socket.get_executor()) {}
    Protocol::socket socket;
    asio::steady_timer timer;
    std::string in, out;
    std::uint64_t last_used = 0;
  };
  using Pointer = std::shared_ptr<Connection>;

  void admit(Protocol::socket socket);
  void read(const Pointer& c);
  void reply(const Pointer& c, std::string line, bool then_close);
  void limit_time(const Pointer& c);
  void drop(const Pointer& c);

  std::string path_;
  Handler handler_;
  AdminLimits limits_;
  Protocol::acceptor acceptor_;
  asio::steady_timer retry_;
  std::vector<Pointer> connections_;
  std::uint64_t uses_ = 0;
  bool closed_ = false;
  ino_t inode_ = 0;
  dev_t device_ = 0;
};

Result<void> AdminServer::Impl::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.empty() || path_.size() >= sizeof address.sun_path) {
    return error(fmt::format("admin: '{}' is no path of a socket: give one of 1 to {} characters",
                             path_, sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path_.data(), path_.size());
  std::error_code failed;
  const auto directory = std::filesystem::path(path_).parent_path();
  if (!directory.empty()) std::filesystem::create_directories(directory, failed);
  if (failed) {
    return error(fmt::format("admin: cannot create directory {}: {}; name another with --admin",
                             directory.string(), failed.message()));
  }
  if (auto fault = make_room(address, path_)) return error(std::move(*fault));

  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The socket's file gets its mode at bind(), so there is no moment when others may connect.
  if (!fd || ::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return error(fmt::format("admin: cannot listen at {}: {}; name another with --admin", path_,
                             std::strerror(errno)));
  }
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0) {
    inode_ = status.st_ino;
    device_ = status.st_dev;
  }
  ErrorCode bad;
  acceptor_.assign(Protocol(), fd.get(), bad);
  if (bad) return error(fmt::format("admin: cannot listen at {}: {}", path_, bad.message()));
  fd.release();
  return {};
}

void AdminServer::Impl::accept() {
  acceptor_.async_accept([self = shared_from_this()](ErrorCode bad, Protocol::socket socket) {
    if (self->closed_) return;
    if (!bad) {
      self->admit(std::move(socket));
      self->accept();
      return;
    }
    self->retry_.expires_after(kAcceptRetry);
    self->retry_.async_wait([self](ErrorCode cancelled) {
      if (!cancelled && !self->closed_) self->accept();
    });
  });
}

void AdminServer::Impl::admit(Protocol::socket socket) {
  if (connections_.size() >= limits_.connections) {
    const auto idlest = std::min_element(
        connections_.begin(), connections_.end(),
        [](const Pointer& a, const Pointer& b) { return a->last_used < b->last_used; });
    drop(Pointer(*idlest));
  }
  connections_.push_back(std::make_shared<Connection>(std::move(socket)));
  read(Pointer(connections_.back()));
}

void AdminServer::Impl::read(const Pointer& c) {
  limit_time(c);
  asio::async_read_until(
      c->socket, asio::dynamic_buffer(c->in, limits_.line), '\n',
      [self = shared_from_this(), c](ErrorCode bad, std::size_t length) {
        if (self->closed_ || !c->socket.is_open()) return;
        if (bad == asio::error::not_found) {
          self->reply(c,
                      fmt::format(R"({{"ok":false,"error":"the request has more than {} bytes"}})",
                                  self->limits_.line),
                      true);
        } else if (bad) {
          self->drop(c);
        } else {
          c->timer.cancel();  // the handler has its own limits
          const std::string request = c->in.substr(0, length - 1);
          c->in.erase(0, length);
          self->handler_(request, [self, c](std::string answer) {
            if (self->closed_ || !c->socket.is_open()) return;
            self->reply(c, std::move(answer), false);
          });
        }
      });
}

void AdminServer::Impl::reply(const Pointer& c, std::string line, bool then_close) {
  limit_time(c);
  c->out = std::move(line);
  c->out += '\n';
  asio::async_write(c->socket, asio::buffer(c->out),
                    [self = shared_from_this(), c, then_close](ErrorCode bad, std::size_t) {
                      if (self->closed_ || !c->socket.is_open()) return;
                      if (bad || then_close) {
                        self->drop(c);
                        return;
                      }
                      c->out = std::string();  // a long answer is not kept
                      self->read(c);
                    });
}

void AdminServer::Impl::limit_time(const Pointer& c) {
  c->last_used = ++uses_;
  c->timer.expires_after(limits_.idle);
  c->timer.async_wait([self = shared_from_this(), c](ErrorCode cancelled) {
    if (!cancelled) self->drop(c);
  });
}

void AdminServer::Impl::drop(const Pointer& c) {
  ErrorCode ignored;
  c->timer.cancel();
  c->socket.close(ignored);
  connections_.erase(std::remove(connections_.begin(), connections_.end(), c), connections_.end());
}

void AdminServer::Impl::close() {
  if (closed_) return;
  closed_ = true;
  ErrorCode ignored;
  retry_.cancel();
  acceptor_.close(ignored);
  while (!connections_.empty()) drop(Pointer(connections_.back()));
  struct stat status {};
  if (inode_ != 0 && ::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_ &&
      status.st_dev == device_) {
    ::unlink(path_.c_str());
  }
}

AdminServer::AdminServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminServer::~AdminServer() {
  impl_->close();
}

Result<std::unique_ptr<AdminServer>> AdminServer::open(asio::io_context& loop,
                                                       const std::string& path, Handler handler,
                                                       AdminLimits limits) {
  auto impl = std::make_shared<Impl>(loop, path, std::move(handler), limits);
  if (auto listening = impl->listen(); !listening) return error(std::move(listening.error()));
  impl->accept();
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

}  // namespace herald::daemon
