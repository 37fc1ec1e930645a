#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ipam/plan_world.h"

namespace herald::ipam {
namespace {

using testing::HasSubstr;

TEST(Plan, HomeLab) {
  World w;
  w.pools = {pool("lan", {"10.25.150.0/24"}), pool("lan6", {"fd25:150::/64"})};
  w.services = {service("adguard", 1, {"10.25.150.253"}),
                service("unbound", 2, {"10.25.150.252"}),
                service("torrent", 3, {"10.25.150.225"}),
                service("whoami", 4, {"10.25.150.223"}),
                service("plain", 5),
                service("dual", 6)};
  w.services[5].family_policy = IpFamilyPolicy::RequireDualStack;
  const Plan p = w.settle();
  EXPECT_EQ(said(p.decisions[0]), "10.25.150.253");
  EXPECT_EQ(said(p.decisions[4]), "10.25.150.0");
  EXPECT_EQ(said(p.decisions[5]), "10.25.150.1 fd25:150::");
  EXPECT_EQ(p.decisions[5].ips[1].pool, PoolName("lan6"));
  EXPECT_EQ(p.pools[0].total(), 256u);
  EXPECT_EQ(p.pools[0].used(), 6u);
  EXPECT_EQ(p.pools[0].available(), 250u);
  EXPECT_EQ(p.pools[1].total_v6, Uint128{1} << 64);
}

// One refusal of each kind, with what its message has to say.
struct Refused {
  const char* name;
  void (*arrange)(World&);
  const char* expected;  // of the last service
  const char* message;
};

const Refused kRefused[] = {
    {"no pool at all", [](World& w) { w.services = {service("web")}; }, "NoMatchingPool",
     "there is no pool: add a LoadBalancerIPPool with IPv4 addresses for default/web"},
    {"no pool of the family",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.services = {service("web")};
       w.services[0].families = {IpFamily::IPv6};
     },
     "NoMatchingPool", "lan has no IPv6 addresses"},
    {"no pool that selects",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].service_selectors = {select({{"app", "db"}})};
       w.services = {service("web")};
     },
     "NoMatchingPool", "lan does not select it (serviceSelector app=db)"},
    {"no pool that assigns by itself",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].auto_assign = false;
       w.services = {service("web")};
     },
     "NoMatchingPool", "lan has autoAssign false: only on request"},
    {"another namespace",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].namespace_selectors = {select({{"kubernetes.io/metadata.name", "prod"}})};
       w.services = {service("web")};
     },
     "NoMatchingPool", "namespaceSelector kubernetes.io/metadata.name=prod"},
    {"disabled",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].disabled = true;
       w.services = {service("web")};
     },
     "PoolDisabled", "pool lan, which selects default/web, is disabled"},
    {"conflicting",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].conflicts_with = PoolName("old");
       w.services = {service("web")};
     },
     "PoolConflict", "overlaps the older pool old"},
    {"exhausted",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/31"}), pool("b", {"10.0.1.0"})};
       w.services = {service("a"), service("b"), service("c"), service("web", 1)};
     },
     "PoolExhausted", "for default/web in pool b (1 of 1 used), lan (2 of 2 used)"},
    {"only what is avoided is left",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/30"})};
       w.pools[0].avoided = {addresses("10.0.0.0"), addresses("10.0.0.3")};
       w.services = {service("a"), service("b"), service("web", 1)};
     },
     "PoolExhausted", "lan (2 of 2 used)"},
    {"request outside",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"}), pool("lan6", {"fd00::/64"})};
       w.services = {service("web", 0, {"10.0.1.1"})};
     },
     "RequestedIPNotInPool", "is in no pool (lan has 10.0.0.0-10.0.0.255)"},
    {"request in a pool for others",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].namespace_selectors = {select({{"team", "a"}})};
       w.services = {service("web", 0, {"10.0.0.1"})};
     },
     "PoolSelectorMismatch", "namespaceSelector team=a"},
    {"request in a disabled pool",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].disabled = true;
       w.services = {service("web", 0, {"10.0.0.1"})};
     },
     "PoolDisabled", "10.0.0.1, requested for default/web, is in pool lan, which is disabled"},
    {"request in a conflicting pool",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].conflicts_with = PoolName("old");
       w.services = {service("web", 0, {"10.0.0.1"})};
     },
     "PoolConflict", "overlaps the older pool old"},
    {"request of an avoided address",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.pools[0].avoid_buggy_ipv4 = true;
       w.services = {service("web", 0, {"10.0.0.255"})};
     },
     "ReservedIP", "10.0.0.255, requested for default/web, is one that pool lan avoids"},
    {"request of what an older one asked for",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.services = {service("web", 1, {"10.0.0.7"}), service("other", 2, {"10.0.0.7"})};
     },
     "AlreadyAllocated",
     "10.0.0.7 is held by default/web: ask for another address or delete that service"},
    {"request of what is held for a service that is gone",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.holdings[ip("10.0.0.7")] = {{"default", "gone"}};
       w.services = {service("web", 1, {"10.0.0.7"})};
     },
     "AlreadyAllocated", "still held for default/gone, which is not there"},
    {"request of a family it does not have",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24", "fd00::/64"})};
       w.services = {service("web", 1, {"fd00::1"})};
       w.services[0].families = {IpFamily::IPv4};
     },
     "FamilyMismatch", "asks for fd00::1, but its ipFamilies has no IPv6"},
    {"request of nonsense",
     [](World& w) {
       w.pools = {pool("lan", {"0.0.0.0/0"})};
       w.services = {service("web", 1, {"224.0.0.1"})};
     },
     "InvalidRequest", "annotation lbipam.cilium.io/ips of default/web asks for 224.0.0.1"},
    {"dual stack required, one family missing",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.services = {service("web")};
       w.services[0].family_policy = IpFamilyPolicy::RequireDualStack;
     },
     "10.0.0.0 NoMatchingPool", "lan has no IPv6 addresses"},
    {"some of the requested",
     [](World& w) {
       w.pools = {pool("lan", {"10.0.0.0/24"})};
       w.services = {service("web", 0, {"10.0.0.9", "10.9.9.9", "10.0.0.8"})};
     },
     "10.0.0.9 10.0.0.8 RequestedIPNotInPool", "10.9.9.9"},
};

