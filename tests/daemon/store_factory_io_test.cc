#include "daemon/store_factory_io.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace herald::daemon {
namespace {

namespace fs = std::filesystem;

std::string identity(const std::string& store) {
  config::Settings settings;
  settings.store = store;
  settings.store_prefix = "/herald/default/";
  return store_identity(settings);
}

// J1: two daemons with one name and one store would take over from one another for ever.
TEST(StoreFactory, OneStoreIsTheSameHoweverItIsSpelled) {
  std::string dir = (fs::temp_directory_path() / "herald-store-XXXXXX").string();
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  dir = fs::canonical(dir).string();
  fs::create_directory(dir + "/real");
  fs::create_directory_symlink(dir + "/real", dir + "/link");
  const std::string plain = "embedded:" + dir + "/real/herald.db";
  EXPECT_EQ(identity(plain), plain) << "also before the file is there";
  EXPECT_EQ(identity("embedded:" + dir + "/link/herald.db"), plain);
  EXPECT_EQ(identity("embedded:" + dir + "/real/../link//herald.db"), plain);
  EXPECT_EQ(identity("embedded:" + fs::relative(dir).string() + "/real/herald.db"), plain);
  EXPECT_NE(identity("embedded:" + dir + "/herald.db"), plain);
  fs::remove_all(dir);
  EXPECT_EQ(identity("etcd:http://a:2379,http://b:2379"), identity("etcd:http://b:2379"));
}

TEST(StoreFactory, AnApiServerIsAskedSeldom) {
  config::Settings settings;
  settings.store = "etcd:http://a:2379";
  EXPECT_EQ(store_timing(settings).relist, coord::LeaseTiming().relist);
  EXPECT_EQ(store_timing(settings).leader_lease, settings.store_lease_duration * 5 / 2);
  settings.store = "kubernetes:";
  EXPECT_EQ(store_timing(settings).relist, 5min);
  EXPECT_EQ(store_timing(settings).leader_lease, 15s);
  EXPECT_EQ(store_timing(settings).lease, settings.store_lease_duration);
}

TEST(StoreFactory, HeraldsOfTwoNamespacesWriteUnderTwoNames) {
  config::Settings settings;
  settings.store = "kubernetes:";
  settings.kubernetes_namespace = "herald-system";
  EXPECT_EQ(field_manager(settings), "heraldd");
  settings.kubernetes_namespace = "edge";
  EXPECT_EQ(field_manager(settings), "heraldd.edge");
}

TEST(StoreFactory, ACheckNamesWhatAKubeconfigLacks) {
  config::Settings settings;
  settings.store = "kubernetes:/nonexistent/kubeconfig";
  settings.kubernetes_namespace = "home";
  const auto checked = check_store(settings);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().find("/nonexistent/kubeconfig"), std::string::npos);
  EXPECT_EQ(store_identity(settings), "kubernetes:home");
}

}  // namespace
}  // namespace herald::daemon
