#include "coord/membership.h"

#include <gtest/gtest.h>

#include "coord/peers.h"

namespace herald::coord {
namespace {

const NodeName kSelf("n1");
const Instant kStart = Instant(100s);

MemberInfo machine(const std::string& id) {
  MemberInfo info;
  info.machine_id = id;
  return info;
}

// A member and the last thing it asked of the store.
struct Story {
  LeaseTiming timing;
  Membership member{kSelf, machine("m1"), LeaseTiming{}, GuardTiming{}, Rng(1)};
  Instant now = kStart;

  std::vector<StoreRequest> tick(Duration later = 0s) {
    now += later;
    member.tick(now);
    return member.take_requests();
  }
  static MemberDocument written(const std::vector<StoreRequest>& requests) {
    EXPECT_EQ(requests.size(), 1u);
    const auto* cas = requests.empty() ? nullptr : std::get_if<CasDocument>(&requests[0]);
    EXPECT_NE(cas, nullptr) << "a write was expected";
    return cas == nullptr ? MemberDocument{} : std::get<MemberDocument>(cas->document);
  }
  static bool reads(const std::vector<StoreRequest>& requests) {
    return requests.size() == 1 && std::holds_alternative<ReadDocument>(requests[0]);
  }
  // From OUT to the write of a first document, which is then answered `later`.
  MemberDocument join(Duration later = 5ms) {
    EXPECT_TRUE(reads(tick()));
    member.on_read(std::nullopt, now, now);
    const MemberDocument d = written(member.take_requests());
    now += later;
    member.on_cas(d, CasOutcome::Won, now);
    return d;
  }
};

TEST(Membership, JoinsWithTheFirstIncarnationAndLeasesFromTheSending) {
  Story s;
  EXPECT_FALSE(s.member.has_right(s.now));
  const MemberDocument d = s.join(40ms);
  EXPECT_EQ(d.rev, Revision(1));
  EXPECT_EQ(d.inc, Incarnation(1));
  EXPECT_TRUE(s.member.joined());
  // A3: counted from when the write was sent, not from its reply.
  EXPECT_EQ(s.member.deadline(), kStart + s.timing.lease);
  EXPECT_TRUE(s.member.has_right(kStart + s.timing.lease - 1ns));
  EXPECT_FALSE(s.member.has_right(kStart + s.timing.lease));
}

TEST(Membership, RenewsAtAThirdOfTheLease) {
  Story s;
  s.join();
  EXPECT_EQ(s.member.next_deadline(), kStart + s.timing.lease / 3);
  EXPECT_TRUE(s.tick(10ms).empty());
  s.now = kStart + s.timing.lease / 3;
  const MemberDocument d = Story::written(s.tick());
  EXPECT_EQ(d.rev, Revision(2));
  EXPECT_EQ(d.inc, Incarnation(1));
  const Instant sent = s.now;
  s.member.on_cas(d, CasOutcome::Won, s.now + 3ms);
  EXPECT_EQ(s.member.deadline(), sent + s.timing.lease);
}

TEST(Membership, AReadNeverExtendsTheRight) {  // A6
  Story s;
  const MemberDocument d = s.join();
  s.member.on_read(d, kStart + 1s, kStart + 1s);
  s.member.on_seen(d, kStart + 1s);
  EXPECT_EQ(s.member.deadline(), kStart + s.timing.lease);
}

TEST(Membership, ALostReplyIsSettledByAnotherWriteOnTheSameBase) {  // A5, S5
  Story s;
  s.join();
  s.now = kStart + s.timing.lease / 3;
  const MemberDocument lost = Story::written(s.tick());
  s.member.on_cas(lost, CasOutcome::Unknown, s.now += 60ms);
  EXPECT_EQ(s.member.state(), MemberState::Unsettled);
  EXPECT_EQ(s.member.deadline(), kStart + s.timing.lease);
  ASSERT_TRUE(Story::reads(s.tick(60ms)));
  MemberDocument base = lost;  // the base is still there: that proves nothing
  base.rev = Revision(1);
  base.nonce = 0;
  s.member.on_read(base, s.now, s.now);
  const MemberDocument again = Story::written(s.member.take_requests());
  EXPECT_EQ(again.rev, Revision(2));
  EXPECT_NE(again.nonce, lost.nonce);
  // The first one had been applied after all: conflict, and a read shows my own nonce.
  s.member.on_cas(again, CasOutcome::Conflict, s.now);
  ASSERT_TRUE(Story::reads(s.tick()));
  s.member.on_read(lost, s.now, s.now);
  EXPECT_EQ(s.member.state(), MemberState::Store);
  EXPECT_EQ(s.member.revision(), Revision(2));
  EXPECT_EQ(s.member.deadline(), kStart + s.timing.lease / 3 + s.timing.lease);
}

TEST(Membership, AStaleReadIsNoLicenceToWrite) {  // S5
  Story s;
  s.join();
  s.now = kStart + s.timing.lease / 3;
  const MemberDocument lost = Story::written(s.tick());
  s.member.on_cas(lost, CasOutcome::Unknown, s.now += 60ms);
  ASSERT_TRUE(Story::reads(s.tick(60ms)));
  const Instant sent = s.now;
  MemberDocument base = lost;
  base.rev = Revision(1);
  base.nonce = 0;
  s.member.on_read(base, sent, s.now += 55ms);
  EXPECT_TRUE(s.member.take_requests().empty());
  EXPECT_TRUE(Story::reads(s.tick()));
}

TEST(Membership, ARevocationEndsTheRightAtOnceAndANewLifeBegins) {  // A7, J2
  Story s;
  MemberDocument d = s.join();
  d.rev = Revision(2);
  d.revoked = true;
  s.member.on_seen(d, s.now);
  EXPECT_FALSE(s.member.has_right(s.now));
  EXPECT_EQ(s.member.state(), MemberState::Out);
  ASSERT_TRUE(Story::reads(s.tick()));
  s.member.on_read(d, s.now, s.now);
  const MemberDocument next = Story::written(s.member.take_requests());
  EXPECT_EQ(next.inc, Incarnation(2));
  EXPECT_EQ(next.rev, Revision(3));
  EXPECT_FALSE(next.revoked);
}

TEST(Membership, TakesOverItsOwnOldDocumentButWaitsForAStrangers) {  // J2
  for (const bool same_machine : {true, false}) {
    Story s;
    MemberDocument old;
    old.node = kSelf;
    old.rev = Revision(7);
    old.inc = Incarnation(3);
    old.nonce = 99;
    old.info.machine_id = same_machine ? "m1" : "m2";
    ASSERT_TRUE(Story::reads(s.tick()));
    s.member.on_read(old, s.now, s.now);
    if (same_machine) {
      const MemberDocument d = Story::written(s.member.take_requests());
      EXPECT_EQ(d.inc, Incarnation(4));
      continue;
    }
    EXPECT_TRUE(s.member.take_requests().empty());
    EXPECT_NE(s.member.waiting_for().find("another machine (m2)"), std::string::npos);
    // Only when it has been silent for L' may its name be taken.
    const Instant revocable = s.now + s.timing.revoke_after_drift();
    while (s.now < revocable) {
      if (Story::reads(s.tick(100ms))) s.member.on_read(old, s.now, s.now);
      const auto requests = s.member.take_requests();
      if (!requests.empty()) {
        EXPECT_GE(s.now, revocable);
        EXPECT_EQ(Story::written(requests).inc, Incarnation(4));
      }
    }
  }
}

TEST(Membership, AnOperatorMayClaimItsNameFromADeadMachine) {  // V4
  Story s;
  EXPECT_FALSE(s.member.claim_name(s.now)) << "nobody is in the way yet";
  MemberDocument old;
  old.node = kSelf;
  old.rev = Revision(7);
  old.inc = Incarnation(3);
  old.guards = {{NodeName("n2"), Incarnation(1)}};  // for ever, by itself
  old.info.machine_id = "m2";
  ASSERT_TRUE(Story::reads(s.tick()));
  s.member.on_read(old, s.now, s.now);
  EXPECT_TRUE(s.member.take_requests().empty());
  EXPECT_NE(s.member.waiting_for().find("force-dead"), std::string::npos);
  EXPECT_TRUE(s.member.claim_name(s.now));
  ASSERT_TRUE(Story::reads(s.tick()));
  s.member.on_read(old, s.now, s.now);
  EXPECT_EQ(Story::written(s.member.take_requests()).inc, Incarnation(4));

  // Until the word is taken back.
  Story u;
  ASSERT_TRUE(Story::reads(u.tick()));
  u.member.on_read(old, u.now, u.now);
  EXPECT_TRUE(u.member.claim_name(u.now));
  u.member.unclaim_name();
  ASSERT_TRUE(Story::reads(u.tick()));
  u.member.on_read(old, u.now, u.now);
  EXPECT_TRUE(u.member.take_requests().empty());

  // That life alone: if it comes back higher, it lives.
  Story t;
  ASSERT_TRUE(Story::reads(t.tick()));
  t.member.on_read(old, t.now, t.now);
  EXPECT_TRUE(t.member.claim_name(t.now));
  ASSERT_TRUE(Story::reads(t.tick()));
  old.rev = Revision(9);
  old.inc = Incarnation(4);
  t.member.on_read(old, t.now, t.now);
  EXPECT_TRUE(t.member.take_requests().empty());
}

TEST(Membership, AStoreThatWentBackIsNoticed) {
  Story s;
  const MemberDocument first = s.join();
  s.now = kStart + s.timing.lease / 3;
  const MemberDocument second = Story::written(s.tick());
  s.member.on_cas(second, CasOutcome::Won, s.now);
  s.now += s.timing.lease / 3;
  const MemberDocument third = Story::written(s.tick());
  s.member.on_cas(third, CasOutcome::Conflict, s.now);
  ASSERT_TRUE(Story::reads(s.tick()));
  s.member.on_read(first, s.now, s.now);
  EXPECT_FALSE(s.member.has_right(s.now));
  EXPECT_NE(s.member.waiting_for().find("gone back"), std::string::npos);
}

// A watch may be faster than a read that was sent before the write was carried out.
TEST(Membership, AReadThatAWatchHasOvertakenSaysNothingOfTheStore) {
  Story s;
  const MemberDocument first = s.join();
  s.now = kStart + s.timing.lease / 3;
  const MemberDocument late = Story::written(s.tick());
  s.member.on_cas(late, CasOutcome::Unknown, s.now += 60ms);
  ASSERT_TRUE(Story::reads(s.tick(60ms)));
  const Instant sent = s.now;
  s.member.on_seen(late, s.now += 10ms);
  EXPECT_EQ(s.member.revision(), Revision(2));
  s.member.on_read(first, sent, s.now += 10ms);
  EXPECT_TRUE(s.member.joined()) << s.member.waiting_for();
  EXPECT_TRUE(s.member.has_right(s.now));
  // It is asked again, and what was sent after that counts.
  ASSERT_TRUE(Story::reads(s.tick()));
  s.member.on_read(first, s.now, s.now);
  EXPECT_FALSE(s.member.joined());
  EXPECT_NE(s.member.waiting_for().find("gone back"), std::string::npos);
}

TEST(Membership, LeavingFallsSilentBeforeItSaysSo) {
  Story s;
  s.join();
  s.member.leave(s.now);
  EXPECT_FALSE(s.member.has_right(s.now));
  const MemberDocument d = Story::written(s.tick());
  EXPECT_TRUE(d.revoked);
  EXPECT_FALSE(s.member.left());
  s.member.on_cas(d, CasOutcome::Won, s.now);
  EXPECT_TRUE(s.member.left());
}

// A lone member with a long lease, which renews from now on by `long_lease`.
struct Lone : Story {
  const Duration long_lease = timing.lone_lease;
  Instant long_sent;
  MemberDocument known;

