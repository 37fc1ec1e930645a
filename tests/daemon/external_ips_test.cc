// spec.externalIPs: in the table while somebody wants and announces them, never somebody else's IP.
#include "daemon/external_ips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/wish.h"

namespace herald::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const ObjectName kA{"default", "a"}, kB{"default", "b"};

// Two services without an IP so far; the pool is 10.20.30.0/24.
World two() {
  World w;
  w.node("n1");
  w.l2().addresses = {AddressKind::LoadBalancerIP, AddressKind::ExternalIP};
  for (const char* name : {"a", "b"}) w.service(name, {}).families = {IpFamily::IPv4};
  return w;
}

coord::Table table_of(const ipam::Holdings& holdings) {
  coord::Table out;
  std::map<unsigned, coord::TableDocument> shards;
  for (const auto& [vip, services] : holdings) {
    coord::TableDocument& d = shards[coord::shard_of(vip)];
    d.shard = coord::shard_of(vip);
    d.rev = coord::Revision(1);
    d.entries[vip].services = services;
  }
  for (const auto& [shard, d] : shards) out.on_seen(d, Instant{1s});
  out.on_listed();
  return out;
}

Allocation allocated(const World& w, const ipam::Holdings& table, const Statuses& told = {}) {
  return allocate(w.policies(), table_of(table), {}, told);
}

Statuses told(const ObjectName& service, const char* address) {
  coord::StatusDocument d;
  d.service = service;
  d.rev = coord::Revision(1);
  d.ips = {ip(address)};
  return {{service, d}};
}

TEST(ExternalIps, AreHeldWhileAPolicyAnnouncesThem) {
  World w = two();
  for (std::size_t i = 0; i < w.desired.services.size(); ++i) {
    w.desired.services[i].external_ips = {ip("192.0.2.1")};
  }
  Allocation now = allocated(w, {});
  EXPECT_THAT(now.holdings[ip("192.0.2.1")], ElementsAre(kA, kB)) << "of both";
  EXPECT_EQ(now.holdings.size(), 3u) << "beside an IP for each";
  EXPECT_THAT(now.plan.pools[0].used() == 2, true);

  w.desired.services[0].external_ips.clear();
  auto next = allocated(w, now.holdings, told(kA, "10.20.30.0"));
  EXPECT_THAT(next.holdings[ip("192.0.2.1")], ElementsAre(kB));

  w.desired.services[1].external_ips.clear();
  auto all = told(kA, "10.20.30.0");
  all.merge(told(kB, "10.20.30.1"));
  next = allocated(w, next.holdings, all);
  EXPECT_FALSE(next.holdings.contains(ip("192.0.2.1")));
  EXPECT_THAT(next.plan.released, ElementsAre(ipam::Holding{ip("192.0.2.1"), kB}));
}

TEST(ExternalIps, AreReleasedWhenNoPolicyAnnouncesThemAnyMore) {
  World w = two();
  w.desired.services[0].external_ips = {ip("192.0.2.1")};
  const Allocation before = allocated(w, {});
  w.desired.l2_policies[0].addresses = {AddressKind::LoadBalancerIP};
  const Allocation after = allocated(w, before.holdings);
  EXPECT_FALSE(after.holdings.contains(ip("192.0.2.1")));
  EXPECT_THAT(after.plan.released, ElementsAre(ipam::Holding{ip("192.0.2.1"), kA}));
  w.desired.complete = false;
  EXPECT_TRUE(allocated(w, before.holdings).holdings.contains(ip("192.0.2.1")));
  // Of two, one is in a file that cannot be read: it may well be wanted.
  w.desired.services.pop_back();
  w.l2().addresses = {AddressKind::ExternalIP};
  EXPECT_THAT(allocated(w, {{ip("192.0.2.1"), {kA, kB}}}).holdings.at(ip("192.0.2.1")),
              ElementsAre(kA, kB));
  World none;
  none.service("a", {}).external_ips = {ip("192.0.2.1")};
  EXPECT_FALSE(allocated(none, {}).holdings.contains(ip("192.0.2.1")));
}

TEST(ExternalIps, AnIpOfAnotherServiceStaysWithIt) {
  World w = two();
  w.desired.services[1].external_ips = {ip("10.20.30.7")};
  const Allocation now = allocated(w, {{ip("10.20.30.7"), {kA}}});
  EXPECT_THAT(now.holdings.at(ip("10.20.30.7")), ElementsAre(kA));
  ASSERT_EQ(now.refused_external.size(), 1u);
  EXPECT_THAT(sentence(now.refused_external[0]),
              testing::HasSubstr("10.20.30.7 is the load balancer IP of service default/a"));
  // So does one that another controller gave, and the table does not show yet.
  w.desired.services[0].held = {ip("10.20.30.7")};
  EXPECT_EQ(allocated(w, {}).refused_external.size(), 1u);
}

TEST(ExternalIps, OneInAPoolIsNotGivenToAnybodyElse) {
  World w = two();
  w.desired.services[1].external_ips = {ip("10.20.30.0")};
  const Allocation now = allocated(w, {});
  EXPECT_THAT(now.holdings.at(ip("10.20.30.0")), ElementsAre(kB));
  for (const ipam::Decision& d : now.plan.decisions) {
    ASSERT_EQ(d.ips.size(), 1u);
    EXPECT_NE(d.ips[0].ip, ip("10.20.30.0"));
  }
}

TEST(ExternalIps, WhoAsksForOneIsToldWhoseItIs) {
  World w = two();
  w.desired.services[0].requested = {ip("10.20.30.7")};
  w.desired.services[1].external_ips = {ip("10.20.30.7")};
  const Allocation now = allocated(w, {{ip("10.20.30.7"), {kB}}});
  EXPECT_THAT(now.holdings.at(ip("10.20.30.7")), ElementsAre(kB));
  EXPECT_EQ(now.plan.decisions[0].reason, ipam::Reason::AlreadyAllocated);
  EXPECT_THAT(now.plan.decisions[0].message, testing::HasSubstr("spec.externalIPs of a service"));
}

TEST(ExternalIps, AnIpThatTheServiceWasGivenIsNoExternalOne) {
  World w = two();
  w.desired.services[0].external_ips = {ip("10.20.30.9")};
  const Allocation now = allocated(w, {{ip("10.20.30.9"), {kA}}}, told(kA, "10.20.30.9"));
  EXPECT_THAT(now.plan.decisions[0].ips,
              ElementsAre(ipam::GivenIp{ip("10.20.30.9"), PoolName("lan")}));
  EXPECT_THAT(now.refused_external, IsEmpty());
}

TEST(ExternalIps, HaveAnOwnerLikeAnyIp) {
  World w = two();
  w.desired.services[0].external_ips = {ip("192.0.2.1")};
  w.holdings = allocated(w, {}).holdings;
  EXPECT_EQ(w.speaker("192.0.2.1"), "n1");
  w.desired.l2_policies[0].addresses = {AddressKind::ExternalIP};
  EXPECT_EQ(w.speaker("192.0.2.1"), "n1");
  EXPECT_EQ(w.of("10.20.30.0").l2, Hold::NoPolicy);
}

}  // namespace
}  // namespace herald::daemon
