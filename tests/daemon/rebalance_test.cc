// A node comes, and gets its share: one shard at a time, until the difference is one.
#include "daemon/rebalance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cluster.h"

namespace herald::daemon {
namespace {

using testing::Pair;
using testing::UnorderedElementsAre;

std::string home(int services, const std::string& policy) {
  std::string out = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.25.150.0/24], avoid: [FirstLast], probe: false}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: )" + policy + "\n";
  for (int i = 0; i < services; ++i) {
    out += "---\napiVersion: v1\nkind: Service\nmetadata: {name: s" + std::to_string(i) +
           "}\nspec: {type: LoadBalancer}\n";
  }
  return out;
}

class Rebalancing : public Cluster {
 protected:
  Rebalancing() : Cluster(home(7, "{}")) {}
  std::uint64_t table_writes() const {
    std::uint64_t out = 0;
    for (const auto& [key, document] : store_.documents) {
      if (std::holds_alternative<coord::TableDocument>(document)) {
        out += coord::revision_of(document).value;
      }
    }
    return out;
  }
  void again(const std::string& manifests) { manifests_.set_file("home.yaml", manifests); }
};

TEST_F(Rebalancing, ANewcomerGetsItsShareGentlyAndThenNothingMoves) {
  start("n1");
  pass(3s);
  start("n2");
  EXPECT_THAT(speakers(), testing::Contains(Pair("n1", 7u)));
  pass(4s);
  EXPECT_THAT(speakers(), testing::Contains(Pair("n1", 7u))) << "it may go again";
  std::size_t most_at_once = 0, before = 0;
  for (int i = 0; i < 200; ++i) {
    pass(100ms);
    const std::size_t now = speakers()["n2"];
    most_at_once = std::max(most_at_once, now - before);
    before = now;
  }
  EXPECT_LE(most_at_once, 2u) << "a shard at a time: most have one of these IPs";
  EXPECT_THAT(speakers(), UnorderedElementsAre(Pair("n1", 4u), Pair("n2", 3u)));
  start("n3");
  pass(20s);
  EXPECT_THAT(speakers(), UnorderedElementsAre(Pair("n1", 2u), Pair("n2", 3u), Pair("n3", 2u)));
  const std::uint64_t writes = table_writes();
  pass(1min);
  EXPECT_EQ(table_writes(), writes);
}

TEST_F(Rebalancing, NeverIsNever) {
  again(home(7, "{rebalance: never}"));
  start("n1");
  pass(3s);
  start("n2");
  pass(1min);
  EXPECT_THAT(speakers(), testing::Contains(Pair("n1", 7u)));
}

TEST_F(Rebalancing, APreferredNodeGetsAllWhenItComes) {
  const std::string nodes =
      "---\napiVersion: v1\nkind: Node\nmetadata: {name: n2, labels: {edge: \"yes\"}}\n";
  again(home(3, "{preferredNodes: [{weight: 10, selector: {matchLabels: {edge: \"yes\"}}}]}") +
        nodes);
  start("n1");
  pass(3s);
  start("n2");
  pass(30s);
  EXPECT_EQ(speakers()["n2"], 3u);
}

TEST_F(Rebalancing, WhatAnOperatorMovedStays) {
  for (const char* n : {"n1", "n2"}) start(n);
  pass(30s);
  ASSERT_EQ(speakers()["n1"], 4u);
  for (const char* ip : {"10.25.150.1", "10.25.150.2", "10.25.150.3", "10.25.150.4"}) {
    EXPECT_TRUE(ask("n1", std::string(R"({"command":"move","node":"n2","ip":")") + ip + "\"}"));
  }
  const auto moved = speakers()["n2"];
  EXPECT_GE(moved, 5u);
  pass(1min);
  EXPECT_EQ(speakers()["n2"], moved);
}

TEST_F(Rebalancing, AnUndrainedNodeIsANewcomer) {
  for (const char* n : {"n1", "n2"}) start(n);
  pass(30s);
  ASSERT_TRUE(ask("n1", R"({"command":"drain","node":"n2"})")->complete);
  pass(30s);
  EXPECT_EQ(speakers()["n1"], 7u);
  ask("n1", R"({"command":"undrain","node":"n2"})");
  pass(30s);
  EXPECT_THAT(speakers(), UnorderedElementsAre(Pair("n1", 4u), Pair("n2", 3u)));
}

TEST_F(Rebalancing, ANewLeaderGoesOnWithWhoHasNothing) {
  for (const char* n : {"n1", "n2", "n3"}) start(n);
  pass(30s);
  for (const char* n : {"n2", "n3"}) crash(n);
  pass(10s);
  EXPECT_EQ(speakers()["n1"], 7u);
  for (const char* n : {"n2", "n3"}) start(n);
  pass(100ms);
  deliver("n1", StopRequested{});
  settle();
  crash("n1");
  pass(30s);
  const auto counts = speakers();
  EXPECT_EQ(counts.at("n2") + counts.at("n3"), 7u);
  EXPECT_LE(counts.at("n2"), 4u);
  EXPECT_LE(counts.at("n3"), 4u);
}

// An owner that does not act is not asked again and again.
TEST(Rebalance, AnOwnerThatKeepsItsIpIsLeftAlone) {
  config::Manifests manifests;
  manifests.set_file("home.yaml", home(3, "{}"));
  const Policies policies(std::make_shared<Desired>(manifests.desired()));
  coord::Peers peers(NodeName("n1"), {});
  for (const char* name : {"n1", "n2"}) {
    coord::MemberDocument d;
    d.node = NodeName(name);
    d.rev = coord::Revision(1);
    peers.on_seen(d, Instant(1s));
  }
  coord::Table table;
  coord::TablePlan plan;
  for (const char* ip : {"10.25.150.1", "10.25.150.2", "10.25.150.3"}) {
    const IpAddress vip = *IpAddress::parse(ip);
    coord::TableDocument d = table.shard(coord::shard_of(vip));
    d.rev = d.rev.next();
    d.entries[vip].owner = NodeName("n1");
    table.on_seen(d, Instant(1s));
    plan[vip] = {{}, std::vector<coord::Candidate>{{NodeName("n1"), 0}, {NodeName("n2"), 0}}};
  }
  // Without a service no policy selects them, and so none forbids it either.
  Rebalance rebalance({2s, 1s, 5s});
  EXPECT_TRUE(rebalance.step(plan, 1, policies, table, peers, Instant(1s)).empty());
  EXPECT_EQ(rebalance.next_deadline(), Instant(3s));
  const auto first = rebalance.step(plan, 1, policies, table, peers, Instant(3s));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(rebalance.next_deadline(), Instant(8s));
  EXPECT_TRUE(rebalance.step(plan, 1, policies, table, peers, Instant(4s)).empty());
  EXPECT_TRUE(rebalance.step(plan, 1, policies, table, peers, Instant(8s)).empty()) << "a pause";
  const auto second = rebalance.step(plan, 1, policies, table, peers, Instant(9s));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_NE(second[0], first[0]);
  rebalance.forget();
  EXPECT_EQ(rebalance.next_deadline(), std::nullopt);
}

}  // namespace
}  // namespace herald::daemon
