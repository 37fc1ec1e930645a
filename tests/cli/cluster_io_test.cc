// kubectl herald against the project's API server: the program itself, called by that name.
#include "cli/cluster_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/print.h"
#include "daemon/kubernetes_store_wire.h"
#include "kube/object.h"
#include "tests/kube/fake_apiserver.h"

namespace herald::cli {
namespace {

using testing::HasSubstr;

void define(const kube::FakeApiServer& server, const std::string& plural, const std::string& kind,
            bool namespaced) {
  server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + plural + ".herald.io",
             R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
                 "metadata":{"name":")" +
                 plural + R"(.herald.io"},"spec":{"group":"herald.io","scope":")" +
                 (namespaced ? "Namespaced" : "Cluster") + R"(","names":{"plural":")" + plural +
                 R"(","singular":"x)" + plural + R"(","kind":")" + kind + R"(","listKind":")" +
                 kind + R"(List"},"versions":[{"name":"v1alpha1","served":true,"storage":true,
                 "subresources":{"status":{}},
                 "schema":{"openAPIV3Schema":{"type":"object",
                 "x-kubernetes-preserve-unknown-fields":true}}}]}})");
}

// One node with one service, as its documents tell.
class KubectlHerald : public testing::Test {
 protected:
  explicit KubectlHerald(std::vector<std::string> options = {}) : server_(std::move(options)) {
    const auto self = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    std::filesystem::create_symlink(self / "heraldctl", server_.directory() + "/kubectl-herald");
  }
  void install() {
    define(server_, "loadbalancerippools", "LoadBalancerIPPool", false);
    define(server_, "l2announcementpolicies", "L2AnnouncementPolicy", false);
    define(server_, "nodestatuses", "NodeStatus", false);
    define(server_, "iptableshards", "IPTableShard", true);
    ASSERT_TRUE(kube::FakeApiServer::eventually(
        [&] { return server_.get("/apis/herald.io/v1alpha1/iptableshards").status == 200; }));
    server_.put("/api/v1/namespaces/herald-system",
                R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"herald-system"}})");
    server_.put("/apis/herald.io/v1alpha1/loadbalancerippools/lan",
                R"({"apiVersion":"herald.io/v1alpha1","kind":"LoadBalancerIPPool",
                    "metadata":{"name":"lan"},"spec":{"addresses":["10.25.150.0/24"]}})");
    server_.put("/apis/herald.io/v1alpha1/l2announcementpolicies/all",
                R"({"apiVersion":"herald.io/v1alpha1","kind":"L2AnnouncementPolicy",
                    "metadata":{"name":"all"},"spec":{}})");
    server_.put("/api/v1/namespaces/default/services/web",
                R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},
                    "spec":{"type":"LoadBalancer","ports":[{"port":80}]}})");
    coord::MemberDocument member;
    member.node = NodeName("n1");
    member.rev = coord::Revision(3);
    member.inc = coord::Incarnation(1);
    member.terms = {2s, 150ms, {}};
    member.info.machine_id = "m1";
    member.info.links = {{"eth0", {*IpPrefix::parse("10.25.150.0/24")}, {}, {}}};
    store(member);
    coord::TableDocument table;
    const IpAddress vip = *IpAddress::parse("10.25.150.7");
    table.shard = coord::shard_of(vip);
    table.rev = coord::Revision(2);
    table.highest = coord::Epoch(1);
    table.entries[vip] = {
        {{"default", "web"}}, NodeName("n1"), member.inc, coord::Epoch(1), {}, {}};
    store(table);
  }
  void store(const coord::Document& document) {
    const auto object = daemon::object_of(coord::key_of(document), "herald-system");
    ASSERT_TRUE(object);
    const auto text = daemon::print_object(document, *object, std::nullopt,
                                           {"2026-01-31T12:00:00.000000Z", true, 15s});
    ASSERT_TRUE(text) << text.error();
    server_.put(kube::path_of(*object), *text);
  }

  struct Ran {
    int exit_code = -1;
    std::string out, err;
  };
  Ran run(const std::string& arguments, const std::string& program = "kubectl-herald") {
    const std::string dir = server_.directory();
    const std::string command = "env -u HERALD_ADMIN KUBECONFIG=" + kubeconfig_ + " " + dir + "/" +
                                program + " " + arguments + " >" + dir + "/out 2>" + dir +
                                "/err </dev/null";
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), slurp(dir + "/out"), slurp(dir + "/err")};
  }
  static std::string slurp(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  kube::FakeApiServer server_;
  std::string kubeconfig_ = server_.kubeconfig() + ":/nowhere/else";
};

