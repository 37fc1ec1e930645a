// The program itself against a tiny daemon: one socket, one canned reply.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "cli/print.h"
#include "cli/request_io.h"

namespace herald::cli {
namespace {

using testing::HasSubstr;

class Directory {
 public:
  Directory() {
    std::string name = "/tmp/heraldctl_test_XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

int bound_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

// Serves one connection: reads a line, sends `reply` in two pieces, closes.
class TinyDaemon {
 public:
  TinyDaemon(const std::string& path, std::string reply)
      : reply_(std::move(reply)), listener_(bound_socket(path)) {
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~TinyDaemon() {
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  TinyDaemon(const TinyDaemon&) = delete;
  TinyDaemon& operator=(const TinyDaemon&) = delete;

  // Waits until the connection is over.
  std::string request() {
    if (thread_.joinable()) thread_.join();
    return request_;
  }

 private:
  void serve() {
    pollfd p{.fd = listener_, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 10'000) <= 0) return;  // nobody came
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    char c = 0;
    while (::read(fd, &c, 1) == 1 && c != '\n') request_ += c;
    const std::string_view reply = reply_;
    send(fd, reply.substr(0, reply.size() / 2));
    send(fd, reply.substr(reply.size() / 2));
    ::close(fd);
  }
  static void send(int fd, std::string_view part) {
    while (!part.empty()) {
      const ssize_t n = ::send(fd, part.data(), part.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      part.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  std::string reply_, request_;
  int listener_;
  std::thread thread_;
};

struct Ran {
  int exit_code = -1;
  std::string out, err;
};

std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

Ran heraldctl(const Directory& dir, const std::string& arguments) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "heraldctl";
  const std::string command = program.string() + " " + arguments + " >" + dir.file("out") + " 2>" +
                              dir.file("err") + " </dev/null";
  const int status = std::system(command.c_str());
  return {WEXITSTATUS(status), slurp(dir.file("out")), slurp(dir.file("err"))};
}

TEST(Heraldctl, AsksAndPrints) {
  const Directory dir;
  TinyDaemon daemon(dir.file("admin.sock"),
                    "{\"ok\":true,\"data\":{\"pools\":[{\"name\":\"lan\",\"total\":254}]}}\n");
  const Ran ran = heraldctl(dir, "get pools lan -o json --admin " + dir.file("admin.sock"));
  EXPECT_EQ(ran.exit_code, kExitOk) << ran.err;
  EXPECT_EQ(ran.out,
            "{\n  \"pools\": [\n    {\n      \"name\": \"lan\",\n      \"total\": 254\n    }\n  "
            "]\n}\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(daemon.request(), R"({"command":"get","what":"pools","name":"lan"})");
}

TEST(Heraldctl, OneOrManyIsUnderstood) {
  const Directory dir;
  const auto sent = [&](const std::string& arguments) {
    TinyDaemon daemon(dir.file("admin.sock"), "{\"ok\":true,\"data\":{}}\n");
    heraldctl(dir, arguments + " --admin " + dir.file("admin.sock"));
    std::filesystem::remove(dir.file("admin.sock"));
    return daemon.request();
  };
  EXPECT_EQ(sent("get service default/web"),
            R"({"command":"get","what":"services","name":"default/web"})");
  EXPECT_EQ(sent("explain policies all"), R"({"command":"explain","what":"policy","name":"all"})");
  EXPECT_EQ(sent("explain pools lan"), R"({"command":"explain","what":"pool","name":"lan"})");
}

TEST(Heraldctl, FindsItsSocketInTheEnvironment) {
  const Directory dir;
  TinyDaemon daemon(dir.file("env.sock"),
                    "{\"ok\":false,\"error\":\"service default/web: not found\"}\n");
  ::setenv("HERALD_ADMIN", dir.file("env.sock").c_str(), 1);
  const Ran ran = heraldctl(dir, "explain service default/web");
  ::unsetenv("HERALD_ADMIN");
  EXPECT_EQ(ran.exit_code, kExitNo);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "heraldctl: service default/web: not found\n");
  EXPECT_EQ(daemon.request(), R"({"command":"explain","what":"service","name":"default/web"})");
}

TEST(Heraldctl, SaysWhichSocketIsNotThere) {
  const Directory dir;
  const Ran ran = heraldctl(dir, "status --admin " + dir.file("nobody.sock"));
  EXPECT_EQ(ran.exit_code, kExitUnreachable);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("cannot reach heraldd at " + dir.file("nobody.sock")));
  EXPECT_THAT(ran.err, HasSubstr("is heraldd running?"));
}

TEST(Heraldctl, UsageIsExitCode2) {
  const Directory dir;
  for (const char* arguments :
       {"", "get", "get nonsense", "explain service", "explain service web", "get services web",
        "status -o xml", "status --nonsense", "frobnicate", "move 10.0.0.1", "node", "node n1",
        "convert", "convert -f x --to cilium", "drain --timeout soon", "drain --timeout 1h"}) {
    const Ran ran = heraldctl(dir, arguments);
    EXPECT_EQ(ran.exit_code, kExitUsage) << arguments << "\n" << ran.out << ran.err;
    EXPECT_EQ(ran.out, "") << arguments;
    EXPECT_NE(ran.err, "") << arguments;
  }
  for (const char* arguments : {"--help", "get --help", "--version"}) {
    EXPECT_EQ(heraldctl(dir, arguments).exit_code, kExitOk) << arguments;
  }
}

TEST(Heraldctl, ConvertsFilesWithoutADaemon) {
  const Directory dir;
  std::ofstream(dir.file("lan.yaml"))
      << "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n"
         "metadata: {name: lan, namespace: metallb-system}\n"
         "spec: {addresses: [10.0.0.0/24]}\n---\nkind: Secret\napiVersion: v1\n"
         "metadata: {name: s}\n";
  const Ran good = heraldctl(dir, "convert -f " + dir.file("lan.yaml"));
  EXPECT_EQ(good.exit_code, kExitOk) << good.err;
  EXPECT_THAT(good.out, HasSubstr("kind: LoadBalancerIPPool\nmetadata:\n  name: lan\nspec:\n"
                                  "  addresses: [10.0.0.0/24]\n"));
  EXPECT_THAT(good.out, HasSubstr("---\nkind: Secret\napiVersion: v1\nmetadata: {name: s}\n"));
  EXPECT_EQ(good.err, "");
  EXPECT_THAT(heraldctl(dir, "convert --to herald -o json -f " + dir.file("lan.yaml")).out,
              HasSubstr("\"kind\": \"LoadBalancerIPPool\""));

  std::ofstream(dir.file("bad.yaml")) << "apiVersion: herald.io/v1alpha1\nkind: BGPPeer\n"
                                         "metadata: {name: tor}\nspec: {adress: 192.0.2.1}\n";
  const Ran bad = heraldctl(dir, "convert -f " + dir.file("bad.yaml"));
  EXPECT_EQ(bad.exit_code, kExitNo);
  EXPECT_EQ(bad.out, "");
  EXPECT_THAT(bad.err, HasSubstr(dir.file("bad.yaml") + ":4: error: BGPPeer tor: spec.adress"));
  EXPECT_EQ(heraldctl(dir, "convert -f " + dir.file("missing.yaml")).exit_code, kExitNo);
}

TEST(Heraldctl, ForceDeadIsAskedBackOrNeedsYes) {
  const Directory dir;
  const std::string order = "--admin " + dir.file("nobody.sock") + " node force-dead n3";
  const Ran unasked = heraldctl(dir, order);
  EXPECT_EQ(unasked.exit_code, kExitUsage);
  EXPECT_THAT(unasked.err, HasSubstr("add --yes"));
  EXPECT_EQ(heraldctl(dir, order + " --yes").exit_code, kExitUnreachable);
}

TEST(Heraldctl, OrdersTakeTheirTime) {
  const Directory dir;
  TinyDaemon daemon(dir.file("admin.sock"),
                    R"({"ok":true,"data":{"message":"n1 is drained","complete":true}})"
                    "\n");
  const Ran ran = heraldctl(dir, "drain n1 --timeout 1m --admin " + dir.file("admin.sock"));
  EXPECT_EQ(ran.exit_code, kExitOk) << ran.err;
  EXPECT_EQ(ran.out, "n1 is drained\n");
  EXPECT_EQ(daemon.request(), R"({"command":"drain","node":"n1","wait":true,"timeout_ms":60000})");
}

TEST(Ask, NeverHangs) {
  const Directory dir;
  EXPECT_THAT(ask(std::string(200, 'x'), "{}\n").error(), HasSubstr("no path of a socket"));
  {
    const TinyDaemon daemon(dir.file("a"), "half a reply");
    EXPECT_THAT(ask(dir.file("a"), "{}\n").error(), HasSubstr("closed the connection"));
  }
  // A socket that nobody listens on, then one that nobody answers on.
  const int listener = bound_socket(dir.file("b"));
  EXPECT_THAT(ask(dir.file("b"), "{}\n").error(), HasSubstr("has stopped: start it again"));
  ASSERT_EQ(::listen(listener, 1), 0);
  EXPECT_THAT(ask(dir.file("b"), "{}\n", 50ms).error(), HasSubstr("no answer within 50ms"));
  ::close(listener);
}

TEST(Ask, LargeReplies) {
  const Directory dir;
  const TinyDaemon daemon(dir.file("a"), std::string(5'000'000, 'x') + "\ntail");
  const auto reply = ask(dir.file("a"), "{}\n");
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(reply->size(), 5'000'000u);
}

}  // namespace
}  // namespace herald::cli
