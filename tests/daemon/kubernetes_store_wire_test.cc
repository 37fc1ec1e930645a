// Documents as objects of an API server and back, cut at every length, and what kubectl shows.
#include "daemon/kubernetes_store_wire.h"

#include <gmock/gmock.h>

#include <limits>

#include <boost/json.hpp>

#include "coord/document_wire.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;
using coord::DocumentKey;
using testing::HasSubstr;

constexpr const char* kNow = "2026-01-31T12:00:00.000000Z";
constexpr const char* kThen = "2025-12-31T23:59:59.123456Z";

coord::MemberDocument member(std::uint64_t rev, std::uint64_t inc) {
  coord::MemberDocument d;
  d.node = NodeName("n1.example");
  d.rev = coord::Revision(rev);
  d.inc = coord::Incarnation(inc);
  d.nonce = ~0ULL;
  d.terms = {1500ms, 150ms, std::nullopt};
  d.info.machine_id = "m\"1\n";
  return d;
}
coord::TableDocument shard(unsigned number, std::uint64_t rev) {
  coord::TableDocument d;
  d.shard = number;
  d.rev = coord::Revision(rev);
  for (unsigned i = 1; d.entries.size() < 3; ++i) {
    const auto vip = *IpAddress::parse("192.0.2." + std::to_string(i));
    if (coord::shard_of(vip) != number) continue;
    coord::TableEntry& entry = d.entries[vip];
    entry.services = {{"default", "web"}};
    entry.owner = NodeName("n1");
    entry.epoch = coord::Epoch(~0ULL);
  }
  return d;
}
coord::LeaderDocument leader(std::uint64_t rev, const char* node, std::uint64_t inc) {
  return {coord::Revision(rev), NodeName(node), coord::Incarnation(inc), 7};
}

kube::ObjectRef place(const coord::Document& document) {
  return *object_of(coord::key_of(document), "herald-system");
}
json::object printed(const coord::Document& document,
                     const std::optional<Replaced>& replaced = std::nullopt, bool own = true) {
  const auto out = print_object(document, place(document), replaced, {kNow, own, 15s});
  EXPECT_TRUE(out) << out.error();
  return json::parse(*out).get_object();
}
// As the server gives it back.
std::string kept(json::object object, const char* version = "41") {
  object["metadata"].get_object()["uid"] = "u-1";
  object["metadata"].get_object()["resourceVersion"] = version;
  object["metadata"].get_object()["managedFields"] = json::array{json::object{{"manager", "x"}}};
  return json::serialize(object);
}

TEST(KubernetesStoreWire, EachDocumentComesBackAsItWas) {
  coord::ClusterDocument cluster{coord::Revision(3), Bytes(32, 0xab), {NodeName("n2")}};
  const coord::Document documents[] = {member(~0ULL, 5), shard(3, 1ULL << 62), leader(9, "n1", 2),
                                       cluster};
  for (const coord::Document& document : documents) {
    const kube::ObjectRef at = place(document);
    EXPECT_EQ(key_of(at.resource, at.name), coord::key_of(document));
    const auto found = parse_object(at.resource, kept(printed(document)));
    ASSERT_TRUE(found) << found.error();
    ASSERT_TRUE(found->document) << found->document.error();
    EXPECT_EQ(*found->document, document);
    EXPECT_EQ(found->key, coord::key_of(document));
    EXPECT_EQ(found->uid, "u-1");
    EXPECT_EQ(found->resource_version, "41");
  }
}

TEST(KubernetesStoreWire, WhereEachIsKept) {
  const struct {
    const char *key, *path;
  } cases[] = {
      {"member/n1", "/apis/coordination.k8s.io/v1/namespaces/ns/leases/herald-member-n1"},
      {"leader", "/apis/coordination.k8s.io/v1/namespaces/ns/leases/herald-leader"},
      {"table/15", "/apis/herald.io/v1alpha1/namespaces/ns/iptableshards/shard-15"},
      {"cluster", "/api/v1/namespaces/ns/secrets/herald-cluster"},
  };
  for (const auto& c : cases) {
    const auto at = object_of(DocumentKey(c.key), "ns");
    ASSERT_TRUE(at) << at.error();
    EXPECT_EQ(kube::path_of(*at), c.path);
  }
  EXPECT_TRUE(object_of(DocumentKey("member/" + std::string(239, 'a')), "ns"));
  const std::string wrong[] = {"member/" + std::string(240, 'a'),
                               "member/",
                               "member/A",
                               "member/a_b",
                               "member/-a",
                               "member/a-",
                               "member/a..b",
                               "member/a/../b",
                               "member/a?b",
                               "table/16",
                               "table/01",
                               "table/",
                               "table/x",
                               "status/default/web",
                               "",
                               "leader/x"};
  for (const std::string& key : wrong) {
    const auto at = object_of(DocumentKey(key), "ns");
    EXPECT_FALSE(at) << key;
  }
  EXPECT_THAT(object_of(DocumentKey("member/A"), "ns").error(), HasSubstr("node-name: 'A'"));
  EXPECT_THAT(object_of(DocumentKey("status/default/web"), "ns").error(),
              HasSubstr("is not kept in the kubernetes store"));
  for (const char* name : {"herald-member-", "herald-member-A", "herald-member", "shard-1"}) {
    EXPECT_EQ(key_of(lease_resource(), name), std::nullopt) << name;
  }
  for (const char* name : {"shard-16", "shard-01", "shard-", "shard-1a", "herald-leader"}) {
    EXPECT_EQ(key_of(shard_resource(), name), std::nullopt) << name;
  }
}

