// tests/kube/client_lab.h: a client beside servers of the test's own, and what it is asked and
// says.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "kube/client_io.h"
#include "tests/kube/tls_lab.h"

namespace herald::kube {

inline Request get(const std::string& path, Duration timeout = 10s) {
  Request out;
  out.path = path;
  out.timeout = timeout;
  return out;
}
inline Request put(const std::string& path, Duration timeout = 10s,
                   Request::Priority priority = Request::Priority::Write) {
  Request out = get(path, timeout);
  out.method = Request::Method::Put;
  out.body = R"({"kind":"Lease"})";
  out.priority = priority;
  return out;
}
inline std::string refusal(unsigned code, const std::string& message) {
  return R"({"kind":"Status","message":")" + message + R"(","code":)" + std::to_string(code) + "}";
}

// A client whose loop runs while something is awaited.
class ClientLab {
 public:
  explicit ClientLab(Access access) {
    auto made =
        make_client(loop_, std::move(access), 7, [this](std::string subject, std::string s) {
          said_.emplace_back(s);
          troubles_[std::move(subject)] = std::move(s);
        });
    EXPECT_TRUE(made) << made.error();
    if (made) client_ = std::move(*made);
  }

  // The answer's place, filled when it is there.
  std::shared_ptr<std::optional<Answer>> call(Request request) {
    auto out = std::make_shared<std::optional<Answer>>();
    client_->call(std::move(request), [this, out](Answer answer) {
      EXPECT_FALSE(*out);
      *out = std::move(answer);
      ++answers_;
    });
    return out;
  }
  Answer ask(Request request) {
    const auto out = call(std::move(request));
    return until([&] { return out->has_value(); }) ? **out : Answer{};
  }

  struct Watched {
    std::uint64_t id = 0;
    std::vector<std::string> lines;
    std::optional<Answer> end;
  };
  std::shared_ptr<Watched> watch(Request request, Duration idle = 0s) {
    auto out = std::make_shared<Watched>();
    out->id = client_->watch(
        std::move(request), idle, [out](std::string_view line) { out->lines.emplace_back(line); },
        [out](Answer answer) {
          EXPECT_FALSE(out->end);
          out->end = std::move(answer);
        });
    return out;
  }

  // False, and a failure, if `true_now` does not become true.
  bool until(const std::function<bool()>& true_now) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!true_now()) {
      loop_.restart();
      loop_.run_one_for(50ms);
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "it did not come";
        return false;
      }
    }
    return true;
  }
  // Everything that is ready now.
  void poll() {
    loop_.restart();
    loop_.poll();
  }

  Client& client() { return *client_; }
  void drop() { client_.reset(); }
  // What lasts.
  std::string troubles() const {
    std::string out;
    for (const auto& [subject, sentence] : troubles_) {
      if (!sentence.empty()) out += subject + ": " + sentence + "\n";
    }
    return out;
  }
  const std::vector<std::string>& said() const { return said_; }

 private:
  boost::asio::io_context loop_;
  std::unique_ptr<Client> client_;
  std::map<std::string, std::string> troubles_;
  std::vector<std::string> said_;
  int answers_ = 0;
};

class KubeClient : public testing::Test {
 protected:
  ServerTls tls(const Wish& wish = {}) { return {ca_.sign(wish), TLS1_3_VERSION, ""}; }
  Access access(std::vector<HttpUrl> servers) const {
    Access out;
    out.servers = std::move(servers);
    out.ca = ca_.pem();
    out.token = "secret";
    out.where = "/root/.kube/config (context lab)";
    return out;
  }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
    return path;
  }
  Authority ca_{"kubernetes"};
  TemporaryDirectory directory_;
};

}  // namespace herald::kube
