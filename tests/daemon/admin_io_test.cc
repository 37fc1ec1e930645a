// The admin socket against clients that behave and clients that don't.
#include "daemon/admin_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/asio/io_context.hpp>

#include "base/fd_io.h"
#include "cli/request_io.h"

namespace herald::daemon {
namespace {

using testing::HasSubstr;

class AdminTest : public testing::Test {
 protected:
  AdminTest() {
    std::string name = "/tmp/herald_admin_test_XXXXXX";
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ + "/run/admin.sock";
  }
  ~AdminTest() override {
    stop();
    std::filesystem::remove_all(directory_);
  }

  Result<std::unique_ptr<AdminServer>> open(AdminLimits limits = {}) {
    return AdminServer::open(
        loop_, path_,
        [this](std::string_view request, AdminServer::Reply reply) {
          if (request == "later") {
            later_ = std::move(reply);
          } else {
            reply("<" + std::string(request) + ">");
            if (request == "now") later_("<at last>");
          }
        },
        limits);
  }
  void start(AdminLimits limits = {}) {
    auto opened = open(limits);
    ASSERT_TRUE(opened) << opened.error();
    server_ = std::move(*opened);
    thread_ = std::thread([this] { loop_.run(); });
  }
  void stop() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
    server_.reset();
  }

  UniqueFd connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static bool say(const UniqueFd& fd, std::string_view text) {
    return ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  // All that comes until `size` bytes are there, the other end closes, or 5 s without a byte.
  static std::string hear(const UniqueFd& fd, std::size_t size) {
    std::string out;
    while (out.size() < size) {
      pollfd p{.fd = fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, 5000) != 1) return out + "<silence>";
      char c = 0;
      if (::recv(fd.get(), &c, 1, 0) != 1) return out + "<closed>";
      out += c;
    }
    return out;
  }

  std::string directory_, path_;
  boost::asio::io_context loop_;
  AdminServer::Reply later_;  // to the request that waits
  std::unique_ptr<AdminServer> server_;
  std::thread thread_;
};

TEST_F(AdminTest, ALineInALineOut) {
  start();
  EXPECT_EQ(cli::ask(path_, "status\n").value(), "<status>");
  EXPECT_EQ(cli::ask(path_, "\n").value(), "<>");
}

TEST_F(AdminTest, ManyLinesOverOneConnectionInAnyPieces) {
  start();
  const UniqueFd client = connect();
  ASSERT_TRUE(say(client, "a\nb\nc"));
  EXPECT_EQ(hear(client, 8), "<a>\n<b>\n");
  ASSERT_TRUE(say(client, "d\n"));
  EXPECT_EQ(hear(client, 5), "<cd>\n");
}

TEST_F(AdminTest, AnAnswerMayComeLater) {
  start({.idle = 50ms});
  const UniqueFd client = connect();
  ASSERT_TRUE(say(client, "later\nnext\n"));
  pollfd p{.fd = client.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&p, 1, 200), 0) << "neither answered nor closed";
  EXPECT_EQ(cli::ask(path_, "now\n").value(), "<now>");
  EXPECT_EQ(hear(client, 17), "<at last>\n<next>\n");
}

TEST_F(AdminTest, AnAnswerThatNobodyWaitsForAnyMoreIsDropped) {
  start();
  {
    const UniqueFd client = connect();
    ASSERT_TRUE(say(client, "later\n"));
    EXPECT_EQ(cli::ask(path_, "x\n").value(), "<x>") << "the one before was read";
  }
  EXPECT_EQ(cli::ask(path_, "now\n").value(), "<now>");
  EXPECT_EQ(cli::ask(path_, "y\n").value(), "<y>");
}

TEST_F(AdminTest, AnEndlessLineIsRefused) {
  start({.line = 100});
  const UniqueFd client = connect();
  ASSERT_TRUE(say(client, std::string(100, 'x')));
  EXPECT_THAT(hear(client, 1000), HasSubstr("more than 100 bytes\"}\n"));
}

TEST_F(AdminTest, TheOneIdleLongestMakesRoom) {
  start({.connections = 2});
  const UniqueFd first = connect();
  ASSERT_TRUE(say(first, "1\n"));
  EXPECT_EQ(hear(first, 4), "<1>\n");
  const UniqueFd second = connect();
  ASSERT_TRUE(say(second, "2\n"));
  EXPECT_EQ(hear(second, 4), "<2>\n");
  EXPECT_EQ(cli::ask(path_, "3\n").value(), "<3>");
  EXPECT_EQ(hear(first, 1), "<closed>");
  ASSERT_TRUE(say(second, "2\n"));
  EXPECT_EQ(hear(second, 4), "<2>\n");
}

TEST_F(AdminTest, WhoeverSaysNothingIsDropped) {
  start({.idle = 20ms});
  const UniqueFd client = connect();
  ASSERT_TRUE(say(client, "half a li"));
  EXPECT_EQ(hear(client, 1), "<closed>");
}

TEST_F(AdminTest, OnlyItsUserMayConnect) {
  start();
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(AdminTest, TheSocketOfADeadProcessIsReplacedALivingOneIsNot) {
  start();
  EXPECT_THAT(open().error(), HasSubstr("another process listens at " + path_));
  stop();
  EXPECT_FALSE(std::filesystem::exists(path_));

  {  // bound, then gone without a word
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  loop_.restart();
  start();
  EXPECT_EQ(cli::ask(path_, "alive\n").value(), "<alive>");
}

TEST_F(AdminTest, AFileThatIsNoSocketStays) {
  std::filesystem::create_directories(directory_ + "/run");
  std::ofstream(path_) << "precious";
  EXPECT_THAT(open().error(), HasSubstr("is no socket"));
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(AdminTest, APathThatIsTooLongIsNamed) {
  path_ = directory_ + "/" + std::string(200, 'x');
  EXPECT_THAT(open().error(), HasSubstr("is no path of a socket"));
}

}  // namespace
}  // namespace herald::daemon