TEST(KubernetesStoreWire, AMembersLeaseTellsTheTruth) {
  json::object object = printed(member(1, 5));
  EXPECT_EQ(object["apiVersion"], "coordination.k8s.io/v1");
  EXPECT_EQ(object["kind"], "Lease");
  const json::object& labels = object["metadata"].at("labels").get_object();
  EXPECT_EQ(labels.at("app.kubernetes.io/name"), "herald");
  EXPECT_EQ(labels.at("herald.io/document"), "member");
  json::object spec = object["spec"].get_object();
  EXPECT_EQ(spec["holderIdentity"], "n1.example");
  EXPECT_EQ(spec["leaseDurationSeconds"], 2);  // 1.5 s, as nobody may take it for less
  EXPECT_EQ(spec["leaseTransitions"], 5);
  EXPECT_EQ(spec["acquireTime"], kNow);
  EXPECT_EQ(spec["renewTime"], kNow);

  const Replaced before{"u-1", "41", {"n1.example", kThen, kThen, 5, coord::Incarnation(5)}};
  spec = printed(member(2, 5), before)["spec"].get_object();
  EXPECT_EQ(spec["acquireTime"], kThen);
  EXPECT_EQ(spec["renewTime"], kNow);
  EXPECT_EQ(printed(member(2, 6), before)["spec"].at("acquireTime"), kNow);

  auto guarded = member(2, 5);
  guarded.guards = {{NodeName("n2"), coord::Incarnation(1)},
                    {NodeName("n3"), coord::Incarnation(1)}};
  object = printed(guarded, before);
  EXPECT_FALSE(object["spec"].get_object().contains("leaseDurationSeconds"));
  EXPECT_EQ(object["metadata"].at("annotations").at("herald.io/leased-by"), "heartbeats to n2, n3");
  EXPECT_EQ(object["metadata"].at("uid"), "u-1");
  EXPECT_EQ(object["metadata"].at("resourceVersion"), "41");

  auto revoked = guarded;
  revoked.revoked = true;
  spec = printed(revoked, before, false)["spec"].get_object();
  EXPECT_EQ(spec["holderIdentity"], "");
  EXPECT_EQ(spec["renewTime"], kThen);  // not by whoever revoked it

  EXPECT_EQ(printed(member(1, ~0ULL))["spec"].at("leaseTransitions"),
            std::numeric_limits<std::int32_t>::max());
}

TEST(KubernetesStoreWire, TheLeadersLeaseCountsItsTransitions) {
  json::object spec = printed(leader(1, "n1", 4))["spec"].get_object();
  EXPECT_EQ(spec["holderIdentity"], "n1");
  EXPECT_EQ(spec["leaseDurationSeconds"], 15);
  EXPECT_EQ(spec["leaseTransitions"], 0);
  const Replaced before{"u", "1", {"n1", kThen, kThen, 0, coord::Incarnation(4)}};
  spec = printed(leader(2, "n1", 4), before)["spec"].get_object();
  EXPECT_EQ(spec["leaseTransitions"], 0);
  EXPECT_EQ(spec["acquireTime"], kThen);
  for (const auto& next : {leader(2, "n2", 4), leader(2, "n1", 5)}) {
    spec = printed(next, before)["spec"].get_object();
    EXPECT_EQ(spec["leaseTransitions"], 1);
    EXPECT_EQ(spec["acquireTime"], kNow);
  }
}

