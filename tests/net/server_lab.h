// tests/net/server_lab.h: what tests of clients need: free ports on loopback, a directory that is
// removed at the end, a server that says anything.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/fd_io.h"

namespace herald {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "herald-test-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}
// On `port`, or, if it is 0, on a free one, which is not among those that the kernel gives to
// clients: else one of them may have it when a server comes back to it.
inline UniqueFd listen_on(std::uint16_t& port) {
  static std::minstd_rand random(static_cast<unsigned>(::getpid()));
  for (int tries = 0; tries < 1000; ++tries) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const auto tried = port != 0 ? port : static_cast<std::uint16_t>(12'000 + random() % 20'000);
    const sockaddr_in address = loopback(tried);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd.get(), 64) != 0) {
      continue;
    }
    port = tried;
    return fd;
  }
  ADD_FAILURE() << "no port is free";
  return {};
}
// A port that nobody listens on now.
inline std::uint16_t free_port() {
  std::uint16_t port = 0;
  listen_on(port);
  return port;
}

// Answers every request with the same bytes; then it waits, ends the connection, or says the last
// of them, `endless`, again and again.
class FakeServer {
 public:
  enum class Then { Wait, Close };
  explicit FakeServer(std::string answer, Then then = Then::Wait, std::string endless = "")
      : answer_(std::move(answer)),
        endless_(std::move(endless)),
        then_(then),
        stop_(::eventfd(0, EFD_CLOEXEC)) {
    listener_ = listen_on(port_);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeServer() {
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    thread_.join();
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  void serve() {
    std::vector<UniqueFd> clients;
    std::set<int> asked;
    while (true) {
      std::vector<pollfd> fds = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const UniqueFd& client : clients) {
        const bool talks = asked.contains(client.get()) && !endless_.empty();
        fds.push_back({client.get(), static_cast<short>(talks ? POLLIN | POLLOUT : POLLIN), 0});
      }
      ::poll(fds.data(), fds.size(), -1);
      if (fds[0].revents != 0) return;
      for (std::size_t i = clients.size(); i-- > 0;) {
        if (fds[2 + i].revents == 0) continue;
        const int fd = clients[i].get();
        bool over = false;
        if (fds[2 + i].revents == POLLOUT) {
          over = ::send(fd, endless_.data(), endless_.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
        }
        if (fds[2 + i].revents == POLLOUT && !over) continue;
        std::array<char, 65536> part{};
        const ssize_t n = over ? 0 : ::recv(fd, part.data(), part.size(), MSG_DONTWAIT);
        // Requests of these tests come in one piece.
        if (n > 0) {
          ::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
          asked.insert(fd);
        }
        if (n <= 0 || then_ == Then::Close) {
          asked.erase(fd);
          clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
        }
      }
      if (fds[1].revents != 0) {
        clients.emplace_back(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      }
    }
  }
  const std::string answer_, endless_;
  const Then then_;
  std::uint16_t port_ = 0;
  UniqueFd stop_, listener_;
  std::thread thread_;
};

}  // namespace herald