TEST(Plan, EveryRefusalSaysWhyAndWhatToDo) {
  for (const Refused& c : kRefused) {
    World w;
    c.arrange(w);
    const Plan p = w.look();
    EXPECT_EQ(said(p.decisions.back()), c.expected) << c.name;
    EXPECT_THAT(p.decisions.back().message, HasSubstr(c.message)) << c.name;
  }
}

TEST(Plan, Families) {
  using enum IpFamily;
  using enum IpFamilyPolicy;
  const struct {
    IpFamilyPolicy policy;
    std::vector<IpFamily> families;
    std::vector<std::string> ranges;
    const char* expected;
  } cases[] = {
      {SingleStack, {}, {"10.0.0.0/24", "fd00::/64"}, "10.0.0.0"},
      {SingleStack, {}, {"fd00::/64"}, "fd00::"},
      {SingleStack, {IPv4}, {"fd00::/64"}, "NoMatchingPool"},
      {SingleStack, {IPv6}, {"10.0.0.0/24", "fd00::/64"}, "fd00::"},
      {SingleStack, {IPv6, IPv4}, {"10.0.0.0/24", "fd00::/64"}, "fd00::"},
      {PreferDualStack, {}, {"10.0.0.0/24", "fd00::/64"}, "10.0.0.0 fd00::"},
      {PreferDualStack, {IPv6, IPv4}, {"10.0.0.0/24", "fd00::/64"}, "10.0.0.0 fd00::"},
      {PreferDualStack, {IPv6}, {"10.0.0.0/24", "fd00::/64"}, "fd00::"},
      {PreferDualStack, {}, {"10.0.0.0/24"}, "10.0.0.0"},
      {PreferDualStack, {}, {"fd00::/64"}, "fd00::"},
      {PreferDualStack, {}, {}, "NoMatchingPool"},
      {RequireDualStack, {IPv6}, {"10.0.0.0/24", "fd00::/64"}, "10.0.0.0 fd00::"},
      {RequireDualStack, {}, {"fd00::/64"}, "fd00:: NoMatchingPool"},
  };
  for (const auto& c : cases) {
    World w;
    if (!c.ranges.empty()) w.pools = {pool("lan", c.ranges)};
    w.services = {service("web")};
    w.services[0].family_policy = c.policy;
    w.services[0].families = c.families;
    EXPECT_EQ(said(w.settle().decisions[0]), c.expected);
    EXPECT_EQ(said(w.look().decisions[0]), c.expected) << "again";
  }
}

