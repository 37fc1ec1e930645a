// What becomes of IPs before and after they are held: resting, quarantined, outside of their pool.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ipam/plan_world.h"

namespace herald::ipam {
namespace {

using testing::HasSubstr;

const std::string kStation = "02:00:00:00:00:0a, seen by n1 on eth0";

World lan() {
  World w;
  w.pools = {pool("lan", {"10.0.0.0/29"})};
  w.services = {service("web")};
  return w;
}

TEST(Resting, NotFreeForOthersAndCountedAsUsed) {
  World w = lan();
  w.resting[ip("10.0.0.0")] = {"default", "old"};
  const Plan p = w.look();
  EXPECT_EQ(said(p.decisions[0]), "10.0.0.1");
  EXPECT_EQ(p.pools[0].used(), 2u);
  EXPECT_EQ(p.pools[0].available(), 6u);
}

TEST(Resting, TheServiceThatHadItGetsItAgain) {
  World w = lan();
  w.pools.push_back(pool("other", {"10.0.1.0/29"}));
  w.resting[ip("10.0.0.3")] = {"default", "web"};
  w.resting[ip("10.0.1.3")] = {"default", "web"};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.3");
  w.pools[0].auto_assign = false;
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.1.3");
  w.pools[1].avoided = {addresses("10.0.1.3")};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.1.0");
}

TEST(Resting, OnRequest) {
  World w = lan();
  w.services = {service("web", 0, {"10.0.0.3"})};
  w.resting[ip("10.0.0.3")] = {"default", "old"};
  const Decision d = w.look().decisions[0];
  EXPECT_EQ(said(d), "AlreadyAllocated");
  EXPECT_THAT(d.message, HasSubstr("default/old"));
  EXPECT_THAT(d.message, HasSubstr("releaseHold"));
  w.resting[ip("10.0.0.3")] = {"default", "web"};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.3");
}

TEST(Resting, AStatusOfSomebodyElseDoesNotTakeIt) {
  World w = lan();
  w.services[0].held = {ip("10.0.0.3")};
  w.resting[ip("10.0.0.3")] = {"default", "old"};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.0");
}

TEST(Quarantined, NobodyGetsIt) {
  World w = lan();
  w.quarantined[ip("10.0.0.0")] = kStation;
  w.services[0].held = {ip("10.0.0.0")};
  EXPECT_EQ(said(w.look().decisions[0]), "10.0.0.1");
}

TEST(Quarantined, WhoHoldsItGetsAnother) {
  World w = lan();
  w.settle();
  w.quarantined[ip("10.0.0.0")] = kStation;
  const Plan p = w.look();
  EXPECT_EQ(said(p.decisions[0]), "10.0.0.1");
  EXPECT_EQ(p.released, (std::vector<Holding>{{ip("10.0.0.0"), {"default", "web"}}}));
}

TEST(Quarantined, ARequestIsRefusedAndNamesTheStation) {
  World w = lan();
  w.services = {service("web", 0, {"10.0.0.3"})};
  w.settle();
  w.quarantined[ip("10.0.0.3")] = kStation;
  const Decision d = w.settle().decisions[0];
  EXPECT_EQ(said(d), "AlreadyAllocated");
  EXPECT_THAT(d.message, HasSubstr("02:00:00:00:00:0a"));
  w.quarantined.clear();
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.3");
}

TEST(Shrunk, KeptUnlessThePoolReleases) {
  World w = lan();
  w.settle();
  w.came_from[ip("10.0.0.0")] = PoolName("lan");
  w.pools[0].ranges = {addresses("10.0.9.0/29")};
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.0");
  w.pools[0].release_on_shrink = true;
  w.services[0].held = {ip("10.0.0.0")};  // the status still says so
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.9.0");
}

TEST(Shrunk, AnotherPoolHasItNow) {
  World w = lan();
  w.settle();
  w.came_from[ip("10.0.0.0")] = PoolName("lan");
  w.pools[0].release_on_shrink = true;
  w.pools[0].ranges = {addresses("10.0.9.0/29")};
  w.pools.push_back(pool("other", {"10.0.0.0/29"}));
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.0");
}

TEST(Shrunk, ADeletedPoolCannotSayWhatItWants) {
  World w = lan();
  w.pools[0].release_on_shrink = true;
  w.settle();
  w.came_from[ip("10.0.0.0")] = PoolName("lan");
  w.pools.clear();
  EXPECT_EQ(said(w.settle().decisions[0]), "10.0.0.0");
}

}  // namespace
}  // namespace herald::ipam
