// From which nodes an IP is announced on L2: by endpoints, labels, conditions, classes, weights.
#include "daemon/announcements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/wish.h"

namespace herald::daemon {
namespace {

using testing::AnyOf;
using testing::UnorderedElementsAre;

const char* const kExclude = "node.kubernetes.io/exclude-from-external-load-balancers";

// Two nodes, as the neighbours' tests have them: who may speak, by service and endpoints.
struct Case {
  const char* name;
  TrafficPolicy traffic;
  std::vector<At> endpoints;
  std::vector<std::vector<const char*>> policies;  // the nodes that each selects; none: all
  std::vector<const char*> excluded;
  std::vector<std::string> speakers;  // any one of them; none: nobody
  Hold why = Hold::None;
};
constexpr auto kCluster = TrafficPolicy::Cluster, kLocal = TrafficPolicy::Local;

const std::vector<Case>& cases() {
  static const std::vector<Case> kAll = {
      {"cluster: where the endpoint is does not matter",
       kCluster,
       {{"iris1"}},
       {{}},
       {},
       {"iris1", "iris2"}},
      {"local, both endpoints on one node", kLocal, {{"iris1"}, {"iris1"}}, {{}}, {}, {"iris1"}},
      {"local, none ready",
       kLocal,
       {{"iris1", kNot, kNot}, {"iris1", kNot, kNot}},
       {{}},
       {},
       {},
       Hold::NoEndpoints},
      {"local, one serves though it is not ready",
       kLocal,
       {{"iris1"}, {"iris2", kNot, kServing}},
       {{}},
       {},
       {"iris1", "iris2"}},
      {"local, only one that serves", kLocal, {{"iris2", kNot, kServing}}, {{}}, {}, {"iris2"}},
      {"local, ready without serving counts",
       kLocal,
       {{"iris2", kReady, kNot}},
       {{}},
       {},
       {"iris2"}},
      {"local, the one that ends does not count beside a ready one",
       kLocal,
       {{"iris1"}, {"iris2", kNot, kServing, kTerminating}},
       {{}},
       {},
       {"iris1"}},
      {"local, all of them end, and still serve",
       kLocal,
       {{"iris2", kNot, kServing, kTerminating}},
       {{}},
       {},
       {"iris2"}},
      {"local, none ready on two nodes",
       kLocal,
       {{"iris1", kNot, kNot}, {"iris2", kNot, kNot}},
       {{}},
       {},
       {},
       Hold::NoEndpoints},
      {"local, iris2 not ready", kLocal, {{"iris1"}, {"iris2", kNot, kNot}}, {{}}, {}, {"iris1"}},
      {"local, three endpoints, one not ready",
       kLocal,
       {{"iris1"}, {"iris2"}, {"iris1", kNot, kNot}},
       {{}},
       {},
       {"iris1", "iris2"}},
      {"local, iris2 has two that are not ready",
       kLocal,
       {{"iris1"}, {"iris2", kNot, kNot}, {"iris2", kNot, kNot}},
       {{}},
       {},
       {"iris1"}},
      {"local, a gateway's dummy is everywhere",
       kLocal,
       {{"gateway"}},
       {{}},
       {},
       {"iris1", "iris2"}},
      {"local, a gateway's dummy beside an endpoint of one node",
       kLocal,
       {{"gateway"}, {"iris1"}},
       {{}},
       {},
       {"iris1", "iris2"}},
      {"local, a gateway's dummy that is not ready",
       kLocal,
       {{"gateway", kNot, kNot}},
       {{}},
       {},
       {},
       Hold::NoEndpoints},
      {"local, endpoints without a node alone: nobody knows where",
       kLocal,
       {{""}},
       {{}},
       {},
       {"iris1", "iris2"}},
      {"local, endpoints without a node beside local ones are not local",
       kLocal,
       {{""}, {"iris1"}},
       {{}},
       {},
       {"iris1"}},
      {"local, endpoints without a node while the local one is not ready",
       kLocal,
       {{""}, {"iris1", kNot, kNot}},
       {{}},
       {},
       {},
       Hold::NoLocalEndpoints},
      {"local, publishNotReadyAddresses: ready, though it ends and does not serve",
       kLocal,
       {{"iris1", kReady, kNot, kTerminating}},
       {{}},
       {},
       {"iris1"}},
      {"local, what ends without serving is nothing",
       kLocal,
       {{"iris1", kNot, kNot, kTerminating}},
       {{}},
       {},
       {},
       Hold::NoEndpoints},
      {"local, no endpoint at all", kLocal, {}, {{}}, {}, {}, Hold::NoEndpoints},
      {"cluster, no endpoint at all, and nobody minds", kCluster, {}, {{}}, {}, {"iris1", "iris2"}},
      {"the policy selects one node", kCluster, {{"iris1"}}, {{"iris1"}}, {}, {"iris1"}},
      {"endpoints on both, the policy selects one",
       kCluster,
       {{"iris1"}, {"iris2"}},
       {{"iris1"}},
       {},
       {"iris1"}},
      {"local, a policy for each node", kLocal, {{"iris1"}}, {{"iris1"}, {"iris2"}}, {}, {"iris1"}},
      {"local, the endpoint is not where the policy is",
       kLocal,
       {{"iris1"}},
       {{"iris2"}},
       {},
       {},
       Hold::NoLocalEndpoints},
      {"the policy selects a node that is not there",
       kCluster,
       {{"iris1"}},
       {{"ghost"}},
       {},
       {},
       Hold::NoEligibleNode},
      {"there is no policy", kCluster, {{"iris1"}}, {}, {}, {}, Hold::NoPolicy},
      {"iris2 is excluded", kCluster, {{"iris1"}}, {{}}, {"iris2"}, {"iris1"}},
      {"iris1 is excluded", kCluster, {{"iris1"}}, {{}}, {"iris1"}, {"iris2"}},
      {"both are excluded",
       kCluster,
       {{"iris1"}},
       {{}},
       {"iris1", "iris2"},
       {},
       Hold::NodesExcluded},
  };
  return kAll;
}

World world_of(const Case& c) {
  World w;
  for (const char* name : {"iris1", "iris2"}) {
    const bool excluded = std::find_if(c.excluded.begin(), c.excluded.end(), [&](const char* e) {
                            return std::string(e) == name;
                          }) != c.excluded.end();
    w.node(name, excluded ? Labels{{kExclude, ""}} : Labels{});
  }
  for (const auto& nodes : c.policies) w.l2(nodes);
  w.service("test1", {"10.20.30.1"}, c.traffic);
  w.endpoints("test1", c.endpoints);
  return w;
}

TEST(L2Announcements, ByEndpointsPoliciesAndLabels) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const World w = world_of(c);
    const IpAnnouncements here = w.of();
    if (c.speakers.empty()) {
      EXPECT_EQ(w.speaker(), "");
      EXPECT_EQ(code(here.l2), std::string(code(c.why)));
      EXPECT_EQ(code(here.why()), std::string(code(c.why)));
      continue;
    }
    EXPECT_THAT(c.speakers, testing::Contains(w.speaker()));
    EXPECT_EQ(here.l2, Hold::None);
    // Each of them keeps it once it has it.
    for (const std::string& speaker : c.speakers) {
      World owned = w;
      owned.owners[ip("10.20.30.1")] = NodeName(speaker);
      EXPECT_EQ(owned.speaker(), speaker);
    }
  }
}

