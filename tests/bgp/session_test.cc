#include "bgp/session.h"

#include <gtest/gtest.h>

namespace herald::bgp {
namespace {

const IpAddress kPeer = *IpAddress::parse("192.0.2.1");
const IpAddress kLocal = *IpAddress::parse("192.0.2.2");

PeerConfig config(std::uint32_t peer_as = 65001) {
  PeerConfig c;
  c.name = PeerName("tor-1");
  c.address = kPeer;
  c.local_as = Asn(64512);
  c.expected.number = Asn(peer_as);
  c.router_id = *IpAddress::parse("10.0.0.2");
  return c;
}

Route route(const char* prefix, std::vector<std::uint32_t> communities = {}) {
  Route r{*IpPrefix::parse(prefix), {}};
  r.attributes.communities = std::move(communities);
  return r;
}

struct Story {
  explicit Story(PeerConfig c = config()) : session(std::move(c), Rng(1)) { session.start(now); }

  Open open(std::uint32_t as = 65001) const {
    Open o;
    o.as = Asn(as);
    o.hold_time_s = 90;
    o.bgp_id = *IpAddress::parse("10.0.0.1");
    o.four_octet_as = o.route_refresh = o.ipv4_unicast = o.ipv6_unicast = true;
    return o;
  }
  void establish() {
    session.connected(kLocal, now);
    session.received(encode_open(open()), now);
    session.received(encode_keepalive(), now);
    ASSERT_EQ(session.state(), SessionState::Established);
  }
  void pass(Duration d) {
    const Instant until = now + d;
    while (const auto next = session.next_deadline()) {
      if (*next > until) break;
      now = *next;
      session.tick(now);
    }
    now = until;
  }
  // What was sent, by message; a NOTIFICATION's code and subcode as text.
  std::vector<Message> sent() {
    std::vector<Message> out;
    for (const Action& a : session.take_actions()) {
      if (const auto* s = std::get_if<Send>(&a)) {
        const auto parsed = parse_message(s->bytes);
        EXPECT_TRUE(parsed) << "we sent nonsense";
        if (parsed) out.push_back(*parsed);
      }
    }
    return out;
  }
  int updates() {
    int n = 0;
    for (const Message& m : sent()) n += std::holds_alternative<UpdateBody>(m) ? 1 : 0;
    return n;
  }

