#include "coord/document_wire.h"

#include <gmock/gmock.h>

#include <limits>

namespace herald::coord {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

MemberDocument member() {
  MemberDocument d;
  d.node = NodeName("n1");
  d.rev = Revision(kMax);
  d.inc = Incarnation(kMax - 1);
  d.nonce = 0x8000000000000001U;
  d.revoked = true;
  d.guards = {{NodeName("n2"), Incarnation(7)}, {NodeName("n3"), Incarnation(9)}};
  d.terms = {2s, 150ms, 60s};
  d.info = {"b08dfa6083e7567a1921a715000001fb",
            "0.1.0",
            {{"rack", "a \"quoted\" \\ \n label"}, {"zone", "ö"}},
            {{"eth0",
              {*IpPrefix::parse("10.25.150.0/24"), *IpPrefix::parse("fd25:150::/64")},
              *MacAddress::parse("02:00:00:00:00:01")},
             {"eth1", {}, {}}},
            true,
            {{ip("10.25.150.101"), 7471}, {ip("fd25:150::1:101"), 65535}}};
  return d;
}

TableDocument table() {
  TableDocument d{shard_of(ip("10.25.150.253")), Revision(3), Epoch(12), {}};
  d.entries[ip("10.25.150.253")] = {{{"home", "adguard"}, {"home", "unbound"}},
                                    NodeName("n1"),
                                    Incarnation(5),
                                    Epoch(12),
                                    TableEntry::Wish::Release,
                                    {}};
  for (unsigned i = 1;; ++i) {  // more of the same shard
    const IpAddress vip = IpAddress::from_number(IpFamily::IPv6, ip("fd25:150::").number() + i);
    if (shard_of(vip) != d.shard) continue;
    TableEntry& entry = d.entries[vip];
    entry.epoch = Epoch(2);
    if (d.entries.size() == 2) entry.services = {{"home", "whoami"}};
    if (d.entries.size() == 3) entry.kept_for = ObjectName{"home", "photos"};
    if (d.entries.size() == 4) {
      entry.unproven = true;
      entry.quarantine =
          Quarantine{*MacAddress::parse("02:00:00:00:00:09"), NodeName("n3"), "eth0"};
    }
    if (d.entries.size() < 5) continue;
    d.entries[vip] = {{{"home", "torrent"}},  NodeName("n1"), Incarnation(5), Epoch(2),
                      TableEntry::Wish::Move, NodeName("n2")};
    return d;
  }
}

StatusDocument status() {
  return {{"home", "whoami"},
          Revision(1),
          {ip("10.25.150.223"), ip("fd25:150::1")},
          {PoolName("lan"), PoolName()},
          "Allocated",
          "2 of 2"};
}

ClusterDocument cluster() {
  return {Revision(4), Bytes(kHeartbeatKeyBytes, 0xa7), {NodeName("n2"), NodeName("n3")}};
}

std::vector<Document> all_kinds() {
  return {member(),
          MemberDocument{NodeName("n2"), Revision(1), {}, 0, false, {}, {}, {}},
          table(),
          LeaderDocument{Revision(8), NodeName("n1"), Incarnation(5), kMax},
          LeaderDocument{Revision(9), NodeName(), {}, 0},
          status(),
          cluster(),
          ClusterDocument{Revision(1), {}, {}}};
}

TEST(DocumentWire, EveryKindComesBackAsItWas) {
  for (const Document& document : all_kinds()) {
    const auto again = parse_document(key_of(document), print_document(document));
    ASSERT_TRUE(again) << again.error();
    EXPECT_EQ(*again, document);
  }
}

TEST(DocumentWire, RefusedAtEveryLengthButTheWhole) {
  for (const Document& document : all_kinds()) {
    const std::string json = print_document(document);
    for (std::size_t length = 0; length < json.size(); ++length) {
      EXPECT_FALSE(parse_document(key_of(document), std::string_view(json).substr(0, length)));
    }
  }
}

TEST(DocumentWire, FieldsOfANewerVersionArePassedOver) {
  const auto leader = parse_document(
      leader_key(), R"({"rev":2,"holder":"n1","inc":1,"nonce":3,"mood":{"deep":[1,2]}})");
  ASSERT_TRUE(leader) << leader.error();
  EXPECT_EQ(*leader, Document(LeaderDocument{Revision(2), NodeName("n1"), Incarnation(1), 3}));
}

// `from` in the printed document is replaced by `to`; the error must contain `says`.
struct Wrong {
  const char* about;
  Document document;
  std::string from, to, says;
};

TEST(DocumentWire, WhatIsWrongIsRefusedBySentence) {
  const LeaderDocument leader{Revision(8), NodeName("n1"), Incarnation(5), 17};
  const std::vector<Wrong> table_of_wrongs = {
      {"missing", leader, R"("inc":5,)", "", "field 'inc' is missing"},
      {"string for number", leader, R"("inc":5)", R"("inc":"5")", "field 'inc' must be a whole"},
      {"negative", leader, R"("nonce":17)", R"("nonce":-1)", "field 'nonce' must be a whole"},
      {"fraction", leader, R"("nonce":17)", R"("nonce":1.0)", "field 'nonce' must be a whole"},
      {"2^64", leader, R"("nonce":17)", R"("nonce":18446744073709551616)", "'nonce' must be a"},
      {"rev 0", leader, R"("rev":8)", R"("rev":0)", "field 'rev' must be 1 or more"},
      {"long name", leader, "\"n1\"", "\"" + std::string(254, 'n') + "\"", "254 bytes"},
      {"no object", leader, "{", "[{", "not JSON"},
      {"port 0", member(), R"("port":7471)", R"("port":0)",
       "'info.heartbeat[0].port' must be a port"},
      {"other node", member(), R"("node":"n1")", R"("node":"n9")", "is the document 'member/n9'"},
      {"empty node", member(), R"("node":"n1")", R"("node":"")", "must be a name"},
      {"guard", member(), R"("inc":7)", R"("ink":7)", "field 'guards[0].inc' is missing"},
      {"guard twice", member(), R"("node":"n3")", R"("node":"n2")",
       "field 'guards[1].node' must be another one: 'n2' is listed already"},
      {"term", member(), R"("leaseNs":2000000000)", R"("leaseNs":86400000000001)",
       "'terms.leaseNs' must be at most 86400000000000"},
      {"label", member(), R"("zone":"ö")", R"("zone":1)", "'info.labels.zone' must be a string"},
      {"subnet", member(), "10.25.150.0/24", "10.25.150.0", "'info.links[0].subnets[0]' must be"},
      {"bool", member(), R"("revoked":true)", R"("revoked":1)", "'revoked' must be true or false"},
      {"list", status(), R"("ips":[)", R"("ips":{"a":[)", "not JSON"},
      {"service", status(), "home/whoami", "whoami", "must be <namespace>/<name>, not 'whoami'"},
      {"ip", status(), "10.25.150.223", "10.25.150.256", "field 'ips[0].ip' must be an IP"},
      {"no shard", table(), R"("shard":)", R"("shard":1)", ""},
      {"vip", table(), "10.25.150.253", "10.25.150", "must be named by an IP address"},
      {"other shard", table(), "10.25.150.253", "10.25.150.252", "belongs to shard"},
      {"wish", table(), "Release", "Perish", "wish' must be Keep, Release or Move, not 'Perish'"},
      {"no target", table(), R"("moveTo":"n2")", R"("to":"n2")", "moveTo' is missing"},
      {"target", table(), R"("moveTo":"n2")", R"("moveTo":"")", "moveTo' must be a name"},
      {"rest", table(), "home/photos", "photos", "keptFor' must be <namespace>/<name>"},
      {"rest and service", table(), R"("services":[],"owner":null)",
       R"("services":["a/b"],"owner":null)", "keptFor' must not be there while a service has"},
      {"unproven", table(), R"("unproven":true)", R"("unproven":1)", "unproven' must be true or"},
      {"station", table(), "02:00:00:00:00:09", "02:00", "station' must be a MAC address"},
      {"where", table(), R"("link":"eth0")", R"("links":"eth0")", "quarantine.link' is missing"},
      {"no quarantine", table(), R"("quarantine":{)", R"("quarantine":3,"q":{)",
       "quarantine' must be an object"},
      {"mac", member(), "02:00:00:00:00:01", "eth0", "links[0].mac' must be a MAC address"},
      {"short key", cluster(), "a7a7\"", "a7\"", "must be 64 lower-case hexadecimal digits"},
      {"digits", cluster(), "a7a7\"", "a7g7\"", "must be 64 lower-case hexadecimal digits"},
      {"drained", cluster(), R"("n3")", "3", "field 'drained[1]' must be a string"},
      {"owner", table(), R"("owner":null)", R"("owner":"")", "owner' must be a name"},
      {"services", table(), "home/adguard", "home/a/b", "services[0]' must be <namespace>/<name>"},
  };
  for (const Wrong& wrong : table_of_wrongs) {
    std::string json = print_document(wrong.document);
    const auto at = json.find(wrong.from);
    ASSERT_NE(at, std::string::npos) << wrong.about << ": " << json;
    json.replace(at, wrong.from.size(), wrong.to);
    const auto parsed = parse_document(key_of(wrong.document), json);
    ASSERT_FALSE(parsed) << wrong.about;
    EXPECT_THAT(parsed.error(), HasSubstr(wrong.says)) << wrong.about;
  }
  EXPECT_THAT(parse_document(leader_key(), "[]").error(), HasSubstr("it must be an object"));
  EXPECT_THAT(parse_document(DocumentKey("x/y"), "{}").error(), HasSubstr("no kind of document"));
  EXPECT_FALSE(parse_document(leader_key(), std::string(1000, '[')));
  EXPECT_THAT(parse_document(leader_key(), std::string(kMaxDocumentBytes + 1, ' ')).error(),
              HasSubstr("the most is"));
}

}  // namespace
}  // namespace herald::coord
