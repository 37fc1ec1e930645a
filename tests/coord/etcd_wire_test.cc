// What etcd 3.4 was seen to answer, cut at every length, and what it must never be taken for.
#include "coord/etcd_wire.h"

#include <gmock/gmock.h>

#include "coord/document_wire.h"

namespace herald::coord {
namespace {

using testing::HasSubstr;

constexpr const char* kHeader =
    R"("header":{"cluster_id":"324952591200643719","member_id":"1","revision":"7","raft_term":"2"})";

std::string with_header(const std::string& rest) {
  return "{" + std::string(kHeader) + rest + "}";
}

TEST(EtcdWire, APrefixEndsWhereTheNextBegins) {
  EXPECT_EQ(after_prefix("/herald/a/"), "/herald/a0");
  EXPECT_EQ(after_prefix("a\xff\xff"), "b");
  EXPECT_EQ(after_prefix("\xff"), std::string(1, '\0'));
}

TEST(EtcdWire, RequestsAreThoseOfTheGateway) {
  EXPECT_EQ(etcd_read("/h/a"), R"({"key":"L2gvYQ=="})");
  EXPECT_EQ(etcd_list("/h/", "/h/a", 500, 7),
            R"({"key":"L2gvYQ==","range_end":"L2gw","limit":"500","revision":"7"})");
  EXPECT_EQ(etcd_list("/h/", "/h/", 500, 0), R"({"key":"L2gv","range_end":"L2gw","limit":"500"})");
  EXPECT_EQ(
      etcd_cas("/h/a", Revision(~0ULL), "v1"),
      R"({"compare":[{"key":"L2gvYQ==","target":"VERSION","result":"EQUAL","version":"18446744073709551615"}],)"
      R"("success":[{"request_put":{"key":"L2gvYQ==","value":"djE="}}]})");
  EXPECT_EQ(
      etcd_watch("/h/", 8),
      R"({"create_request":{"key":"L2gv","range_end":"L2gw","start_revision":"8","progress_notify":true}})");
  EXPECT_EQ(etcd_authenticate("u", "p\"\n"), R"({"name":"u","password":"p\"\n"})");
}

TEST(EtcdWire, RepliesAreRead) {
  const auto none = parse_etcd_range(with_header(""));
  ASSERT_TRUE(none) << none.error();
  EXPECT_EQ(none->header.cluster_id, 324952591200643719U);
  EXPECT_EQ(none->header.revision, 7);
  EXPECT_TRUE(none->kvs.empty());

  const auto one = parse_etcd_range(with_header(
      R"(,"kvs":[{"key":"L2gvYQ==","create_revision":"2","mod_revision":"3","version":"2","value":"djE="}],"count":"9","more":true)"));
  ASSERT_TRUE(one) << one.error();
  ASSERT_EQ(one->kvs.size(), 1U);
  EXPECT_EQ(one->kvs[0].key, "/h/a");
  EXPECT_EQ(one->kvs[0].value, "v1");
  EXPECT_EQ(one->kvs[0].mod_revision, 3);
  EXPECT_EQ(one->kvs[0].version, 2);
  EXPECT_TRUE(one->more);

  EXPECT_TRUE(parse_etcd_txn(with_header(R"(,"succeeded":true,"responses":[{}])"))->succeeded);
  EXPECT_FALSE(parse_etcd_txn(with_header(""))->succeeded);
  EXPECT_EQ(*parse_etcd_token(with_header(R"(,"token":"abc.12")")), "abc.12");
}

TEST(EtcdWire, WatchRepliesAreRead) {
  const auto line = [](const std::string& rest) {
    return parse_etcd_watch("{\"result\":" + with_header(rest) + "}");
  };
  EXPECT_TRUE(line(R"(,"created":true)")->created);
  const auto gone = parse_etcd_watch(
      R"({"result":{"header":{"cluster_id":"1","raft_term":"2"},"canceled":true,"compact_revision":"4"}})");
  ASSERT_TRUE(gone) << gone.error();
  EXPECT_TRUE(gone->canceled);
  EXPECT_EQ(gone->compact_revision, 4);
  const auto events = line(
      R"(,"events":[{"kv":{"key":"L2gvYQ==","mod_revision":"5","version":"1","value":"djE="}},)"
      R"({"type":"DELETE","kv":{"key":"L2gvYQ==","mod_revision":"6"}}])");
  ASSERT_TRUE(events) << events.error();
  ASSERT_EQ(events->events.size(), 2U);
  EXPECT_FALSE(events->events[0].deleted);
  EXPECT_EQ(events->events[0].kv.value, "v1");
  EXPECT_TRUE(events->events[1].deleted);
  EXPECT_EQ(events->events[1].kv.mod_revision, 6);
  const auto failed = parse_etcd_watch(
      R"({"error":{"grpc_code":14,"http_code":503,"message":"transport is closing"}})");
  ASSERT_TRUE(failed);
  EXPECT_TRUE(failed->canceled);
  EXPECT_EQ(failed->cancel_reason, "transport is closing");
}

TEST(EtcdWire, WhatIsNotAnAnswerIsRefused) {
  const struct {
    std::string body, says;
  } cases[] = {
      {"", "not JSON"},
      {"[]", "no JSON object"},
      {"<html>", "not JSON"},
      {"{}", "'header' is missing"},
      {R"({"header":{"revision":"7"}})", "'cluster_id' is missing"},
      {R"({"header":{"cluster_id":"1","revision":"-7"}})", "'revision' is no number"},
      {R"({"header":{"cluster_id":"1","revision":"9223372036854775808"}})", "'revision' is no"},
      {with_header(R"(,"kvs":{})"), "'kvs' is no list"},
      {with_header(R"(,"kvs":[1])"), "something else than objects"},
      {with_header(R"(,"kvs":[{"key":"?"}])"), "'key' is not base64"},
      {with_header(R"(,"kvs":[{"version":1.5}])"), "'version' is no number"},
      {with_header(R"(,"more":true)"), "'more' is true with no keys"},
      {with_header(R"(,"more":1)"), "'more' is neither true nor false"},
      {std::string(100, '['), "not JSON"},
  };
  for (const auto& c : cases) {
    const auto reply = parse_etcd_range(c.body);
    ASSERT_FALSE(reply) << c.body;
    EXPECT_THAT(reply.error(), HasSubstr(c.says)) << c.body;
  }
  EXPECT_FALSE(parse_etcd_txn(with_header(R"(,"succeeded":"true")")));
  EXPECT_FALSE(parse_etcd_token(with_header("")));
  EXPECT_FALSE(parse_etcd_token(with_header(R"(,"token":"a\r\nHost: b")")));
  EXPECT_FALSE(parse_etcd_watch("{}"));
  EXPECT_FALSE(parse_etcd_watch("{\"result\":" + with_header(R"(,"events":[{}])") + "}"));
  EXPECT_FALSE(
      parse_etcd_watch("{\"result\":" + with_header(R"(,"events":[{"type":"X","kv":{}}])") + "}"));
}

TEST(EtcdWire, NoTruncationIsAnAnswer) {
  const std::string range = with_header(
      R"(,"kvs":[{"key":"L2gvYQ==","mod_revision":"3","version":"2","value":"djE="}],"count":"1")");
  const std::string watch = "{\"result\":" + with_header(R"(,"created":true)") + "}";
  for (std::size_t n = 0; n < range.size(); ++n) EXPECT_FALSE(parse_etcd_range(range.substr(0, n)));
  for (std::size_t n = 0; n < range.size(); ++n) EXPECT_FALSE(parse_etcd_txn(range.substr(0, n)));
  for (std::size_t n = 0; n < watch.size(); ++n) EXPECT_FALSE(parse_etcd_watch(watch.substr(0, n)));
}

TEST(EtcdWire, OnlyARefusalThatIsCertainCountsAsNotApplied) {
  const struct {
    unsigned status;
    const char* body;
    bool not_applied, bad_token, compacted, unavailable;
  } cases[] = {
      {401,
       R"({"error":"etcdserver: invalid auth token","message":"etcdserver: invalid auth token","code":16})",
       true, true, false, false},
      {400, R"({"message":"etcdserver: user name is empty","code":3})", true, true, false, false},
      {403, R"({"message":"etcdserver: permission denied","code":7})", true, false, false, false},
      {400, R"({"message":"etcdserver: request is too large","code":3})", true, false, false,
       false},
      {429, R"({"message":"etcdserver: too many requests","code":8})", true, false, false, true},
      // etcd says this also after it has applied the write that filled its quota.
      {429, R"({"message":"etcdserver: mvcc: database space exceeded","code":8})", false, false,
       false, false},
      {503, R"({"message":"etcdserver: request timed out","code":14})", false, false, false, true},
      {503, R"({"message":"etcdserver: leader changed","code":14})", false, false, false, true},
      {400, R"({"message":"etcdserver: mvcc: required revision has been compacted","code":11})",
       false, false, true, false},
      {502, "<html>Bad Gateway</html>", false, false, false, true},
      {404, R"({"code":"x","message":7})", false, false, false, false},
      {200, "{}", false, false, false, true},
  };
  for (const auto& c : cases) {
    const EtcdError got = parse_etcd_error(c.status, c.body);
    EXPECT_EQ(got.not_applied, c.not_applied) << c.body;
    EXPECT_EQ(got.bad_token, c.bad_token) << c.body;
    EXPECT_EQ(got.compacted, c.compacted) << c.body;
    EXPECT_EQ(got.unavailable, c.unavailable) << c.body;
  }
  const EtcdError full = parse_etcd_error(429, R"({"message":"database space exceeded","code":8})");
  EXPECT_TRUE(full.full);
  EXPECT_THAT(full.message, HasSubstr("alarm disarm"));
  EXPECT_THAT(parse_etcd_error(400, "Client sent an HTTP request to an HTTPS server.\n").message,
              HasSubstr("write https://"));
  const EtcdError named = parse_etcd_error(
      400, "CommonName of client sending a request against gateway will be ignored and not used");
  EXPECT_TRUE(named.not_applied);
  EXPECT_THAT(named.message, HasSubstr("has no CN"));
  EXPECT_THAT(parse_etcd_error(404, "404 page not found").message,
              HasSubstr("--enable-grpc-gateway"));
  EXPECT_LT(parse_etcd_error(502, "<html>\r\n\x01" + std::string(5000, 'x')).message.size(), 400U);
}

TEST(EtcdWire, ADocumentsRevIsTheNumberOfItsWrites) {
  const LeaderDocument leader{Revision(3), NodeName("n1"), Incarnation(1), 9};
  EtcdKeyValue kv{"/h/leader", print_document(leader), 20, 3};
  const auto read = etcd_document("/h/", kv);
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(*read, Document(leader));
  kv.version = 1;
  EXPECT_THAT(etcd_document("/h/", kv).error(), HasSubstr("its rev is 3, but etcd counts 1"));
  kv.key = "/h/";
  EXPECT_FALSE(etcd_document("/h/", kv));
  kv.key = "/other/leader";
  EXPECT_FALSE(etcd_document("/h/", kv));
}

}  // namespace
}  // namespace herald::coord
