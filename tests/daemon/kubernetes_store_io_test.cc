// The kubernetes store against an API server to which everything happens.
#include "daemon/kubernetes_store_io.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "tests/daemon/kubernetes_lab.h"

namespace herald::daemon {
namespace {

using coord::CasOutcome;
using coord::Document;
using coord::leader;
using coord::leader_key;
using coord::StoreClient;
using coord::table;
using coord::table_key;
using kube::FakeApiServer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(KubernetesStore, KubectlShowsWhatIsTrue) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  ASSERT_EQ(client.cas(0, table(3, 1)), CasOutcome::Won);
  const std::string lease = lab.api().get(kLeaderPath).body;
  EXPECT_THAT(lease, HasSubstr(R"("holderIdentity":"n1")"));
  EXPECT_THAT(lease, HasSubstr(R"("leaseDurationSeconds":15)"));
  EXPECT_THAT(lab.api().get(KubernetesLab::path("iptableshards", "shard-3")).body,
              HasSubstr(R"("rev":1)"));
  EXPECT_THAT(client.troubles(), IsEmpty());
}

TEST(KubernetesStore, WhatIsNotKeptHereIsRefusedWithASentence) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  coord::StatusDocument status;
  status.service = {"default", "web"};
  status.rev = coord::Revision(1);
  const auto reply = client.cas_reply(0, status);
  EXPECT_EQ(reply.outcome, CasOutcome::NotSent);
  EXPECT_THAT(reply.why, HasSubstr("status/default/web is not kept in the kubernetes store"));
  coord::MemberDocument member;
  member.node = NodeName("Not_A_Name");
  member.rev = coord::Revision(1);
  EXPECT_THAT(client.cas_reply(0, member).why, HasSubstr("node-name: 'Not_A_Name'"));
}

// A5: the write was applied, and nobody can know.
TEST(KubernetesStore, AWriteWhoseReplyIsLostIsUnknown) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  lab.api().fault(R"({"kind":"lost-reply","method":"POST","path":"leases"})");
  EXPECT_EQ(client.cas(0, leader(1, 7)), CasOutcome::Unknown);
  EXPECT_EQ(client.read(leader_key()), Document(leader(1, 7)));
  lab.api().fault(R"({"kind":"lost-reply","method":"PUT","path":"leases"})");
  EXPECT_EQ(client.cas(1, leader(2, 8)), CasOutcome::Unknown);
  EXPECT_EQ(client.cas(1, leader(2, 9)), CasOutcome::Conflict) << "settled by another one";
  EXPECT_EQ(client.read(leader_key()), Document(leader(2, 8)));
}

TEST(KubernetesStore, AnAnswerThatComesTooLateIsUnknown) {
  KubernetesLab lab;
  StoreClient client(lab.opener(200ms));
  ASSERT_TRUE(client.comes_back());
  ASSERT_TRUE(
      FakeApiServer::eventually([&] { return client.cas(0, leader(1)) != CasOutcome::Unknown; }));
  lab.api().fault(R"({"kind":"late","method":"PUT","path":"leases","seconds":1})");
  EXPECT_EQ(client.cas(1, leader(2, 7)), CasOutcome::Unknown);
  EXPECT_TRUE(client.sees(leader_key(), 2));
}

TEST(KubernetesStore, AnErrorOfTheServerIsUnknownAndARefusalIsNot) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  const struct {
    const char* fault;
    CasOutcome outcome;
    const char* words;
  } cases[] = {
      {R"("code":500,"message":"etcdserver: request timed out")", CasOutcome::Unknown, "timed out"},
      {R"("code":503)", CasOutcome::Unknown, "503"},
      {R"("code":504,"reason":"Timeout")", CasOutcome::Unknown, "504"},
      {R"("code":403,"reason":"Forbidden")", CasOutcome::NotSent,
       "the Role of heraldd in namespace herald-system must allow 'update'"},
      {R"("code":422,"reason":"Invalid","message":"spec: no")", CasOutcome::NotSent, "spec: no"},
      {R"("code":500,"message":"etcdserver: mvcc: database space exceeded")", CasOutcome::NotSent,
       "the etcd behind it is full"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.fault);
    lab.api().fault(std::string(R"({"kind":"status","method":"PUT","path":"leases",)") + c.fault +
                    "}");
    const auto reply = client.cas_reply(1, leader(2));
    EXPECT_EQ(reply.outcome, c.outcome);
    EXPECT_THAT(reply.why, HasSubstr(c.words));
    lab.api().clear_faults();
  }
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
}

