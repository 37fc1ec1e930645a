// What the thousands of objects are made of, in little space.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rare.h"
#include "model/objects.h"
#include "model/short_list.h"
#include "net/ip.h"

namespace herald {
namespace {

// More is octets times the number of services of a cluster.
TEST(SmallValues, AreSmall) {
  EXPECT_EQ(sizeof(Rare<Sharing>), 8U);
  EXPECT_EQ(sizeof(Labels), 8U);
  EXPECT_EQ(sizeof(ShortList<IpAddress>), 16U);
  EXPECT_EQ(sizeof(IpAddress), 24U);
  EXPECT_EQ(sizeof(Endpoint), 24U);
  EXPECT_LE(sizeof(Service), 240U);
}

template <typename T>
void grows_like_a_vector(const std::vector<T>& values) {
  ShortList<T> list;
  std::vector<T> expected;
  for (const T& value : values) {
    list.push_back(value);
    expected.push_back(value);
    const ShortList<T> copy = list;
    EXPECT_EQ(std::vector<T>(copy.begin(), copy.end()), expected);
    EXPECT_EQ(copy, ShortList<T>(expected));
    EXPECT_EQ(list.back(), value);
  }
  list.push_back(list.front());
  EXPECT_EQ(list.back(), values.front());
  list.pop_back();
  ShortList<T> moved = std::move(list);
  EXPECT_EQ(moved, ShortList<T>(expected));
  list = moved;
  moved.clear();
  EXPECT_TRUE(moved.empty());
  EXPECT_EQ(list, ShortList<T>(expected));
  list.truncate(1);
  EXPECT_EQ(list, (ShortList<T>{values.front()}));
  EXPECT_NE(list, ShortList<T>{});
}

TEST(ShortList, GrowsLikeAVector) {
  grows_like_a_vector<std::uint8_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
  grows_like_a_vector<std::uint64_t>({1, 2, 3, 4, 5});
  std::vector<IpAddress> ips;
  for (std::uint32_t i = 1; i < 10; ++i) ips.push_back(IpAddress::v4(i));
  grows_like_a_vector(ips);
}

TEST(SourceOf, AnObjectOfAnApiServerIsWhereItsNameSays) {
  Service service;
  service.name = {"shop", "web"};
  EXPECT_EQ(source_of(service), (Source{"/api/v1/namespaces/shop/services/web", 0, "Service"}));
  service.source = Source{"web.yaml", 7, "Service"};
  EXPECT_EQ(source_of(service), (Source{"web.yaml", 7, "Service"}));
  NodeObject node;
  node.name = NodeName("n1");
  EXPECT_EQ(source_of(node), (Source{"/api/v1/nodes/n1", 0, "Node"}));
}

}  // namespace
}  // namespace herald
