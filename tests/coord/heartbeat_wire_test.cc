#include "coord/heartbeat_wire.h"

#include <gtest/gtest.h>

#include <limits>

namespace herald::coord {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

HeartbeatSeal seal(const std::string& cluster = "default",
                   const std::string& key = "0123456789abcdef") {
  return *HeartbeatSeal::make(cluster, key);
}

GuardMessage from_n1(std::variant<Heartbeat, Ack, Fence> body) {
  return {NodeName("n1"), Incarnation(7), std::move(body)};
}

std::vector<GuardMessage> one_of_each() {
  return {from_n1(Heartbeat{NodeName("n2"), Incarnation(kMax), Revision(kMax - 1), 3}),
          from_n1(Ack{NodeName("n2"), Revision(5), kMax}),
          from_n1(Fence{NodeName("n3"), Revision(9)})};
}

Bytes datagram() {
  const auto all = one_of_each();
  auto out = *seal().close(all);
  EXPECT_EQ(out.size(), 1U);
  return out.front();
}

// Octets behind the HMAC, for the parser alone.
Bytes sealed(std::uint8_t count, std::string_view rest_hex) {
  Bytes out = from_hex("4862 01 00 00000000 0000000000000007 026e31");
  out[3] = count;
  const Bytes rest = from_hex(rest_hex);
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

TEST(HeartbeatWire, ComesBackAsItWas) {
  EXPECT_EQ(seal().open(datagram()), one_of_each());
  EXPECT_TRUE(seal().close({})->empty());
}

// Nodes of two versions in one cluster must understand one another: these octets never change.
// The HMAC was computed with another implementation (Python's hmac).
TEST(HeartbeatWire, TheseOctetsAreForEver) {
  EXPECT_EQ(to_hex(datagram()), to_hex(from_hex(R"(
      4862 01 03 933b5bde 0000000000000007 02 6e31
      01 02 6e32 ffffffffffffffff fffffffffffffffe 0000000000000003   # heartbeat
      02 02 6e32 0000000000000005 ffffffffffffffff                    # ack
      03 02 6e33 0000000000000009                                     # fence
      9a67e4ec1ef2775f4f8d18298839baf6ca0d8cf0c1085bc5e5cb04f0001ee1fd)")));
}

TEST(HeartbeatWire, RefusedAtEveryLengthButTheWhole) {
  Bytes whole = datagram();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(seal().open(ByteView(whole).first(length))) << length;
  }
  const ByteView inner = ByteView(whole).first(whole.size() - 32);
  EXPECT_TRUE(parse_sealed(inner));
  for (std::size_t length = 0; length < inner.size(); ++length) {
    EXPECT_FALSE(parse_sealed(inner.first(length))) << length;
  }
  whole.push_back(0);
  EXPECT_FALSE(seal().open(whole));
  EXPECT_FALSE(parse_sealed(ByteView(whole).first(inner.size() + 1)));
}

TEST(HeartbeatWire, RefusedWithAnySingleBitFlipped) {
  const Bytes whole = datagram();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(seal().open(flipped)) << bit;
  }
}

TEST(HeartbeatWire, AnotherClusterOrKeyIsRefused) {
  EXPECT_EQ(seal("other").open(datagram()).error(), HeartbeatFault::OtherCluster);
  EXPECT_EQ(seal("default", "0123456789abcdeF").open(datagram()).error(), HeartbeatFault::BadMac);
  // The tag alone does not make it this cluster's.
  Bytes relabelled = (*seal("other").close(one_of_each())).front();
  const Bytes ours = datagram();
  std::copy(ours.begin() + 4, ours.begin() + 8, relabelled.begin() + 4);
  EXPECT_EQ(seal().open(relabelled).error(), HeartbeatFault::BadMac);
  EXPECT_STREQ(to_string(HeartbeatFault::OtherCluster), "of another cluster");
}

TEST(HeartbeatWire, KeysAndNamesHaveBounds) {
  for (const std::size_t length : {0U, 15U, 65U}) {
    const auto refused = HeartbeatSeal::make("default", std::string(length, 'k'));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().find("must have 16 to 64"), std::string::npos) << refused.error();
  }
  EXPECT_TRUE(HeartbeatSeal::make("default", std::string(16, 'k')));
  EXPECT_TRUE(HeartbeatSeal::make(std::string(253, 'c'), std::string(64, 'k')));
  EXPECT_FALSE(HeartbeatSeal::make("", std::string(64, 'k')));
  EXPECT_FALSE(HeartbeatSeal::make(std::string(254, 'c'), std::string(64, 'k')));

  const NodeName long_name(std::string(253, 'n')), too_long(std::string(254, 'n'));
  const auto close = [](const GuardMessage& m) { return seal().close({&m, 1}); };
  EXPECT_TRUE(close({long_name, Incarnation(1), Fence{long_name, Revision(1)}}));
  EXPECT_FALSE(close({too_long, Incarnation(1), Fence{long_name, Revision(1)}}));
  EXPECT_FALSE(close({long_name, Incarnation(1), Fence{too_long, Revision(1)}}));
  EXPECT_FALSE(close({NodeName(), Incarnation(1), Fence{long_name, Revision(1)}}));
  EXPECT_FALSE(close({long_name, Incarnation(1), Ack{NodeName(), Revision(1), 1}}));
  std::vector<GuardMessage> two = one_of_each();
  two.back().inc = Incarnation(8);
  EXPECT_FALSE(seal().close(two));
}

TEST(HeartbeatWire, ManyMessagesAreManyDatagramsInOrder) {
  std::vector<GuardMessage> many;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const auto length = static_cast<std::size_t>(1 + i % 253);
    many.push_back(from_n1(Fence{NodeName(std::string(length, 'w')), Revision(i)}));
  }
  const auto datagrams = *seal().close(many);
  std::vector<GuardMessage> back;
  for (const Bytes& d : datagrams) {
    EXPECT_LE(d.size(), kMaxHeartbeatBytes);
    const auto opened = *seal().open(d);
    back.insert(back.end(), opened.begin(), opened.end());
  }
  EXPECT_EQ(back, many);
  EXPECT_GT(datagrams.size(), 50U);
}