TEST(KubernetesStore, AServerThatHasTooMuchToDoHasDoneNothing) {
  KubernetesLab lab;
  StoreClient client(lab.opener(1s));
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  lab.api().fault(R"({"kind":"status","method":"PUT","code":429,"retryAfter":1,"count":-1})");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::NotSent);
  lab.api().clear_faults();
  EXPECT_TRUE(
      FakeApiServer::eventually([&] { return client.cas(1, leader(2)) == CasOutcome::Won; }));
}

TEST(KubernetesStore, AnAnswerThatIsNoneIsUnknown) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  for (const char* fault :
       {R"({"kind":"truncate","method":"PUT"})", R"({"kind":"cut","method":"PUT"})",
        R"({"kind":"answer","method":"PUT","body":"{}"})"}) {
    SCOPED_TRACE(fault);
    lab.api().fault(fault);
    const auto now = client.read(leader_key());
    ASSERT_TRUE(now);
    const std::uint64_t rev = revision_of(*now).value;
    EXPECT_EQ(client.cas(rev, leader(rev + 1)), CasOutcome::Unknown);
  }
  lab.api().fault(R"({"kind":"answer","method":"GET","path":"herald-leader","body":"{}"})");
  EXPECT_THAT(client.read_failure(leader_key()), HasSubstr("answered wrongly"));
}

TEST(KubernetesStore, AnObjectThatSomebodyAnnotatesIsWrittenAllTheSame) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  // The watch is dead, so that the new resourceVersion is not known yet.
  lab.api().fault(R"({"kind":"watch-dead","path":"leases","count":-1})");
  lab.api().merge(kLeaderPath, R"({"metadata":{"annotations":{"by":"hand"}}})");
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
  EXPECT_EQ(client.read(leader_key()), Document(leader(2)));
}

TEST(KubernetesStore, WhatAnotherWroteIsAConflictAlsoWhileTheWatchIsDead) {
  KubernetesLab lab;
  StoreClient a(lab.opener());
  StoreClient b(lab.opener());
  ASSERT_EQ(a.cas(0, leader(1)), CasOutcome::Won);
  lab.api().fault(R"({"kind":"watch-dead","count":-1})");
  ASSERT_EQ(b.cas(1, leader(2, 5)), CasOutcome::Won);
  EXPECT_EQ(a.cas(1, leader(2, 6)), CasOutcome::Conflict);
  EXPECT_EQ(a.cas(0, leader(1)), CasOutcome::Conflict);
  EXPECT_EQ(a.read(leader_key()), Document(leader(2, 5)));
}

// 409 says that nothing was written; but what is there is what was to be.
TEST(KubernetesStore, AWriteThatAProxySentTwiceIsUnknown) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  StoreClient proxy(lab.opener());
  coord::MemberDocument member;
  member.node = NodeName("n1");
  member.rev = coord::Revision(1);
  member.inc = coord::Incarnation(1);
  member.nonce = 7;
  ASSERT_EQ(client.cas(0, member), CasOutcome::Won);
  lab.api().fault(R"({"kind":"watch-dead","count":-1})");
  member.rev = coord::Revision(2);
  member.nonce = 8;
  ASSERT_EQ(proxy.cas(1, member), CasOutcome::Won);
  const auto reply = client.cas_reply(1, member);
  EXPECT_EQ(reply.outcome, CasOutcome::Unknown);
  EXPECT_THAT(reply.why, HasSubstr("does a proxy before the API server repeat requests?"));
  member.nonce = 9;
  EXPECT_EQ(client.cas(1, member), CasOutcome::Conflict) << "another's";
}

// A revocation has no nonce of its writer: two who revoke a member write the same.
TEST(KubernetesStore, WhoRevokesAfterAnotherLosesWithoutAWord) {
  KubernetesLab lab;
  StoreClient a(lab.opener());
  StoreClient b(lab.opener());
  coord::MemberDocument member;
  member.node = NodeName("n2");
  member.rev = coord::Revision(1);
  member.inc = coord::Incarnation(1);
  member.nonce = 7;
  ASSERT_EQ(a.cas(0, member), CasOutcome::Won);
  lab.api().fault(R"({"kind":"watch-dead","count":-1})");
  member.rev = coord::Revision(2);
  member.revoked = true;
  ASSERT_EQ(b.cas(1, member), CasOutcome::Won);
  const auto reply = a.cas_reply(1, member);
  EXPECT_EQ(reply.outcome, CasOutcome::Conflict);
  EXPECT_EQ(reply.why, "");
}

