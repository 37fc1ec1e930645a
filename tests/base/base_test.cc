#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/time.h"

namespace herald {
namespace {

TEST(Duration, ParsesAndPrints) {
  const struct {
    const char* text;
    std::optional<Duration> value;
    const char* printed;
  } cases[] = {
      {"90s", 90s, "1m30s"},     {"1m30s", 90s, "1m30s"}, {"1.5s", 1500ms, "1s500ms"},
      {"150ms", 150ms, "150ms"}, {"0", 0s, "0s"},         {"0s", 0s, "0s"},
      {"2h", 2h, "2h"},          {"10", {}, ""},          {"", {}, ""},
      {"-1s", {}, ""},           {"1x", {}, ""},          {"999999999h", {}, ""},
      {"1.2.3s", {}, ""},        {"s", {}, ""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(parse_duration(c.text), c.value) << c.text;
    if (c.value) {
      EXPECT_EQ(to_string(*c.value), c.printed);
    }
  }
}

TEST(ByteReader, RemembersAShortRead) {
  const Bytes data = from_hex("0102 0304 05");
  ByteReader in(data);
  EXPECT_EQ(in.u16(), 0x0102);
  EXPECT_EQ(in.u16(), 0x0304);
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.u32(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0);
  EXPECT_EQ(in.remaining(), 0u);
}

TEST(ByteWriter, RoundTrips) {
  ByteWriter out;
  out.u16(0);
  out.u32(0xdeadbeef);
  out.u64(1);
  out.put_u16(0, 0xcafe);
  EXPECT_EQ(to_hex(out.view()), "cafedeadbeef0000000000000001");
  EXPECT_EQ(from_hex("ca:fe # comment\n01"), (Bytes{0xca, 0xfe, 0x01}));
  EXPECT_TRUE(from_hex("abc").empty());
  EXPECT_TRUE(from_hex("zz").empty());
}

TEST(Text, SplitsTrimsAndSuggests) {
  EXPECT_EQ(split_list(" a, b,,c "), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(parse_number("179", 65535), 179u);
  EXPECT_FALSE(parse_number("65536", 65535));
  EXPECT_FALSE(parse_number("-1", 65535));
  EXPECT_EQ(closest("adresses", {"addresses", "avoid"}), "addresses");
  EXPECT_FALSE(closest("zebra", {"addresses", "avoid"}));
}

TEST(Rng, SameSeedSameNumbers) {
  Rng a(7), b(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
  for (int i = 0; i < 100; ++i) {
    const auto d = a.between(10ms, 20ms);
    EXPECT_GE(d, 10ms);
    EXPECT_LE(d, 20ms);
  }
}

}  // namespace
}  // namespace herald
