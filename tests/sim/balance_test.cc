// How even, how sticky and how quiet a cluster is: stories with numbers.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/cluster.h"

namespace herald::sim {
namespace {

using Table = std::map<IpAddress, coord::TableEntry>;

constexpr std::uint64_t kMostWritesPerFailover = 40;
constexpr Duration kLeaderRenews = coord::LeaseTiming{}.leader_lease / 3;

std::map<NodeName, std::size_t> owned(const Table& table) {
  std::map<NodeName, std::size_t> out;
  for (const auto& [vip, entry] : table) {
    if (entry.owner) ++out[*entry.owner];
  }
  return out;
}

// Among `nodes`, how many IPs more the one with the most has than the one with the fewest.
std::size_t unevenness(const Table& table, std::size_t nodes) {
  const auto counts = owned(table);
  if (counts.size() != nodes) return SIZE_MAX;  // a node without any, or a stranger
  const auto [least, most] =
      std::minmax_element(counts.begin(), counts.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; });
  return most->second - least->second;
}

// IPs of living nodes that have moved or changed in any other way; their number.
std::size_t touched(const Table& before, const Table& after, const std::set<NodeName>& lost) {
  std::size_t out = 0;
  for (const auto& [vip, entry] : before) {
    if (entry.owner && lost.contains(*entry.owner)) continue;
    const auto now = after.find(vip);
    if (now == after.end() || now->second != entry) ++out;
  }
  return out;
}

// A cluster that serves this many services and is quiet.
struct Story {
  Cluster cluster;

  explicit Story(std::size_t services, Cluster::Options options = {}) : cluster(options) {
    cluster.start_all();
    cluster.run_for(2s);
    cluster.want_services(services);
    EXPECT_TRUE(cluster.run_until([&] { return cluster.served(); }, 10s));
    cluster.run_for(5s);
    EXPECT_GE(cluster.writes().status, services);
  }
  ~Story() { EXPECT_EQ(cluster.violation(), ""); }

  std::vector<std::uint64_t> interruptions() const {
    std::vector<std::uint64_t> out;
    for (std::size_t i = 0; cluster.hosts() > i; ++i) out.push_back(cluster.interruptions(i));
    return out;
  }
  // Whom the leader is not.
  std::size_t follower() const { return cluster.leader() == 1u ? 2 : 1; }

