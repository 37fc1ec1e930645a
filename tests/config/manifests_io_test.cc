#include "config/manifests_io.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/interface_match.h"

namespace herald::config {
namespace {

namespace fs = std::filesystem;

std::string pool(const std::string& name) {
  return "apiVersion: herald.io/v1alpha1\nkind: LoadBalancerIPPool\nmetadata: {name: " + name +
         "}\nspec: {addresses: [10.0.0.0/24]}\n";
}

class ManifestWatcherTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "herald-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    base_ = pattern;
    dir_ = base_ / "manifests";
    fs::create_directory(dir_);
  }
  void TearDown() override { fs::remove_all(base_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
  }
  // Waits for an event, then takes it in.
  bool changed(ManifestWatcher& watcher) {
    pollfd wait{watcher.fd(), POLLIN, 0};
    return ::poll(&wait, 1, 5000) == 1 && watcher.poll_changes(manifests_);
  }

  fs::path base_, dir_;
  Manifests manifests_;
};

TEST_F(ManifestWatcherTest, FollowsTheFilesOfADirectory) {
  write("a.yaml", pool("lan"));
  write(".hidden.yaml", pool("no"));
  write("b.yaml~", pool("no"));
  auto watcher = ManifestWatcher::open({dir_.string()});
  ASSERT_TRUE(watcher) << watcher.error();
  EXPECT_TRUE((*watcher)->poll_changes(manifests_));
  EXPECT_EQ(manifests_.desired().pools.size(), 1U);
  EXPECT_FALSE((*watcher)->poll_changes(manifests_)) << "nothing new";

  write("c.yml", pool("dmz"));
  EXPECT_TRUE(changed(**watcher));
  EXPECT_EQ(manifests_.desired().pools.size(), 2U);
  fs::remove(dir_ / "a.yaml");
  EXPECT_TRUE(changed(**watcher));
  ASSERT_EQ(manifests_.desired().pools.size(), 1U);
  EXPECT_EQ(manifests_.desired().pools[0].name, PoolName("dmz"));
}

TEST_F(ManifestWatcherTest, FollowsTheSwapOfAVolume) {
  fs::create_directory(dir_ / "..1");
  fs::create_directory(dir_ / "..2");
  write("..1/a.yaml", pool("one"));
  write("..2/a.yaml", pool("two"));
  fs::create_directory_symlink("..1", dir_ / "..data");
  fs::create_symlink("..data/a.yaml", dir_ / "a.yaml");
  auto watcher = ManifestWatcher::open({dir_.string()});
  ASSERT_TRUE(watcher) << watcher.error();
  EXPECT_TRUE((*watcher)->poll_changes(manifests_));
  fs::create_directory_symlink("..2", dir_ / "..data_tmp");
  fs::rename(dir_ / "..data_tmp", dir_ / "..data");
  EXPECT_TRUE(changed(**watcher));
  ASSERT_EQ(manifests_.desired().pools.size(), 1U);
  EXPECT_EQ(manifests_.desired().pools[0].name, PoolName("two"));
}

TEST_F(ManifestWatcherTest, KeepsWhatAVanishedDirectoryHeld) {
  write("a.yaml", pool("lan"));
  auto watcher = ManifestWatcher::open({dir_.string()});
  ASSERT_TRUE(watcher) << watcher.error();
  EXPECT_TRUE((*watcher)->poll_changes(manifests_));
  fs::rename(dir_, base_ / "elsewhere");
  EXPECT_TRUE(changed(**watcher));
  EXPECT_EQ(manifests_.desired().pools.size(), 1U);
  EXPECT_FALSE(manifests_.desired().complete);
  fs::rename(base_ / "elsewhere", dir_);
  EXPECT_TRUE((*watcher)->poll_changes(manifests_));
  EXPECT_TRUE(manifests_.desired().complete);
}

TEST_F(ManifestWatcherTest, RefusesAMissingDirectory) {
  const auto watcher = ManifestWatcher::open({(base_ / "none").string()});
  ASSERT_FALSE(watcher);
  EXPECT_EQ(watcher.error(), "manifests directory '" + (base_ / "none").string() +
                                 "' cannot be watched: No such file or directory; create it, or "
                                 "correct --manifests");
}

TEST(InterfaceMatcher, IsUnanchoredAndAnyOf) {
  const InterfaceMatcher some({"^eth", "br[0-9]$"});
  EXPECT_TRUE(some.matches("eth0"));
  EXPECT_TRUE(some.matches("br1"));
  EXPECT_FALSE(some.matches("veth0"));
  EXPECT_TRUE(InterfaceMatcher({}).matches("anything"));
  EXPECT_TRUE(check_pattern("eth["));
}

}  // namespace
}  // namespace herald::config
