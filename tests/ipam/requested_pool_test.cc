// A service that asks for a pool by name; pools that give all IPs of a service or none; what a
// request that cannot be had does to what is held; requests that cannot be meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ipam/plan_world.h"

namespace herald::ipam {
namespace {

using testing::HasSubstr;
using enum IpFamilyPolicy;

World two() {
  World w;
  w.pools = {pool("a", {"10.0.0.0/30"}), pool("b", {"10.0.1.0/30"})};
  w.services = {service("web")};
  return w;
}
void ask_for(Service& s, const std::string& name) {
  s.requested_pool = PoolName(name);
  s.requested_pool_by = "annotation metallb.io/address-pool";
}

TEST(RequestedPool, OnlyThatPoolEvenIfItAssignsNothingByItself) {
  World w = two();
  w.pools[1].auto_assign = false;
  ask_for(w.services[0], "b");
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.1.0");
}

TEST(RequestedPool, Refusals) {
  const struct {
    void (*arrange)(World&);
    const char* expected;
    const char* message;
  } cases[] = {
      {[](World& w) { ask_for(w.services[0], "c"); }, "RequestedPoolUnknown",
       "default/web asks for pool c (annotation metallb.io/address-pool), which does not exist: "
       "add it, or ask for another (there are a, b)"},
      {[](World& w) {
         w.pools[1].service_selectors = {select({{"app", "x"}})};
       },
       "PoolSelectorMismatch", "does not select it (serviceSelector app=x)"},
      {[](World& w) {
         w.pools[1].namespace_selectors = {select({{"kubernetes.io/metadata.name", "prod"}})};
       },
       "PoolSelectorMismatch", "kubernetes.io/metadata.name=prod"},
      {[](World& w) { w.pools[1].disabled = true; }, "PoolDisabled", "pool b"},
      {[](World& w) { w.pools[1].conflicts_with = PoolName("a"); }, "PoolConflict",
       "overlaps the older pool a"},
      {[](World& w) { w.pools[1].conflicts_with = PoolName("b"); }, "PoolConflict",
       "overlaps itself"},
      {[](World& w) { w.services[0].families = {IpFamily::IPv6}; }, "NoMatchingPool",
       "has no IPv6 addresses"},
      {[](World& w) { w.pools[1].avoided = w.pools[1].ranges; }, "PoolExhausted",
       "in pool b (0 of 0"},
      {[](World& w) { w.services[0].requested = {ip("10.0.0.1")}; }, "RequestedIPNotInPool",
       "is not in pool b"},
  };
  for (const auto& c : cases) {
    World w = two();
    ask_for(w.services[0], "b");
    c.arrange(w);
    const Decision d = w.settle().decisions[0];
    EXPECT_EQ(said(d), c.expected);
    EXPECT_THAT(d.message, HasSubstr(c.message));
  }
}

TEST(RequestedPool, AHeldIpOfAnotherIsGivenUpWhenOneOfItCanBeHad) {
  for (const bool by_status : {false, true}) {
    World w = two();
    if (by_status) {
      w.services[0].held = {ip("10.0.0.0")};
    } else {
      w.settle();
    }
    ask_for(w.services[0], "b");
    w.pools[1].disabled = true;
    Plan p = w.settle();
    EXPECT_EQ(said(p.decisions[0]), "10.0.0.0 PoolDisabled");
    EXPECT_THAT(p.decisions[0].message, HasSubstr("until then it keeps 10.0.0.0"));
    w.pools[1].disabled = false;
    EXPECT_EQ(said(w.settle().decisions[0]), "10.0.1.0");
    EXPECT_EQ(w.holdings.size(), 1u);
  }
}

TEST(RequestedPool, NoEditOfItMovesAnything) {
  World w = two();
  ask_for(w.services[0], "b");
  w.settle();
  w.came_from[ip("10.0.1.0")] = PoolName("b");
  const World before = w;
  w.pools[1].name = PoolName("c");
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.1.0");
  w = before;
  w.pools[1].ranges = {addresses("10.0.2.0/30")};
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.1.0");
  w.pools.pop_back();
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.1.0");
}

TEST(ReleaseOnRefusal, WhatIsHeldGoesWithTheRequest) {
  for (const bool by_status : {false, true}) {
    World w = two();
    w.services[0].held = {ip("10.0.0.1")};
    if (!by_status) w.settle();
    w.services[0].requested = {ip("10.0.9.9")};
    EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.1 RequestedIPNotInPool");
    w.pools[0].release_on_refusal = true;
    EXPECT_EQ(said(w.settle().decisions[0]), "RequestedIPNotInPool");
  }
}

TEST(ReleaseOnRefusal, NotWhatIsStillAskedFor) {
  World w = two();
  w.pools[0].release_on_refusal = true;
  w.services[0].requested = {ip("10.0.0.1")};
  w.settle();
  w.services[0].requested.push_back(ip("10.0.9.9"));
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.1 RequestedIPNotInPool");
}

TEST(OnePool, AllFamiliesOrNone) {
  const struct {
    IpFamilyPolicy policy;
    std::vector<IpFamily> families;
    std::vector<Pool> pools;
    const char* expected;
  } cases[] = {
      {RequireDualStack,
       {},
       {pool("4", {"10.0.0.0/30"}), pool("6", {"fd00::/64"})},
       "NoMatchingPool"},
      {RequireDualStack,
       {},
       {pool("4", {"10.0.0.0/30"}), pool("d", {"fd01::/64", "10.0.1.0/30"})},
       "10.0.1.0 fd01::"},
      {PreferDualStack,
       {},
       {pool("4", {"10.0.0.0/30"}), pool("d", {"fd01::/64", "10.0.1.0/30"})},
       "10.0.1.0 fd01::"},
      {PreferDualStack, {}, {pool("6", {"fd00::/64"}), pool("4", {"10.0.0.0/30"})}, "10.0.0.0"},
      {PreferDualStack,
       {IpFamily::IPv6, IpFamily::IPv4},
       {pool("4", {"10.0.0.0/30"}), pool("6", {"fd00::/64"})},
       "fd00::"},
      {PreferDualStack, {}, {pool("6", {"fd00::/64"})}, "fd00::"},
      {PreferDualStack, {}, {}, "NoMatchingPool"},
      {SingleStack, {}, {pool("6", {"fd00::/64"}), pool("4", {"10.0.0.0/30"})}, "10.0.0.0"},
  };
  for (const auto& c : cases) {
    World w;
    w.pools = c.pools;
    for (Pool& p : w.pools) p.one_pool = true;
    w.services = {service("web")};
    w.services[0].family_policy = c.policy;
    w.services[0].families = c.families;
    EXPECT_EQ(said(w.settle().decisions[0]), c.expected);
    EXPECT_EQ(said(w.settle().decisions[0]), c.expected) << "again";
  }
}

TEST(OnePool, APoolForSomeBeforeADualStackPoolForAll) {
  World w;
  w.pools = {pool("d", {"fd01::/64", "10.0.1.0/30"}), pool("4", {"10.0.0.0/30"})};
  for (Pool& p : w.pools) p.one_pool = true;
  w.pools[1].priority = 1;
  w.services = {service("web")};
  w.services[0].family_policy = PreferDualStack;
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.0");
  w.services[0].family_policy = RequireDualStack;
  w.holdings.clear();
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.1.0 fd01::");
}

TEST(OnePool, TheSecondFamilyComesFromThePoolOfTheFirst) {
  World w;
  w.pools = {pool("a", {"fd00::/64", "10.0.0.0/30"}), pool("b", {"fd01::/64", "10.0.1.0/30"})};
  for (Pool& p : w.pools) p.one_pool = true;
  w.services = {service("web")};
  w.services[0].family_policy = RequireDualStack;
  w.services[0].held = {ip("fd01::")};
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.1.0 fd01::");
  World full = w;
  full.holdings.clear();
  full.pools[1].avoided = {addresses("10.0.1.0/30")};
  EXPECT_EQ(said(full.settle().decisions[0]), "fd01:: PoolExhausted");
}

TEST(OnePool, BesidePoolsThatMix) {
  World w;
  w.pools = {pool("a", {"10.0.0.0/30"}), pool("b", {"fd01::/64", "10.0.1.0/30"}),
             pool("c", {"fd02::/64"})};
  w.pools[1].one_pool = true;
  w.services = {service("web")};
  w.services[0].family_policy = RequireDualStack;
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.0 fd02::");
  w.pools[1].priority = 1;
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.1.0 fd01::");
}

TEST(OnePool, ARequestIsGrantedWholeOrNotAtAll) {
  World w;
  w.pools = {pool("a", {"10.0.0.0/30", "fd00::/64"}), pool("b", {"fd01::/64"})};
  w.services = {service("web", 0, {"10.0.0.0", "fd01::"})};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.0 fd01::");
  w.pools[0].one_pool = true;
  const Decision d = w.look().decisions[0];
  EXPECT_EQ(said(d), "RequestedIPNotInPool");
  EXPECT_THAT(d.message, HasSubstr("10.0.0.0 and fd01::, which are not of one pool"));
  w.services[0].requested = {ip("10.0.0.0"), ip("fd00::5")};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.0 fd00::5");
  w.services.push_back(service("older", -1, {"fd00::5"}));
  EXPECT_EQ(said(w.look().decisions[0]), "AlreadyAllocated");
}

TEST(FamilyCheck, OfRequests) {
  using enum IpFamily;
  using enum FamilyCheck;
  const struct {
    FamilyCheck check;
    std::vector<IpFamily> families;
    IpFamilyPolicy policy;
    std::vector<std::string> asked;
    const char* expected;
  } cases[] = {
      {Named, {IPv4}, SingleStack, {"fd00::1"}, "FamilyMismatch"},
      {Any, {IPv4}, SingleStack, {"fd00::1"}, "fd00::1"},
      {Any, {IPv4}, SingleStack, {"10.0.0.1", "10.0.0.2"}, "10.0.0.1 10.0.0.2"},
      {Exact, {IPv4}, SingleStack, {"fd00::1"}, "FamilyMismatch"},
      {Exact, {}, SingleStack, {"fd00::1"}, "fd00::1"},
      {Exact, {IPv4, IPv6}, PreferDualStack, {"10.0.0.1"}, "FamilyMismatch"},
      {Named, {IPv4, IPv6}, PreferDualStack, {"10.0.0.1"}, "10.0.0.1"},
      {Exact, {IPv4, IPv6}, SingleStack, {"10.0.0.1"}, "FamilyMismatch"},
      {Exact, {IPv4, IPv6}, RequireDualStack, {"fd00::1", "10.0.0.1"}, "fd00::1 10.0.0.1"},
      {Exact, {IPv4}, SingleStack, {"10.0.0.1", "fd00::1"}, "FamilyMismatch"},
      {Exact, {IPv4}, RequireDualStack, {}, "FamilyMismatch"},
      {Exact, {IPv4, IPv6}, SingleStack, {}, "FamilyMismatch"},
      {Exact, {IPv4}, PreferDualStack, {}, "10.0.0.0"},
  };
  for (const auto& c : cases) {
    World w;
    w.pools = {pool("a", {"10.0.0.0/30", "fd00::/64"})};
    w.pools[0].family_check = c.check;
    w.pools[0].one_pool = c.check == Exact;
    w.services = {service("web", 0, c.asked)};
    w.services[0].families = c.families;
    w.services[0].family_policy = c.policy;
    EXPECT_EQ(said(w.settle().decisions[0]), c.expected);
    EXPECT_EQ(said(w.settle().decisions[0]), c.expected) << "again";
  }
}

TEST(InvalidRequest, NothingNewAndWhatIsHeldStays) {
  World w = two();
  w.services[0].invalid_request = "spec.loadBalancerIP and an annotation exclude one another";
  Decision d = w.settle().decisions[0];
  EXPECT_EQ(said(d), "InvalidRequest");
  EXPECT_THAT(d.message, HasSubstr("default/web: spec.loadBalancerIP and an annotation"));
  w.services[0].held = {ip("10.0.0.2")};
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.2 InvalidRequest");
  w.services[0].invalid_families = true;
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.2 FamilyMismatch");
}

TEST(NoClusterIP, HoldsNothing) {
  World w = two();
  w.settle();
  w.services[0].headless = true;
  w.services[0].held = {ip("10.0.0.0")};
  const Decision d = w.settle().decisions[0];
  EXPECT_EQ(said(d), "NoClusterIP");
  EXPECT_THAT(d.message, HasSubstr("default/web has no cluster IP"));
  EXPECT_TRUE(w.holdings.empty());
}

TEST(ForeignStatus, IsTakenOverOnlyWhereAPoolHasIt) {
  World w = two();
  w.services[0].held = {ip("192.0.2.1"), ip("10.0.0.3")};
  w.services[0].foreign_status = true;
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.3");
}

}  // namespace
}  // namespace herald::ipam
