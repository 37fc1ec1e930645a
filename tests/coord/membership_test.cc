#include "coord/membership.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace herald::coord