TEST(L2Announcements, TheExclusionLabelHadAnotherName) {
  World w = world_of({"", kCluster, {{"iris1"}}, {{}}, {}, {}});
  w.desired.nodes[0].labels.set("alpha.service-controller.kubernetes.io/exclude-balancer", "true");
  EXPECT_EQ(w.speaker(), "iris2");
}

TEST(L2Announcements, TaintsOfNodesThatGo) {
  World w = world_of({"", kCluster, {{"iris1"}}, {{}}, {}, {}});
  w.owners[ip("10.20.30.1")] = NodeName("iris1");
  EXPECT_EQ(w.speaker(), "iris1");
  w.desired.nodes[0].going = true;
  EXPECT_EQ(w.speaker(), "iris2");
  w.desired.nodes[1].out_of_service = true;
  EXPECT_EQ(w.speaker(), "iris1") << "going, but still there";
}

TEST(L2Announcements, TheExclusionLabelCanBeIgnored) {
  World w = world_of({"", kLocal, {{"iris1"}}, {{}}, {"iris1", "iris2"}, {}});
  EXPECT_EQ(w.speaker(), "");
  w.options.ignore_exclude_label = true;
  EXPECT_EQ(w.speaker(), "iris1");
}

TEST(L2Announcements, AServiceWithoutASliceIsUnknownNotEmpty) {
  World w;
  w.node("n1");
  w.l2().needs_endpoints = true;
  w.service("local", {"10.20.30.1"}, kLocal);
  EXPECT_EQ(w.speaker(), "n1");
  w.endpoints("local", {});
  EXPECT_EQ(w.speaker(), "");
}