TEST(Plan, BestPoolFirst) {
  World w;
  w.pools = {pool("none", {"10.0.0.0"}), pool("two", {"10.0.2.0"}), pool("one", {"10.0.1.0"}),
             pool("b", {"10.0.4.0"}),    pool("a", {"10.0.5.0"}),   pool("old", {"10.0.3.0"})};
  w.pools[0].created = 9;
  w.pools[1].priority = 2;
  w.pools[2].priority = 1;
  w.pools[5].created = 3;
  for (int i = 0; i < 6; ++i) w.services.push_back(service("s" + std::to_string(i), i));
  const Plan p = w.look();
  const char* const expected[] = {"one", "two", "old", "none", "a", "b"};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(p.decisions[i].ips[0].pool.str(), expected[i]);
}

TEST(Plan, LowestFreeInTheOrderOfRangesPastWhatIsAvoided) {
  World w;
  w.pools = {pool("lan", {"10.0.1.254-10.0.2.1", "10.0.0.0/30"})};
  w.pools[0].avoid_buggy_ipv4 = true;
  w.pools[0].avoided = {addresses("10.0.0.3")};
  for (int i = 0; i < 5; ++i) w.services.push_back(service("s" + std::to_string(i), i));
  const Plan p = w.settle();
  EXPECT_EQ(said(p.decisions[0]), "10.0.1.254");
  EXPECT_EQ(said(p.decisions[1]), "10.0.2.1");
  EXPECT_EQ(said(p.decisions[2]), "10.0.0.1");
  EXPECT_EQ(said(p.decisions[3]), "10.0.0.2");
  EXPECT_EQ(said(p.decisions[4]), "PoolExhausted");
  EXPECT_EQ(p.pools[0].total(), 4u);
  EXPECT_EQ(p.pools[0].available(), 0u);
}

TEST(Plan, SelectorsSeePseudoLabels) {
  World w;
  w.pools = {pool("a", {"10.0.0.0/24"}), pool("b", {"10.0.1.0/24"}), pool("c", {"10.0.2.0/24"})};
  w.pools[0].service_selectors = {select({{"io.kubernetes.service.name", "web"}})};
  w.pools[1].service_selectors = {select({{"io.kubernetes.service.namespace", "prod"}})};
  w.pools[2].namespace_selectors = {select({{"kubernetes.io/metadata.name", "lab"}})};
  w.services = {service("web"), service("x"), service("y"), service("z")};
  w.services[1].name.ns = "prod";
  w.services[2].name.ns = "lab";
  const Plan p = w.look();
  EXPECT_EQ(said(p.decisions[0]), "10.0.0.0");
  EXPECT_EQ(said(p.decisions[1]), "10.0.1.0");
  EXPECT_EQ(said(p.decisions[2]), "10.0.2.0");
  EXPECT_EQ(said(p.decisions[3]), "NoMatchingPool");
}

TEST(Plan, ChoicesLeaveRequestsAlone) {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/24"})};
  w.services = {service("older", 1), service("younger", 2, {"10.0.0.0"})};
  const Plan p = w.look();
  EXPECT_EQ(said(p.decisions[0]), "10.0.0.1");
  EXPECT_EQ(said(p.decisions[1]), "10.0.0.0");
}

