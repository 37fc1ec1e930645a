// Services that share an IP, from manifests to the table, over restarts and edits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cluster.h"

namespace herald::daemon {
namespace {

constexpr const char* kPool = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.25.150.0/24], avoid: [FirstLast], probe: false}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {interfaces: ["^eth0$"]}
)";

std::string shares(const std::string& name, int port, const std::string& key = "k") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name +
         ", namespace: default, annotations: {herald.io/sharing-key: " + key +
         "}}\nspec: {type: LoadBalancer, ports: [{port: " + std::to_string(port) + "}]}\n";
}

class Sharing : public Cluster {
 protected:
  Sharing() : Cluster(kPool) {}

  std::string ips() {
    std::string out;
    const json::object said = report("n1", R"({"command":"get","what":"services"})");
    for (const json::value& v : said.at("services").as_array()) {
      const json::object& s = v.as_object();
      out += std::string(s.at("name").as_string()) + json::serialize(s.at("ips")) + " ";
    }
    return out;
  }
};

TEST_F(Sharing, TwoOfOneMomentHaveOneIp) {
  start_three();
  read(kPool + shares("a", 80) + shares("b", 81) + shares("c", 80) + shares("d", 80, "other"));
  pass(5s);
  EXPECT_EQ(ips(), R"(a["10.25.150.1"] b["10.25.150.1"] c["10.25.150.2"] d["10.25.150.3"] )");
  EXPECT_NE(speaker("10.25.150.1"), "nobody");
}

TEST_F(Sharing, WhoStaysKeepsIt) {
  start_three();
  read(kPool + shares("a", 80) + shares("b", 81));
  pass(5s);
  const std::string owner = speaker("10.25.150.1");
  read(kPool + shares("b", 81));
  pass(5s);
  EXPECT_EQ(ips(), R"(b["10.25.150.1"] )");
  EXPECT_EQ(speaker("10.25.150.1"), owner) << "nothing moves for it";
  read(kPool + shares("b", 81) + shares("c", 82));
  pass(5s);
  EXPECT_EQ(ips(), R"(b["10.25.150.1"] c["10.25.150.1"] )");
  // An edit that sets them at odds: the older (by name, here) keeps it.
  read(kPool + shares("b", 81) + shares("c", 81));
  pass(5s);
  EXPECT_EQ(ips(), R"(b["10.25.150.1"] c["10.25.150.2"] )");
}

TEST_F(Sharing, AllKeepItOverACrashOfEveryDaemon) {
  start_three();
  read(kPool + shares("a", 80) + shares("b", 81));
  pass(5s);
  const std::string before = ips();
  for (const char* name : {"n1", "n2", "n3"}) crash(name);
  start_three();
  pass(30s);
  EXPECT_EQ(ips(), before);
  EXPECT_NE(speaker("10.25.150.1"), "nobody");
}

}  // namespace
}  // namespace herald::daemon
