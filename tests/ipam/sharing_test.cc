// Who may share an IP, who does, and what is said to those who may not.
#include "ipam/sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ipam/plan_world.h"

namespace herald::ipam {
namespace {

using testing::HasSubstr;

// "web" in namespace default with key "k" and port 80/TCP, externalTrafficPolicy Cluster.
Service sharer(const std::string& name, std::uint16_t port = 80, const std::string& key = "k") {
  Service s = service(name);
  s.sharing = Sharing{key, {}, false};
  s.ports = {{port, Protocol::TCP}};
  return s;
}
Service local(Service s, const std::string& app) {
  s.traffic_policy = TrafficPolicy::Local;
  if (!app.empty()) s.selector = {{"app", app}};
  return s;
}
Service in(Service s, const std::string& ns, const std::vector<std::string>& permits) {
  s.name.ns = ns;
  s.sharing->namespaces = permits;
  return s;
}
Service any_pods(Service s) {
  s.sharing->permit_different_pods = true;
  return s;
}
Service udp(Service s) {
  for (ServicePort& p : s.ports) p.protocol = Protocol::UDP;
  return s;
}

TEST(Sharing, Rule) {
  using enum Reason;
  const struct {
    const char* name;
    Service a, b;
    Reason expected;
  } cases[] = {
      {"same key, other port", sharer("a", 80), sharer("b", 81), Allocated},
      {"no key", service("a"), service("b"), SharingKeyMismatch},
      {"one key", sharer("a"), service("b"), SharingKeyMismatch},
      {"other key", sharer("a", 80, "k"), sharer("b", 81, "l"), SharingKeyMismatch},
      {"same port", sharer("a"), sharer("b"), SharingPortConflict},
      {"same port, other protocol", sharer("a"), udp(sharer("b")), Allocated},
      {"other namespace", in(sharer("a", 80), "x", {}), in(sharer("b", 81), "y", {}),
       SharingNamespaceNotPermitted},
      {"one side permits", in(sharer("a", 80), "x", {"y"}), in(sharer("b", 81), "y", {}),
       SharingNamespaceNotPermitted},
      {"both permit", in(sharer("a", 80), "x", {"y"}), in(sharer("b", 81), "y", {"*"}), Allocated},
      {"other policy", local(sharer("a", 80), "w"), sharer("b", 81), SharingPolicyMismatch},
      {"Cluster, other pods", sharer("a", 80), sharer("b", 81), Allocated},
      {"Local, same pods", local(sharer("a", 80), "w"), local(sharer("b", 81), "w"), Allocated},
      {"Local, other pods", local(sharer("a", 80), "w"), local(sharer("b", 81), "v"),
       SharingBackendMismatch},
      {"Local, one permits other pods", any_pods(local(sharer("a", 80), "w")),
       local(sharer("b", 81), "v"), SharingBackendMismatch},
      {"Local, both permit other pods", any_pods(local(sharer("a", 80), "w")),
       any_pods(local(sharer("b", 81), "v")), Allocated},
      {"Local, no selectors", any_pods(local(sharer("a", 80), "")),
       any_pods(local(sharer("b", 81), "")), SharingBackendMismatch},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(may_share(c.a, c.b), c.expected) << c.name;
    EXPECT_EQ(may_share(c.b, c.a), c.expected) << c.name;
  }
}

World lan() {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/29"})};
  return w;
}

// What each service gets, in a world that has settled.
std::vector<std::string> all_said(World& w) {
  std::vector<std::string> out;
  for (const Decision& d : w.settle().decisions) out.push_back(said(d));
  return out;
}
using Said = std::vector<std::string>;

TEST(Sharing, AnIpInUseBeforeAFreeOne) {
  World w = lan();
  w.services = {service("0"),    sharer("a", 80),      sharer("b", 81), sharer("c", 80),
                sharer("d", 81), sharer("e", 82, "l"), service("f")};
  EXPECT_EQ(all_said(w), (Said{"10.0.0.0", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2",
                               "10.0.0.3", "10.0.0.4"}));
  EXPECT_EQ(w.look().pools[0].used(), 5u);
}

TEST(Sharing, AFreeIpIfItIsLower) {
  World w = lan();
  w.pools[0].prefer_shared = false;
  w.services = {service("0"), sharer("a", 80)};
  w.settle();
  w.services.erase(w.services.begin());
  w.settle();
  w.services.push_back(sharer("b", 81));
  w.services.push_back(sharer("c", 82));
  EXPECT_EQ(all_said(w), (Said{"10.0.0.1", "10.0.0.0", "10.0.0.0"}));
}

TEST(Sharing, OnlyFromAPoolThatLetsItIn) {
  World w = lan();
  w.pools[0].service_selectors = {select({{"team", "a"}})};
  w.pools.push_back(pool("other", {"10.0.1.0/29"}));
  w.services = {sharer("a", 80), sharer("b", 81)};
  w.services[0].labels = {{"team", "a"}};
  EXPECT_EQ(all_said(w), (Said{"10.0.0.0", "10.0.1.0"}));
}

TEST(Sharing, TheIpIsFreeWhenTheLastOneLeaves) {
  World w = lan();
  w.services = {sharer("a", 80), sharer("b", 81)};
  w.settle();
  w.services.erase(w.services.begin());
  w.settle();
  w.services.push_back(service("z"));
  EXPECT_EQ(all_said(w), (Said{"10.0.0.0", "10.0.0.1"}));
  w.services.erase(w.services.begin());
  w.settle();
  w.services.push_back(service("zz"));
  EXPECT_EQ(all_said(w), (Said{"10.0.0.1", "10.0.0.0"}));
}

TEST(Sharing, OfTwoWhoNoLongerMayTheOlderKeepsIt) {
  void (*const edits[])(Service&) = {
      [](Service& s) { s.sharing->key = "l"; },
      [](Service& s) { s.sharing.reset(); },
      [](Service& s) {
        s.ports.push_back({80, Protocol::TCP});
      },
      [](Service& s) { s.traffic_policy = TrafficPolicy::Local; },
  };
  for (const auto& edit : edits) {
    for (const std::size_t edited : {0u, 1u}) {
      World w = lan();
      w.services = {sharer("a", 80), sharer("b", 81)};
      w.settle();
      edit(w.services[edited]);
      if (edited == 0) w.services[0].ports.push_back({81, Protocol::TCP});
      EXPECT_EQ(all_said(w), (Said{"10.0.0.0", "10.0.0.1"})) << edited;
    }
  }
}

TEST(Sharing, ByStatusAlone) {
  World w = lan();
  w.services = {sharer("a", 80), sharer("b", 80), sharer("c", 81), sharer("d", 80)};
  for (const std::size_t i : {0u, 2u}) w.services[i].held = {ip("10.0.0.5")};
  w.services[1].held = {ip("10.0.0.6")};
  w.services[3].held = {ip("10.0.0.5")};  // cannot be: the older keeps it
  EXPECT_EQ(all_said(w), (Said{"10.0.0.5", "10.0.0.6", "10.0.0.5", "10.0.0.0"}));
}

TEST(Sharing, WhoLeavesIsInTheWayUntilItHasStopped) {
  World w = lan();
  w.services = {sharer("a", 80), sharer("b", 81)};
  w.settle();
  w.services[1].sharing->key = "l";
  w.services.push_back(sharer("c", 81));
  // b still holds 10.0.0.0 in the table, with this port.
  EXPECT_EQ(said(w.look().decisions[2]), "10.0.0.2");
  w.services.pop_back();
  w.settle();
  w.services.push_back(sharer("c", 81));
  EXPECT_EQ(said(w.look().decisions[2]), "10.0.0.0");
}

TEST(Sharing, DualStackSharesEachFamilyByItself) {
  World w = lan();
  w.pools.push_back(pool("lan6", {"fd00::/64"}));
  w.services = {sharer("a", 80), sharer("b", 81), sharer("c", 81)};
  w.services[0].families = {IpFamily::IPv4};
  for (std::size_t i = 1; i < 3; ++i) {
    w.services[i].family_policy = IpFamilyPolicy::RequireDualStack;
  }
  EXPECT_EQ(all_said(w), (Said{"10.0.0.0", "10.0.0.0 fd00::", "10.0.0.1 fd00::1"}));
}

TEST(Sharing, RefusalsOfARequestNameThePartnerAndTheWayOut) {
  const struct {
    Service holder, asks;
    const char* expected;
    std::vector<const char*> message;
  } cases[] = {
      {service("a"), service("b"), "AlreadyAllocated", {"default/a", "ask for another address"}},
      {sharer("a"), service("b"), "AlreadyAllocated", {"default/a"}},
      {service("a"),
       sharer("b"),
       "SharingKeyMismatch",
       {"default/b is 'k', that of default/a is none"}},
      {sharer("a", 80, "l"), sharer("b", 81), "SharingKeyMismatch", {"'k'", "'l'"}},
      {sharer("a"), sharer("b"), "SharingPortConflict", {"default/b and default/a", "port 80/TCP"}},
      {local(sharer("a"), "w"),
       sharer("b", 81),
       "SharingPolicyMismatch",
       {"default/b is Cluster, that of default/a is Local"}},
      {local(sharer("a"), "w"),
       local(sharer("b", 81), "v"),
       "SharingBackendMismatch",
       {"app=v", "app=w", "let both permit to share with different pods"}},
      {in(sharer("a"), "x", {}),
       in(sharer("b", 81), "y", {"x"}),
       "SharingNamespaceNotPermitted",
       {"x/a does not permit namespace y"}},
      {in(sharer("a"), "x", {"y"}),
       in(sharer("b", 81), "y", {}),
       "SharingNamespaceNotPermitted",
       {"y/b does not permit namespace x"}},
  };
  for (const auto& c : cases) {
    World w = lan();
    w.services = {c.holder, c.asks};
    for (std::size_t i = 0; i < w.services.size(); ++i) w.services[i].requested = {ip("10.0.0.3")};
    const Decision d = w.settle().decisions[1];
    EXPECT_EQ(said(d), c.expected);
    for (const char* part : c.message) EXPECT_THAT(d.message, HasSubstr(part)) << c.expected;
  }
}

TEST(Sharing, AllHoldersHaveToAgree) {
  World w = lan();
  w.services = {sharer("a", 80), sharer("b", 81), sharer("c", 81)};
  for (std::size_t i = 0; i < w.services.size(); ++i) w.services[i].requested = {ip("10.0.0.3")};
  const Plan p = w.settle();
  EXPECT_EQ(said(p.decisions[1]), "10.0.0.3");
  EXPECT_EQ(said(p.decisions[2]), "SharingPortConflict");
  EXPECT_THAT(p.decisions[2].message, HasSubstr("default/b"));
  w.services[1].ports = {{82, Protocol::TCP}};
  EXPECT_EQ(said(w.settle().decisions[2]), "10.0.0.3");
}

TEST(Sharing, NotWithAServiceThatNobodyKnows) {
  World w = lan();
  w.complete = false;
  w.holdings[ip("10.0.0.0")] = {{"default", "a"}, {"default", "gone"}};
  w.services = {sharer("a", 80), sharer("b", 81)};
  EXPECT_EQ(all_said(w), (Said{"10.0.0.0", "10.0.0.1"}));
}

}  // namespace
}  // namespace herald::ipam
