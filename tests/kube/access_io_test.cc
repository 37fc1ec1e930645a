#include "kube/access_io.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/net/server_lab.h"

namespace herald::kube {
namespace {

using testing::HasSubstr;

class LoadAccess : public testing::Test {
 protected:
  void SetUp() override { environment("", ""); }
  void TearDown() override { environment("", ""); }
  static void environment(const char* host, const char* port) {
    ::setenv("KUBERNETES_SERVICE_HOST", host, 1);
    ::setenv("KUBERNETES_SERVICE_PORT", port, 1);
  }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  void write_service_account() const {
    write("token", "abc\n");
    write("ca.crt", "PEM");
    write("namespace", "herald-system\n");
  }
  Result<Access> in_cluster(const std::vector<HttpUrl>& servers = {}) const {
    return load_access("", servers, directory_.path());
  }
  TemporaryDirectory directory_;
};

TEST_F(LoadAccess, OfAPod) {
  write_service_account();
  environment("10.96.0.1", "443");
  const auto access = in_cluster();
  ASSERT_TRUE(access) << access.error();
  EXPECT_EQ(access->servers, (std::vector<HttpUrl>{{true, "10.96.0.1", 443}}));
  EXPECT_EQ(access->token_file, directory_.path() + "/token");
  EXPECT_EQ(access->ca_file, directory_.path() + "/ca.crt");
  EXPECT_EQ(access->ns, "herald-system");
  EXPECT_EQ(access->where, "in-cluster");
  environment("fd00:10:96::1", "6443");
  EXPECT_EQ(in_cluster()->servers, (std::vector<HttpUrl>{{true, "fd00:10:96::1", 6443}}));
}

TEST_F(LoadAccess, OtherServersStandIn) {
  write_service_account();
  const std::vector<HttpUrl> servers = {{true, "localhost", 7445}, {true, "10.0.0.1", 6443}};
  const auto access = in_cluster(servers);  // the environment is not asked
  ASSERT_TRUE(access) << access.error();
  EXPECT_EQ(access->servers, servers);
  const std::string config = write(
      "config",
      "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
      "clusters: [{name: c, cluster: {server: 'https://a'}}]\nusers: [{name: u, user: {}}]\n");
  EXPECT_EQ(load_access(config, servers)->servers, servers);
  EXPECT_EQ(load_access(config, {})->servers, (std::vector<HttpUrl>{{true, "a", 443}}));
}

TEST_F(LoadAccess, WhatIsMissingIsNamedWithWhatToDo) {
  const std::string remedy = "--store kubernetes:/path/to/kubeconfig";
  EXPECT_THAT(in_cluster().error(), HasSubstr("KUBERNETES_SERVICE_HOST"));
  EXPECT_THAT(in_cluster().error(), HasSubstr(remedy));
  environment("10.96.0.1", "http");
  EXPECT_THAT(in_cluster().error(), HasSubstr("--kubernetes-api"));
  environment("10.96.0.1", "443");
  EXPECT_THAT(in_cluster().error(), HasSubstr("automountServiceAccountToken"));
  EXPECT_THAT(in_cluster().error(), HasSubstr(remedy));
  write("token", "abc");
  EXPECT_THAT(in_cluster().error(), HasSubstr("/ca.crt' cannot be read"));
  EXPECT_THAT(load_access("/none/config", {}).error(),
              HasSubstr("'/none/config' cannot be read: No such file"));
  EXPECT_THAT(load_access(directory_.path(), {}).error(), HasSubstr("is no regular file"));
  EXPECT_THAT(load_access(write("bad", "{"), {}).error(), HasSubstr("kubernetes: /"));
  EXPECT_THAT(load_access(write("long", std::string(5U << 20, ' ')), {}).error(),
              HasSubstr("is longer than"));
  const std::string fifo = directory_.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(load_access(fifo, {}).error(), HasSubstr("is no regular file"));
}

TEST_F(LoadAccess, ThePodsNamespace) {
  EXPECT_EQ(pod_namespace(directory_.path()), "");
  write("namespace", "lb\n");
  EXPECT_EQ(pod_namespace(directory_.path()), "lb");
  write("namespace", std::string(65, 'x'));  // none is that long
  EXPECT_EQ(pod_namespace(directory_.path()), "");
}

}  // namespace
}  // namespace herald::kube
