#include "coord/guard.h"

#include <gtest/gtest.h>

#include "coord/membership.h"
#include "coord/peers.h"

namespace herald::coord {
namespace {

const NodeName kA("a"), kB("b"), kC("c");
const Instant kStart = Instant(100s);
const GuardTiming kTiming;
const Duration kG = kTiming.patience;

GuardRef ref(const NodeName& node, std::uint64_t inc = 1) {
  return {node, Incarnation(inc)};
}

// Node a with guards b and c, in their first lives; a's document is at rev 5, theirs at rev 3.
struct Story {
  GuardOrders orders;
  Guard guard{kA, kTiming};
  Instant now = kStart;

  Story() {
    orders.inc = Incarnation(1);
    orders.rev = Revision(5);
    orders.guards = {ref(kB), ref(kC)};
    orders.base = kStart;
    orders.limit = kNever;
    for (const NodeName& node : {kB, kC}) {
      GuardOrders::Peer& peer = orders.peers[node];
      peer.inc = Incarnation(1);
      peer.rev = Revision(3);
      peer.guards = {ref(kA), ref(node == kB ? kC : kB)};
      peer.talk = true;
    }
    apply();
  }
  void apply() {
    guard.apply(std::make_shared<const GuardOrders>(orders), now);
    guard.tick(now);
  }
  void tick(Duration later) {
    now += later;
    guard.tick(now);
  }
  // Runs until `end`, ticking when the machine asks for it.
  void run_until(Instant end) {
    for (auto next = guard.next_deadline(); next && *next <= end; next = guard.next_deadline()) {
      now = std::max(now, *next);
      guard.tick(now);
    }
    now = end;
  }
  template <typename T>
  std::vector<T> sent(const NodeName& to) {
    std::vector<T> out;
    for (const Outgoing& o : guard.take_messages()) {
      const auto* body = std::get_if<T>(&o.message.body);
      if (o.to == to && body != nullptr) out.push_back(*body);
    }
    return out;
  }
  std::uint64_t beat() {  // a heartbeat of now; its seq
    const auto beats = sent<Heartbeat>(kB);
    EXPECT_FALSE(beats.empty());
    return beats.empty() ? 0 : beats.back().seq;
  }
  void ack(const NodeName& from, std::uint64_t seq, std::uint64_t rev = 5, std::uint64_t inc = 1,
           const NodeName& to = kA) {
    guard.receive({from, Incarnation(inc), Ack{to, Revision(rev), seq}}, now);
  }
  void heartbeat(const NodeName& from, std::uint64_t seq, std::uint64_t rev = 3,
                 std::uint64_t inc = 1, std::uint64_t to_inc = 1) {
    guard.receive({from, Incarnation(inc), Heartbeat{kA, Incarnation(to_inc), Revision(rev), seq}},
                  now);
  }
};

TEST(Guard, TheRightLastsGAfterTheAcknowledgedHeartbeatWasSent) {  // A3, A4
  Story s;
  const std::uint64_t seq = s.beat();
  EXPECT_EQ(s.guard.deadline(), kStart + kG);  // from the write of the document
  s.now += 20ms;
  const std::uint64_t later = (s.tick(10ms), s.beat());
  ASSERT_GT(later, seq);
  s.now += 40ms;
  s.ack(kB, later);  // q of 2 guards is 1
  EXPECT_EQ(s.guard.deadline(), kStart + 30ms + kG);
  s.ack(kB, seq);  // overtaken: takes nothing back
  EXPECT_EQ(s.guard.deadline(), kStart + 30ms + kG);
}

TEST(Guard, OnlyTheRightAcknowledgementsCount) {  // A4
  struct Case {
    const char* about;
    std::uint64_t seq, rev, inc;
    NodeName from, to;
  };
  Story s;
  s.beat();
  s.tick(30ms);
  const std::uint64_t seq = s.beat();
  const std::vector<Case> cases = {
      {"of another rev", seq, 4, 1, kB, kA},
      {"of a rev to come", seq, 6, 1, kB, kA},
      {"a seq never sent", seq + 1, 5, 1, kB, kA},
      {"from another life of the guard", seq, 5, 2, kB, kA},
      {"to another", seq, 5, 1, kB, kC},
      {"from a stranger", seq, 5, 1, NodeName("x"), kA},
  };
  for (const Case& c : cases) {
    s.ack(c.from, c.seq, c.rev, c.inc, c.to);
    EXPECT_EQ(s.guard.deadline(), kStart + kG) << c.about;
  }
  s.ack(kC, seq);
  EXPECT_EQ(s.guard.deadline(), kStart + 30ms + kG);
}

TEST(Guard, AMajorityIsNeeded) {
  Story s;
  s.orders.guards = {ref(kB), ref(kC), ref(NodeName("d")), ref(NodeName("e"))};
  for (const char* more : {"d", "e"}) s.orders.peers[NodeName(more)] = s.orders.peers[kB];
  s.apply();
  s.beat();
  s.tick(30ms);
  const std::uint64_t seq = s.beat();
  s.ack(kB, seq);
  EXPECT_EQ(s.guard.deadline(), kStart + kG);  // q of 4 is 2
  s.ack(NodeName("e"), seq);
  EXPECT_EQ(s.guard.deadline(), kStart + 30ms + kG);
}

TEST(Guard, OrdersLimitTheRightAtOnce) {
  Story s;
  s.orders.limit = kStart + 10ms;  // a write of unknown outcome
  s.apply();
  EXPECT_EQ(s.guard.deadline(), kStart + 10ms);
  s.orders.inc = Incarnation();
  s.apply();
  EXPECT_EQ(s.guard.deadline(), Instant::min());
}

TEST(Guard, AcknowledgesTheSameRevAndAHigherOneNotALowerOne) {  // H1
  Story s;
  s.guard.take_messages();
  s.heartbeat(kB, 1);
  EXPECT_EQ(s.sent<Ack>(kB), (std::vector<Ack>{{kB, Revision(3), 1}}));
  s.heartbeat(kB, 2, 4);
  EXPECT_EQ(s.sent<Ack>(kB), (std::vector<Ack>{{kB, Revision(4), 2}}));
  s.heartbeat(kB, 3, 3);
  EXPECT_TRUE(s.sent<Ack>(kB).empty());
}

TEST(Guard, ACopySentAgainIsNotHeard) {
  Story s;
  s.guard.take_messages();
  s.heartbeat(kB, 7);
  EXPECT_EQ(s.sent<Ack>(kB).size(), 1u);
  s.heartbeat(kB, 7);
  s.heartbeat(kB, 6);
  EXPECT_TRUE(s.sent<Ack>(kB).empty());
  s.heartbeat(kB, 8, 3, 1, 9);  // was meant for another life of mine
  EXPECT_TRUE(s.sent<Ack>(kB).empty());
  s.heartbeat(kB, 1, 4, 2);  // its own next life counts anew
  EXPECT_EQ(s.sent<Ack>(kB).size(), 1u);
}

TEST(Guard, FencesAWardThatIsSilentForGAndStillShowsItsRev) {  // H2
  Story s;
  const Duration patience = kTiming.patience_drift();
  s.run_until(kStart + patience / 2);
  ASSERT_TRUE(s.guard.take_report()->peers.at(kB).silent);  // a read is wanted
  s.run_until(kStart + patience + 10ms);
  const auto unread = s.guard.take_report();
  EXPECT_FALSE(unread && unread->peers.at(kB).fenced);
  s.orders.peers[kB].read_sent = kStart;  // not after it was last heard
  s.apply();
  EXPECT_TRUE(s.sent<Fence>(kC).empty());
  s.orders.peers[kB].read_sent = kStart + 80ms;
  s.apply();
  s.apply();
  EXPECT_EQ(s.sent<Fence>(kC).front(), (Fence{kB, Revision(3)}));
  const auto report = s.guard.take_report();
  EXPECT_EQ(report->peers.at(kB).fences.at(kA), std::pair(Incarnation(1), Revision(3)));
  s.heartbeat(kB, 9);  // a promise: that rev is never acknowledged again
  EXPECT_TRUE(s.sent<Ack>(kB).empty());
  s.heartbeat(kB, 10, 4);
  EXPECT_EQ(s.sent<Ack>(kB).size(), 1u);
}

TEST(Guard, WhoIsNotListedFencesNobody) {  // H2
  for (const bool older_life : {false, true}) {
    Story s;
    s.orders.peers[kB].guards = {ref(kC)};
    if (older_life) s.orders.peers[kB].guards.push_back(ref(kA, 2));  // a life that is not mine yet
    s.orders.peers[kB].read_sent = kStart + 1ms;
    s.apply();
    s.run_until(kStart + 1s);
    EXPECT_TRUE(s.sent<Fence>(kC).empty());
  }
}

TEST(Guard, WhoSleptAccusesNobody) {
  Story s;
  s.orders.peers[kB].read_sent = kStart + 1ms;
  s.apply();
  s.tick(10 * kG);  // nobody called in between
  EXPECT_TRUE(s.sent<Fence>(kC).empty());
}

TEST(Guard, ReportsWhoAcknowledges) {
  Story s;
  const std::uint64_t seq = s.beat();
  s.ack(kB, seq);
  s.tick(1ms);
  const auto report = s.guard.take_report();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->peers.at(kB).acks);
  EXPECT_FALSE(report->peers.at(kC).acks);
  EXPECT_TRUE(report->quorum_fresh);
  EXPECT_EQ(report->acked, kStart);
  s.run_until(kStart + kG / 2);
  const auto later = s.guard.take_report();
  ASSERT_TRUE(later);
  EXPECT_FALSE(later->peers.at(kB).acks);
  EXPECT_FALSE(later->quorum_fresh);
}

TEST(Guard, SmallClustersGuardAllLargeOnesARing) {
  std::vector<NodeName> members;
  for (const char* n : {"h", "b", "c", "d", "e", "f", "g", "a"}) members.emplace_back(n);
  EXPECT_EQ(choose_guards(kA, members).size(), 7u);
  members.emplace_back("i");
  const std::vector<NodeName> of_g = {NodeName("a"), NodeName("b"), NodeName("c"), NodeName("h"),
                                      NodeName("i")};
  EXPECT_EQ(choose_guards(NodeName("g"), members), of_g);
  EXPECT_TRUE(choose_guards(kA, {kA}).empty());
}

// ---- the member document in guard mode ----------------------------------------------------------

MemberInfo machine() {
  MemberInfo info;
  info.machine_id = "m1";
  return info;
}

struct Member {
  LeaseTiming timing;
  Membership member;
  GuardReport report;
  Instant now = kStart;

