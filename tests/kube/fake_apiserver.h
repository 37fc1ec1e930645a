// tests/kube/fake_apiserver.h: the fake API server (fake_apiserver.py) on loopback, for tests.
//
//   FakeApiServer server;                              // returns once it listens
//   server.put("/api/v1/namespaces/default/services/web", R"({"spec": ...})");
//   server.fault(R"({"kind": "watch-410", "path": "services"})");
//   make_client(loop, server.access(), 1, say);
//
// What is done through this class goes over a Unix socket of its own: neither faults nor down()
// touch it, and it is not in the counts. Faults, settings and tokens: see fake_apiserver.py --help
// and fakeapi/faults.py.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kube/access.h"

namespace herald::kube {

class FakeApiServer {
 public:
  struct Reply {
    unsigned status = 0;
    std::string body;  // JSON
  };

  // `options`: further words of the command line.
  explicit FakeApiServer(std::vector<std::string> options = {}) : options_(std::move(options)) {
    std::string pattern = "/tmp/herald-api-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "no directory in /tmp";
    directory_ = pattern;
    start();
  }
  ~FakeApiServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  FakeApiServer(const FakeApiServer&) = delete;
  FakeApiServer& operator=(const FakeApiServer&) = delete;

  // -- where it is, and who may come in -----------------------------------------------------------

  std::uint16_t port() const { return port_; }
  std::string directory() const { return directory_; }
  std::string kubeconfig() const { return directory_ + "/kubeconfig"; }  // with admin's token
  std::string ca() const { return read(directory_ + "/ca.pem"); }
  std::string other_ca() const { return read(directory_ + "/other-ca.pem"); }  // signed nothing
  Access access() const { return access(read(directory_ + "/admin-token")); }
  Access access(const std::string& token) const {
    Access made;
    made.servers = {{.tls = true, .host = "127.0.0.1", .port = port_}};
    made.ca = ca();
    made.token = token;
    made.where = "fake API server";
    return made;
  }
  // By a client certificate instead.
  Access access_by_certificate() const {
    Access made = access("");
    made.client_cert = read(directory_ + "/client.pem");
    made.client_key = read(directory_ + "/client.key");
    return made;
  }

  // -- objects, as admin --------------------------------------------------------------------------

  Reply get(const std::string& path) const { return ask("GET", path, ""); }
  Reply post(const std::string& path, const std::string& json) const {
    return ask("POST", path, json);
  }
  Reply replace(const std::string& path, const std::string& json) const {
    return ask("PUT", path, json);
  }
  Reply remove(const std::string& path) const { return ask("DELETE", path, ""); }
  Reply merge(const std::string& path, const std::string& json) const {
    return ask("PATCH", path, json, "application/merge-patch+json");
  }
  // Makes the object, or changes what `json` names (merge patch).
  Reply put(const std::string& path, const std::string& json) const {
    const Reply changed = merge(path, json);
    if (changed.status != 404) return expect_done(changed, path);
    const auto slash = path.rfind('/');
    const std::string name = "{\"metadata\":{\"name\":\"" + path.substr(slash + 1) + "\"}}";
    const Reply made = post(path.substr(0, slash), json.empty() ? name : json);
    return expect_done(made, path);
  }

  // -- what goes wrong ----------------------------------------------------------------------------

  // `json`: {"kind", "method", "path", "agent", "count", ...}; see fakeapi/faults.py.
  void fault(const std::string& json) const { expect_done(ask("POST", "/__faults", json), json); }
  void clear_faults() const { ask("DELETE", "/__faults", ""); }
  std::string faults() const { return get("/__faults").body; }  // with "hits"
  std::string stats() const { return get("/__stats").body; }
  void clear_stats() const { ask("DELETE", "/__stats", ""); }
  // {"bookmarkInterval", "establishDelay", "history", "clockOffset" (seconds)}
  void config(const std::string& json) const { expect_done(ask("POST", "/__config", json), json); }
  // {TOKEN: {"user", "rules": [{"verbs", "groups", "resources", "namespaces"}], "expired"}}
  void tokens(const std::string& json) const { expect_done(ask("POST", "/__tokens", json), json); }
  void down() const { ask("POST", "/__down", ""); }  // connections are cut and refused, until
  void up() const { ask("POST", "/__up", ""); }
  void compact() const { ask("POST", "/__compact", ""); }  // all older resourceVersions expire

  // Until `done()`, at most ten seconds.
  template <typename Condition>
  static bool eventually(Condition done) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  // -- the process --------------------------------------------------------------------------------

  // As a crash does: objects and history are lost, the certificates stay.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // After kill(): at the same port.
  void start() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    std::vector<std::string> words = {"python3",
                                      "-B",
                                      HERALD_SOURCE_DIR "/tests/kube/fake_apiserver.py",
                                      "--dir",
                                      directory_,
                                      "--listen",
                                      "127.0.0.1:" + std::to_string(port_)};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::execvp("python3", arguments.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    std::string said;
    std::array<char, 64> part{};
    while (said.find('\n') == std::string::npos) {
      const auto n = ::read(ends[0], part.data(), part.size());
      if (n <= 0) break;
      said.append(part.data(), static_cast<std::size_t>(n));
    }
    ::close(ends[0]);
    ASSERT_EQ(said.rfind("ready ", 0), 0U) << "the fake API server did not start: " << said;
    port_ = static_cast<std::uint16_t>(std::stoi(said.substr(6)));
  }

 private:
  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static Reply expect_done(const Reply& reply, const std::string& of) {
    EXPECT_TRUE(reply.status >= 200 && reply.status < 300)
        << of << ": " << reply.status << ' ' << reply.body;
    return reply;
  }

  Reply ask(const std::string& method, const std::string& path, const std::string& body,
            const std::string& type = "application/json") const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string place = directory_ + "/control";
    std::copy(place.begin(), place.end(), std::begin(address.sun_path));
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const std::string text =
        method + " " + path + " HTTP/1.1\r\nConnection: close\r\nContent-Type: " + type +
        "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    Reply reply;
    // sockaddr_un is a sockaddr as far as connect() is concerned.
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
      ADD_FAILURE() << "the fake API server is not there: " << method << ' ' << path;
    }
    std::string said;
    std::array<char, 16384> part{};
    for (ssize_t n = 0; (n = ::recv(fd, part.data(), part.size(), 0)) > 0;) {
      said.append(part.data(), static_cast<std::size_t>(n));
    }
    ::close(fd);
    const auto head = said.find("\r\n\r\n");
    if (head == std::string::npos) return reply;
    reply.status = static_cast<unsigned>(std::stoul(said.substr(9, 3)));
    reply.body = said.substr(head + 4);
    return reply;
  }

  std::vector<std::string> options_;
  std::string directory_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace herald::kube