TEST_F(KubectlHerald, AnswersWithoutADaemon) {
  install();
  const Ran ips = run("get ips");
  EXPECT_EQ(ips.exit_code, kExitOk) << ips.err;
  EXPECT_THAT(ips.out, HasSubstr("10.25.150.7"));
  EXPECT_THAT(ips.out, HasSubstr("Announced"));
  const Ran status = run("status");
  EXPECT_EQ(status.exit_code, kExitOk) << status.err;
  EXPECT_THAT(status.out, HasSubstr("as_shown_by:"));
  EXPECT_THAT(status.out, HasSubstr("https://127.0.0.1:" + std::to_string(server_.port())));
  EXPECT_THAT(run("explain ip 10.25.150.7").out, HasSubstr("announced: n1 on eth0"));
  EXPECT_THAT(run("explain service default/web").out, HasSubstr("service default/web"));
  EXPECT_EQ(run("get ips 10.9.9.9").exit_code, kExitNo);
  const Ran policies = run("get policy");
  EXPECT_EQ(policies.exit_code, kExitOk) << policies.err;
  EXPECT_THAT(policies.out, HasSubstr("all   L2AnnouncementPolicy  <everything>"));
  EXPECT_THAT(run("get policies all -o json").out, HasSubstr("\"services\": 1"));
  // The same of heraldctl, if it is told which API server.
  std::filesystem::copy_file(server_.directory() + "/kubectl-herald",
                             server_.directory() + "/heraldctl");
  const Ran named = run("get pools lan --kubeconfig " + server_.kubeconfig(), "heraldctl");
  EXPECT_EQ(named.exit_code, kExitOk) << named.err;
  EXPECT_THAT(named.out, HasSubstr("lan"));
}

// As Rancher has it: one server for many clusters, each below a path of its own.
class BehindAPath : public KubectlHerald {
 protected:
  BehindAPath() : KubectlHerald({"--path-prefix", "/k8s/clusters/c-m-abc"}) {}
};

TEST_F(BehindAPath, TheClusterOfTheKubeconfigIsAsked) {
  install();
  const Ran status = run("status");
  EXPECT_EQ(status.exit_code, kExitOk) << status.err;
  EXPECT_THAT(status.out,
              HasSubstr(":" + std::to_string(server_.port()) + "/k8s/clusters/c-m-abc"));
  EXPECT_THAT(run("get ips").out, HasSubstr("10.25.150.7"));
}

TEST_F(KubectlHerald, SaysWhatIsInTheWay) {
  const Ran none = run("status");
  EXPECT_EQ(none.exit_code, kExitNo);
  EXPECT_THAT(none.err, HasSubstr("no Herald is installed at https://127.0.0.1"));

  install();
  const Ran elsewhere = run("status --herald-namespace elsewhere");
  EXPECT_EQ(elsewhere.exit_code, kExitOk);
  EXPECT_THAT(elsewhere.out, HasSubstr("is Herald in another one (--herald-namespace)"));

  server_.fault(
      R"({"kind": "status", "code": 403, "reason": "Forbidden", "path": "leases", "count": -1})");
  const Ran refused = run("get ips");
  EXPECT_EQ(refused.exit_code, kExitOk);
  EXPECT_THAT(refused.err, HasSubstr("leases.coordination.k8s.io could not be read"));
  EXPECT_THAT(refused.out, HasSubstr("10.25.150.7"));
  server_.clear_faults();

  for (const char* order : {"drain n1", "move 10.25.150.7 n1", "node force-dead n1", "events",
                            "events -w", "plan -f /dev/null", "ready"}) {
    const Ran ran = run(order);
    EXPECT_EQ(ran.exit_code, kExitUsage) << order << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("daemon")) << order;
  }
  const Ran both = run("status --admin /x --kubeconfig /y");
  EXPECT_EQ(both.exit_code, kExitUsage);

  EXPECT_THAT(run("status --context nope").err, HasSubstr("nope"));
  EXPECT_EQ(run("status --context nope").exit_code, kExitUnreachable);
  EXPECT_THAT(run("status --kubeconfig /nowhere").err, HasSubstr("/nowhere: cannot be read"));
  server_.down();
  const Ran down = run("status");
  EXPECT_EQ(down.exit_code, kExitUnreachable);
  EXPECT_NE(down.err, "");
}

}  // namespace
}  // namespace herald::cli
