// One heraldd per node name and store on a host, whoever it runs as.
#include "base/host_lock_io.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace herald {
namespace {

constexpr uid_t kSomebody = 65532;

class HostLockTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 32> name{"/tmp/herald-lock-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name.data();
    std::filesystem::permissions(dir_, std::filesystem::perms(0755));
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  Result<HostLock> take(const char* node, const char* store = "s") {
    return HostLock::take(dir_, NodeName(node), store);
  }

  // What take() says to a user who may not write the directory: empty if it takes the lock.
  std::string said_to_somebody(const char* node) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      std::string said = "not root";
      if (::setgid(kSomebody) == 0 && ::setuid(kSomebody) == 0) {
        const auto lock = take(node);
        said = lock ? "" : lock.error();
      }
      const auto written = ::write(ends[1], said.data(), said.size());
      ::_exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    std::string said;
    std::array<char, 256> part{};
    for (ssize_t n = 0; (n = ::read(ends[0], part.data(), part.size())) > 0;) {
      said.append(part.data(), static_cast<std::size_t>(n));
    }
    ::close(ends[0]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    return said;
  }

  std::string dir_;
};

TEST_F(HostLockTest, IsOneForANameAndAStore) {
  const auto first = take("n1");
  ASSERT_TRUE(first) << first.error();
  EXPECT_TRUE(take("n2"));
  EXPECT_TRUE(take("n1", "another"));
  const auto again = take("n1");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), "another heraldd runs as node 'n1' on this host (pid " +
                               std::to_string(::getpid()) +
                               "): stop it, or give this one another --node-name");
}

TEST_F(HostLockTest, EndsWithItsHolder) {
  { ASSERT_TRUE(take("n1")); }
  EXPECT_TRUE(take("n1"));
}

TEST_F(HostLockTest, WhoMayNotWriteIsAloneOnTheHost) {
  if (::geteuid() != 0) GTEST_SKIP() << "takes root";
  EXPECT_EQ(said_to_somebody("n1"), "");
  EXPECT_TRUE(std::filesystem::is_empty(dir_));
  {
    const auto other = take("n2");
    ASSERT_TRUE(other);
    EXPECT_EQ(said_to_somebody("n1"), "another heraldd runs on this host and holds " + dir_ +
                                          ", where this one may not write: stop it, or name "
                                          "another with --run-dir");
  }
  EXPECT_EQ(said_to_somebody("n1"), "");
}

TEST_F(HostLockTest, WhoMayWriteMindsWhoMayNot) {
  if (::geteuid() != 0) GTEST_SKIP() << "takes root";
  std::array<int, 2> held{}, done{};
  ASSERT_EQ(::pipe(held.data()), 0);
  ASSERT_EQ(::pipe(done.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setuid(kSomebody) != 0 || ::close(done[1]) != 0) ::_exit(1);
    const auto lock = take("n1");
    char c = lock ? 'y' : 'n';
    if (::write(held[1], &c, 1) != 1) ::_exit(1);
    ::_exit(::read(done[0], &c, 1) == 0 ? 0 : 1);  // until the other end is closed
  }
  char c = 0;
  ASSERT_EQ(::read(held[0], &c, 1), 1);
  ASSERT_EQ(c, 'y');
  const auto lock = take("n1");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error(), "another heraldd runs on this host, as a user who may not write " + dir_ +
                              ": stop it, or name another with --run-dir");
  ::close(done[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(take("n1"));
}

}  // namespace
}  // namespace herald
