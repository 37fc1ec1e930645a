#include "daemon/transitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace herald::daemon {
namespace {

using namespace coord;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const NodeName kN1("n1"), kN2("n2"), kN3("n3");
const Instant kNow = Instant(100s);

std::vector<std::string> texts(const std::vector<Log>& logs) {
  std::vector<std::string> out;
  for (const Log& log : logs) out.push_back(log.text);
  return out;
}

MemberDocument member(const NodeName& node, std::uint64_t rev, std::uint64_t inc = 1) {
  MemberDocument d;
  d.node = node;
  d.rev = Revision(rev);
  d.inc = Incarnation(inc);
  return d;
}

struct Members : testing::Test {
  Peers peers{kN1, LeaseTiming{}};
  Transitions transitions{kN1};
  GuardReport report;

  std::vector<std::string> told() { return texts(transitions.of_members(peers)); }
  void report_n2(bool silent) {
    report.peers[kN2].silent = silent;
    peers.on_report(report, kNow);
  }
};

TEST_F(Members, ComeAreSilentAreGivenUpAndAreRevoked) {
  peers.on_seen(member(kN1, 1), kNow);
  peers.on_seen(member(kN2, 1), kNow);
  EXPECT_THAT(told(), ElementsAre("member n2 has joined (incarnation 1)")) << "of oneself nothing";
  EXPECT_THAT(told(), IsEmpty()) << "once only";

  report_n2(true);
  EXPECT_THAT(told(), ElementsAre(HasSubstr("n2 is silent")));
  report.peers[kN2].fences[kN3] = {Incarnation(1), Revision(1)};
  report_n2(true);
  EXPECT_THAT(told(), ElementsAre("member n2 is given up by n3"));
  MemberDocument revoked = member(kN2, 2);
  revoked.revoked = true;
  peers.on_seen(revoked, kNow);
  EXPECT_THAT(told(), ElementsAre("member n2 is revoked (incarnation 1)"));
  peers.on_seen(member(kN2, 3, 2), kNow);
  report_n2(false);
  EXPECT_THAT(told(), ElementsAre("member n2 has joined (incarnation 2)"));
}

TEST_F(Members, AreHeardAgainOrLeave) {
  peers.on_seen(member(kN2, 1), kNow);
  report_n2(true);
  told();
  report_n2(false);
  EXPECT_THAT(told(), ElementsAre("member n2 is heard again"));
  MemberDocument left = member(kN2, 2);
  left.revoked = left.info.draining = true;
  peers.on_seen(left, kNow);
  EXPECT_THAT(told(), ElementsAre("member n2 has left"));
  Transitions late(kN3);
  EXPECT_THAT(texts(late.of_members(peers)), IsEmpty()) << "of lives that were over already";
}

TEST(Transitions, AnIpsWayFromOwnerToOwner) {
  Peers peers(kN1, LeaseTiming{});
  const IpAddress vip = *IpAddress::parse("10.25.150.223");
  TableDocument shard;
  const auto write = [&](std::optional<NodeName> owner, bool there = true) {
    const TableDocument before = std::exchange(shard, {});
    if (there) shard.entries[vip].owner = owner;
    return texts(Transitions::of_shard(before, shard, peers));
  };
  peers.on_seen(member(kN2, 1), kNow);
  EXPECT_THAT(write(kN2), ElementsAre("ip 10.25.150.223 owner n2"));
  EXPECT_THAT(write(kN2), IsEmpty());
  EXPECT_THAT(write(kN3), ElementsAre("ip 10.25.150.223 owner n3, after n2"));
  EXPECT_THAT(write(kN2), ElementsAre("ip 10.25.150.223 owner n2, after n3"));
  MemberDocument revoked = member(kN2, 2);
  revoked.revoked = true;
  peers.on_seen(revoked, kNow);
  EXPECT_THAT(write(kN3), ElementsAre("ip 10.25.150.223 owner n3, as n2 is lost"));
  EXPECT_THAT(write({}), ElementsAre("ip 10.25.150.223 owner nobody, after n3"));
  EXPECT_THAT(write({}, false), ElementsAre("ip 10.25.150.223 is free again, nobody had it"));
}

TEST(Transitions, ManyIpsThatGoTheSameWayAreToldAsOne) {
  Peers peers(kN1, LeaseTiming{});
  TableDocument d;
  for (std::uint32_t i = 0; d.entries.size() < 40; ++i) {
    d.entries[IpAddress::v4(0x0a000000u + i)].owner = kN2;
  }
  EXPECT_THAT(texts(Transitions::of_shard({}, d, peers)),
              ElementsAre(HasSubstr(" and 39 more owner n2")));
}

TEST(History, KeepsTheNewestAndNumbersThem) {
  History history;
  for (int i = 0; i < 1500; ++i) history.add({Log::Level::Info, std::to_string(i)}, kNow);
  ASSERT_EQ(history.entries().size(), 1000u);
  EXPECT_EQ(history.entries().back().seq, 1500u);
  EXPECT_EQ(history.entries().back().said.text, "1499");
}

}  // namespace
}  // namespace herald::daemon
