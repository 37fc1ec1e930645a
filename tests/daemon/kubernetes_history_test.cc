// What can come after what was seen: late and twice may be, backwards not.
#include "daemon/kubernetes_history.h"

#include <gmock/gmock.h>

namespace herald::daemon {
namespace {

using testing::HasSubstr;

StoredObject leader(std::uint64_t rev, const char* version) {
  StoredObject out;
  out.name = "herald-leader";
  out.uid = "u";
  out.resource_version = version;
  out.key = coord::leader_key();
  out.document = coord::LeaderDocument{coord::Revision(rev), NodeName("n1"), {}, 0};
  return out;
}
StoredEvent event(StoredEvent::Kind kind, std::uint64_t rev, const char* version) {
  return {kind, version, leader(rev, version), {}};
}
constexpr auto kWritten = StoredEvent::Kind::Written;
constexpr auto kDeleted = StoredEvent::Kind::Deleted;

class SeenBefore : public testing::Test {
 protected:
  std::string version() const {
    const auto* seen = history.find(coord::leader_key());
    return seen == nullptr ? "" : seen->version.resource_version;
  }
  bool told(StoredEvent::Kind kind, std::uint64_t rev, const char* version) {
    return history.told(lease_resource(), event(kind, rev, version)).has_value();
  }
  KubernetesHistory history;
};

TEST_F(SeenBefore, AnAnswerMayNotBeBehindWhatWasSeenBeforeItWasAsked) {
  const auto before = history.mark(coord::leader_key());
  ASSERT_TRUE(history.answered(leader(5, "50"), before));
  const auto mark = history.mark(coord::leader_key());
  EXPECT_TRUE(history.answered(leader(5, "50"), mark));
  EXPECT_TRUE(history.answered(leader(5, "53"), mark)) << "annotated by somebody";
  EXPECT_TRUE(history.answered(leader(4, "40"), before)) << "asked before, overtaken since";
  EXPECT_EQ(version(), "53");
  const auto back = history.answered(leader(4, "60"), mark);
  ASSERT_FALSE(back);
  EXPECT_THAT(back.error(), HasSubstr("document leader was at rev 5, now it is at rev 4"));
  EXPECT_FALSE(history.answered(leader(5, "49"), mark));
}

TEST_F(SeenBefore, VersionsThatAreNoNumbersAreNotCompared) {
  ASSERT_TRUE(history.answered(leader(5, "x50"), {}));
  const auto mark = history.mark(coord::leader_key());
  EXPECT_TRUE(history.answered(leader(5, "a"), mark));
  EXPECT_EQ(version(), "a");
  EXPECT_FALSE(history.answered(leader(4, "b"), mark)) << "the rev still is";
}

TEST_F(SeenBefore, AListMayNotBeOlderThanTheOneBefore) {
  const auto first = history.list_mark(lease_resource());
  ASSERT_TRUE(history.listed("70", first));
  const auto mark = history.list_mark(lease_resource());
  EXPECT_FALSE(history.listed("69", mark));
  EXPECT_TRUE(history.listed("70", mark));
  EXPECT_TRUE(history.listed("9", history.list_mark(shard_resource()))) << "of its own kind only";
  ASSERT_TRUE(told(kWritten, 1, "80"));
  EXPECT_TRUE(history.listed("75", mark));
  EXPECT_FALSE(history.listed("75", history.list_mark(lease_resource())));
}

TEST_F(SeenBefore, AListThatLacksADocumentIsNoticed) {
  ASSERT_TRUE(history.answered(leader(5, "50"), {}));
  const auto mark = history.list_mark(lease_resource());
  EXPECT_THAT(KubernetesHistory::lacking({leader(6, "60")}, mark), testing::IsEmpty());
  EXPECT_THAT(KubernetesHistory::lacking({}, mark), testing::ElementsAre(coord::leader_key()));
  EXPECT_THAT(KubernetesHistory::lacking({}, history.list_mark(shard_resource())),
              testing::IsEmpty());
}

TEST_F(SeenBefore, AWatchMayLagAndRepeat) {
  ASSERT_TRUE(history.answered(leader(5, "50"), {}));
  EXPECT_TRUE(told(kWritten, 3, "30"));
  EXPECT_TRUE(told(kWritten, 5, "50"));
  EXPECT_EQ(version(), "50");
  EXPECT_TRUE(told(kWritten, 6, "60"));
  EXPECT_EQ(version(), "60");
  EXPECT_TRUE(told(kWritten, 6, "61")) << "annotated by somebody";
  EXPECT_EQ(version(), "61");
  EXPECT_FALSE(told(kWritten, 5, "62")) << "its own order is that of the writes";
}

TEST_F(SeenBefore, ADeletedDocumentIsRememberedAsItWas) {
  ASSERT_TRUE(history.answered(leader(5, "50"), {}));
  EXPECT_TRUE(told(kDeleted, 6, "61"));
  const auto* seen = history.find(coord::leader_key());
  ASSERT_TRUE(seen->deleted);
  EXPECT_EQ(coord::revision_of(*seen->deleted), coord::Revision(6));
  EXPECT_TRUE(told(kWritten, 6, "60")) << "late";
  EXPECT_TRUE(history.find(coord::leader_key())->deleted);
  EXPECT_TRUE(told(kWritten, 6, "62")) << "put back";
  EXPECT_FALSE(history.find(coord::leader_key())->deleted);
  EXPECT_TRUE(told(kDeleted, 6, "61")) << "late";
  EXPECT_FALSE(history.find(coord::leader_key())->deleted);
  EXPECT_TRUE(told(kWritten, 7, "63"));
  EXPECT_TRUE(told(kDeleted, 7, "64"));
  EXPECT_FALSE(told(kWritten, 6, "65")) << "put back as it was before that";
}

}  // namespace
}  // namespace herald::daemon