TEST(KubernetesStoreWire, AShardEditedByHandIsRefused) {
  json::object object = printed(shard(3, 7));
  EXPECT_EQ(object["spec"].at("rev"), 7);
  EXPECT_EQ(object["spec"].at("ips"), 3);
  object["spec"].get_object()["rev"] = 8;
  const auto edited = parse_object(shard_resource(), kept(object));
  ASSERT_TRUE(edited);
  ASSERT_FALSE(edited->document);
  EXPECT_THAT(edited->document.error(), HasSubstr("edited by hand"));
  object["spec"].get_object()["document"] = "{}";
  EXPECT_FALSE(parse_object(shard_resource(), kept(object))->document);
  object.erase("spec");
  EXPECT_THAT(parse_object(shard_resource(), kept(object))->document.error(),
              HasSubstr("no spec.document"));
}

TEST(KubernetesStoreWire, WhatIsTooLargeIsSaid) {
  auto table = shard(3, 7);
  table.entries.begin()->second.services.assign(60'000,
                                                {std::string(12, 'n'), std::string(12, 's')});
  const auto out = print_object(table, place(table), std::nullopt, {kNow, true, 15s});
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error(), HasSubstr("document table/3 has "));
  auto node = member(1, 1);
  node.info.version = std::string(kMaxOtherDocument, 'v');
  EXPECT_FALSE(print_object(node, place(node), std::nullopt, {kNow, true, 15s}));
}

TEST(KubernetesStoreWire, ListsAreRead) {
  const std::string mine = kept(printed(leader(2, "n1", 1)), "40");
  const auto list = parse_list(
      lease_resource(),
      R"({"kind":"LeaseList","metadata":{"resourceVersion":"50","continue":"c"},"items":[)" + mine +
          R"(,{"metadata":{"name":"kube-scheduler"}},)" + kept(printed(member(1, 1))) + "]}");
  ASSERT_TRUE(list) << list.error();
  EXPECT_EQ(list->resource_version, "50");
  EXPECT_EQ(list->next, "c");
  ASSERT_EQ(list->objects.size(), 2U);
  EXPECT_EQ(*list->objects[0].document, coord::Document(leader(2, "n1", 1)));
  EXPECT_TRUE(parse_list(lease_resource(), R"({"metadata":{"resourceVersion":"1"},"items":null})"));
  for (
      const char* wrong :
      {"", "[]", "{}", R"({"items":[]})", R"({"metadata":{"resourceVersion":"1"}})",
       R"({"metadata":{"resourceVersion":"1"},"items":{}})",
       R"({"metadata":{"resourceVersion":"1"},"items":[7]})",
       R"({"metadata":{"resourceVersion":7},"items":[]})",
       R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"herald-leader"}}]})"}) {
    EXPECT_FALSE(parse_list(lease_resource(), wrong)) << wrong;
  }
}

TEST(KubernetesStoreWire, EventsAreRead) {
  const std::string object = kept(printed(leader(2, "n1", 1)));
  const auto written =
      parse_event(lease_resource(), R"({"type":"MODIFIED","object":)" + object + "}");
  ASSERT_TRUE(written) << written.error();
  EXPECT_EQ(written->kind, StoredEvent::Kind::Written);
  EXPECT_EQ(written->resource_version, "41");
  EXPECT_EQ(*written->object->document, coord::Document(leader(2, "n1", 1)));
  EXPECT_EQ(parse_event(lease_resource(), R"({"type":"DELETED","object":)" + object + "}")->kind,
            StoredEvent::Kind::Deleted);
  const auto mark = parse_event(
      lease_resource(), R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"60"}}})");
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->kind, StoredEvent::Kind::Bookmark);
  EXPECT_EQ(mark->resource_version, "60");
  EXPECT_EQ(mark->object, std::nullopt);
  const auto other =
      parse_event(lease_resource(),
                  R"({"type":"ADDED","object":{"metadata":{"name":"x","resourceVersion":"61"}}})");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->object, std::nullopt);
  const auto expired =
      parse_event(lease_resource(),
                  R"({"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}})");
  ASSERT_TRUE(expired);
  EXPECT_EQ(expired->kind, StoredEvent::Kind::Expired);
  EXPECT_EQ(expired->why, "too old");
  EXPECT_EQ(parse_event(lease_resource(), R"({"type":"ERROR","object":{"code":500}})")->kind,
            StoredEvent::Kind::Failed);
  for (const char* wrong :
       {"", "{}", "7", R"({"type":"ADDED"})", R"({"type":"ADDED","object":7})",
        R"({"type":"ADDED","object":{"metadata":{"name":"herald-leader"}}})",
        R"({"type":"GROWN","object":{"metadata":{"name":"x","resourceVersion":"1"}}})"}) {
    EXPECT_FALSE(parse_event(lease_resource(), wrong)) << wrong;
  }
}