// ---- the watch

TEST(KubernetesStore, ADeadWatchIsFoundByAnOwnWrite) {
  KubernetesLab lab;
  StoreClient client(lab.opener(500ms));
  ASSERT_TRUE(client.comes_back());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  ASSERT_TRUE(client.sees(leader_key(), 1));
  lab.api().fault(R"({"kind":"watch-dead","path":"leases"})");  // this stream, not the next one
  ASSERT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 2));
}

TEST(KubernetesStore, TheTablesWatchIsLookedAtWhenAMemberIsRevoked) {
  KubernetesLab lab;
  StoreClient a(lab.opener());
  StoreClient b(lab.opener());
  coord::MemberDocument member;
  member.node = NodeName("n2");
  member.rev = coord::Revision(1);
  member.inc = coord::Incarnation(1);
  ASSERT_EQ(a.cas(0, member), CasOutcome::Won);
  ASSERT_EQ(a.cas(0, table(3, 1)), CasOutcome::Won);
  ASSERT_TRUE(b.sees(coord::member_key(member.node), 1));
  ASSERT_TRUE(b.sees(table_key(3), 1));
  // Both streams: that of `a` is found by its own write.
  lab.api().fault(R"({"kind":"watch-dead","path":"iptableshards","count":2})");
  ASSERT_EQ(a.cas(1, table(3, 2)), CasOutcome::Won);
  member.rev = coord::Revision(2);
  member.revoked = true;
  ASSERT_EQ(a.cas(1, member), CasOutcome::Won);
  EXPECT_TRUE(b.sees(table_key(3), 2));
}

TEST(KubernetesStore, WatchesThatBreakInEveryWayGoOn) {
  KubernetesLab lab;
  StoreClient a(lab.opener());
  StoreClient b(lab.opener());
  std::uint64_t rev = 0;
  ASSERT_EQ(a.cas(rev, leader(1)), CasOutcome::Won);
  ASSERT_TRUE(b.sees(leader_key(), ++rev));
  for (const char* kind : {"watch-410", "watch-end", "watch-cut", "watch-garbage", "watch-error"}) {
    SCOPED_TRACE(kind);
    lab.api().fault(std::string(R"({"path":"leases","count":2,"kind":")") + kind + "\"}");
    ASSERT_EQ(a.cas(rev, leader(rev + 1)), CasOutcome::Won);
    EXPECT_TRUE(b.sees(leader_key(), ++rev));
  }
  lab.api().compact();
  lab.api().down();
  lab.api().up();
  ASSERT_TRUE(a.comes_back());
  ASSERT_TRUE(
      FakeApiServer::eventually([&] { return a.cas(rev, leader(rev + 1)) == CasOutcome::Won; }));
  EXPECT_TRUE(b.sees(leader_key(), ++rev));
}

TEST(KubernetesStore, TheServersClockDoesNotMatter) {
  KubernetesLab lab;
  lab.api().config(R"({"clockOffset": -36000})");
  StoreClient client(lab.opener());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  lab.api().config(R"({"clockOffset": 36000})");
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 2));
  EXPECT_THAT(client.troubles(), IsEmpty());
}

// ---- what may not be there

TEST(KubernetesStore, AServerThatComesLaterIsWaitedFor) {
  KubernetesLab lab;
  lab.api().down();
  StoreClient client(lab.opener(300ms));
  EXPECT_THAT(client.read_failure(leader_key()), HasSubstr("refused"));
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::NotSent);
  lab.api().up();
  EXPECT_TRUE(client.comes_back());
  EXPECT_TRUE(
      FakeApiServer::eventually([&] { return client.cas(0, leader(1)) == CasOutcome::Won; }));
  EXPECT_TRUE(client.sees(leader_key(), 1));
}