  Instant now{1000s};
  Session session;
};

TEST(Session, EstablishesAndSaysWhatIsWanted) {
  Story s;
  s.session.set_routes({route("10.25.150.1/32"), route("fd25::1/128")}, s.now);
  s.establish();
  EXPECT_EQ(s.session.stats().prefixes_advertised, 1u) << "no IPv6 next hop yet";
  EXPECT_EQ(s.session.stats().prefixes_held_back, 1u);
  EXPECT_EQ(s.updates(), 3) << "one route, and End-of-RIB of both families";
  s.session.set_next_hop_v6(*IpAddress::parse("fd25::2"), s.now);
  EXPECT_EQ(s.session.stats().prefixes_advertised, 2u);
  EXPECT_EQ(s.updates(), 1);
  s.session.set_routes({route("10.25.150.1/32"), route("fd25::1/128")}, s.now);
  EXPECT_EQ(s.updates(), 0) << "the same set says nothing";
  s.session.set_routes({route("10.25.150.1/32", {1}), route("10.25.150.2/32", {1})}, s.now);
  EXPECT_EQ(s.updates(), 2) << "a withdrawal, and one message for both with the same attributes";
  Bytes refresh = encode_message(5, from_hex("00010001"));
  s.session.received(refresh, s.now);
  EXPECT_EQ(s.updates(), 1) << "RFC 2918: all of the family again";
}

std::vector<std::uint32_t> many(std::uint32_t count) {
  std::vector<std::uint32_t> out(count);
  for (std::uint32_t i = 0; i < count; ++i) out[i] = i;
  return out;
}

TEST(Session, ARouteThatFitsNoMessageIsHeldBackAndSaidSo) {  // RFC 4271 §9.2
  Story s;
  s.establish();
  s.session.set_routes({route("10.25.150.1/32"), route("10.25.150.2/32")}, s.now);
  EXPECT_EQ(s.session.stats().prefixes_advertised, 2u);
  s.sent();
  s.session.set_routes(
      {route("10.25.150.1/32", many(1100)), route("10.25.150.2/32"), route("10.25.150.3/32", {7})},
      s.now);
  EXPECT_EQ(s.updates(), 2) << "what the peer knows of the first is withdrawn, the third goes out";
  EXPECT_EQ(s.session.stats().prefixes_advertised, 2u);
  EXPECT_EQ(s.session.stats().prefixes_held_back, 1u);
  EXPECT_FALSE(s.session.advertised(*IpPrefix::parse("10.25.150.1/32")));
  EXPECT_TRUE(s.session.advertised(*IpPrefix::parse("10.25.150.3/32")));
  EXPECT_EQ(s.session.stats().held_back_why,
            "1 routes are held back, 10.25.150.1/32 first: their attributes do not fit a message "
            "of 4096 octets; take communities out of the BGPAdvertisements that select them");
  s.session.set_routes(
      {route("10.25.150.1/32", many(200)), route("10.25.150.2/32"), route("10.25.150.3/32", {7})},
      s.now);
  EXPECT_EQ(s.updates(), 1);
  EXPECT_EQ(s.session.stats().prefixes_held_back, 0u);
  EXPECT_EQ(s.session.stats().held_back_why, "");
}

TEST(Session, WhatIsHeldBackIsForgottenWithTheSession) {
  Story s;
  s.session.set_routes({route("fd25::1/128")}, s.now);
  s.establish();
  EXPECT_EQ(s.session.stats().prefixes_held_back, 1u);
  EXPECT_NE(s.session.stats().held_back_why.find("no IPv6 address"), std::string::npos);
  s.session.closed("reset", s.now);
  EXPECT_EQ(s.session.stats().prefixes_held_back, 0u);
  EXPECT_EQ(s.session.stats().held_back_why, "");
}

TEST(Session, ALinkLocalNextHopIsNeverAlone) {  // RFC 2545 §3
  Story s;
  s.session.set_routes({route("10.25.150.1/32"), route("fd25::1/128")}, s.now);
  s.session.set_next_hop_v6(*IpAddress::parse("fe80::9"), s.now);
  s.session.connected(*IpAddress::parse("fe80::2"), s.now);
  s.session.received(encode_open(s.open()), s.now);
  s.session.received(encode_keepalive(), s.now);
  ASSERT_EQ(s.session.state(), SessionState::Established);
  EXPECT_EQ(s.session.stats().prefixes_held_back, 2u);
  EXPECT_NE(s.session.stats().held_back_why.find("1 IPv4 routes"), std::string::npos);
  EXPECT_NE(s.session.stats().held_back_why.find("1 IPv6 routes"), std::string::npos);
  EXPECT_EQ(s.updates(), 2) << "End-of-RIB alone";
  s.session.set_next_hop_v6(*IpAddress::parse("fd25::2"), s.now);
  const auto sent = s.sent();
  ASSERT_EQ(sent.size(), 1u);
  const std::string hex = to_hex(std::get<UpdateBody>(sent[0]).body);
  EXPECT_NE(hex.find("00020120"  // AFI, SAFI, 32 octets
                     "fd250000000000000000000000000002"
                     "fe800000000000000000000000000002"
                     "00"
                     "80fd250000000000000000000000000001"),
            std::string::npos)
      << hex;
  EXPECT_EQ(s.session.stats().prefixes_held_back, 1u);
}

TEST(Session, AWrongAsIsToldToBothSides) {
  Story s;
  s.session.connected(kLocal, s.now);
  s.session.received(encode_open(s.open(65009)), s.now);
  const auto sent = s.sent();
  ASSERT_FALSE(sent.empty());
  const auto* n = std::get_if<Notification>(&sent.back());
  ASSERT_NE(n, nullptr);
  EXPECT_EQ(to_string(*n), "2/2 (OPEN message error, bad peer AS)");
  EXPECT_EQ(s.session.stats().last_error,
            "peer tor-1 (192.0.2.1) says it is AS 65009, but spec.peerASN is 65001: set "
            "spec.peerASN to 65009, or mend the router");
  EXPECT_EQ(s.session.state(), SessionState::Active);
}

TEST(Session, KeepsAliveAndFindsADeadPeer) {
  Story s;
  s.establish();
  s.sent();
  s.pass(89s);
  EXPECT_EQ(s.session.state(), SessionState::Established);
  std::size_t keepalives = 0;
  for (const Message& m : s.sent()) keepalives += std::holds_alternative<Keepalive>(m) ? 1 : 0;
  EXPECT_GE(keepalives, 2u);
  s.pass(2s);
  EXPECT_EQ(s.session.state(), SessionState::Active);
  const auto sent = s.sent();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(std::get<Notification>(sent.back()).code, 4);
}

TEST(Session, BacksOffAndComesBack) {
  Story s;
  std::vector<Duration> waits;
  for (int i = 0; i < 8; ++i) {
    s.session.connect_failed("refused", s.now);
    ASSERT_EQ(s.session.state(), SessionState::Active);
    waits.push_back(*s.session.next_deadline() - s.now);
    s.pass(waits.back());
    ASSERT_EQ(s.session.state(), SessionState::Connect);
  }
  EXPECT_LE(waits.front(), 5s);
  EXPECT_GE(waits.front(), 3750ms);
  EXPECT_GT(waits[2], waits[0]);
  EXPECT_LE(waits.back(), kMaxConnectRetry);
  EXPECT_GE(waits.back(), kMaxConnectRetry * 3 / 4);
  s.establish();
  EXPECT_TRUE(s.session.stats().last_error.empty());
  s.session.closed("reset", s.now);
  EXPECT_EQ(s.session.stats().prefixes_advertised, 0u);
  EXPECT_LE(*s.session.next_deadline() - s.now, 5s) << "an established session begins anew";
}

TEST(Session, StopsWithACease) {
  Story s;
  s.establish();
  s.sent();
  s.session.stop(s.now);
  const auto sent = s.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(to_string(std::get<Notification>(sent[0])), "6/2 (cease, administrative shutdown)");
  EXPECT_EQ(s.session.state(), SessionState::Idle);
  EXPECT_FALSE(s.session.next_deadline());
}

TEST(Open, RoundTrips) {
  for (const std::uint32_t as : {64512u, 4200000001u}) {
    Open o;
    o.as = Asn(as);
    o.hold_time_s = 90;
    o.bgp_id = *IpAddress::parse("10.0.0.1");
    o.four_octet_as = o.route_refresh = o.multiprotocol = o.ipv4_unicast = o.ipv6_unicast = true;
    const auto parsed = parse_message(encode_open(o));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(std::get<Open>(*parsed), o);
  }
}

// What follows the fixed part of an OPEN, with "My AS" 65001 and its length set right.
Bytes open_with(const char* parameters) {
  return encode_message(1, from_hex(std::string("04fde9005a0a000001") + parameters));
}

TEST(Open, ItsParametersAreReadByRfc4271AndRfc9072) {
  const struct {
    const char *parameters, *fault;  // fault "": accepted
  } cases[] = {
      {"00", ""},
      {"02 0200", ""},
      {"03 070100", "2/4 (OPEN message error, unsupported optional parameter)"},
      {"0b 070100 0206 010400010001", "2/4 (OPEN message error, unsupported optional parameter)"},
      {"03 0105 00", "2/0 (OPEN message error, unspecific)"},
      {"ff ff 0009 020006 010400010001", ""},
      {"0c ff 0009 020006 010400010001", ""},  // the short length means nothing then
      {"01 ff 0009 020006 010400010001", ""},
      {"ff ff 0000", ""},
      {"ff ff 000a 020006 010400010001", "2/0 (OPEN message error, unspecific)"},
      {"ff ff 0004 070001 00", "2/4 (OPEN message error, unsupported optional parameter)"},
      {"02 ff00", "2/4 (OPEN message error, unsupported optional parameter)"},
  };
  for (const auto& c : cases) {
    const auto parsed = parse_message(open_with(c.parameters));
    EXPECT_EQ(parsed ? "" : to_string(parsed.error()), c.fault) << c.parameters;
  }
}

TEST(Update, WrongFlagsMeanTreatAsWithdraw) {  // RFC 7606 §3 c
  const struct {
    const char *name, *good, *bad;
  } cases[] = {
      {"ATOMIC_AGGREGATE", "400600", "c00600"},
      {"AGGREGATOR", "c007080000fde9c0000209", "4007080000fde9c0000209"},
      {"AS4_PATH", "c0110602010000fde9", "80110602010000fde9"},
      {"AS4_AGGREGATOR", "c012080000fde9c0000209", "8012080000fde9c0000209"},
      {"MP_UNREACH_NLRI", "800f03000201", "c00f03000201"},
      {"COMMUNITIES", "c00804fde90001", "400804fde90001"},
  };
  const Negotiated negotiated{false, true, true, true};
  for (const auto& c : cases) {
    for (const bool good : {true, false}) {
      const Bytes attributes = from_hex(std::string("4001010040020602010000fde9400304c0000201") +
                                        (good ? c.good : c.bad));
      ByteWriter body;
      body.u16(0);
      body.u16(static_cast<std::uint16_t>(attributes.size()));
      body.bytes(attributes);
      body.bytes(from_hex("18cb0071"));
      const auto verdict = check_update(body.view(), negotiated);
      ASSERT_TRUE(verdict) << c.name;
      EXPECT_EQ(*verdict, good ? UpdateVerdict::Fine : UpdateVerdict::TreatAsWithdraw) << c.name;
    }
  }
}

TEST(Update, ANotificationCarriesTheAttributeThatIsWrong) {  // RFC 4271 §6.3
  const Negotiated negotiated{false, true, true, true};
  const struct {
    const char* attribute;
    int subcode;
  } cases[] = {{"406303010203", 2},  // well-known, and unknown to us
               {"800e0500020105fd", 9}};
  for (const auto& c : cases) {
    const Bytes attribute = from_hex(c.attribute);
    ByteWriter body;
    body.u16(0);
    body.u16(static_cast<std::uint16_t>(attribute.size() + 4));
    body.bytes(from_hex("40010100"));
    body.bytes(attribute);
    const auto verdict = check_update(body.view(), negotiated);
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().subcode, c.subcode);
    EXPECT_EQ(to_hex(verdict.error().data), c.attribute);
  }
}

TEST(Update, WhatConfigurationAllowsAlwaysFits) {
  RouteAttributes most;
  most.as_path_prepend = 64;
  most.med = most.local_pref = 1;
  for (std::uint32_t i = 0; i < 255; ++i) most.large_communities.push_back({64512, 1, i});
  most.communities = {1};
  for (const bool as4 : {false, true}) {
    for (const bool internal : {false, true}) {
      const Announcing v4{{internal, as4, true, true}, Asn(4200000001), kLocal};
      EXPECT_EQ(encode_announcements({*IpPrefix::parse("10.0.0.1/32")}, most, v4).size(), 1u);
      const Announcing v6{v4.negotiated, v4.local_as, *IpAddress::parse("fd25::2"),
                          *IpAddress::parse("fe80::2")};
      const auto messages = encode_announcements({*IpPrefix::parse("fd25::1/128")}, most, v6);
      ASSERT_EQ(messages.size(), 1u);
      EXPECT_EQ(check_update(ByteView(messages[0]).subspan(kHeaderSize), v6.negotiated).value(),
                UpdateVerdict::Fine);
    }
  }
}

TEST(Update, PacksFullMessagesThatPassOurOwnCheck) {
  for (const bool v6 : {false, true}) {
    for (const bool internal : {false, true}) {
      std::vector<IpPrefix> prefixes;
      IpAddress a = *IpAddress::parse(v6 ? "fd25::1" : "10.0.0.1");
      for (int i = 0; i < 5000; ++i, a = a.next()) prefixes.push_back(IpPrefix::host(a));
      RouteAttributes attributes;
      attributes.communities = {0xfc000096, 0xffffff01};
      attributes.large_communities = {{64512, 1, 2}};
      const Negotiated negotiated{internal, true, true, true};
      const auto messages = encode_announcements(
          prefixes, attributes,
          {negotiated, Asn(64512), *IpAddress::parse(v6 ? "fd25::2" : "192.0.2.2")});
      std::size_t octets = 0;
      for (const Bytes& m : messages) {
        EXPECT_LE(m.size(), kMaxMessage);
        octets += m.size();
        const auto verdict = check_update(ByteView(m).subspan(kHeaderSize), negotiated);
        ASSERT_TRUE(verdict);
        EXPECT_EQ(*verdict, UpdateVerdict::Fine);
      }
      EXPECT_LE(messages.size(), octets / 3900 + 1) << "messages are full";
      EXPECT_EQ(encode_withdrawals(prefixes).size(), v6 ? 21u : 7u);
    }
  }
}

TEST(Update, AnOldPeerGetsAsTransAndTheTruthBeside) {  // RFC 6793 §4.2.2
  const auto messages = encode_announcements({*IpPrefix::parse("10.0.0.1/32")}, {},
                                             {{false, false, true, true}, Asn(4200000001), kLocal});
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(to_hex(ByteView(messages[0]).subspan(kHeaderSize)),
            "0000001b"
            "40010100"            // ORIGIN IGP
            "40020402015ba0"      // AS_PATH 23456
            "400304c0000202"      // NEXT_HOP
            "c011060201fa56ea01"  // AS4_PATH 4200000001
            "200a000001");
}

TEST(Session, APeerOfAnyAsIsInternalOrExternalByWhatItShows) {
  for (const std::uint32_t as : {64512U, 65001U}) {
    PeerConfig c = config();
    c.expected = {PeerAs::Kind::Any, Asn()};
    Story s(c);
    s.session.connected(kLocal, s.now);
    s.session.received(encode_open(s.open(as)), s.now);
    EXPECT_EQ(s.session.state(), SessionState::OpenConfirm) << as;
  }
}

}  // namespace
}  // namespace herald::bgp