TEST(Plan, NothingMovesAHeldAddress) {
  const struct {
    const char* name;
    void (*edit)(World&);
    const char* pool;
  } cases[] = {
      {"nothing", [](World&) {}, "lan"},
      {"pool gone", [](World& w) { w.pools.clear(); }, ""},
      {"pool shrunk", [](World& w) { w.pools[0].ranges = {addresses("10.0.0.0/30")}; }, ""},
      {"pool disabled", [](World& w) { w.pools[0].disabled = true; }, "lan"},
      {"pool conflicting", [](World& w) { w.pools[0].conflicts_with = PoolName("x"); }, "lan"},
      {"pool renamed", [](World& w) { w.pools[0].name = PoolName("net"); }, "net"},
      {"now avoided", [](World& w) { w.pools[0].avoided = {addresses("10.0.0.7")}; }, "lan"},
      {"no longer selected",
       [](World& w) {
         w.pools[0].service_selectors = {select({{"app", "other"}})};
       },
       "lan"},
      {"request added that it meets", [](World& w) { w.services[0].requested = {ip("10.0.0.7")}; },
       "lan"},
      {"labels changed",
       [](World& w) {
         w.services[0].labels = {{"a", "b"}};
       },
       "lan"},
      {"an older one asks for it",
       [](World& w) { w.services.push_back(service("older", 0, {"10.0.0.7"})); }, "lan"},
      {"another's status names it",
       [](World& w) {
         w.services.push_back(service("older", 0));
         w.services.back().held = {ip("10.0.0.7")};
       },
       "lan"},
  };
  for (const bool by_status : {false, true}) {
    for (const auto& c : cases) {
      World w;
      w.pools = {pool("lan", {"10.0.0.0/24"})};
      w.services = {service("web", -1)};
      if (by_status) {
        w.services[0].held = {ip("10.0.0.7")};
      } else {
        w.holdings[ip("10.0.0.7")] = {{"default", "web"}};
      }
      c.edit(w);
      const Plan p = w.settle();
      EXPECT_EQ(said(p.decisions[0]), "10.0.0.7") << c.name;
      EXPECT_EQ(p.decisions[0].ips[0].pool.str(), c.pool) << c.name;
    }
  }
}

TEST(Plan, AChangedRequestMovesOnceItCanBeHad) {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/24"})};
  w.services = {service("web", 1, {"10.0.0.7"}), service("other", 2, {"10.0.0.8"})};
  w.settle();

  w.services[0].requested = {ip("10.0.0.8")};  // held by default/other
  Plan p = w.look();
  EXPECT_EQ(said(p.decisions[0]), "10.0.0.7 AlreadyAllocated");
  EXPECT_THAT(p.decisions[0].message, HasSubstr("until then it keeps 10.0.0.7"));
  EXPECT_TRUE(p.added.empty());
  EXPECT_TRUE(p.released.empty());

  w.services[0].requested = {ip("10.0.0.9")};
  p = w.look();
  EXPECT_EQ(said(p.decisions[0]), "10.0.0.9");
  EXPECT_THAT(p.added, testing::ElementsAre(Holding{ip("10.0.0.9"), w.services[0].name}));
  EXPECT_THAT(p.released, testing::ElementsAre(Holding{ip("10.0.0.7"), w.services[0].name}));

  w.complete = false;
  EXPECT_TRUE(w.look().released.empty());
}

TEST(Plan, AChainOfRequestsResolvesAsAddressesLeaveTheTable) {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/24"})};
  w.services = {service("a", 1, {"10.0.0.1"}), service("b", 2, {"10.0.0.2"})};
  w.settle();
  w.services[0].requested = {ip("10.0.0.2")};
  w.services[1].requested = {ip("10.0.0.3")};
  const Plan p = w.settle();
  EXPECT_EQ(said(p.decisions[0]), "10.0.0.2");
  EXPECT_EQ(said(p.decisions[1]), "10.0.0.3");
  EXPECT_EQ(w.holdings.size(), 2u);
}

