#include "coord/cluster.h"

#include <gtest/gtest.h>

namespace herald::coord {
namespace {

const NodeName kN1("n1"), kN2("n2");
const Instant kNow = Instant(100s);

CasDocument only_write(Cluster& cluster) {
  const auto requests = cluster.take_requests();
  EXPECT_EQ(requests.size(), 1u);
  return requests.empty() ? CasDocument{} : std::get<CasDocument>(requests.front());
}

TEST(Cluster, AWishIsWrittenUntilTheDocumentSaysSo) {
  Cluster cluster;
  cluster.set_drained(kN1, true);
  cluster.tick(kNow);
  CasDocument write = only_write(cluster);
  EXPECT_EQ(write.base, Revision(0));
  cluster.tick(kNow);
  EXPECT_TRUE(cluster.take_requests().empty()) << "one write at a time";

  // Another node was there first, and drained n2: both stay drained.
  cluster.on_cas(std::get<ClusterDocument>(write.document), CasOutcome::Conflict, kNow);
  EXPECT_EQ(std::get<ReadDocument>(cluster.take_requests().at(0)).key, cluster_key());
  const ClusterDocument foreign{Revision(1), Bytes(kHeartbeatKeyBytes, 7), {kN2}};
  EXPECT_TRUE(cluster.on_seen(foreign));
  EXPECT_FALSE(cluster.on_seen(foreign));
  ASSERT_EQ(cluster.next_deadline(), kNow + 60ms);
  cluster.tick(kNow + 60ms);
  write = only_write(cluster);
  EXPECT_EQ(write.base, Revision(1));
  const auto next = std::get<ClusterDocument>(write.document);
  EXPECT_EQ(next.drained, (std::set{kN1, kN2}));
  EXPECT_EQ(next.heartbeat_key, foreign.heartbeat_key) << "what others wrote stays";
  cluster.on_cas(next, CasOutcome::Won, kNow + 60ms);
  EXPECT_EQ(cluster.document(), next);
  cluster.tick(kNow + 1s);
  EXPECT_TRUE(cluster.take_requests().empty());
  EXPECT_FALSE(cluster.next_deadline());

  cluster.set_drained(kN1, false);
  cluster.tick(kNow + 1s);
  EXPECT_EQ(std::get<ClusterDocument>(only_write(cluster).document).drained, std::set{kN2});
}

TEST(Cluster, TheFirstKeyIsEverybodysKey) {
  Cluster first, second;
  for (Cluster* c : {&first, &second}) {
    c->propose_key(Bytes(kHeartbeatKeyBytes, c == &first ? 1 : 2));
    c->tick(kNow);
    EXPECT_TRUE(c->take_requests().empty()) << "it may be there already";
    EXPECT_FALSE(c->next_deadline());
    c->on_listed();
    EXPECT_TRUE(c->next_deadline());
    c->tick(kNow);
  }
  const auto won = std::get<ClusterDocument>(only_write(first).document);
  EXPECT_EQ(won.heartbeat_key, Bytes(kHeartbeatKeyBytes, 1));
  first.on_cas(won, CasOutcome::Won, kNow);
  EXPECT_FALSE(first.next_deadline());

  second.on_cas(std::get<ClusterDocument>(only_write(second).document), CasOutcome::Conflict, kNow);
  second.take_requests();
  EXPECT_TRUE(second.on_seen(won));
  second.tick(kNow + 1s);
  EXPECT_TRUE(second.take_requests().empty());
}

TEST(Cluster, AWriteThatWasAppliedUnseenIsFoundByTheRead) {
  Cluster cluster;
  cluster.set_drained(kN1, true);
  cluster.tick(kNow);
  const auto written = std::get<ClusterDocument>(only_write(cluster).document);
  cluster.on_cas(written, CasOutcome::Unknown, kNow);
  cluster.take_requests();
  cluster.on_seen(written);
  cluster.tick(kNow + 1s);
  EXPECT_TRUE(cluster.take_requests().empty());
}

TEST(Cluster, AForgottenWishIsNotWritten) {
  Cluster cluster;
  cluster.set_drained(kN1, true);
  cluster.forget(kN1);
  cluster.tick(kNow);
  EXPECT_TRUE(cluster.take_requests().empty());
}

}  // namespace
}  // namespace herald::coord
