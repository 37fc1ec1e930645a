// A cluster's day: services renamed, changed and deleted, nodes that go and come, as the API server
// shows it. Nothing here leaves a finalizer behind: what is gone is known from the next reading.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cluster.h"

namespace herald::daemon {
namespace {

constexpr const char* kLan = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.25.150.0/24, "fd00:25::/64"], avoid: [FirstLast], probe: false}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {rebalance: never}
)";

std::string service(const std::string& name, const std::string& spec = "type: LoadBalancer",
                    const std::string& ns = "default") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: " + ns +
         "}\nspec: {" + spec + "}\n";
}
std::string node(const std::string& name, bool ready = true, const std::string& taints = "") {
  return "---\napiVersion: v1\nkind: Node\nmetadata: {name: " + name + "}\nspec: {taints: [" +
         taints + "]}\nstatus: {conditions: [{type: Ready, status: '" + (ready ? "True" : "False") +
         "'}]}\n";
}

class ClusterLife : public Cluster {
 protected:
  ClusterLife() : Cluster("") {}
  void configure(NodeConfig& config) override { config.objects = from_api_; }
  void begin(const std::string& manifests) {
    manifests_.set_file("home.yaml", manifests);
    start_three();
  }
  const coord::Table& table() const { return hosts_.begin()->second.node->table(); }
  // The IPs that are held for a service.
  std::vector<std::string> ips(const std::string& name, const std::string& ns = "default") const {
    std::vector<std::string> out;
    for (const auto& [vip, services] : holdings_of(table())) {
      for (const ObjectName& s : services) {
        if (s == ObjectName{ns, name}) out.push_back(to_string(vip));
      }
    }
    return out;
  }
  std::string ip(const std::string& name) const {
    const auto all = ips(name);
    return all.size() == 1 ? all[0] : std::to_string(all.size()) + " IPs";
  }
  std::string speaker_of(const std::string& name) const { return speaker(ip(name).c_str()); }

  bool from_api_ = false;
};

TEST_F(ClusterLife, ARenamedServiceIsAnotherOne) {
  begin(kLan + service("web"));
  const std::string first = ip("web");
  EXPECT_NE(speaker(first.c_str()), "nobody");
  read(kLan + service("www"));
  pass(5s);
  EXPECT_TRUE(ips("web").empty());
  EXPECT_NE(speaker_of("www"), "nobody");
  EXPECT_EQ(speakers()[speaker_of("www")], 1U) << "the old one's is not announced any more";
}

TEST_F(ClusterLife, TypeAndClassComeAndGo) {
  const char* const foreign[] = {"type: ClusterIP", "type: NodePort",
                                 "type: LoadBalancer, loadBalancerClass: example.com/other"};
  manifests_ = config::Manifests({{"herald.io/lb"}, true});
  begin(kLan + service("web") + service("other"));
  for (const char* spec : foreign) {
    SCOPED_TRACE(spec);
    const std::string held = ip("web"), other = ip("other");
    EXPECT_NE(speaker(held.c_str()), "nobody");
    read(kLan + service("web", spec) + service("other"));
    pass(5s);
    EXPECT_TRUE(ips("web").empty());
    EXPECT_EQ(speaker(held.c_str()), "nobody");
    EXPECT_EQ(ip("other"), other);
    read(kLan + service("web", "type: LoadBalancer, loadBalancerClass: herald.io/lb") +
         service("other"));
    pass(5s);
    EXPECT_NE(speaker_of("web"), "nobody");
    read(kLan + service("web") + service("other"));
    pass(5s);
    EXPECT_NE(speaker_of("web"), "nobody")
        << "of its class before, of none now: ours all the while";
  }
}

TEST_F(ClusterLife, WhatWasDeletedWhileNobodyLookedIsReleasedByTheFirstReading) {
  begin(kLan + service("web") + service("dns"));
  const std::string web = ip("web"), dns = ip("dns");
  for (const char* n : {"n1", "n2", "n3"}) crash(n);
  pass(60s);
  manifests_.set_file("home.yaml", kLan + service("dns") + service("new"));
  start_three();
  pass(10s);
  EXPECT_TRUE(ips("web").empty());
  EXPECT_EQ(ip("dns"), dns) << "over everything";
  EXPECT_NE(speaker(dns.c_str()), "nobody");
  EXPECT_NE(speaker_of("new"), "nobody");
}

