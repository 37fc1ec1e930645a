#include "l2/prober.h"

#include <gtest/gtest.h>

#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"

namespace herald::l2 {
namespace {

const Instant kStart(100s);
const LinkIndex kEth0(2), kEth1(3);
const MacAddress kMac0 = *MacAddress::parse("02:00:00:00:00:0a");
const MacAddress kMac1 = *MacAddress::parse("02:00:00:00:00:0b");
const IpAddress kV4 = *IpAddress::parse("192.0.2.10"), kV6 = *IpAddress::parse("2001:db8::10");

struct Story {
  Prober prober{ProbeTiming{}};
  Instant now = kStart;

  std::size_t frames() { return prober.take_frames().size(); }
  // Goes on as a timer would; frames that were sent.
  std::size_t pass(Duration d) {
    std::size_t sent = frames();
    const Instant until = now + d;
    for (auto next = prober.next_deadline(); next && *next <= until;
         next = prober.next_deadline()) {
      now = std::max(now, *next);
      prober.tick(now);
      sent += frames();
    }
    now = until;
    return sent;
  }
};

TEST(Prober, AnIpThatNobodyAnswersForIsFree) {
  Story s;
  s.prober.set({{kV4, {{kEth0, kMac0}}}}, s.now);
  EXPECT_EQ(s.pass(399ms), 3u);
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Probing);
  EXPECT_EQ(s.pass(1ms), 0u);
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Free);
  EXPECT_EQ(s.prober.take_free(), std::vector<IpAddress>{kV4});
  EXPECT_TRUE(s.prober.take_free().empty());
  EXPECT_EQ(s.prober.next_deadline(), std::nullopt);
  s.prober.set({{kV4, {{kEth0, kMac0}, {kEth1, kMac1}}}}, s.now);
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Free) << "a link more later changes nothing";
  EXPECT_FALSE(s.prober.taken(kV4, s.now)) << "from here on it is a conflict to be defended";
}

TEST(Prober, ProbesAreWhatTheStandardsSay) {
  Story s;
  s.prober.set({{kV4, {{kEth0, kMac0}, {kEth1, kMac1}}}, {kV6, {{kEth0, kMac0}}}}, s.now);
  const auto sent = s.prober.take_frames();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].first, kEth0);
  EXPECT_EQ(sent[1].first, kEth1);
  for (const auto& [link, frame] : sent) EXPECT_TRUE(frame.probe);
  const auto arp = parse_arp(sent[1].second.bytes);
  ASSERT_TRUE(arp);
  EXPECT_EQ(*arp, (ArpFrame{{kBroadcastMac, kMac1, kEtherTypeArp},
                            kArpRequest,
                            kMac1,
                            IpAddress::v4(0),
                            MacAddress{},
                            kV4}));  // RFC 5227 §2.1.1
  const auto ndp = parse_ndp(sent[2].second.bytes);
  ASSERT_TRUE(ndp);
  EXPECT_TRUE(ndp->source.is_unspecified());  // RFC 4862 §5.4.2
  EXPECT_EQ(ndp->destination, solicited_node_group(kV6));
  EXPECT_EQ(ndp->ethernet.destination, multicast_mac(solicited_node_group(kV6)));
  EXPECT_EQ(ndp->target, kV6);
  EXPECT_EQ(ndp->link_layer, std::nullopt);
}

TEST(Prober, AnIpThatIsTakenIsProbedAgainUntilItIsNot) {
  Story s;
  s.prober.set({{kV4, {{kEth0, kMac0}}}}, s.now);
  EXPECT_EQ(s.pass(150ms), 2u);
  EXPECT_TRUE(s.prober.taken(kV4, s.now));
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Taken);
  const auto version = s.prober.version();
  EXPECT_EQ(s.pass(30s - 1ms), 0u);
  EXPECT_EQ(s.prober.version(), version);
  s.pass(2ms);
  EXPECT_NE(s.prober.version(), version) << "whoever grants has to know";
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Probing);
  s.pass(400ms);
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Free);
}

TEST(Prober, BeginsAnewOnOtherLinksAndForgetsWhatIsNotWanted) {
  Story s;
  s.prober.set({{kV4, {{kEth0, kMac0}}}}, s.now);
  s.pass(350ms);
  s.prober.set({{kV4, {{kEth1, kMac1}}}}, s.now);
  EXPECT_EQ(s.pass(399ms), 3u);
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Probing);
  s.prober.set({}, s.now);
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Unknown);
  EXPECT_EQ(s.prober.next_deadline(), std::nullopt);
  s.prober.set({{kV4, {}}}, s.now);
  EXPECT_EQ(s.prober.state(kV4), Prober::State::Unknown) << "no link, no silence to listen to";
}

TEST(Prober, ManyAtOnceDoNotOverrunTheLink) {
  Story s;
  Prober::Wanted wanted;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    wanted[IpAddress::v4(0x0a000000 + i)] = {{kEth0, kMac0}};
  }
  s.prober.set(wanted, s.now);
  EXPECT_EQ(s.frames(), Prober::kBatchFrames);
  EXPECT_EQ(s.pass(500ms), 3 * 10'000 - Prober::kBatchFrames);
  EXPECT_EQ(s.prober.take_free().size(), 10'000u);
}

}  // namespace
}  // namespace herald::l2