TEST(L2Announcements, SlicesAddUp) {
  World w;
  for (const char* n : {"n1", "n2"}) w.node(n);
  w.l2();
  w.service("web", {"10.20.30.1"}, kLocal);
  w.endpoints("web", {{"n1", kNot, kServing, kTerminating}});
  EXPECT_EQ(w.speaker(), "n1") << "all that there is";
  w.endpoints("web", {{"n2", kNot, kNot}});
  EXPECT_EQ(w.speaker(), "n1") << "the other one has not started yet";
  w.endpoints("web", {{"n2"}});
  EXPECT_EQ(w.speaker(), "n2") << "a ready one in whichever slice";
  w.endpoints("web", {});
  EXPECT_EQ(w.speaker(), "n2");
}

TEST(L2Announcements, AnIpIsServedByTheEndpointsOfItsFamily) {
  constexpr auto v4 = IpFamily::IPv4, v6 = IpFamily::IPv6;
  World w;
  for (const char* n : {"n1", "n2"}) w.node(n);
  w.l2();
  w.service("web", {"10.20.30.1", "fd00::1"}, kLocal);
  w.endpoints("web", {{"n1"}}, v4);
  EXPECT_EQ(w.speaker("10.20.30.1"), "n1");
  EXPECT_EQ(w.speaker("fd00::1"), "n1") << "for want of a slice of its own";
  w.endpoints("web", {{"n2"}}, v6);
  EXPECT_EQ(w.speaker("10.20.30.1"), "n1");
  EXPECT_EQ(w.speaker("fd00::1"), "n2");
  w.desired.endpoint_slices.clear();
  w.endpoints("web", {{"n1"}}, v4);
  w.endpoints("web", {}, v6);
  EXPECT_EQ(w.speaker("fd00::1"), "") << "known to have none";
  // Cilium's dummy is of IPv4 alone, and its proxy takes both.
  w.desired.endpoint_slices.clear();
  w.endpoints("web", {{"gateway"}}, v4);
  EXPECT_NE(w.speaker("10.20.30.1"), "");
  EXPECT_NE(w.speaker("fd00::1"), "");
  w.endpoints("web", {}, v6);
  EXPECT_NE(w.speaker("fd00::1"), "");
}

TEST(L2Announcements, APolicyMayWantEndpoints) {
  World w;
  w.node("n1");
  w.l2().needs_endpoints = true;
  w.service("web", {"10.20.30.1"});
  w.endpoints("web", {{"n9", kNot, kNot}});
  EXPECT_EQ(w.of().l2, Hold::NoEndpoints);
  w.endpoints("web", {{"n9", kNot, kServing}});
  EXPECT_EQ(w.speaker(), "n1");
  w.l2();  // another one that does not mind
  w.desired.endpoint_slices.clear();
  w.endpoints("web", {});
  EXPECT_EQ(w.speaker(), "n1");
}

