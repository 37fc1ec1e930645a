#include "ipam/address_set.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace herald::ipam {
namespace {

IpAddress at(const char* text) {
  return *IpAddress::parse(text);
}
IpRange range(const char* first, const char* last) {
  return {at(first), at(last)};
}

TEST(AddressSet, NeighboursCoalesce) {
  AddressSet set;
  EXPECT_TRUE(set.insert(at("10.0.0.1")));
  EXPECT_TRUE(set.insert(at("10.0.0.3")));
  EXPECT_EQ(set.interval_count(), 2u);
  EXPECT_FALSE(set.insert(at("10.0.0.1")));
  EXPECT_TRUE(set.insert(at("10.0.0.2")));
  EXPECT_EQ(set.interval_count(), 1u);
  EXPECT_EQ(set.lowest_free(range("10.0.0.1", "10.0.0.9")), at("10.0.0.4"));
  EXPECT_TRUE(set.erase(at("10.0.0.2")));
  EXPECT_FALSE(set.erase(at("10.0.0.2")));
  EXPECT_EQ(set.interval_count(), 2u);
  EXPECT_EQ(set.lowest_free(range("10.0.0.1", "10.0.0.9")), at("10.0.0.2"));
}

TEST(AddressSet, FamiliesNeverTouch) {
  AddressSet set;
  set.insert(at("255.255.255.255"));
  set.insert(at("::"));
  EXPECT_EQ(set.interval_count(), 2u);
  set.insert(range("255.255.255.0", "255.255.255.255"));
  EXPECT_EQ(set.interval_count(), 2u);
  EXPECT_FALSE(set.lowest_free(range("255.255.255.0", "255.255.255.255")));
  set.insert(range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
  EXPECT_FALSE(set.lowest_free(range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
  EXPECT_TRUE(set.erase(at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
  EXPECT_EQ(set.lowest_free(range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
            at("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(AddressSet, ASlash64CostsOneInterval) {
  AddressSet set;
  set.insert(IpRange::of(*IpPrefix::parse("fd25:150::/64")));
  EXPECT_EQ(set.interval_count(), 1u);
  EXPECT_EQ(set.lowest_free(IpRange::of(*IpPrefix::parse("fd25:150::/48"))), at("fd25:150:0:1::"));
}

// Against std::set, over 64 addresses, where everything touches everything.
RC_GTEST_PROP(AddressSet, IsASet, ()) {
  const auto base = at("10.0.0.0").v4_number();
  AddressSet set;
  std::set<std::uint32_t> model;
  for (const auto& [op, offset, length] :
       *rc::gen::container<std::vector<std::tuple<int, int, int>>>(rc::gen::tuple(
           rc::gen::inRange(0, 5), rc::gen::inRange(0, 64), rc::gen::inRange(0, 9)))) {
    const auto n = base + static_cast<std::uint32_t>(offset);
    const IpAddress a = IpAddress::v4(n);
    if (op <= 1) {
      RC_ASSERT(set.insert(a) == model.insert(n).second);
    } else if (op == 2) {
      RC_ASSERT(set.erase(a) == (model.erase(n) == 1));
    } else if (op == 3) {
      const auto last = n + static_cast<std::uint32_t>(length);
      set.insert(IpRange{a, IpAddress::v4(last)});
      for (auto i = n; i <= last; ++i) model.insert(i);
    } else {
      const auto last = n + static_cast<std::uint32_t>(length);
      std::optional<IpAddress> expected;
      for (auto i = n; i <= last && !expected; ++i) {
        if (!model.contains(i)) expected = IpAddress::v4(i);
      }
      RC_ASSERT(set.lowest_free({a, IpAddress::v4(last)}) == expected);
    }
    RC_ASSERT(set.contains(a) == model.contains(n));
    std::size_t runs = 0;
    for (const auto i : model) runs += model.contains(i - 1) ? 0 : 1;
    RC_ASSERT(set.interval_count() == runs);
  }
}

}  // namespace
}  // namespace herald::ipam
