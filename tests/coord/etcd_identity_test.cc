#include "coord/etcd_identity.h"

#include <gmock/gmock.h>

namespace herald::coord {
namespace {

using testing::HasSubstr;

TEST(EtcdIdentity, RisingRevisionsOfOneClusterAreTheSameEtcd) {
  EtcdIdentity etcd;
  EXPECT_TRUE(etcd.answered({7, 10}, etcd.highest(), "http://a"));
  etcd.told(12);  // by a watch
  EXPECT_EQ(etcd.highest(), 12);
  EXPECT_TRUE(etcd.answered({7, 12}, etcd.highest(), "http://b"));
  // Sent before 12 was seen: it may be answered by what was true in between.
  EXPECT_TRUE(etcd.answered({7, 11}, 10, "http://a"));
  EXPECT_EQ(etcd.highest(), 12);
}

TEST(EtcdIdentity, AnotherClusterOrAnEarlierRevisionIsNot) {
  EtcdIdentity etcd;
  EXPECT_FALSE(etcd.same_cluster({7, 10}));  // not known yet
  ASSERT_TRUE(etcd.answered({7, 10}, 0, "http://a"));
  EXPECT_TRUE(etcd.same_cluster({7, 1}));
  EXPECT_FALSE(etcd.same_cluster({8, 11}));
  EXPECT_THAT(etcd.answered({8, 11}, 10, "http://b").error(),
              HasSubstr("etcd at http://b belongs to another cluster (8) than the one in use (7)"));
  EXPECT_THAT(etcd.answered({7, 9}, 10, "http://b").error(),
              HasSubstr("went back from revision 10 to 9"));
}

}  // namespace
}  // namespace herald::coord