TEST(L2Announcements, UnwellDrainedAndCordonedNodesOwnOnlyWhatNobodyElseMay) {
  World w;
  w.node("n1");
  w.node("n2").ready = false;
  w.node("n3").network_unavailable = true;
  w.node("n4").cordoned = true;
  w.options.cordoned = PolicyOptions::Cordoned::Yield;
  w.l2();
  w.service("web", {"10.20.30.1"});
  EXPECT_EQ(w.speaker(), "n1");
  w.owners[ip("10.20.30.1")] = NodeName("n2");
  EXPECT_EQ(w.speaker(), "n1");
  w.drained = {NodeName("n1")};
  EXPECT_THAT(w.speaker(), AnyOf("n1", "n4")) << "what is well goes before what is willing";
  w.desired.nodes.erase(w.desired.nodes.begin());
  EXPECT_EQ(w.speaker(), "n4");
  w.desired.nodes.pop_back();
  EXPECT_EQ(w.speaker(), "n2") << "nothing falls silent for it";
}

TEST(L2Announcements, OfASharedIpTheNodeWithPodsOfAllServicesSpeaks) {
  World w;
  for (const char* n : {"n1", "n2", "n3"}) w.node(n);
  w.l2();
  w.service("a", {"10.20.30.1"}, kLocal);
  w.service("b", {"10.20.30.1"}, kLocal);
  w.service("c", {"10.20.30.1"});
  w.endpoints("a", {{"n1"}, {"n2"}});
  w.endpoints("b", {{"n2"}, {"n3"}});
  EXPECT_EQ(w.speaker(), "n2");
  w.desired.endpoint_slices.pop_back();
  w.endpoints("b", {{"n3"}});
  EXPECT_NE(w.speaker(), "") << "then one with pods of any of them";
  w.desired.services.pop_back();
  w.holdings[ip("10.20.30.1")].pop_back();
  EXPECT_NE(w.speaker(), "");
  w.desired.nodes.pop_back();
  EXPECT_THAT(w.speaker(), AnyOf("n1", "n2"));
}

TEST(L2Announcements, ClassesChooseWhoAnnounces) {
  World w;
  w.node("n1");
  w.l2().classes = {"", "io.cilium/l2-announcer"};
  Service& s = w.service("web", {"10.20.30.1"});
  EXPECT_EQ(w.speaker(), "n1");
  s.load_balancer_class = "io.cilium/l2-announcer";
  EXPECT_EQ(w.speaker(), "n1");
  s.load_balancer_class = "io.cilium/bgp-control-plane";
  EXPECT_EQ(w.of().l2, Hold::ClassNotSelected);
  w.desired.l2_policies[0].classes.clear();
  EXPECT_EQ(w.speaker(), "n1");
}

TEST(L2Announcements, PoolsAreChosenByNameOrLabels) {
  World w;
  w.node("n1");
  w.desired.pools[0].labels = {{"site", "home"}};
  L2Policy& p = w.l2();
  w.service("web", {"10.20.30.1"});
  p.pools.names = {PoolName("other")};
  EXPECT_EQ(w.of().l2, Hold::NoPolicy);
  p.pools.selectors = {labelled("site", "work"), labelled("site", "home")};
  EXPECT_EQ(w.speaker(), "n1");
  p.pools = {};
  p.service_selectors = {labelled("app", "x"), labelled("app", "web")};
  EXPECT_EQ(w.speaker(), "");
  w.desired.services[0].labels = {{"app", "web"}};
  EXPECT_EQ(w.speaker(), "n1");
}