TEST(KubernetesStoreWire, WhatIsCutAnywhereIsRefused) {
  const std::string object = kept(printed(shard(3, 7)));
  const std::string list = R"({"items":[)" + object + R"(],"metadata":{"resourceVersion":"50"}})";
  const std::string event = R"({"type":"ADDED","object":)" + object + "}";
  ASSERT_TRUE(parse_list(shard_resource(), list));
  ASSERT_TRUE(parse_event(shard_resource(), event));
  for (std::size_t n = 0; n < object.size(); ++n) {
    EXPECT_FALSE(parse_object(shard_resource(), object.substr(0, n))) << n;
  }
  for (std::size_t n = 0; n < list.size(); ++n) {
    EXPECT_FALSE(parse_list(shard_resource(), list.substr(0, n))) << n;
  }
  for (std::size_t n = 0; n < event.size(); ++n) {
    EXPECT_FALSE(parse_event(shard_resource(), event.substr(0, n))) << n;
  }
}

TEST(KubernetesStoreWire, ARefusalIsToldByWhatItMeans) {
  const auto lease = *object_of(DocumentKey("leader"), "herald-system");
  const auto table = *object_of(DocumentKey("table/3"), "herald-system");
  const struct {
    const char* name;
    unsigned status;
    const char* body;
    const kube::ObjectRef& object;
    bool absent, not_applied, conflict;
    const char* words;
  } cases[] = {
      {"no such object", 404,
       R"({"kind":"Status","message":"leases \"herald-leader\" not found","reason":"NotFound","details":{"name":"herald-leader","group":"coordination.k8s.io","kind":"leases"},"code":404})",
       lease, true, true, false, "not found"},
      {"another object", 404,
       R"({"kind":"Status","reason":"NotFound","details":{"name":"x","kind":"leases"},"code":404})",
       lease, false, true, false, "404"},
      {"no such kind", 404, "404 page not found\n", table, false, true, false,
       "the CustomResourceDefinition iptableshards.herald.io is missing: apply"},
      {"no such kind, in words", 404,
       R"({"kind":"Status","message":"the server could not find the requested resource","reason":"NotFound","details":{}})",
       table, false, true, false, "CustomResourceDefinition"},
      {"no such namespace", 404,
       R"({"kind":"Status","message":"namespaces \"herald-system\" not found","reason":"NotFound","details":{"name":"herald-system","kind":"namespaces"}})",
       table, false, true, false, "create that namespace"},
      {"another version", 409,
       R"({"kind":"Status","message":"the object has been modified","reason":"Conflict"})", lease,
       false, false, true, "modified"},
      {"no right", 403,
       R"({"kind":"Status","message":"leases.coordination.k8s.io \"herald-leader\" is forbidden","reason":"Forbidden"})",
       lease, false, true, false,
       "the Role of heraldd in namespace herald-system must allow 'update' on "
       "leases.coordination.k8s.io"},
      {"no namespace for long", 403,
       R"({"kind":"Status","message":"unable to create new content in namespace x because it is being terminated"})",
       lease, false, true, false, "the namespace is being deleted"},
      {"unknown to it", 401, R"({"kind":"Status","message":"Unauthorized"})", lease, false, true,
       false, "does not know this heraldd"},
      {"busy", 429, "Too many requests, please try again later.", lease, false, true, false,
       "too much to do"},
      {"refused by its rules", 422, R"({"kind":"Status","message":"spec.rev: Invalid value"})",
       table, false, true, false, "spec.rev: Invalid value"},
      {"etcd in trouble", 500, R"({"kind":"Status","message":"etcdserver: request timed out"})",
       lease, false, false, false, "request timed out"},
      {"a balancer's", 503, "<html>no backend</html>", lease, false, false, false, "no backend"},
      {"slow", 408, "", lease, false, false, false, "408"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const Refusal refusal = parse_refusal(c.status, c.body, c.object);
    EXPECT_EQ(refusal.absent, c.absent);
    EXPECT_EQ(refusal.not_applied, c.not_applied);
    EXPECT_EQ(refusal.conflict, c.conflict);
    EXPECT_THAT(to_sentence(refusal, c.status, "update", c.object), HasSubstr(c.words));
  }
  EXPECT_TRUE(
      parse_refusal(500, R"({"message":"etcdserver: mvcc: database space exceeded"})", lease).full);
  EXPECT_LT(parse_refusal(500, std::string(100'000, 'x'), lease).message.size(), 1000U);
}

TEST(KubernetesStoreWire, TimesAreThoseOfKubernetes) {
  EXPECT_EQ(to_rfc3339(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(1'709'208'000'000'001), "2024-02-29T12:00:00.000001Z");
}

}  // namespace
}  // namespace herald::daemon