  explicit Member(LeaseTiming with = {})
      : timing(with), member(kA, machine(), with, kTiming, Rng(1)) {
    tick();
    member.on_read(std::nullopt, now, now);
    won();
    member.set_wished_guards({ref(kB), ref(kC)}, now);
  }
  std::vector<StoreRequest> tick(Duration later = 0s) {
    now += later;
    member.tick(now);
    return member.take_requests();
  }
  // The write that is asked for wins at once.
  MemberDocument won(std::vector<StoreRequest> requests) {
    EXPECT_EQ(requests.size(), 1u);
    const auto* cas = requests.empty() ? nullptr : std::get_if<CasDocument>(&requests[0]);
    EXPECT_NE(cas, nullptr);
    if (cas == nullptr) return {};
    const auto document = std::get<MemberDocument>(cas->document);
    member.on_cas(document, CasOutcome::Won, now);
    return document;
  }
  MemberDocument won() { return won(member.take_requests()); }
  void hear(bool b, bool c) {
    GuardOrders orders;
    member.describe(orders);
    report.rev = orders.rev;
    report.peers[kB].acks = b;
    report.peers[kC].acks = c;
    report.quorum_fresh = b || c;
    if (b || c) report.acked = now;
    member.on_report(report, now);
  }
  MemberDocument guarded() {
    hear(true, true);
    now += 100ms;
    return won(tick());
  }
};

TEST(GuardMode, BeginsWhenAMajorityHasAcknowledgedForAWhile) {  // S2
  Member m;
  m.hear(true, false);
  EXPECT_TRUE(m.tick(99ms).empty());
  const MemberDocument d = m.won(m.tick(1ms));
  EXPECT_EQ(d.guards, (std::vector<GuardRef>{ref(kB), ref(kC)}));
  EXPECT_EQ(m.member.state(), MemberState::Guarded);
  EXPECT_EQ(m.member.deadline(), m.now + kG);
}

TEST(GuardMode, NothingIsWrittenWhileTheGuardsAnswer) {  // S3
  Member m;
  m.guarded();
  for (int i = 0; i < 100; ++i) {
    m.hear(true, i % 2 == 0);
    EXPECT_TRUE(m.tick(50ms).empty());
  }
  EXPECT_FALSE(m.member.next_deadline());
}

TEST(GuardMode, SilentGuardsSendItBackToTheStore) {  // S4, S5
  Member m;
  m.guarded();
  m.now += kG / 2;
  m.hear(false, false);
  const auto read = m.tick();
  ASSERT_EQ(read.size(), 1u);
  ASSERT_TRUE(std::holds_alternative<ReadDocument>(read[0]));  // not a write into a dead store
  GuardOrders before;
  m.member.describe(before);
  EXPECT_EQ(before.limit, kNever);
  MemberDocument current;
  current.node = kA;
  current.rev = before.rev;
  m.member.on_read(current, m.now, m.now);
  const MemberDocument d = m.won();
  EXPECT_TRUE(d.guards.empty());
  EXPECT_EQ(m.member.deadline(), m.now + m.timing.lease);
}

TEST(GuardMode, AWriteOfUnknownOutcomeLimitsTheRight) {  // A3
  Member m;
  m.hear(true, true);
  const auto requests = m.tick(100ms);
  const auto d = std::get<MemberDocument>(std::get<CasDocument>(requests.at(0)).document);
  const Instant sent = m.now;
  EXPECT_EQ(m.member.deadline(), sent + kG);  // it may be current already
  m.member.on_cas(d, CasOutcome::Unknown, m.now + 60ms);
  EXPECT_EQ(m.member.deadline(), sent + kG);
}

TEST(GuardMode, OtherGuardsAreWrittenAfterAWhileAndAtOnceWhenTooFewAreLeft) {  // S3
  for (const bool too_few : {false, true}) {
    Member m;
    m.guarded();
    m.now += 1s;
    m.hear(true, true);
    m.member.set_wished_guards(
        too_few ? std::vector<GuardRef>{ref(kB, 2), ref(kC, 2)} : std::vector<GuardRef>{ref(kB)},
        m.now);
    EXPECT_EQ(m.member.next_deadline(), m.now + (too_few ? 0ms : 200ms));
  }
}

TEST(GuardMode, WithAStoreLossLimitItRenewsAndTheRightEndsWithoutTheStore) {
  LeaseTiming timing;
  timing.store_loss_limit = 30s;
  Member m(timing);
  m.guarded();
  GuardOrders orders;
  m.member.describe(orders);
  EXPECT_EQ(orders.limit, m.now + 30s);
  EXPECT_EQ(m.member.next_deadline(), m.now + 10s);
}

// ---- revoking a member that its guards have fenced ----------------------------------------------

struct Revoking {
  Peers peers{kA, LeaseTiming{}};
  MemberDocument ward;
  GuardReport report;
  Instant now = kStart;

