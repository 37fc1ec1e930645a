#include "coord/table.h"

#include <gtest/gtest.h>

#include "coord/peers.h"

namespace herald::coord {
namespace {

const NodeName kN1("n1"), kN2("n2"), kN3("n3");
const Instant kNow = Instant(100s);
const ObjectName kWeb{"default", "web"};
const IpAddress kVip = *IpAddress::parse("10.25.150.7");

MemberDocument member(const NodeName& node, std::uint64_t rev = 1, std::uint64_t inc = 1) {
  MemberDocument d;
  d.node = node;
  d.rev = Revision(rev);
  d.inc = Incarnation(inc);
  return d;
}

// The table as n1 sees it, with n1, n2 and n3 alive.
struct Story {
  Table table;
  Peers peers{kN1, LeaseTiming{}};
  TablePlan plan;
  Editor editor;
  Instant now = kNow;

  Story() {
    for (const auto& n : {kN1, kN2, kN3}) peers.on_seen(member(n), now);
    table.on_listed();
    editor = {kN1, Incarnation(1), true, true, false, true, true};
    plan[kVip] = {{kWeb}, std::vector<Candidate>{{kN1, 0}, {kN2, 0}, {kN3, 0}}};
  }
  std::vector<CasDocument> edit() {
    table.edit(plan, editor, peers, now);
    std::vector<CasDocument> out;
    for (auto& r : table.take_requests()) {
      if (auto* cas = std::get_if<CasDocument>(&r)) out.push_back(*cas);
    }
    return out;
  }
  // The entry of kVip as the only write leaves it.
  static TableEntry entry(const std::vector<CasDocument>& writes) {
    EXPECT_EQ(writes.size(), 1u);
    if (writes.size() != 1) return {};
    const auto& entries = std::get<TableDocument>(writes[0].document).entries;
    const auto it = entries.find(kVip);
    EXPECT_NE(it, entries.end());
    return it == entries.end() ? TableEntry{} : it->second;
  }
  void apply(const std::vector<CasDocument>& writes) {
    for (const auto& w : writes) {
      table.on_cas(std::get<TableDocument>(w.document), CasOutcome::Won, now);
    }
  }
  // How many writes edit() finds to do when it knows what it has looked at before.
  std::size_t edit_again(std::uint64_t plan_version) {
    editor.plan_version = plan_version;
    const std::size_t writes = edit().size();
    editor.plan_version = 0;
    return writes;
  }
  void own(const NodeName& owner, std::uint64_t inc = 1, std::uint64_t epoch = 5) {
    TableDocument d;
    d.shard = shard_of(kVip);
    d.rev = table.shard(d.shard).rev.next();
    d.highest = Epoch(epoch);
    TableEntry e;
    e.services = {kWeb};
    e.owner = owner;
    e.inc = Incarnation(inc);
    e.epoch = Epoch(epoch);
    d.entries[kVip] = e;
    table.on_seen(d, now);
  }
};

TEST(Table, TheLeaderAddsAndPlaces) {
  Story s;
  const auto writes = s.edit();
  const TableEntry e = Story::entry(writes);
  EXPECT_EQ(e.services, std::vector{kWeb});
  EXPECT_TRUE(e.owner.has_value());
  EXPECT_EQ(e.epoch, Epoch(1));
  EXPECT_TRUE(s.edit().empty()) << "one write per shard at a time";
  s.apply(writes);
  EXPECT_TRUE(s.edit().empty()) << "what is right stays";
  s.editor.leads = false;
  s.plan.clear();
  EXPECT_TRUE(s.edit().empty()) << "only the leader removes";
}

TEST(Table, WhatWasRightIsLookedAtAgainWhenAnythingHasChanged) {
  const auto settled = [] {
    Story s;
    s.editor.leads = false;
    s.own(kN1);
    EXPECT_EQ(s.edit_again(1), 0u);
    return s;
  };
  {
    Story s = settled();
    s.plan[kVip].candidates = std::vector<Candidate>{{kN2, 0}};  // n1 may not own it any more
    EXPECT_EQ(s.edit_again(1), 0u) << "whoever calls it has said that the plan is the same";
    EXPECT_EQ(s.edit_again(2), 1u);
  }
  {
    Story s = settled();
    s.editor.leaving = true;
    EXPECT_EQ(s.edit_again(1), 1u) << "another editor";
  }
  {
    Story s = settled();
    s.table.wish_move(kVip, kN3);
    EXPECT_EQ(s.edit_again(1), 1u) << "a wish";
  }
  {
    Story s = settled();
    s.own(kN2, 1, 6);
    EXPECT_EQ(s.edit_again(1), 0u);
    MemberDocument gone = member(kN2, 2);
    gone.revoked = true;
    s.plan[kVip].candidates = std::vector<Candidate>{{kN1, 0}, {kN3, 0}};
    s.peers.on_cas(gone, CasOutcome::Won, s.now);
    EXPECT_EQ(s.edit_again(1), 1u) << "its owner is gone";
  }
}

TEST(Table, KnowsWhenAnotherIpIsHeldAndHowManyANodeOwns) {
  Story s;
  EXPECT_TRUE(s.table.counts().empty());
  s.own(kN2);
  const auto version = s.table.holdings_version();
  s.own(kN3, 1, 6);
  EXPECT_EQ(s.table.holdings_version(), version) << "the owner alone";
  EXPECT_EQ(s.table.counts(), (std::map<NodeName, std::size_t>{{kN3, 1}}));
  TableDocument d = s.table.shard(shard_of(kVip));
  d.rev = d.rev.next();
  d.entries[kVip].services.push_back({"default", "zoo"});
  s.table.on_seen(d, s.now);
  EXPECT_NE(s.table.holdings_version(), version);
}

TEST(Table, AnEntryThatReturnsHasAHigherEpoch) {
  Story s;
  TableDocument d;
  d.shard = shard_of(kVip);
  d.rev = Revision(9);
  d.highest = Epoch(41);
  s.table.on_seen(d, s.now);
  EXPECT_EQ(Story::entry(s.edit()).epoch, Epoch(42));
}

TEST(Table, AnUnwantedIpIsReleasedByItsOwnerThenRemoved) {  // T1, T4
  Story s;
  s.own(kN2);
  s.plan.clear();
  const auto wish = s.edit();
  EXPECT_EQ(Story::entry(wish).wish, TableEntry::Wish::Release);
  EXPECT_EQ(Story::entry(wish).owner, kN2) << "the leader does not take it away";
  s.apply(wish);
  EXPECT_TRUE(s.edit().empty());

  Story owner;  // n1 as the owner, not the leader
  owner.editor.leads = false;
  owner.own(kN1);
  TableDocument d = owner.table.shard(shard_of(kVip));
  d.rev = d.rev.next();
  d.entries[kVip].wish = TableEntry::Wish::Release;
  owner.table.on_seen(d, owner.now);
  ASSERT_TRUE(owner.table.owns(kN1, Incarnation(1), kVip));
  const auto release = owner.edit();
  EXPECT_FALSE(owner.table.owns(kN1, Incarnation(1), kVip)) << "silent before the write is sent";
  EXPECT_FALSE(Story::entry(release).owner.has_value());
  owner.apply(release);
  owner.editor.leads = true;
  owner.plan.clear();
  const auto removal = owner.edit();
  ASSERT_EQ(removal.size(), 1u);
  EXPECT_TRUE(std::get<TableDocument>(removal[0].document).entries.empty());
}

TEST(Table, AReleasedIpRestsForItsServiceUntilThePlanLacksIt) {  // T5
  Story s;
  s.own(kN1);
  s.plan[kVip] = {{}, {}, true, kWeb};
  const auto wish = s.edit();
  EXPECT_EQ(Story::entry(wish).wish, TableEntry::Wish::Release);
  s.apply(wish);
  const auto gives_up = s.edit();
  EXPECT_EQ(Story::entry(gives_up).owner, std::nullopt);
  EXPECT_FALSE(s.table.owns(kN1, Incarnation(1), kVip)) << "silent before the write is sent";
  s.apply(gives_up);
  const auto rests = s.edit();
  EXPECT_TRUE(Story::entry(rests).services.empty());
  EXPECT_EQ(Story::entry(rests).kept_for, kWeb);
  EXPECT_EQ(Story::entry(rests).epoch, Epoch(6)) << "rest is not a change of owner";
  s.apply(rests);
  EXPECT_TRUE(s.edit().empty());

  Story again = s;  // it comes back
  again.plan[kVip] = {{kWeb}, std::vector<Candidate>{{kN2, 0}}};
  const auto back = again.edit();
  EXPECT_EQ(Story::entry(back).owner, kN2);
  EXPECT_EQ(Story::entry(back).kept_for, std::nullopt);
  EXPECT_EQ(Story::entry(back).epoch, Epoch(7));

  s.editor.may_release = false;
  s.plan.clear();
  EXPECT_TRUE(s.edit().empty()) << "manifests that are not complete";
  s.editor.may_release = true;
  s.editor.leads = false;
  EXPECT_TRUE(s.edit().empty()) << "not the leader";
  s.editor.leads = true;
  const auto freed = s.edit();
  ASSERT_EQ(freed.size(), 1u);
  EXPECT_TRUE(std::get<TableDocument>(freed[0].document).entries.empty());
}

TEST(Table, AnIpIsProvenByItsOwnerAlone) {
  Story s;
  s.plan[kVip].probe = true;
  const auto added = s.edit();
  EXPECT_TRUE(Story::entry(added).unproven);
  s.apply(added);
  const NodeName owner = *Story::entry(added).owner;
  s.editor.self = owner;
  s.table.found(kVip, std::nullopt);
  s.editor.inc = Incarnation(2);
  EXPECT_TRUE(s.edit().empty()) << "another life of the owner";
  s.editor.inc = Incarnation(1);
  const auto proven = s.edit();
  EXPECT_FALSE(Story::entry(proven).unproven);
  EXPECT_EQ(Story::entry(proven).owner, owner);
  EXPECT_EQ(Story::entry(proven).epoch, Epoch(1));
  s.apply(proven);
  EXPECT_TRUE(s.edit().empty());

  for (const bool probe :
       {false, true}) {  // the pool does not want it, or somebody uses it by right
    Story other;
    other.plan[kVip].probe = probe;
    other.plan[kVip].in_use = probe;
    EXPECT_FALSE(Story::entry(other.edit()).unproven);
  }
}

TEST(Table, AFindingOfAnEarlierOwnershipIsForgotten) {
  Story s;
  s.plan[kVip].probe = true;
  s.apply(s.edit());
  s.own(kN1);  // epoch 5, by somebody else's hand
  s.table.found(kVip, Quarantine{MacAddress{{2, 0, 0, 0, 0, 9}}, kN1, "eth0"});
  s.own(kN1, 1, 6);
  EXPECT_TRUE(s.edit().empty());
}

TEST(Table, AQuarantineStaysWithoutAServiceUntilThePlanLacksIt) {
  Story s;
  s.own(kN1);
  s.plan[kVip].probe = true;
  const Quarantine seen{MacAddress{{2, 0, 0, 0, 0, 9}}, kN1, "eth0"};
  s.table.found(kVip, seen);
  const auto marked = s.edit();
  EXPECT_EQ(Story::entry(marked).quarantine, seen);
  EXPECT_TRUE(Story::entry(marked).unproven);
  EXPECT_EQ(Story::entry(marked).owner, kN1) << "who goes on probing, if the service asked for it";
  s.apply(marked);
  EXPECT_TRUE(s.edit().empty());

  s.plan[kVip] = {{}, {}, true, std::nullopt};
  s.apply(s.edit());  // the wish
  s.apply(s.edit());  // given up
  const auto resting = s.edit();
  EXPECT_TRUE(Story::entry(resting).services.empty());
  EXPECT_EQ(Story::entry(resting).quarantine, seen);
  s.apply(resting);
  s.plan.clear();
  const auto freed = s.edit();
  ASSERT_EQ(freed.size(), 1u);
  EXPECT_TRUE(std::get<TableDocument>(freed[0].document).entries.empty());
}

TEST(Table, APoolThatDoesNotProbeEndsAQuarantine) {
  Story s;
  s.own(kN1);
  s.plan[kVip].probe = true;
  s.table.found(kVip, Quarantine{MacAddress{{2, 0, 0, 0, 0, 9}}, kN1, "eth0"});
  s.apply(s.edit());
  s.plan[kVip].probe = false;
  const auto cleared = s.edit();
  EXPECT_FALSE(Story::entry(cleared).must_probe());
  EXPECT_EQ(Story::entry(cleared).owner, kN1);
}

TEST(Table, NothingIsReleasedWhileTheManifestsAreIncomplete) {
  Story s;
  s.own(kN2);
  s.plan.clear();
  s.editor.may_release = false;
  EXPECT_TRUE(s.edit().empty());
  s.editor.may_release = true;
  s.editor.plan_known = false;
  EXPECT_TRUE(s.edit().empty());
}

TEST(Table, GivenUpIsForeverWhateverBecomesOfTheWrite) {  // T4, A1
  Story s;
  s.editor.leads = false;
  s.own(kN1);
  s.plan[kVip].candidates = std::vector<Candidate>{{kN2, 0}, {kN3, 0}};  // n1's link is down
  const auto move = s.edit();
  EXPECT_NE(Story::entry(move).owner, kN1);
  EXPECT_FALSE(s.table.owns(kN1, Incarnation(1), kVip));
  s.table.on_cas(std::get<TableDocument>(move[0].document), CasOutcome::Unknown, s.now);
  s.plan[kVip].candidates = std::vector<Candidate>{{kN1, 0}};  // it is up again
  EXPECT_FALSE(s.table.owns(kN1, Incarnation(1), kVip)) << "the write may still be applied";
  s.table.take_requests();
  s.now += 60ms;
  const auto back = s.edit();  // n1 writes itself back, with a higher epoch
  EXPECT_EQ(Story::entry(back).owner, kN1);
  EXPECT_GT(Story::entry(back).epoch, Epoch(5));
  EXPECT_FALSE(s.table.owns(kN1, Incarnation(1), kVip));
  s.apply(back);
  EXPECT_TRUE(s.table.owns(kN1, Incarnation(1), kVip));
}

// As the table shows it: the wish that some node wrote.
void wish_move(Story& s, const NodeName& to) {
  TableDocument d = s.table.shard(shard_of(kVip));
  d.rev = d.rev.next();
  d.entries[kVip].wish = TableEntry::Wish::Move;
  d.entries[kVip].move_to = to;
  s.table.on_seen(d, s.now);
}

TEST(Table, AnyNodeMayWishAMoveAndTheOwnerMakesIt) {  // T4, T5
  Story asked;                                        // n1 is asked, n2 owns it, n3 is to have it
  asked.editor.leads = false;
  asked.own(kN2);
  asked.table.wish_move(kVip, kN3);
  const auto wish = asked.edit();
  EXPECT_EQ(Story::entry(wish).owner, kN2) << "a wish changes no owner";
  EXPECT_EQ(Story::entry(wish).epoch, Epoch(5));
  EXPECT_EQ(Story::entry(wish).wish, TableEntry::Wish::Move);
  EXPECT_EQ(Story::entry(wish).move_to, kN3);
  asked.apply(wish);
  EXPECT_TRUE(asked.edit().empty());
  asked.editor.leads = true;
  EXPECT_TRUE(asked.edit().empty()) << "the leader leaves it standing";

  Story owner;
  owner.editor.leads = false;
  owner.own(kN1);
  wish_move(owner, kN3);
  const auto move = owner.edit();
  EXPECT_FALSE(owner.table.owns(kN1, Incarnation(1), kVip)) << "silent before the write is sent";
  EXPECT_EQ(Story::entry(move).owner, kN3);
  EXPECT_EQ(Story::entry(move).epoch, Epoch(6));
  EXPECT_EQ(Story::entry(move).wish, TableEntry::Wish::Keep);
  EXPECT_FALSE(Story::entry(move).move_to);
  EXPECT_TRUE(owner.table.take_refused_moves().empty());
}

TEST(Table, AnOwnerThatIsAskedItselfMovesInOneWrite) {
  Story s;
  s.own(kN1);
  s.table.wish_move(kVip, kN2);
  const auto move = s.edit();
  EXPECT_EQ(Story::entry(move).owner, kN2);
  s.apply(move);
  EXPECT_TRUE(s.edit().empty());
}

TEST(Table, AMoveToWhoMayNotOwnItIsRefusedByTheOwner) {
  Story s;
  s.editor.leads = false;
  s.own(kN1);
  wish_move(s, kN3);
  s.plan[kVip].candidates = std::vector<Candidate>{{kN1, 0}, {kN2, 0}};
  const auto refusal = s.edit();
  EXPECT_EQ(Story::entry(refusal).owner, kN1);
  EXPECT_EQ(Story::entry(refusal).wish, TableEntry::Wish::Keep);
  EXPECT_TRUE(s.table.owns(kN1, Incarnation(1), kVip));
  ASSERT_EQ(s.table.take_refused_moves().size(), 1u);
  s.apply(refusal);
  EXPECT_TRUE(s.edit().empty());
}

TEST(Table, AWishForAnOwnerThatHasChangedIsForgotten) {
  Story s;
  s.editor.leads = false;
  s.own(kN2);
  s.table.wish_move(kVip, kN3);
  s.own(kN1, 1, 6);  // meanwhile
  EXPECT_TRUE(s.edit().empty());
  EXPECT_TRUE(s.table.owns(kN1, Incarnation(1), kVip));
}

TEST(Table, ATargetThatWasRevokedMeanwhileIsTakenBackFrom) {  // T4
  Story s;
  s.editor.leads = false;
  s.own(kN1);
  wish_move(s, kN3);
  s.apply(s.edit());
  ASSERT_EQ(s.table.find(kVip)->owner, kN3);
  MemberDocument revoked = member(kN3, 2);
  revoked.revoked = true;
  s.peers.on_seen(revoked, s.now);
  s.plan[kVip].candidates = std::vector<Candidate>{{kN1, 0}, {kN2, 0}};
  const TableEntry e = Story::entry(s.edit());
  EXPECT_EQ(e.owner, kN1) << "n1 writes itself back, at once";
  EXPECT_EQ(e.epoch, Epoch(7));
}

TEST(Table, OldViewsAreDropped) {  // A2
  Story s;
  s.own(kN1);
  const TableDocument newer = s.table.shard(shard_of(kVip));
  TableDocument older = newer;
  older.rev = Revision(0);
  older.entries[kVip].owner = kN2;
  EXPECT_FALSE(s.table.on_seen(older, s.now));
  EXPECT_TRUE(s.table.owns(kN1, Incarnation(1), kVip));
  EXPECT_FALSE(s.table.owns(kN1, Incarnation(2), kVip)) << "another life of n1";
}

TEST(Table, AnOwnerThatLivesIsNotTouched) {  // T1
  Story s;
  s.own(kN2);
  s.plan[kVip].candidates =
      std::vector<Candidate>{{kN1, 0}, {kN3, 0}};  // even if it should not own it
  EXPECT_TRUE(s.edit().empty());
  s.now += 1h;  // nor if it is silent: it has to be revoked first
  EXPECT_TRUE(s.edit().empty());
}

TEST(Table, OrphansAreTakenByRankAndByTheRevokerAtOnce) {  // T3
  Story s;
  s.editor.leads = false;
  s.own(kN2);
  MemberDocument revoked = member(kN2, 2);
  revoked.revoked = true;
  s.peers.on_seen(revoked, s.now);
  s.plan[kVip].candidates = std::vector<Candidate>{{kN1, 0}, {kN3, 0}};
  EXPECT_TRUE(s.edit().empty());
  const auto due = s.table.next_deadline();
  ASSERT_TRUE(due.has_value());
  s.now = *due;
  const TableEntry e = Story::entry(s.edit());
  EXPECT_NE(e.owner, kN2);
  EXPECT_EQ(e.epoch, Epoch(6));

  Story revoker;
  revoker.editor.leads = false;
  revoker.own(kN2);
  revoker.peers.on_cas(revoked, CasOutcome::Won, revoker.now);
  revoker.plan[kVip].candidates = std::vector<Candidate>{{kN1, 0}, {kN3, 0}};
  EXPECT_EQ(revoker.edit().size(), 1u);
}

TEST(Table, ANewLifeTakesBackWhatItHad) {
  Story s;
  s.editor.leads = false;
  s.editor.inc = Incarnation(2);
  s.own(kN1);
  EXPECT_FALSE(s.table.owns(kN1, Incarnation(2), kVip));
  s.peers.on_seen(member(kN1, 2, 2), s.now);
  const auto writes = s.edit();
  EXPECT_EQ(Story::entry(writes).owner, kN1);
  EXPECT_EQ(Story::entry(writes).inc, Incarnation(2));
}

TEST(Peers, ASilentMemberIsRevokedOnTheVeryRevOfTheEvidence) {  // V2, V3
  const LeaseTiming timing;
  Peers peers(kN1, timing);
  peers.on_seen(member(kN1), kNow);
  peers.on_seen(member(kN2), kNow);
  const Instant revocable = kNow + timing.revoke_after_drift();
  peers.tick({true, true}, revocable - 1ns);
  EXPECT_TRUE(peers.take_requests().empty());
  peers.tick({}, revocable);
  EXPECT_TRUE(peers.take_requests().empty()) << "only one that may answer itself revokes";
  peers.tick({true, true}, revocable);
  auto requests = peers.take_requests();
  ASSERT_EQ(requests.size(), 1u) << "n2 is read first, n1 never revokes itself";
  EXPECT_EQ(std::get<ReadDocument>(requests[0]).key, member_key(kN2));

  // A read that took too long is no evidence; one that shows a renewal ends the pursuit.
  peers.on_read(kN2, member(kN2), revocable, revocable + 101ms);
  EXPECT_TRUE(peers.take_requests().empty());
  peers.tick({true, true}, revocable + 200ms);
  ASSERT_EQ(peers.take_requests().size(), 1u);
  peers.on_read(kN2, member(kN2), revocable + 200ms, revocable + 210ms);
  requests = peers.take_requests();
  ASSERT_EQ(requests.size(), 1u);
  const auto cas = std::get<CasDocument>(requests[0]);
  EXPECT_EQ(cas.base, Revision(1));
  EXPECT_TRUE(std::get<MemberDocument>(cas.document).revoked);
  EXPECT_FALSE(peers.gone(kN2, Incarnation(1)));
  peers.on_cas(std::get<MemberDocument>(cas.document), CasOutcome::Won, revocable + 220ms);
  EXPECT_TRUE(peers.gone(kN2, Incarnation(1)));
  EXPECT_TRUE(peers.revoked_by_me(kN2, Incarnation(1)));
  EXPECT_FALSE(peers.gone(kN2, Incarnation(2)));
}

TEST(Peers, AnOperatorsWordRevokesAtOnceAndThatLifeAlone) {  // V4
  Peers peers(kN1, LeaseTiming{});
  for (const auto& n : {kN1, kN2, kN3}) peers.on_seen(member(n), kNow);
  peers.force_dead(kN2);
  peers.force_dead(kN1);
  ASSERT_TRUE(peers.next_deadline({true, true}).has_value());
  EXPECT_LE(*peers.next_deadline({true, true}), kNow);
  peers.tick({}, kNow);
  EXPECT_TRUE(peers.take_requests().empty()) << "only one that may answer itself revokes";
  peers.tick({true, true}, kNow);
  auto requests = peers.take_requests();
  ASSERT_EQ(requests.size(), 1u) << "n2 alone; a node never revokes itself";
  EXPECT_EQ(std::get<ReadDocument>(requests[0]).key, member_key(kN2));
  peers.on_read(kN2, member(kN2), kNow, kNow + 2ms);
  requests = peers.take_requests();
  ASSERT_EQ(requests.size(), 1u);
  const auto write = std::get<CasDocument>(requests[0]);
  EXPECT_EQ(write.base, Revision(1));
  peers.on_cas(std::get<MemberDocument>(write.document), CasOutcome::Won, kNow + 4ms);
  EXPECT_TRUE(peers.gone(kN2, Incarnation(1)));
  peers.on_seen(member(kN2, 3, 2), kNow + 1s);
  peers.tick({true, true}, kNow + 1s);
  EXPECT_TRUE(peers.take_requests().empty()) << "its next life is another matter";
}

TEST(Peers, AConflictThrowsTheEvidenceAway) {
  const LeaseTiming timing;
  Peers peers(kN1, timing);
  peers.on_seen(member(kN2), kNow);
  const Instant revocable = kNow + timing.revoke_after_drift();
  peers.tick({true, true}, revocable);
  peers.take_requests();
  peers.on_read(kN2, member(kN2, 2), revocable, revocable);  // it lives
  EXPECT_TRUE(peers.take_requests().empty());
  peers.tick({true, true}, revocable + timing.revoke_after_drift() - 1ns);
  EXPECT_TRUE(peers.take_requests().empty()) << "the new rev has to age anew";
  peers.tick({true, true}, revocable + timing.revoke_after_drift());
  EXPECT_EQ(peers.take_requests().size(), 1u);
}

}  // namespace
}  // namespace herald::coord
