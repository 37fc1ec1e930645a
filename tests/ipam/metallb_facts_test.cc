// Facts of MetalLB's own tests (controller_test.go TestControllerMutation and its neighbours), with
// pools as its manifests are translated. Those that break "an IP never moves" are told in
// docs/allocation.md.
#include <gtest/gtest.h>

#include "tests/ipam/plan_world.h"

namespace herald::ipam {
namespace {

using enum IpFamily;
using enum IpFamilyPolicy;

constexpr int kLastPriority = 1'000'000;  // of pools for some, before all pools for everybody

Pool metallb(const std::string& name, const std::vector<std::string>& ranges) {
  Pool p = pool(name, ranges);
  p.one_pool = true;
  p.prefer_shared = false;
  p.release_on_refusal = true;
  p.family_check = FamilyCheck::Exact;
  return p;
}

Pool pinned(Pool p, int priority, const std::string& ns, bool team) {
  p.priority = priority;
  if (!ns.empty()) p.namespace_selectors = {select({{"kubernetes.io/metadata.name", ns}})};
  if (team) p.service_selectors = {select({{"team", "metallb"}})};
  return p;
}

// MetalLB's test overlaps pool5 with pool1 and pool3, so a case has either.
World fixture(bool dual) {
  World w;
  if (dual) {
    w.pools = {metallb("pool5", {"1.2.3.0/31", "1000::/127"})};
  } else {
    w.pools = {metallb("pool1", {"1.2.3.0/31"}), metallb("pool3", {"1000::/127"})};
  }
  w.pools.push_back(metallb("pool2", {"3.4.5.6/32"}));
  w.pools.push_back(metallb("pool4", {"2000::1/128"}));
  for (std::size_t i = w.pools.size() - 2; i < w.pools.size(); ++i) w.pools[i].auto_assign = false;
  w.pools.push_back(pinned(metallb("pool6", {"7.8.9.0/31"}), 10, "test-ns1", false));
  w.pools.push_back(pinned(metallb("pool7", {"10.11.12.0/31"}), 11, "test-ns1", false));
  w.pools.push_back(pinned(metallb("pool8", {"13.14.15.0/31"}), 9, "", true));
  w.pools.push_back(pinned(metallb("pool9", {"16.17.18.0/31"}), kLastPriority, "test-ns2", false));
  w.pools.push_back(pinned(metallb("pool10", {"19.20.21.0/31"}), 8, "", true));
  w.pools.push_back(pinned(metallb("pool11", {"22.23.24.0/31"}), 8, "test-ns1", true));
  w.pools.push_back(pinned(metallb("pool12", {"25.26.27.0/31"}), 5, "test-ns1", true));
  return w;
}

struct Case {
  const char* name;
  bool dual;
  std::vector<IpFamily> families;
  void (*arrange)(Service&);
  const char* expected;
};

const std::vector<IpFamily> k4 = {IPv4}, k6 = {IPv6}, k46 = {IPv4, IPv6}, k64 = {IPv6, IPv4};

const Case kMutation[] = {
    {"plain", false, k4, [](Service&) {}, "1.2.3.0"},
    {"request", false, k4, [](Service& s) { s.requested = {ip("1.2.3.1")}; }, "1.2.3.1"},
    {"infeasible request drops what is held", false, k4,
     [](Service& s) {
       s.requested = {ip("1.2.3.4")};
       s.held = {ip("1.2.3.1")};
     },
     "RequestedIPNotInPool"},
    {"request and another pool", false, k4,
     [](Service& s) {
       s.requested = {ip("1.2.3.1")};
       s.requested_pool = PoolName("pool2");
     },
     "RequestedIPNotInPool"},
    {"pool", false, k4, [](Service& s) { s.requested_pool = PoolName("pool1"); }, "1.2.3.0"},
    {"switch to a pool without autoAssign", false, k4,
     [](Service& s) {
       s.requested_pool = PoolName("pool2");
       s.held = {ip("1.2.3.0")};
     },
     "3.4.5.6"},
    {"unknown pool", false, k4, [](Service& s) { s.requested_pool = PoolName("does-not-exist"); },
     "RequestedPoolUnknown"},
    {"invalid status", false, k4,
     [](Service& s) {
       s.held = {ip("10.10.10.10")};
       s.foreign_status = true;
     },
     "1.2.3.0"},
    {"request of a pool without autoAssign", false, k4,
     [](Service& s) { s.requested = {ip("3.4.5.6")}; }, "3.4.5.6"},
    {"no cluster IP", false, {}, [](Service& s) { s.headless = true; }, "NoClusterIP"},
    {"wrong family, IPv4", false, k6, [](Service& s) { s.requested = {ip("1.2.3.1")}; },
     "FamilyMismatch"},
    {"wrong family, IPv6", false, k4, [](Service& s) { s.requested = {ip("1000::")}; },
     "FamilyMismatch"},
    {"IPv4 now, was IPv6", false, k4, [](Service& s) { s.held = {ip("1000::")}; }, "1.2.3.0"},
    {"IPv6 now, was IPv4", false, k6, [](Service& s) { s.held = {ip("1.2.3.0")}; }, "1000::"},
    {"both required", true, k46, [](Service& s) { s.family_policy = RequireDualStack; },
     "1.2.3.0 1000::"},
    {"both preferred", true, k46, [](Service& s) { s.family_policy = PreferDualStack; },
     "1.2.3.0 1000::"},
    {"both preferred, pool with one", false, k46,
     [](Service& s) {
       s.family_policy = PreferDualStack;
       s.requested_pool = PoolName("pool1");
     },
     "1.2.3.0"},
    {"both preferred, of one family", false, k6,
     [](Service& s) {
       s.family_policy = PreferDualStack;
       s.requested_pool = PoolName("pool3");
     },
     "1000::"},
    {"both preferred, of one family, pool with both", true, k4,
     [](Service& s) {
       s.family_policy = PreferDualStack;
       s.requested_pool = PoolName("pool5");
     },
     "1.2.3.0"},
    {"both required, of one family", true, k4,
     [](Service& s) {
       s.family_policy = RequireDualStack;
       s.requested_pool = PoolName("pool5");
     },
     "FamilyMismatch"},
    {"two families without a policy, one requested", true, k46,
     [](Service& s) { s.requested = {ip("1.2.3.1")}; }, "FamilyMismatch"},
    {"both required and requested", true, k46,
     [](Service& s) {
       s.family_policy = RequireDualStack;
       s.requested = {ip("1.2.3.0"), ip("1000::")};
     },
     "1.2.3.0 1000::"},
    {"both required, one held", true, k64,
     [](Service& s) {
       s.family_policy = RequireDualStack;
       s.held = {ip("1000::")};
       s.foreign_status = true;
     },
     "1.2.3.0 1000::"},
    {"of one family, both requested", true, k4,
     [](Service& s) {
       s.requested = {ip("1.2.3.0"), ip("1000::")};
     },
     "FamilyMismatch"},
    {"pools for a namespace, lower number first", false, k4,
     [](Service& s) { s.name.ns = "test-ns1"; }, "7.8.9.0"},
    {"pool for a namespace without a priority", false, k4,
     [](Service& s) { s.name.ns = "test-ns2"; }, "16.17.18.0"},
    {"pools for a label", false, k4,
     [](Service& s) {
       s.labels = {{"team", "metallb"}};
     },
     "19.20.21.0"},
    {"pools for both", false, k4,
     [](Service& s) {
       s.name.ns = "test-ns1";
       s.labels = {{"team", "metallb"}};
     },
     "25.26.27.0"},
    {"a pool for some before a dual-stack pool for all", true, k4,
     [](Service& s) {
       s.name.ns = "test-ns1";
       s.family_policy = PreferDualStack;
     },
     "7.8.9.0"},
};

TEST(MetallbFacts, ControllerMutation) {
  for (const Case& c : kMutation) {
    World w = fixture(c.dual);
    Service s = service("test");
    s.families = c.families;
    c.arrange(s);
    w.services = {s};
    EXPECT_EQ(said(w.settle().decisions[0]), c.expected) << c.name;
  }
}

TEST(MetallbFacts, NoPoolsThenADualStackPool) {
  World w;
  w.services = {service("test")};
  w.services[0].families = k46;
  w.services[0].family_policy = RequireDualStack;
  EXPECT_EQ(said(w.settle().decisions[0]), "NoMatchingPool");
  w.pools = {metallb("default", {"1.2.3.0/24", "1000::/127"})};
  EXPECT_EQ(said(w.settle().decisions[0]), "1.2.3.0 1000::");
}

// TestPoolAllocation: six services ask one pool that has four of each family.
TEST(MetallbFacts, ExhaustANamedPool) {
  for (const auto& families : {k4, k6, k46}) {
    World w;
    w.pools = {metallb("test", {"1.2.3.4/31", "1.2.3.10/31", "1000::/127", "2000::/127"}),
               metallb("not_this_one", {"192.168.0.0/16", "fc00::1:0/112"})};
    for (int i = 1; i <= 6; ++i) {
      Service s = service("s" + std::to_string(i), i);
      s.requested_pool = PoolName("test");
      s.families = families;
      if (families.size() > 1) s.family_policy = RequireDualStack;
      w.services.push_back(s);
    }
    Plan p = w.settle();
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(p.decisions[i].ips.size(), families.size());
    EXPECT_EQ(said(p.decisions[4]), "PoolExhausted");
    EXPECT_EQ(said(p.decisions[5]), "PoolExhausted");
    w.services.erase(w.services.begin());
    for (const std::size_t i : {3u, 4u}) {
      w.services[i].sharing = Sharing{"share", {"*"}, false};
      w.services[i].ports = {{static_cast<std::uint16_t>(80 + i), Protocol::TCP}};
    }
    p = w.settle();
    EXPECT_EQ(p.decisions[3].reason, Reason::Allocated);
    EXPECT_EQ(said(p.decisions[4]), said(p.decisions[3])) << "shares, the only place left";
  }
}

// TestAssignment, the rows about sharing: s4 has 1.2.4.3 with 80/TCP, key "share" and one backend.
TEST(MetallbFacts, AssignmentOfASharedIp) {
  const auto asks = [](std::uint16_t port, Protocol protocol, const char* key,
                       const char* backend) {
    World w;
    w.pools = {metallb("test2", {"1.2.4.0/24"})};
    w.pools[0].avoid_buggy_ipv4 = true;
    for (const char* name : {"s4", "s5"}) {
      Service s = service(name, name[1], {"1.2.4.3"});
      s.sharing = Sharing{"share", {"*"}, false};
      s.ports = {{80, Protocol::TCP}};
      s.traffic_policy = TrafficPolicy::Local;
      s.selector = {{"app", "backend"}};
      w.services.push_back(s);
    }
    w.services[1].ports = {{port, protocol}};
    w.services[1].sharing->key = key;
    w.services[1].selector = {{"app", backend}};
    return said(w.settle().decisions[1]);
  };
  EXPECT_EQ(asks(80, Protocol::TCP, "share", "backend"), "SharingPortConflict");
  EXPECT_EQ(asks(443, Protocol::TCP, "othershare", "backend"), "SharingKeyMismatch");
  EXPECT_EQ(asks(443, Protocol::TCP, "share", "otherbackend"), "SharingBackendMismatch");
  EXPECT_EQ(asks(443, Protocol::TCP, "share", "backend"), "1.2.4.3");
  EXPECT_EQ(asks(53, Protocol::UDP, "share", "backend"), "1.2.4.3");
}

// TestConfigReload, as far as an address is still in a pool; and the pool's name follows.
TEST(MetallbFacts, ConfigReload) {
  const struct {
    std::vector<Pool> pools;
    const char *first, *second;  // the pools of 1.2.3.0 and 1000::
  } cases[] = {
      {{metallb("test", {"1.2.3.0/24", "1000::/120"})}, "test", "test"},
      {{metallb("test2", {"1.2.3.0/30", "1000::/126"})}, "test2", "test2"},
      {{metallb("test", {"1.2.3.0/31", "1000::2/127"}),
        metallb("test2", {"1.2.3.2/31", "1000::/127"})},
       "test",
       "test2"},
  };
  for (const auto& c : cases) {
    World w;
    w.pools = {metallb("test", {"1.2.3.0/30", "1000::/126"})};
    w.services = {service("s1", 1), service("s2", 2)};
    w.services[1].families = k6;
    w.settle();
    w.pools = c.pools;
    const Plan p = w.settle();
    EXPECT_EQ(said(p.decisions[0]), "1.2.3.0");
    EXPECT_EQ(said(p.decisions[1]), "1000::");
    EXPECT_EQ(p.decisions[0].ips[0].pool.str(), c.first);
    EXPECT_EQ(p.decisions[1].ips[0].pool.str(), c.second);
  }
}

TEST(MetallbFacts, PoolCountAndMetrics) {
  World w;
  w.pools = {metallb("p", {"1.2.3.0/24", "2.3.4.128/25"})};
  EXPECT_EQ(w.look().pools[0].total(), 384u);
  w.pools[0].avoid_buggy_ipv4 = true;
  EXPECT_EQ(w.look().pools[0].total(), 381u);

  w.pools = {metallb("test", {"1.2.3.4/30", "1000::4/126"})};
  for (const std::uint16_t port : std::vector<std::uint16_t>{80, 443, 23}) {
    Service s = service("s" + std::to_string(port), port, {"1.2.3.4"});
    s.sharing = Sharing{"key", {"*"}, false};
    s.ports = {{port, Protocol::TCP}};
    w.services.push_back(s);
  }
  for (; !w.services.empty(); w.services.pop_back()) {
    const PoolUsage u = w.settle().pools[0];
    EXPECT_EQ(u.used_v4, 1u);
    EXPECT_EQ(u.available_v4, 3u);
    EXPECT_EQ(u.available_v6, 4u);
  }
  EXPECT_EQ(w.settle().pools[0].used(), 0u);
}

}  // namespace
}  // namespace herald::ipam