// 404 then means the kind, not the object: a table that is taken for empty would be given anew.
TEST(KubernetesStore, WithoutTheDefinitionOfTheShardsNothingIsTakenForEmpty) {
  KubernetesLab lab(false);
  StoreClient client(lab.opener());
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  EXPECT_THAT(client.read_failure(table_key(3)),
              HasSubstr("CustomResourceDefinition iptableshards.herald.io is missing: apply"));
  const auto reply = client.cas_reply(0, table(3, 1));
  EXPECT_EQ(reply.outcome, CasOutcome::NotSent);
  EXPECT_THAT(reply.why, HasSubstr("is missing"));
  EXPECT_TRUE(client.comes_to_fail("is missing"));
  lab.install_crd();
  EXPECT_TRUE(client.comes_back());
  EXPECT_EQ(client.cas(0, table(3, 1)), CasOutcome::Won);
}

TEST(KubernetesStore, WhatTheRoleDoesNotAllowIsNamed) {
  KubernetesLab lab;
  lab.api().tokens(
      R"({"weak": {"user": "system:serviceaccount:herald-system:heraldd", "rules": [)"
      R"({"verbs": ["get", "list", "watch"], "groups": ["coordination.k8s.io"], "resources": ["leases"]}]}})");
  StoreClient client(KubernetesLab::opener(lab.api().access("weak")));
  EXPECT_EQ(client.read(leader_key()), std::nullopt);
  const auto reply = client.cas_reply(0, leader(1));
  EXPECT_EQ(reply.outcome, CasOutcome::NotSent);
  EXPECT_THAT(reply.why, HasSubstr("the Role of heraldd in namespace herald-system must allow "
                                   "'create' on leases.coordination.k8s.io"));
  EXPECT_TRUE(client.comes_to_fail("must allow 'list' on iptableshards.herald.io"));
}

TEST(KubernetesStore, TheRoleThatIsShippedIsEnough) {
  KubernetesLab lab;
  lab.api().tokens(
      R"({"heraldd": {"user": "system:serviceaccount:herald-system:heraldd", "rules": [)"
      R"({"verbs": ["create", "get", "list", "watch", "update"], "groups": ["coordination.k8s.io"], "resources": ["leases"]},)"
      R"({"verbs": ["create", "get", "list", "watch", "update"], "groups": ["herald.io"], "resources": ["iptableshards"]},)"
      R"({"verbs": ["get", "list", "watch", "update", "create"], "groups": [""], "resources": ["secrets"]}]}})");
  StoreClient client(KubernetesLab::opener(lab.api().access("heraldd")));
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  EXPECT_EQ(client.cas(0, table(3, 1)), CasOutcome::Won);
  EXPECT_EQ(client.cas(0, coord::ClusterDocument{coord::Revision(1), Bytes(32, 7), {}}),
            CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 1));
  EXPECT_TRUE(client.sees(table_key(3), 1));
  EXPECT_TRUE(client.sees(coord::cluster_key(), 1));
  EXPECT_EQ(client.list().size(), 3U);
  EXPECT_THAT(client.troubles(), IsEmpty());
}

// ---- by hand

TEST(KubernetesStore, ADocumentThatIsDeletedIsPutBackAsItWas) {
  KubernetesLab lab;
  StoreClient a(lab.opener());
  StoreClient b(lab.opener());
  ASSERT_EQ(a.cas(0, leader(1, 7)), CasOutcome::Won);
  ASSERT_EQ(a.cas(1, leader(2, 8)), CasOutcome::Won);
  ASSERT_EQ(a.cas(0, table(3, 1)), CasOutcome::Won);
  ASSERT_TRUE(a.sees(leader_key(), 2) && b.sees(leader_key(), 2));
  ASSERT_TRUE(a.sees(table_key(3), 1) && b.sees(table_key(3), 1));
  for (const std::string& path : {kLeaderPath, KubernetesLab::path("iptableshards", "shard-3")}) {
    ASSERT_EQ(lab.api().remove(path).status, 200U);
    EXPECT_TRUE(FakeApiServer::eventually([&] { return lab.api().get(path).status == 200; }));
  }
  EXPECT_TRUE(a.comes_back() && b.comes_back());
  EXPECT_EQ(b.read(leader_key()), Document(leader(2, 8)));
  EXPECT_EQ(b.cas(2, leader(3, 9)), CasOutcome::Won);
  EXPECT_EQ(a.cas(1, table(3, 2)), CasOutcome::Won);
  EXPECT_TRUE(a.sees(leader_key(), 3) && b.sees(table_key(3), 2));
}