TEST_F(ClusterLife, AnIncompleteReadingReleasesNothing) {
  begin(kLan + service("web"));
  const std::string web = ip("web");
  for (const char* n : {"n1", "n2", "n3"}) crash(n);
  pass(60s);
  manifests_.set_file("home.yaml", kLan);
  manifests_.set_file("other.yaml", "kind: [");
  start_three();
  pass(30s);
  EXPECT_EQ(ip("web"), web);
  manifests_.remove_file("other.yaml");
  read(kLan);
  pass(10s);
  EXPECT_TRUE(ips("web").empty());
}

TEST_F(ClusterLife, ANamespaceGoesWithAllThatWasInIt) {
  const std::string shop = "type: LoadBalancer";
  begin(kLan + service("web") + service("a", shop, "shop") + service("b", shop, "shop"));
  EXPECT_EQ(ips("a", "shop").size() + ips("b", "shop").size(), 2U);
  read(kLan + service("web"));
  pass(5s);
  EXPECT_TRUE(ips("a", "shop").empty());
  EXPECT_TRUE(ips("b", "shop").empty());
  std::size_t announced = 0;
  for (const auto& [name, count] : speakers()) announced += count;
  EXPECT_EQ(announced, 1U);
}

TEST_F(ClusterLife, DualStackComesAndGoes) {
  const std::string both =
      "type: LoadBalancer, ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6]";
  begin(kLan + service("web", "type: LoadBalancer, ipFamilies: [IPv4]"));
  const std::string v4 = ip("web");
  read(kLan + service("web", both));
  pass(5s);
  ASSERT_EQ(ips("web").size(), 2U);
  EXPECT_EQ(ips("web")[0], v4);
  EXPECT_NE(speaker(v4.c_str()), "nobody");
  EXPECT_NE(speaker(ips("web")[1].c_str()), "nobody");
  read(kLan + service("web", "type: LoadBalancer, ipFamilies: [IPv4]"));
  pass(5s);
  EXPECT_EQ(ip("web"), v4);
}

TEST_F(ClusterLife, NodesThatAreNotWellHandOverAndTakeAgain) {
  struct {
    const char* what;
    std::string bad;
  } const cases[] = {
      {"NotReady", node("BAD", false)},
      {"out of service, but alive",
       node("BAD", false, "{key: node.kubernetes.io/out-of-service, effect: NoExecute}")},
      {"about to be removed",
       node("BAD", true, "{key: ToBeDeletedByClusterAutoscaler, effect: NoSchedule}")},
  };
  const std::string good = kLan + service("web") + node("n1") + node("n2") + node("n3");
  begin(good);
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    const std::string owner = speaker_of("web");
    std::string bad = c.bad, all = kLan + service("web");
    bad.replace(bad.find("BAD"), 3, owner);
    for (const char* n : {"n1", "n2", "n3"}) all += n == owner ? bad : node(n);
    read(all);
    pass(3s);
    EXPECT_NE(speaker_of("web"), owner);
    EXPECT_NE(speaker_of("web"), "nobody");
    read(good);
    pass(3s);
    EXPECT_TRUE(hosts_.at(owner).node->membership().joined());
  }
}

// A Node object is not the daemon that runs on it.
TEST_F(ClusterLife, ADeletedNodeWhoseDaemonLivesStaysAndServes) {
  from_api_ = true;
  begin(kLan + service("web") + node("n1") + node("n2") + node("n3"));
  read(kLan + service("web") + node("n1") + node("n2") + node("n3") + " ");
  const std::string owner = speaker_of("web");
  std::string rest = kLan + service("web");
  for (const char* n : {"n1", "n2", "n3"}) rest += n == owner ? "" : node(n);
  const auto life = hosts_.at(owner).node->membership().incarnation();
  read(rest);
  pass(60s);
  EXPECT_EQ(speaker_of("web"), owner);
  EXPECT_EQ(hosts_.at(owner).node->membership().incarnation(), life);
}

// A DaemonSet that is rolled out with maxUnavailable 2.
TEST_F(ClusterLife, SeveralNodesStopAtOnceAndTheLastOneHasEverything) {
  std::string all = kLan;
  all.replace(all.find("never"), 5, "gentle");
  for (int i = 0; i < 30; ++i) all += service("s" + std::to_string(i));
  begin(all);
  pass(120s);
  ASSERT_EQ(speakers().size(), 3U);
  deliver("n1", StopRequested{});
  deliver("n2", StopRequested{});
  settle();
  pass(100ms);  // what n1 passed on to n2, which stops as well, goes on to n3
  for (int i = 0; i < 30; ++i) EXPECT_EQ(speaker_of("s" + std::to_string(i)), "n3");
  crash("n1");
  crash("n2");
  pass(5s);
  start("n1");
  start("n2");
  pass(120s);
  EXPECT_EQ(speakers().size(), 3U);
}

}  // namespace
}  // namespace herald::daemon
