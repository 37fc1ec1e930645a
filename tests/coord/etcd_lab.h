// tests/coord/etcd_lab.h: a real etcd on loopback, and between it and the store a proxy that can do
// what networks do. Ports are free ones, files are in a directory that is removed at the end.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/fd_io.h"
#include "tests/net/server_lab.h"

namespace herald::coord {

inline bool etcd_installed() {
  return ::access("/usr/bin/etcd", X_OK) == 0 && ::access("/usr/bin/etcdctl", X_OK) == 0;
}

// Where a member of a cluster of several is, and where all are ("a=http://...,b=http://...").
struct EtcdMember {
  std::string name;
  std::uint16_t port = 0, peer_port = 0;
  std::string cluster;
};

// One member, by default of a cluster of its own. `tls`: etcd's flags for it; its URLs are https
// then.
class EtcdServer {
 public:
  // Does not wait: a member is ready only once most of them run.
  explicit EtcdServer(EtcdMember member)
      : port_(member.port), peer_port_(member.peer_port), name_(member.name) {
    cluster_ = std::move(member.cluster);
    launch();
  }
  explicit EtcdServer(std::vector<std::string> tls = {}, std::vector<std::string> further = {})
      : tls_(std::move(tls)), further_(std::move(further)) {
    for (int tries = 0; tries < 5 && pid_ < 0; ++tries) {
      port_ = free_port();
      peer_port_ = free_port();
      start();
    }
    EXPECT_GT(pid_, 0) << "etcd did not start:\n" << said_;
  }
  ~EtcdServer() { stop(); }
  EtcdServer(const EtcdServer&) = delete;
  EtcdServer& operator=(const EtcdServer&) = delete;

  std::uint16_t port() const { return port_; }
  const std::string& directory() const { return directory_.path(); }
  std::string url() const {
    return (tls_.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") + std::to_string(port_);
  }

  void start() {
    launch();
    if (!await_ready()) stop();
  }
  void launch() {
    const std::string peer = "http://127.0.0.1:" + std::to_string(peer_port_);
    std::vector<std::string> words = {"etcd",
                                      "--name",
                                      name_,
                                      "--data-dir",
                                      directory() + "/data",
                                      "--listen-client-urls",
                                      url(),
                                      "--advertise-client-urls",
                                      url(),
                                      "--listen-peer-urls",
                                      peer,
                                      "--initial-advertise-peer-urls",
                                      peer,
                                      "--initial-cluster",
                                      cluster_.empty() ? name_ + "=" + peer : cluster_,
                                      "--initial-cluster-token",
                                      cluster_.empty() ? directory() : "lab",
                                      "--heartbeat-interval",
                                      "20",
                                      "--election-timeout",
                                      "200"};
    words.insert(words.end(), tls_.begin(), tls_.end());
    words.insert(words.end(), further_.begin(), further_.end());
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd writer(ends[1]);
    UniqueFd reader(ends[0]);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ends[1], 2);
      ::dup2(ends[1], 1);
      ::execv("/usr/bin/etcd", arguments.data());
      ::_exit(127);
    }
    pid_ = pid;
    ready_ = ended_ = false;
    said_.clear();
    reader_ = std::thread([this, fd = std::move(reader)] { listen_to(fd.get()); });
    const_cast<UniqueFd&>(writer).reset();
  }
  bool await_ready() {
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, std::chrono::seconds(30), [&] { return ready_ || ended_; });
    return ready_;
  }
  // As a power cut does.
  void stop() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
    if (reader_.joinable()) reader_.join();
  }

  // etcdctl's output; `options` come before `command`.
  std::string ctl(const std::string& command, const std::string& options = "") const {
    const std::string line =
        "ETCDCTL_API=3 etcdctl --endpoints=" + url() + " " + options + " " + command + " 2>&1";
    std::string out;
    FILE* pipe = ::popen(line.c_str(), "r");
    std::array<char, 4096> part{};
    while (const std::size_t n = ::fread(part.data(), 1, part.size(), pipe)) {
      out.append(part.data(), n);
    }
    EXPECT_EQ(::pclose(pipe), 0) << line << "\n" << out;
    return out;
  }

 private:
  void listen_to(int fd) {
    std::array<char, 4096> part{};
    for (ssize_t n = 0; (n = ::read(fd, part.data(), part.size())) > 0;) {
      const std::lock_guard lock(mutex_);
      said_.append(part.data(), static_cast<std::size_t>(n));
      if (said_.find("ready to serve client requests") != std::string::npos) ready_ = true;
      news_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    news_.notify_all();
  }

  TemporaryDirectory directory_;
  const std::vector<std::string> tls_, further_;
  std::uint16_t port_ = 0, peer_port_ = 0;
  std::string name_ = "a", cluster_;
  pid_t pid_ = -1;
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable news_;
  bool ready_ = false, ended_ = false;
  std::string said_;
};