// What it was last was not seen by anybody: going on would be to guess.
TEST(KubernetesStore, ADocumentThatVanishedStopsEverything) {
  KubernetesLab lab;
  StoreClient client(lab.opener(500ms));
  ASSERT_TRUE(client.comes_back());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  ASSERT_TRUE(client.sees(leader_key(), 1));
  lab.api().fault(R"({"kind":"watch-dead","path":"leases","count":-1})");
  lab.api().remove(kLeaderPath);
  const auto reply = client.cas_reply(1, leader(2));
  EXPECT_EQ(reply.outcome, CasOutcome::NotSent);
  EXPECT_THAT(reply.why, HasSubstr("was deleted by hand"));
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::NotSent) << "no rev comes twice";
  lab.api().compact();
  lab.api().clear_faults();
  lab.api().down();
  lab.api().up();
  EXPECT_TRUE(client.hears("was deleted by hand, and this heraldd does not know what it was last"));
  EXPECT_TRUE(client.comes_to_fail("Stop every heraldd"));
}

TEST(KubernetesStore, ADocumentThatIsEditedIsRefused) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  ASSERT_EQ(client.cas(0, table(3, 1)), CasOutcome::Won);
  const std::string path = KubernetesLab::path("iptableshards", "shard-3");
  lab.api().merge(path, R"({"spec":{"rev":9}})");
  EXPECT_THAT(client.read_failure(table_key(3)), HasSubstr("was edited by hand"));
  EXPECT_EQ(client.cas(1, table(3, 2)), CasOutcome::Unknown) << "409, and what is there is no help";
  EXPECT_TRUE(client.hears("IPTableShard herald-system/shard-3 can't be read"));
  lab.api().merge(path, R"({"spec":{"rev":1}})");
  EXPECT_EQ(client.cas(1, table(3, 2)), CasOutcome::Won);
}

TEST(KubernetesStore, AServerThatGoesBackInTimeStopsEverything) {
  KubernetesLab lab;
  StoreClient client(lab.opener(1s));
  ASSERT_EQ(client.cas(0, leader(1, 7)), CasOutcome::Won);
  const std::string before = lab.api().get(kLeaderPath).body;
  ASSERT_EQ(client.cas(1, leader(2, 8)), CasOutcome::Won);
  ASSERT_TRUE(client.sees(leader_key(), 2));
  // As a restored backup would have it: what was there before, now.
  auto old = boost::json::parse(before).as_object();
  const auto now = boost::json::parse(lab.api().get(kLeaderPath).body);
  old["metadata"].as_object()["resourceVersion"] = now.at("metadata").at("resourceVersion");
  lab.api().fault(R"({"kind":"watch-dead","count":-1})");
  ASSERT_EQ(lab.api().replace(kLeaderPath, boost::json::serialize(old)).status, 200U);
  EXPECT_THAT(client.read_failure(leader_key()),
              HasSubstr("document leader was at rev 2, now it is at rev 1"));
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::NotSent);
  EXPECT_THAT(client.read_failure(table_key(1)), HasSubstr("Restart every heraldd"));
}

TEST(KubernetesStore, AnotherServerAtTheSamePlaceStopsEverything) {
  KubernetesLab lab;
  StoreClient client(lab.opener(1s));
  for (std::uint64_t rev = 0; rev < 50; ++rev) {
    ASSERT_EQ(client.cas(rev, leader(rev + 1)), CasOutcome::Won);
  }
  ASSERT_TRUE(client.sees(leader_key(), 50));
  lab.api().kill();
  lab.api().start();  // empty
  lab.create_namespace();
  lab.install_crd();
  EXPECT_TRUE(client.comes_to_fail("heraldd of this cluster"));
  EXPECT_EQ(client.cas(50, leader(51)), CasOutcome::NotSent);
}

TEST(KubernetesStore, ClosingAnswersAWriteUnderWayAsUnknown) {
  KubernetesLab lab;
  StoreClient client(lab.opener());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  lab.api().fault(R"({"kind":"hang","method":"PUT"})");
  const auto id = client.send(coord::CasDocument{coord::Revision(1), leader(2)});
  ASSERT_TRUE(FakeApiServer::eventually([&] {
    return lab.api().faults().find("\"hits\": 1") != std::string::npos ||
           lab.api().faults().find("\"hits\":1") != std::string::npos;
  }));
  client.store().close();
  EXPECT_EQ(client.await<coord::CasReply>(id).outcome, CasOutcome::Unknown);
}

}  // namespace
}  // namespace herald::daemon