TEST(L2Announcements, WeightsOfPoliciesThatDoNotMatchDoNotCount) {
  World w;
  w.node("edge-a", {{"role", "edge"}});
  w.node("worker-a", {{"role", "worker"}});
  w.l2({"edge-a"}).preferred_nodes = {{100, labelled("role", "edge")}};
  w.l2();
  L2Policy& poison = w.l2();
  poison.preferred_nodes = {{1000, labelled("role", "worker")}};
  poison.service_selectors = {labelled("app", "does-not-match")};
  w.service("web", {"10.20.30.1"});
  w.endpoints("web", {{"worker-a"}});
  EXPECT_EQ(w.speaker(), "edge-a");
  // Local goes before any weight.
  w.desired.services[0].traffic_policy = kLocal;
  EXPECT_EQ(w.speaker(), "worker-a");
}

TEST(L2Announcements, WeightsAddUp) {
  World w;
  w.node("a", {{"role", "edge"}});
  w.node("b", {{"role", "edge"}, {"zone", "2"}});
  w.l2().preferred_nodes = {{70, labelled("kubernetes.io/hostname", "a")},
                            {30, labelled("zone", "2")}};
  w.l2().preferred_nodes = {{50, labelled("zone", "2")}};
  w.service("web", {"10.20.30.1"});
  EXPECT_EQ(w.speaker(), "b");
}

TEST(L2Announcements, ASharedIpCanBeRefusedToPoliciesWithASelector) {
  World w;
  w.node("n1");
  L2Policy& p = w.l2();
  p.refuses_shared = true;
  w.l2();  // another one that has no selector
  Service& s = w.service("web", {"10.20.30.1"});
  s.labels = {{"app", "web"}};
  s.sharing = Sharing{"k", {}, false};
  EXPECT_EQ(w.speaker(), "n1");
  w.desired.l2_policies[0].service_selectors = {labelled("app", "web")};
  EXPECT_EQ(w.of().l2, Hold::SharedIPWithSelector);
  s.sharing.reset();
  EXPECT_EQ(w.speaker(), "n1");
}

TEST(L2Announcements, KnownLinksDecideAndAreNamed) {
  World w;
  w.node("n1");
  w.node("n2");
  w.l2().interfaces = {"^eth"};
  w.service("web", {"10.20.30.1"});
  const Policies all = w.policies();
  auto nodes = declared_nodes(all);
  nodes[0].links = {{"wlan0", {net("10.20.30.0/24")}}};
  nodes[1].links = {{"eth0", {net("10.0.0.0/8")}}, {"eth1", {net("192.168.0.0/24")}}};
  auto told = announcements(all, w.holdings, nodes);
  ASSERT_EQ(told[0].announced.size(), 1u);
  EXPECT_EQ(told[0].announced[0].node, NodeName("n2"));
  EXPECT_EQ(told[0].announced[0].interfaces, std::vector<std::string>{"eth0"});
  nodes.pop_back();
  told = announcements(all, w.holdings, nodes);
  EXPECT_EQ(told[0].l2, Hold::NoInterface);
}

TEST(L2Announcements, ManyIpsAreSpreadEvenly) {
  World w;
  for (const char* n : {"n1", "n2", "n3"}) w.node(n);
  w.l2();
  for (int i = 1; i <= 90; ++i) {
    w.service(("s" + std::to_string(i)).c_str(), {("10.20.30." + std::to_string(i)).c_str()});
  }
  std::map<std::string, int> counts;
  for (const auto& a : w.announced()) ++counts[a.announced.at(0).node.str()];
  EXPECT_THAT(counts, UnorderedElementsAre(testing::Pair("n1", 30), testing::Pair("n2", 30),
                                           testing::Pair("n3", 30)));
}

TEST(L2Announcements, WithoutNodesNothingIsAnnounced) {
  World w;
  w.l2();
  w.bgp();
  w.peer("tor");
  w.service("web", {"10.20.30.1"});
  EXPECT_EQ(w.of().why(), Hold::NoNodeKnown);
  EXPECT_TRUE(w.of().announced.empty());
}

}  // namespace
}  // namespace herald::daemon