// What a status names and its service gives up, in the same plan: the service asks for a pool, or
// for another address.
TEST(Plan, WhatAStatusGivesUpGoesToTheFirstWhoWantsIt) {
  const auto leaves_lan = [](Service s) {
    s.requested_pool = PoolName("dmz");
    s.held = {ip("10.0.0.0")};
    return s;
  };
  const auto asks_for_another = [](Service s) {
    s.requested = {ip("10.0.1.0")};
    s.held = {ip("10.0.0.0")};
    return s;
  };
  const Service asks = service("asks", 1, {"10.0.0.0"});
  const struct {
    const char* name;
    std::vector<Service> services;
    std::vector<std::string> expected;
  } cases[] = {
      {"to one who asks for it",
       {asks, leaves_lan(service("leaves", 2))},
       {"10.0.0.0", "10.0.1.0"}},
      {"though it is the younger",
       {asks, leaves_lan(service("leaves", 0))},
       {"10.0.0.0", "10.0.1.0"}},
      {"before an older one who would take any",
       {service("any", 0), asks, leaves_lan(service("leaves", 2))},
       {"PoolExhausted", "10.0.0.0", "10.0.1.0"}},
      {"and a younger one who would",
       {asks, leaves_lan(service("leaves", 2)), service("any", 3)},
       {"10.0.0.0", "10.0.1.0", "PoolExhausted"}},
      {"of two who ask, to the older",
       {asks, asks_for_another(service("leaves", 2)), service("late", 3, {"10.0.0.0"})},
       {"10.0.0.0", "10.0.1.0", "AlreadyAllocated"}},
      {"of two who would take any, to the older",
       {service("older", 1), leaves_lan(service("leaves", 2)), service("younger", 3)},
       {"10.0.0.0", "10.0.1.0", "PoolExhausted"}},
      {"and on from one who asks to the next",
       {asks_for_another(service("leaves", 3)), service("any", 0),
        [] {
          Service s = service("moves", 2, {"10.0.0.0"});
          s.held = {ip("10.0.2.0")};
          return s;
        }(),
        service("next", 1, {"10.0.2.0"})},
       {"10.0.1.0", "PoolExhausted", "10.0.0.0", "10.0.2.0"}},
  };
  for (const auto& c : cases) {
    World w;
    w.pools = {pool("lan", {"10.0.0.0"}), pool("dmz", {"10.0.1.0"}), pool("lab", {"10.0.2.0"})};
    w.pools[1].auto_assign = w.pools[2].auto_assign = false;
    for (const Service& s : c.services) w.services.push_back(s);
    // At once: a status in a file is never brought up to date.
    for (const Plan& p : {w.look(), w.settle()}) {
      std::vector<std::string> got;
      for (const Decision& d : p.decisions) got.push_back(said(d));
      EXPECT_EQ(got, c.expected) << c.name;
    }
  }
}

TEST(Plan, ReleasesWhatNobodyWantsOnlyWhenTheManifestsAreComplete) {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/32"})};
  w.holdings[ip("10.0.0.0")] = {{"default", "gone"}};
  w.services = {service("web")};
  w.complete = false;
  EXPECT_TRUE(w.look().released.empty());
  EXPECT_EQ(said(w.settle().decisions[0]), "PoolExhausted");
  w.complete = true;
  EXPECT_EQ(w.look().released.size(), 1u);
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.0");
}

TEST(Plan, DroppedFamilyIsReleased) {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/24", "fd00::/64"})};
  w.services = {service("web")};
  w.services[0].family_policy = IpFamilyPolicy::PreferDualStack;
  w.settle();
  w.services[0].family_policy = IpFamilyPolicy::SingleStack;
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.0 fd00::") << "no family named: all permitted";
  w.services[0].families = {IpFamily::IPv6};
  EXPECT_EQ(said(w.settle().decisions[0]), "fd00::");
}

TEST(Plan, AStatusMayNotSayJustAnything) {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/24"})};
  w.services = {service("web")};
  w.services[0].held = {ip("127.0.0.1"), ip("0.0.0.0"), ip("ff02::1")};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.0");
}

TEST(Plan, AnAvoidedAddressThatIsHeldCountsAsUsedOnly) {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/30"})};
  w.pools[0].avoided = {addresses("10.0.0.0"), addresses("10.0.0.3")};
  w.holdings[ip("10.0.0.0")] = {{"default", "web"}};
  w.services = {service("web"), service("b", 1)};
  const Plan p = w.look();
  EXPECT_EQ(p.pools[0].total(), 2u);
  EXPECT_EQ(p.pools[0].used(), 2u);
  EXPECT_EQ(p.pools[0].available(), 1u);
}

TEST(Plan, TheWholeOfIpv6Saturates) {
  World w;
  w.pools = {pool("all", {"::/0", "0.0.0.0/0"})};
  const Plan p = w.look();
  EXPECT_EQ(p.pools[0].total(), ~Uint128{0});
  EXPECT_EQ(p.pools[0].total_v4, Uint128{1} << 32);
}

}  // namespace
}  // namespace herald::ipam