// Passes bytes on between whoever connects and a port on loopback, unless told otherwise.
class Proxy {
 public:
  explicit Proxy(std::uint16_t target) : target_(target), wake_(::eventfd(0, EFD_CLOEXEC)) {
    listener_ = listen_on(port_);
    thread_ = std::thread([this] { serve(); });
  }
  ~Proxy() {
    tell([this] { ending_ = true; });
    thread_.join();
  }
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::string url(const char* scheme = "http") const {
    return scheme + ("://127.0.0.1:" + std::to_string(port_));
  }
  enum class Mode { Pass, Freeze, LoseReplies, Refuse };
  // Returns when it is in force.
  void set(Mode mode) {
    tell([this, mode] {
      mode_ = mode;
      if (mode == Mode::Refuse) pairs_.clear();
    });
  }
  void cut() {
    tell([this] { pairs_.clear(); });
  }
  // What is connected now falls silent both ways; new connections are passed on.
  void freeze_old() {
    tell([this] {
      for (Pair& pair : pairs_) pair.frozen = true;
    });
  }
  void aim(std::uint16_t target) {
    tell([this, target] {
      target_ = target;
      pairs_.clear();
    });
  }
  int accepted() const { return accepted_; }

 private:
  struct Pair {
    UniqueFd client, server;
    bool frozen = false;
  };

  void tell(std::function<void()> order) {
    std::unique_lock lock(mutex_);
    order_ = std::move(order);
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(wake_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    done_.wait(lock, [&] { return !order_; });
  }

  void serve() {
    while (!ending_) {
      std::vector<pollfd> fds = {{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const Pair& pair : pairs_) {
        const bool frozen = pair.frozen || mode_ == Mode::Freeze;
        fds.push_back({frozen ? -1 : pair.client.get(), POLLIN, 0});
        fds.push_back({frozen ? -1 : pair.server.get(), POLLIN, 0});
      }
      ::poll(fds.data(), fds.size(), -1);
      if (fds[0].revents != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto n = ::read(wake_.get(), &count, sizeof count);
        const std::lock_guard lock(mutex_);
        if (order_) order_();
        order_ = nullptr;
        done_.notify_all();
        continue;
      }
      for (std::size_t i = pairs_.size(); i-- > 0;) {
        const bool lose = mode_ == Mode::LoseReplies;
        if ((fds[2 + 2 * i].revents != 0 && !pass(pairs_[i].client, pairs_[i].server, false)) ||
            (fds[3 + 2 * i].revents != 0 && !pass(pairs_[i].server, pairs_[i].client, lose))) {
          pairs_.erase(pairs_.begin() + static_cast<std::ptrdiff_t>(i));
        }
      }
      if (fds[1].revents != 0) take();
    }
  }
  void take() {
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ++accepted_;
    if (mode_ == Mode::Refuse) return;
    UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(target_);
    if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      pairs_.push_back({std::move(client), std::move(server), false});
    }
  }
  static bool pass(const UniqueFd& from, const UniqueFd& to, bool lose) {
    std::array<char, 65536> part{};
    const ssize_t n = ::recv(from.get(), part.data(), part.size(), 0);
    if (n <= 0) return false;
    return lose || ::send(to.get(), part.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
  }

  std::uint16_t target_, port_ = 0;
  UniqueFd wake_, listener_;
  Mode mode_ = Mode::Pass;
  bool ending_ = false;
  std::vector<Pair> pairs_;
  std::atomic<int> accepted_ = 0;
  std::mutex mutex_;
  std::condition_variable done_;
  std::function<void()> order_;
  std::thread thread_;
};

}  // namespace herald::coord