  Revoking() {
    ward.node = kB;
    ward.rev = Revision(9);
    ward.inc = Incarnation(4);
    ward.guards = {ref(kA), ref(kC), ref(NodeName("d")), ref(NodeName("e"))};
    peers.on_seen(ward, now);
  }
  void fence(const NodeName& guard, std::uint64_t inc, std::uint64_t rev) {
    report.peers[kB].fences[guard] = {Incarnation(inc), Revision(rev)};
    peers.on_report(report, now);
  }
  std::vector<StoreRequest> tick(Peers::MayRevoke may = {true, true}) {
    peers.tick(may, now);
    return peers.take_requests();
  }
};

TEST(Revoking, NeedsSoManyFencesThatNoMajorityIsLeft) {  // V1
  Revoking r;
  r.fence(kA, 1, 9);
  r.fence(kC, 1, 9);
  r.fence(NodeName("d"), 1, 8);  // of another rev
  r.fence(NodeName("x"), 1, 9);  // no guard of it
  r.fence(NodeName("e"), 0, 9);  // a life before the listed one
  EXPECT_TRUE(r.tick().empty());
  r.fence(NodeName("e"), 2, 9);     // 3 of 4: two acknowledgements cannot come together any more
  EXPECT_TRUE(r.tick({}).empty());  // without the right itself
  const auto read = r.tick();
  ASSERT_EQ(read.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<ReadDocument>(read[0]));
  r.peers.on_read(kB, r.ward, r.now, r.now + 2ms);
  const auto cas = r.peers.take_requests();
  ASSERT_EQ(cas.size(), 1u);
  EXPECT_EQ(std::get<CasDocument>(cas[0]).base, Revision(9));  // V3
}

// H2: "to all". The ring may have grown since b has chosen its guards: far apart on it now, they
// must still hear of one another's fences, or nobody ever has enough of them.
TEST(Revoking, GuardsOfTheSameWardTalk) {
  const auto member = [](const std::string& node) {
    MemberDocument d;
    d.node = NodeName(node);
    d.rev = Revision(1);
    d.inc = Incarnation(1);
    d.info.heartbeat = {{*IpAddress::parse("192.0.2.1"), 7471}};
    return d;
  };
  Peers peers{kA, LeaseTiming{}};
  for (char n = 'a'; n <= 'z'; ++n) peers.on_seen(member({n}), kStart);
  const NodeName far("m");
  GuardOrders before;
  peers.describe(before);
  EXPECT_FALSE(before.peers.at(far).talk);
  MemberDocument ward = member("z");
  ward.rev = Revision(2);
  ward.guards = {ref(kA), ref(far), ref(NodeName("r"))};
  peers.on_seen(ward, kStart);
  GuardOrders orders;
  peers.describe(orders);
  EXPECT_TRUE(orders.peers.at(far).talk);
  EXPECT_TRUE(orders.peers.at(NodeName("r")).talk);
  EXPECT_FALSE(orders.peers.at(NodeName("n")).talk);
}

TEST(Revoking, WhoStaysSilentIsReadNowAndThen) {  // H2
  Revoking r;
  r.report.peers[kB].silent = true;
  r.peers.on_report(r.report, r.now);
  ASSERT_EQ(r.tick().size(), 1u);
  r.peers.on_read(kB, r.ward, r.now, r.now + 2ms);
  EXPECT_EQ(r.peers.next_deadline({}), r.now + 1s);
  r.now += 999ms;
  EXPECT_TRUE(r.tick().empty());
  r.now += 1ms;
  EXPECT_EQ(r.tick().size(), 1u);
}

TEST(Revoking, WhoIsFencedByMeAndHeardIsNotReadAgainAndAgain) {  // H2
  Revoking r;
  auto& said = r.report.peers[kB];
  said.silent = true;
  r.peers.on_report(r.report, r.now);
  ASSERT_EQ(r.tick().size(), 1u);
  r.peers.on_read(kB, r.ward, r.now, r.now + 2ms);
  said.fenced = said.lively = true;  // a minority gave it up, it lives on with the others
  r.peers.on_report(r.report, r.now);
  r.now += 1h;
  EXPECT_EQ(r.peers.next_deadline({}), std::nullopt);
  EXPECT_TRUE(r.tick().empty());
  said.lively = false;  // a rev that it has meanwhile is not told by heartbeats any more
  r.peers.on_report(r.report, r.now);
  EXPECT_EQ(r.tick().size(), 1u);
}

TEST(Revoking, TheReadThatTheFenceNeededIsFreshEnough) {  // V3
  Revoking r;
  r.report.peers[kB].silent = true;
  r.peers.on_report(r.report, r.now);
  ASSERT_EQ(r.tick().size(), 1u);  // H2's read
  r.peers.on_read(kB, r.ward, r.now, r.now + 2ms);
  EXPECT_TRUE(r.tick().empty());
  r.now += 80ms;
  for (const char* guard : {"a", "c", "d"}) r.fence(NodeName(guard), 1, 9);
  const auto cas = r.tick();
  ASSERT_EQ(cas.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<CasDocument>(cas[0]));
}

}  // namespace
}  // namespace herald::coord