  // Crashes hosts; until all is served again, and then some. What the failover has cost.
  Writes lose(const std::set<std::size_t>& hosts, Duration within) {
    std::set<NodeName> names;
    for (const std::size_t i : hosts) names.insert(Cluster::name(i));
    const Table before = cluster.table();
    const auto interruptions = this->interruptions();
    const Writes writes = cluster.writes();
    for (const std::size_t i : hosts) cluster.crash(i);
    EXPECT_FALSE(cluster.served());
    EXPECT_TRUE(cluster.run_until([&] { return cluster.served(); }, within));
    cluster.run_for(3s);
    EXPECT_EQ(touched(before, cluster.table(), names), 0u) << "an IP moved that need not";
    EXPECT_EQ(this->interruptions(), interruptions) << "a living node fell silent";
    return cluster.writes() - writes;
  }
};

TEST(Balance, TenThousandIpsStayEvenAndAFailoverIsCheap) {
  Story s(10'000);
  EXPECT_EQ(owned(s.cluster.table()), (std::map<NodeName, std::size_t>{{Cluster::name(0), 2000},
                                                                       {Cluster::name(1), 2000},
                                                                       {Cluster::name(2), 2000},
                                                                       {Cluster::name(3), 2000},
                                                                       {Cluster::name(4), 2000}}));
  const std::size_t lost = s.follower();
  const Writes writes = s.lose({lost}, 200ms);
  EXPECT_EQ(unevenness(s.cluster.table(), 4), 0u);
  EXPECT_EQ(writes.table, coord::kShards) << "one write for each shard";
  EXPECT_EQ(writes.status, 0u) << "no status says who owns an IP";
  EXPECT_LE(writes.total(), kMostWritesPerFailover);

  // The leader is lost: a new one within its lease, and still each IP of the others where it was.
  const std::size_t leader = s.cluster.leader().value();
  const Writes more = s.lose({leader}, 200ms);
  EXPECT_LE(unevenness(s.cluster.table(), 3), 1u);
  EXPECT_EQ(more.table, coord::kShards);
  EXPECT_EQ(more.status, 0u);
  EXPECT_LE(more.total(), kMostWritesPerFailover);
  ASSERT_TRUE(s.cluster.leader().has_value());

  // Both come back: nothing moves at once, then each gets its share.
  const Table before = s.cluster.table();
  s.cluster.start(lost);
  s.cluster.start(leader);
  s.cluster.run_for(4s);
  EXPECT_EQ(s.cluster.table(), before) << "sticky";
  const Writes settled = s.cluster.writes();
  s.cluster.run_for(20s);
  EXPECT_LE(unevenness(s.cluster.table(), 5), 1u);
  EXPECT_TRUE(s.cluster.served());
  EXPECT_LE((s.cluster.writes() - settled).table, 100u);
}

TEST(Balance, ASteadyClusterLeavesTheStoreAlone) {
  Story s(200);
  const Duration time = 5min;
  std::vector<Writes> before;
  for (std::size_t i = 0; i < s.cluster.hosts(); ++i) before.push_back(s.cluster.writes(i));
  const auto interruptions = s.interruptions();
  s.cluster.run_for(time);
  EXPECT_EQ(s.interruptions(), interruptions);
  for (std::size_t i = 0; i < s.cluster.hosts(); ++i) {
    const Writes w = s.cluster.writes(i) - before[i];
    EXPECT_EQ(w.total() - w.leader, 0u) << "guard mode writes nothing, less than once in 30 s";
    if (s.cluster.leader() == i) {
      EXPECT_LE(w.leader, static_cast<std::uint64_t>(time / kLeaderRenews) + 1);
    } else {
      EXPECT_EQ(w.leader, 0u);
    }
  }
}

TEST(Balance, TheLeaderLostMeansANewOneWithinItsLease) {
  Story s(50);
  const std::size_t leader = s.cluster.leader().value();
  const Instant lost = s.cluster.now();
  s.lose({leader}, 300ms);
  ASSERT_TRUE(s.cluster.run_until([&] { return s.cluster.leader().has_value(); }, 5s));
  EXPECT_LE(s.cluster.now() - lost, coord::LeaseTiming{}.leader_lease);
  s.cluster.want_services(60);
  EXPECT_TRUE(s.cluster.run_until([&] { return s.cluster.served(); }, 1s)) << "and it leads";
}

TEST(Balance, TwoOfFiveLostTogether) {
  for (const std::set<std::size_t>& lost : {std::set<std::size_t>{3, 4}, {0, 2}}) {
    Story s(1'000);
    const Writes writes = s.lose(lost, 300ms);
    EXPECT_LE(unevenness(s.cluster.table(), 3), 1u);
    EXPECT_LE(writes.total(), 2 * kMostWritesPerFailover);
  }
}

TEST(Balance, WithoutHeartbeatsTheStoreTellsWhoIsLost) {
  for (const std::set<std::size_t>& lost : {std::set<std::size_t>{4}, {0, 2}}) {
    Story s(500, {.heartbeats = false});
    s.lose(lost, 4s);
    EXPECT_LE(unevenness(s.cluster.table(), 5 - lost.size()), 1u);
  }
}

TEST(Balance, TwoNodesOnly) {
  Story s(100, {.hosts = 2});
  EXPECT_EQ(unevenness(s.cluster.table(), 2), 0u);
  s.lose({0}, 500ms);
  EXPECT_EQ(owned(s.cluster.table()).at(Cluster::name(1)), 100u);
  s.cluster.start(0);
  s.cluster.run_for(3s);
  s.lose({1}, 500ms);
  EXPECT_EQ(owned(s.cluster.table()).at(Cluster::name(0)), 100u);
}

TEST(Balance, ALoneNodeIsItsOwnSuccessor) {
  Story s(100, {.hosts = 1});
  const Table before = s.cluster.table();
  s.cluster.crash(0);
  s.cluster.start(0);
  EXPECT_TRUE(s.cluster.run_until([&] { return s.cluster.served(); }, 100ms));
  const Table after = s.cluster.table();
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [vip, entry] : before) EXPECT_EQ(after.at(vip).services, entry.services);
}

TEST(Balance, ALoneNodeWritesSeldomAndOutlivesAStoreOutage) {
  Story s(100, {.hosts = 1});
  s.cluster.run_for(10s);
  const Writes before = s.cluster.writes();
  s.cluster.run_for(5min);
  const Writes w = s.cluster.writes() - before;
  EXPECT_LE(w.member, 46u) << "once in 6.6 s";
  EXPECT_LE(w.leader, 46u);
  EXPECT_EQ(w.total(), w.member + w.leader);
  const auto interruptions = s.interruptions();
  s.cluster.store_away(true);
  s.cluster.run_for(12s);
  EXPECT_TRUE(s.cluster.served());
  s.cluster.store_away(false);
  s.cluster.run_for(5s);
  EXPECT_EQ(s.interruptions(), interruptions);
}

TEST(Balance, ASecondNodeEndsTheLongLeaseOfTheFirst) {
  for (const bool heartbeats : {true, false}) {
    Cluster c({.hosts = 2, .heartbeats = heartbeats});
    c.start(0);
    c.run_for(2s);
    c.want_services(20);
    c.run_for(10s);
    const auto declared = [&] {
      const auto& d = c.documents().at(coord::member_key(Cluster::name(0)));
      return std::get<coord::MemberDocument>(d).terms.lease;
    };
    EXPECT_EQ(declared(), coord::LeaseTiming{}.lone_lease);
    c.start(1);
    EXPECT_TRUE(c.run_until([&] { return declared() == coord::LeaseTiming{}.lease; }, 50ms));
    c.run_for(1s);
    c.crash(0);
    EXPECT_TRUE(c.run_until([&] { return c.served(); }, heartbeats ? 500ms : 4s));
    c.run_for(10s);
    EXPECT_EQ(c.violation(), "");
  }
}

TEST(Balance, AStoreOutageMovesNothingAndSilencesNobody) {
  Story s(100);
  const Table before = s.cluster.table();
  const auto interruptions = s.interruptions();
  s.cluster.store_away(true);
  s.cluster.run_for(60s);
  EXPECT_TRUE(s.cluster.served());
  EXPECT_EQ(s.interruptions(), interruptions);
  s.cluster.want_services(110);  // nobody can write that down yet
  s.cluster.crash(s.follower());
  s.cluster.run_for(10s);
  EXPECT_EQ(s.cluster.answering().size(), 4u) << "the others go on";
  EXPECT_EQ(s.interruptions(), interruptions);
  s.cluster.store_away(false);
  EXPECT_TRUE(s.cluster.run_until([&] { return s.cluster.served(); }, 3s)) << "all resumes";
  EXPECT_EQ(s.interruptions(), interruptions);
  EXPECT_EQ(touched(before, s.cluster.table(), {Cluster::name(s.follower())}), 0u);
  EXPECT_LE(unevenness(s.cluster.table(), 4), 1u);
}

}  // namespace
}  // namespace herald::sim
