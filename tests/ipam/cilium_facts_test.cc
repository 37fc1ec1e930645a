// Facts of Cilium's own tests (operator/pkg/lbipam/lbipam_test.go, pkg/ipalloc) that hold for plain
// allocation here too. Not taken over: TestPoolDelete, where a deleted pool moves its services.
#include <gtest/gtest.h>

#include "tests/ipam/plan_world.h"

namespace herald::ipam {
namespace {

TEST(CiliumFacts, RequestIPs) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {service("service-a", 0, {"10.0.10.20"}),
                service("service-b", 1, {"10.0.10.21", "10.0.10.22", "10.0.10.23"}),
                service("service-c", 2, {"10.0.10.21"})};
  const Plan p = w.settle();
  EXPECT_EQ(said(p.decisions[0]), "10.0.10.20");
  EXPECT_EQ(said(p.decisions[1]), "10.0.10.21 10.0.10.22 10.0.10.23");
  EXPECT_EQ(said(p.decisions[2]), "AlreadyAllocated");
}

TEST(CiliumFacts, AddRange) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {service("service-a", 0, {"10.0.20.10"})};
  EXPECT_EQ(said(w.settle().decisions[0]), "RequestedIPNotInPool");
  w.pools[0].ranges.push_back(addresses("10.0.20.0/24"));
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.20.10");
}

TEST(CiliumFacts, AFullPoolServesTheWaiterAfterADelete) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.123/32"})};
  w.services = {service("service-a", 0), service("service-b", 1)};
  EXPECT_EQ(said(w.settle().decisions[1]), "PoolExhausted");
  w.services.erase(w.services.begin());
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.10.123");
}

TEST(CiliumFacts, SmallBlocksAreUsedWhole) {
  const struct {
    const char* block;
    std::size_t size;
  } cases[] = {{"10.0.10.16/31", 2}, {"2001:db8::10/127", 2}, {"2001:db8::10/128", 1}};
  for (const auto& c : cases) {
    World w;
    w.pools = {pool("pool-a", {c.block})};
    for (int i = 0; i < 3; ++i) w.services.push_back(service("service-" + std::to_string(i), i));
    const Plan p = w.settle();
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(p.decisions[i].ips.size(), i < c.size ? 1u : 0u) << c.block;
    }
    EXPECT_EQ(said(p.decisions[2]), "PoolExhausted");
    EXPECT_EQ(p.pools[0].total(), c.size);
    EXPECT_EQ(p.pools[0].available(), 0u);
  }
}

TEST(CiliumFacts, RestartKeepsEveryAddress) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {service("service-x", 0), service("service-a", 1),
                service("service-b", 2, {"10.0.10.50"})};
  const Plan before = w.settle();
  w.services.erase(w.services.begin());
  const Plan after = w.settle();
  EXPECT_EQ(said(after.decisions[0]), said(before.decisions[1]));
  EXPECT_EQ(said(after.decisions[1]), "10.0.10.50");
}

TEST(CiliumFacts, AllocAnyGivesTheLowest) {
  World w;
  w.pools = {pool("pool-a", {"10.0.0.0-10.0.0.100"})};
  w.services = {service("service-a")};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.0");
}

}  // namespace
}  // namespace herald::ipam