TEST(HeartbeatWire, HostileOctetsBehindTheHmacAreRefusedWhole) {
  const struct {
    const char* what;
    Bytes octets;
  } kRows[] = {
      {"no message", sealed(0, "")},
      {"a message in no message", sealed(0, "03 01 77 0000000000000001")},
      {"fewer than counted", sealed(2, "03 01 77 0000000000000001")},
      {"255 counted, none there", sealed(255, "")},
      {"more than counted", sealed(1, "03 01 77 0000000000000001 03 01 77 0000000000000001")},
      {"unknown kind", sealed(1, "04 01 77 0000000000000001")},
      {"kind 0", sealed(1, "00 01 77 0000000000000001")},
      {"empty name", sealed(1, "03 00 0000000000000001")},
      {"name of 254", sealed(1, "03 fe" + std::string(2 * 254, '7') + "0000000000000001")},
      {"name past the end", sealed(1, "03 fd 77 0000000000000001")},
      {"the second message is bad", sealed(2, "03 01 77 0000000000000001 03 01 77 00")},
      {"sender without a name", from_hex("4862 01 01 00000000 0000000000000007 00 "
                                         "03 01 77 0000000000000001")},
      {"version 2", from_hex("4862 02 01 00000000 0000000000000007 01 77 "
                             "03 01 77 0000000000000001")},
      {"another magic", from_hex("4863 01 01 00000000 0000000000000007 01 77 "
                                 "03 01 77 0000000000000001")},
  };
  EXPECT_TRUE(parse_sealed(sealed(1, "03 01 77 0000000000000001")));
  for (const auto& row : kRows) EXPECT_FALSE(parse_sealed(row.octets)) << row.what;
}

}  // namespace
}  // namespace herald::coord
