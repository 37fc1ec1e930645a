#include "net/ip.h"

#include <gtest/gtest.h>

#include "net/mac.h"

namespace herald {
namespace {

TEST(IpAddress, ParsesAndPrints) {
  const struct {
    const char* text;
    const char* printed;  // nullptr: refused
  } cases[] = {
      {"10.25.150.253", "10.25.150.253"},
      {"0.0.0.0", "0.0.0.0"},
      {"fd25:150::1", "fd25:150::1"},
      {"FD25:0150:0:0::1", "fd25:150::1"},
      {"::", "::"},
      {"", nullptr},
      {"10.25.150", nullptr},
      {"10.25.150.256", nullptr},
      {"010.0.0.1", nullptr},
      {"10.0.0.1 ", nullptr},
      {"fe80::1%eth0", nullptr},
      {"::ffff:10.0.0.1", nullptr},
      {"10.0.0.1/24", nullptr},
  };
  for (const auto& c : cases) {
    const auto address = IpAddress::parse(c.text);
    EXPECT_EQ(address.has_value(), c.printed != nullptr) << c.text;
    if (address && c.printed != nullptr) {
      EXPECT_EQ(to_string(*address), c.printed);
    }
  }
}

TEST(IpAddress, OrdersByFamilyThenNumber) {
  EXPECT_LT(*IpAddress::parse("255.255.255.255"), *IpAddress::parse("::1"));
  EXPECT_LT(*IpAddress::parse("10.0.0.9"), *IpAddress::parse("10.0.0.10"));
  EXPECT_EQ(to_string(IpAddress::parse("10.0.0.255")->next()), "10.0.1.0");
}

TEST(IpPrefix, MasksHostBitsAndKnowsItsEnds) {
  const struct {
    const char *text, *printed, *first, *last;
  } cases[] = {
      {"10.0.0.12/24", "10.0.0.0/24", "10.0.0.0", "10.0.0.255"},
      {"10.0.0.0/32", "10.0.0.0/32", "10.0.0.0", "10.0.0.0"},
      {"0.0.0.0/0", "0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
      {"fd25:150::7/64", "fd25:150::/64", "fd25:150::", "fd25:150::ffff:ffff:ffff:ffff"},
      {"::/0", "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (const auto& c : cases) {
    const auto prefix = IpPrefix::parse(c.text);
    ASSERT_TRUE(prefix) << c.text;
    EXPECT_EQ(to_string(*prefix), c.printed);
    EXPECT_EQ(to_string(prefix->first()), c.first);
    EXPECT_EQ(to_string(prefix->last()), c.last);
  }
  for (const char* bad : {"10.0.0.0", "10.0.0.0/33", "::/129", "abc", "10.0.0.0/", "10.0.0.0/-1"}) {
    EXPECT_FALSE(IpPrefix::parse(bad)) << bad;
  }
}

TEST(IpRange, CountsWithoutOverflow) {
  EXPECT_EQ(to_string(IpRange::of(*IpPrefix::parse("10.0.0.0/24")).size()), "256");
  EXPECT_EQ(to_string(IpRange::of(*IpPrefix::parse("fd00::/64")).size()), "18446744073709551616");
  EXPECT_EQ(to_string(IpRange::of(*IpPrefix::parse("::/0")).size()),
            "340282366920938463463374607431768211455");
}

TEST(MacAddress, ParsesPrintsAndMapsGroups) {
  EXPECT_EQ(to_string(*MacAddress::parse("02:00:00:00:00:0A")), "02:00:00:00:00:0a");
  EXPECT_FALSE(MacAddress::parse("02:00:00:00:00"));
  EXPECT_FALSE(MacAddress::parse("020000000000000aa"));
  const auto group = solicited_node_group(*IpAddress::parse("fd25:150::12:3456"));
  EXPECT_EQ(to_string(group), "ff02::1:ff12:3456");
  EXPECT_EQ(to_string(multicast_mac(group)), "33:33:ff:12:34:56");
}

}  // namespace
}  // namespace herald
