// Facts of Cilium's own tests (operator/pkg/lbipam/lbipam_test.go, pkg/ipalloc) that hold for plain
// allocation here too. Not taken over: TestPoolDelete, where a deleted pool moves its services.
#include <gtest/gtest.h>

#include <utility>

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

Service sharer(const std::string& name, std::int64_t age, const std::string& key,
               std::vector<ServicePort> ports, const std::vector<std::string>& asks = {}) {
  Service s = service(name, age, asks);
  s.sharing = Sharing{key, {}, false};
  s.ports = std::move(ports);
  return s;
}

TEST(CiliumFacts, SharingClusters) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {sharer("a", 0, "key-1", {{80, Protocol::TCP}}),
                sharer("b", 1, "key-1", {{81, Protocol::TCP}}),
                sharer("c", 2, "key-1", {{80, Protocol::TCP}}),
                sharer("d", 3, "key-1", {{81, Protocol::TCP}})};
  const Plan p = w.settle();
  EXPECT_EQ(said(p.decisions[0]), said(p.decisions[1]));
  EXPECT_EQ(said(p.decisions[2]), said(p.decisions[3]));
  EXPECT_NE(said(p.decisions[0]), said(p.decisions[2]));
  EXPECT_EQ(p.pools[0].used(), 2u);
}

TEST(CiliumFacts, SharedServicesUpdateSharingKeyAndRequestedIP) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {sharer("a", 0, "key-1", {{80, Protocol::TCP}}, {"10.0.10.22"}),
                sharer("b", 1, "key-2", {{81, Protocol::TCP}}, {"10.0.10.33"}),
                sharer("c", 2, "key-2", {{82, Protocol::TCP}}, {"10.0.10.33"})};
  EXPECT_EQ(said(w.settle().decisions[2]), "10.0.10.33");
  w.services[2] = sharer("c", 2, "key-1", {{82, Protocol::TCP}}, {"10.0.10.22"});
  EXPECT_EQ(said(w.settle().decisions[2]), "10.0.10.22");
  EXPECT_EQ(w.holdings[ip("10.0.10.33")].size(), 1u);
}

TEST(CiliumFacts, SharedSpecificIPThenGenericService) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {sharer("a", 0, "key-1", {{80, Protocol::TCP}}, {"10.0.10.22"}),
                sharer("b", 1, "key-1", {{81, Protocol::TCP}})};
  EXPECT_EQ(said(w.settle().decisions[1]), "10.0.10.22");
}

TEST(CiliumFacts, AllocSharedOnInitPreservesExistingSharedIP) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {sharer("a", 0, "key-1", {{80, Protocol::TCP}}),
                sharer("b", 1, "key-1", {{80, Protocol::TCP}}),
                sharer("c", 2, "key-1", {{81, Protocol::TCP}, {82, Protocol::TCP}})};
  w.services[0].held = {ip("10.0.10.123")};
  w.services[1].held = w.services[2].held = {ip("10.0.10.124")};
  EXPECT_EQ(said(w.settle().decisions[2]), "10.0.10.124");
}

TEST(CiliumFacts, RequestReservedFirstLastIPWithSharingKey) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.16/30"})};
  w.pools[0].avoided = {addresses("10.0.10.16"), addresses("10.0.10.19")};
  w.services = {sharer("a", 0, "key-1", {}, {"10.0.10.16"})};
  EXPECT_EQ(said(w.settle().decisions[0]), "ReservedIP");
  w.pools[0].avoided.clear();
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.10.16");
}

TEST(CiliumFacts, RequestsAreOfAnyFamily) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24", "ff::/48"})};
  w.pools[0].family_check = FamilyCheck::Any;
  w.services = {service("a", 0, {"10.0.10.20", "ff::20"})};
  w.services[0].families = {IpFamily::IPv4};
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.10.20 ff::20");
}

TEST(CiliumFacts, DisabledPoolKeepsAndServesAgain) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {service("a", 0)};
  w.settle();
  w.pools[0].disabled = true;
  w.services.push_back(service("b", 1));
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.10.0");
  EXPECT_EQ(said(w.settle().decisions[1]), "PoolDisabled");
  w.pools[0].disabled = false;
  EXPECT_EQ(said(w.settle().decisions[1]), "10.0.10.1");
}

TEST(CiliumFacts, PoolExtendWithPendingServices) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/31"})};
  for (int i = 0; i < 4; ++i) w.services.push_back(service("s" + std::to_string(i), i));
  EXPECT_EQ(said(w.settle().decisions[2]), "PoolExhausted");
  w.pools[0].ranges = {addresses("10.0.10.0/29")};
  const Plan p = w.settle();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(said(p.decisions[i]), "10.0.10." + std::to_string(i));
  }
}

TEST(CiliumFacts, RemoveRequestedIP) {
  World w;
  w.pools = {pool("pool-a", {"10.0.10.0/24"})};
  w.services = {service("a", 0, {"10.0.10.123", "10.0.10.124", "10.0.10.125"})};
  w.settle();
  w.services[0].requested.pop_back();
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.10.123 10.0.10.124");
  EXPECT_FALSE(w.holdings.contains(ip("10.0.10.125")));
}

}  // namespace
}  // namespace herald::ipam