  Lone() {
    join();
    member.set_lone(true, now);
    EXPECT_FALSE(member.next_deadline() == now) << "a longer lease is in no hurry";
    now = kStart + timing.lease / 3;
    long_sent = now;
    known = written(tick());
    member.on_cas(known, CasOutcome::Won, now += 2ms);
  }
  // Another member comes: from the read that comes first to the write.
  MemberDocument shorten() {
    member.set_lone(false, now);
    EXPECT_TRUE(reads(tick()));
    member.on_read(known, now, now);
    return written(member.take_requests());
  }
};

TEST(Membership, ALoneMemberDeclaresALongLeaseAndRenewsSeldom) {
  Lone s;
  EXPECT_EQ(s.known.terms.lease, s.long_lease);
  EXPECT_EQ(s.member.deadline(), s.long_sent + s.long_lease);
  EXPECT_EQ(s.member.next_deadline(), s.long_sent + s.long_lease / 3);
}

TEST(Membership, TheLongLeaseCountsOnlyWhenItIsDeclared) {  // A3
  Story s;
  s.join();
  s.member.set_lone(true, s.now);
  EXPECT_EQ(s.member.deadline(), kStart + s.timing.lease) << "the document says so still";
  s.now = kStart + s.timing.lease / 3;
  const MemberDocument d = Story::written(s.tick());
  EXPECT_EQ(s.member.deadline(), kStart + s.timing.lease) << "the write may never be applied";
  s.member.on_cas(d, CasOutcome::Unknown, s.now += 60ms);
  EXPECT_EQ(s.member.deadline(), kStart + s.timing.lease);
  s.member.on_seen(d, s.now += 1s);
  EXPECT_EQ(s.member.deadline(), kStart + s.timing.lease / 3 + s.timing.lone_lease);
}

TEST(Membership, AShorterLeaseCountsFromItsSending) {  // A3
  Lone s;
  const MemberDocument d = s.shorten();
  const Instant sent = s.now;
  EXPECT_EQ(d.terms.lease, s.timing.lease);
  EXPECT_EQ(s.member.deadline(), sent + s.timing.lease) << "it may be applied at any moment";
  s.member.on_cas(d, CasOutcome::Unknown, s.now += 60ms);
  EXPECT_EQ(s.member.deadline(), sent + s.timing.lease);
  // Alone again: a longer attempt on the same base does not undo that.
  s.member.set_lone(true, s.now);
  EXPECT_TRUE(Story::reads(s.tick(60ms)));
  s.member.on_read(s.known, s.now, s.now);
  const MemberDocument longer = Story::written(s.member.take_requests());
  EXPECT_EQ(longer.terms.lease, s.long_lease);
  EXPECT_EQ(s.member.deadline(), sent + s.timing.lease);
  s.member.on_cas(longer, CasOutcome::Won, s.now += 2ms);
  EXPECT_GT(s.member.deadline(), s.now + s.long_lease - 10ms);
}

TEST(Membership, AStoreThatIsAwayIsNoReasonToGiveUpTheLongLease) {  // S5
  Lone s;
  s.member.set_lone(false, s.now);
  ASSERT_TRUE(Story::reads(s.tick()));
  s.member.on_read_failed(s.now += 60ms);
  EXPECT_TRUE(Story::reads(s.tick(60ms))) << "no write into a dead store";
  EXPECT_EQ(s.member.deadline(), s.long_sent + s.long_lease);
}

TEST(Membership, WhoComesWaitsForTheDeclaredLease) {  // V2
  LeaseTiming timing;
  Peers peers(kSelf, timing);
  MemberDocument other;
  other.node = NodeName("n2");
  other.rev = Revision(4);
  other.inc = Incarnation(1);
  other.terms.lease = timing.lone_lease;
  EXPECT_TRUE(peers.alone());
  peers.on_seen(other, kStart);
  EXPECT_FALSE(peers.alone());
  const Instant over = kStart + stretched(timing.lone_lease, timing.clock_drift);
  peers.tick({true, true}, over - 1ns);
  EXPECT_TRUE(peers.take_requests().empty());
  EXPECT_EQ(peers.next_deadline({true, true}), over);
  EXPECT_TRUE(peers.heard(other.node, kStart + timing.lone_lease - 1ns));
  // It has seen me, and says so: the shorter lease counts from when that was shown to me.
  other.rev = Revision(5);
  other.terms.lease = timing.lease;
  peers.on_seen(other, kStart + 1s);
  EXPECT_EQ(peers.next_deadline({true, true}), kStart + 1s + timing.revoke_after_drift());
}

}  // namespace
}  // namespace herald::coord
