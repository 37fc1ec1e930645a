// Placement's hash is frozen: nodes of different versions must agree about every tie and every
// shard. The numbers here were computed from the words in placement.h by another program.
#include "coord/placement.h"

#include <gtest/gtest.h>

#include "coord/document.h"

namespace herald::coord {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

TEST(Placement, TheHashIsFrozen) {
  struct {
    const char *node, *vip;
    std::uint64_t hash;
  } constexpr kVectors[] = {
      {"", "0.0.0.0", 0xa5e0dba6c385580aull},
      {"", "10.25.150.7", 0xb9fdd9526f43451full},
      {"n1", "10.25.150.7", 0xea813ac135fad03aull},
      {"n2", "10.25.150.7", 0xf667bfcd9dca7d7dull},
      {"n1", "10.25.150.8", 0xe46295c60b02f18dull},
      {"n1", "255.255.255.255", 0x18172a49eb3a8e8bull},
      {"n1", "2001:db8::7", 0x956a6c6259395a69ull},
      {"worker-3.example.org", "192.0.2.10", 0x361c8fa162a4b568ull},
      {"worker-3.example.org", "fd00:0:0:1::ffff", 0x16880bb382521f63ull},
  };
  for (const auto& v : kVectors) {
    EXPECT_EQ(placement_hash(v.node, ip(v.vip)), v.hash) << v.node << ' ' << v.vip;
  }
}

TEST(Placement, ShardsAndTheOwnersOfTiesAreFrozen) {
  struct {
    const char* vip;
    unsigned shard;
    const char* owner;  // of five nodes with equally many IPs
  } constexpr kVectors[] = {
      {"10.25.150.1", 7, "n4"},  {"10.25.150.2", 5, "n3"},   {"10.25.150.3", 2, "n2"},
      {"10.25.150.4", 2, "n1"},  {"10.25.150.5", 9, "n2"},   {"10.25.150.6", 4, "n1"},
      {"10.25.150.7", 15, "n2"}, {"10.25.150.8", 12, "n2"},  {"10.25.150.9", 14, "n1"},
      {"2001:db8::1", 15, "n2"}, {"10.25.150.10", 15, "n3"}, {"2001:db8::2", 12, "n3"},
  };
  std::vector<Candidate> nodes;
  std::map<NodeName, std::size_t> owned;
  for (const char* name : {"n3", "n1", "n5", "n2", "n4"}) {  // their order does not matter
    nodes.push_back({NodeName(name), 0});
    owned[NodeName(name)] = 7;
  }
  for (const auto& v : kVectors) {
    EXPECT_EQ(shard_of(ip(v.vip)), v.shard) << v.vip;
    EXPECT_EQ(choose_owner(ip(v.vip), nodes, owned)->str(), v.owner) << v.vip;
  }
}

TEST(Placement, FewestFirstThenSpread) {
  const NodeName n1("n1"), n2("n2"), n3("n3");
  const std::vector<Candidate> three = {{n1, 0}, {n2, 0}, {n3, 0}};
  IpAddress vip = ip("10.25.150.7");
  EXPECT_FALSE(choose_owner(vip, {}, {}));
  EXPECT_EQ(choose_owner(vip, three, {{n1, 2}, {n2, 1}, {n3, 2}}), n2);
  EXPECT_EQ(choose_owner(vip, {{n1, 0}, {n2, 50}}, {{n2, 9}}), n2) << "preferred goes first";
  std::map<NodeName, std::size_t> owned;
  for (int i = 0; i < 3000; ++i, vip = vip.next()) ++owned[*choose_owner(vip, three, owned)];
  for (const auto& [node, n] : owned) EXPECT_EQ(n, 1000u) << node.str();
}

}  // namespace
}  // namespace herald::coord
