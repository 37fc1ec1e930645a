#include "l2/responder.h"

#include <gtest/gtest.h>

#include <fstream>

#include <boost/json.hpp>

#include "l2/announcer.h"
#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"

namespace herald::l2 {
namespace {

const MacAddress kOurs = *MacAddress::parse("02:00:00:00:00:0a");
const Instant kNow = Instant(100s);
const LinkIndex kLink(3);

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
Grants grants() {
  Grants out;
  out.deadline = kNow + 1s;
  out.links[kLink] = {kOurs, sorted_vips({ip("192.0.2.10"), ip("192.0.2.20"), ip("2001:db8::10")})};
  out.links[LinkIndex(4)] = {kOurs, sorted_vips({ip("192.0.2.30"), ip("2001:db8::30")})};
  return out;
}
std::vector<boost::json::object> vectors(const std::string& name) {
  std::ifstream file(std::string(HERALD_SOURCE_DIR) + "/tests/vectors/l2/" + name);
  std::vector<boost::json::object> out;
  for (std::string line; std::getline(file, line);) {
    out.push_back(boost::json::parse(line).as_object());
  }
  EXPECT_FALSE(out.empty()) << name;
  return out;
}
std::string text(const boost::json::object& o, const char* key) {
  const auto* value = o.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

// Neither answered for nor claimed yet: but whoever else claims it is of interest.
TEST(Responder, SeesWhoUsesAnIpThatIsBeingProbed) {
  const MacAddress stranger = *MacAddress::parse("02:00:00:00:00:99");
  const MacAddress member = *MacAddress::parse("02:00:00:00:00:0b");
  const IpAddress v4 = ip("192.0.2.40"), v6 = ip("2001:db8::40");
  Grants g = grants();
  g.links[kLink].probing = sorted_vips({v4, v6});
  g.links[kLink].members = {kOurs, member};
  const auto verdict = [&](const Frame& frame) {
    const Answer got = answer(frame.bytes, kLink, g, kNow);
    EXPECT_FALSE(got.reply);
    EXPECT_EQ(got.conflict.has_value(), got.verdict == Verdict::Conflict);
    EXPECT_EQ(got.conflict.value_or(Conflict{kLink, frame.vip, stranger}),
              (Conflict{kLink, frame.vip, stranger}));
    return got.verdict;
  };
  const ArpFrame probe = *parse_arp(arp_probe(v4, kOurs).bytes);
  EXPECT_EQ(verdict(arp_reply(probe, v4, stranger)), Verdict::Conflict);
  EXPECT_EQ(verdict(arp_announcement_request(v4, stranger)), Verdict::Conflict);
  EXPECT_EQ(verdict(arp_reply(probe, v4, member)), Verdict::NotOurs) << "the owner until now";
  EXPECT_EQ(verdict(arp_probe(v4, member)), Verdict::NotOurs) << "two probe: the table decides";
  EXPECT_EQ(verdict(arp_probe(v4, kOurs)), Verdict::OwnFrame);
  EXPECT_EQ(verdict(ndp_announcement(v6, stranger)), Verdict::Conflict);
  EXPECT_EQ(verdict(ndp_probe(v6, stranger)), Verdict::Conflict) << "RFC 4862 §5.4.3";
  EXPECT_EQ(verdict(ndp_announcement(v6, member)), Verdict::NotOurs);
  EXPECT_EQ(verdict(ndp_probe(v6, member)), Verdict::NotOurs);
  NdpFrame asks = *parse_ndp(ndp_probe(v6, stranger).bytes);
  asks.source = ip("2001:db8::99");
  asks.link_layer = stranger;
  EXPECT_EQ(verdict({encode(asks), v6, false}), Verdict::NotOurs) << "who asks does not use it";

  EXPECT_TRUE(g.may_probe(kLink, v4, kNow));
  EXPECT_FALSE(g.may_answer(kLink, v4, kNow));
  EXPECT_FALSE(g.may_probe(kLink, v4, g.deadline));
  EXPECT_FALSE(g.may_probe(LinkIndex(4), v4, kNow));
  EXPECT_FALSE(g.may_probe(kLink, ip("192.0.2.10"), kNow));
}

TEST(Responder, AnswersTheVectors) {
  for (const char* file : {"arp.jsonl", "ndp.jsonl"}) {
    for (const auto& c : vectors(file)) {
      const std::string name = text(c, "name");
      const auto& expect = c.at("expect").as_object();
      const Bytes frame = from_hex(text(c, "hex"));
      const Answer got = answer(frame, kLink, grants(), kNow);
      const std::string verdict = text(expect, "verdict");
      if (verdict == "reply") {
        const std::string reply = text(expect, "reply") + text(expect, "example_reply");
        ASSERT_TRUE(got.reply) << name << ": " << to_string(got.verdict);
        // The vectors leave Override of a solicited advertisement open; the example has it.
        EXPECT_EQ(to_hex(got.reply->bytes), reply) << name;
        const auto stale = grants().deadline;
        EXPECT_EQ(answer(frame, kLink, grants(), stale).verdict, Verdict::LeaseStale) << name;
        EXPECT_EQ(answer(frame, LinkIndex(4), grants(), kNow).verdict, Verdict::NotOurs) << name;
      } else {
        EXPECT_FALSE(got.reply) << name;
        const std::string reason = verdict == "conflict" ? "conflict" : text(expect, "reason");
        EXPECT_EQ(to_string(got.verdict), reason) << name;
      }
      EXPECT_EQ(got.conflict.has_value(), text(expect, "event") == "address_conflict") << name;
      for (std::size_t n = 0; n < frame.size(); ++n) {
        const Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(n));
        const Answer shorter = answer(cut, kLink, grants(), kNow);
        EXPECT_TRUE(!shorter.reply || n >= 42) << name << " cut to " << n;
      }
    }
  }
}

TEST(Responder, SeesAConflictInAnAdvertisementButNotInOurOwn) {
  const Frame theirs =
      ndp_announcement(ip("2001:db8::10"), *MacAddress::parse("02:00:00:00:00:0b"));
  EXPECT_EQ(answer(theirs.bytes, kLink, grants(), kNow).verdict, Verdict::Conflict);
  EXPECT_EQ(answer(theirs.bytes, kLink, grants(), kNow + 1s).verdict, Verdict::LeaseStale);
  for (const Frame& own : {ndp_announcement(ip("2001:db8::10"), kOurs),
                           arp_announcement_reply(ip("192.0.2.10"), kOurs),
                           arp_announcement_request(ip("192.0.2.10"), kOurs)}) {
    EXPECT_EQ(answer(own.bytes, kLink, grants(), kNow).verdict, Verdict::OwnFrame);
  }
}

TEST(Wire, RoundTrips) {
  const Frame arp = arp_announcement_request(ip("192.0.2.10"), kOurs);
  EXPECT_EQ(encode(*parse_arp(arp.bytes)), arp.bytes);
  const Frame ndp = ndp_announcement(ip("2001:db8::10"), kOurs);
  EXPECT_EQ(encode(*parse_ndp(ndp.bytes)), ndp.bytes);
}

TEST(Announcer, SendsTheFormsOfTheVectors) {
  for (const auto& c : vectors("emit.jsonl")) {
    const std::string event = text(c, "event");
    if (event.find("before") == 0) continue;  // we do not probe: see announcer.h
    if (c.at("acceptable").as_array().empty()) continue;
    Announcer announcer(kLink, kOurs, {});
    announcer.own(ip(event.find("v4") != std::string::npos ? "192.0.2.10" : "2001:db8::10"), kNow);
    const auto frames = announcer.take_frames();
    ASSERT_FALSE(frames.empty());
    for (const Frame& frame : frames) {
      bool found = false;
      for (const auto& form : c.at("acceptable").as_array()) {
        found |= text(form.as_object(), "hex") == to_hex(frame.bytes);
      }
      EXPECT_TRUE(found) << text(c, "name") << " " << to_hex(frame.bytes);
    }
  }
}

TEST(Announcer, BurstsThenFallsQuietAndIsSilentOnLoss) {
  Announcer announcer(kLink, kOurs, {});
  const std::set<IpAddress> vips = {ip("192.0.2.10"), ip("2001:db8::10")};
  announcer.set(vips, kNow);
  EXPECT_EQ(announcer.take_frames().size(), 3u);
  int repeats = 0;
  Instant now = kNow;
  while (const auto due = announcer.next_deadline()) {
    now = *due;
    announcer.tick(now);
    announcer.set(vips, now);
    repeats += static_cast<int>(announcer.take_frames().size());
  }
  EXPECT_EQ(repeats, 4 * 3);
  EXPECT_EQ(now, kNow + 800ms);
  EXPECT_TRUE(announcer.defend(ip("192.0.2.10"), now));
  EXPECT_FALSE(announcer.defend(ip("192.0.2.10"), now + 9s));
  announcer.set({}, now);
  EXPECT_TRUE(announcer.take_frames().empty());
  EXPECT_FALSE(announcer.next_deadline());
}

TEST(Announcer, BoundsTheRateForTenThousand) {
  Announcer announcer(kLink, kOurs, {.count = 1});
  std::set<IpAddress> vips;
  for (std::uint32_t i = 0; i < 10000; ++i) vips.insert(IpAddress::v4(0x0a000000 + i));
  announcer.set(vips, kNow);
  std::size_t frames = announcer.take_frames().size();
  EXPECT_EQ(frames, Announcer::kBatchFrames);
  Instant now = kNow;
  while (const auto due = announcer.next_deadline()) {
    now = *due;
    announcer.tick(now);
    const auto batch = announcer.take_frames().size();
    EXPECT_LE(batch, Announcer::kBatchFrames);
    frames += batch;
  }
  EXPECT_EQ(frames, 20000u);
  EXPECT_EQ(now, kNow + 9 * Announcer::kBatchGap);
}

}  // namespace
}  // namespace herald::l2
