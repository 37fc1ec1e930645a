#include "daemon/status_herald.h"

#include <gtest/gtest.h>

#include "dialect_world.h"

namespace herald::daemon {
namespace {

TEST(HeraldStatus, OfAPoolCountsInText) {
  DialectWorld world;
  const auto pool = world.add(kHeraldPool, "lan",
                              "spec: {addresses: [10.0.0.0/24, fd00::/48], avoid: [FirstLast]}");
  world.service("web", {"10.0.0.1", "fd00::1"});
  EXPECT_EQ(world.status(pool),
            R"({"total":"1208925819614629174706428","used":"2",)"
            R"("available":"1208925819614629174706426","totalV4":"254","usedV4":"1",)"
            R"("availableV4":"253","totalV6":"1208925819614629174706174","usedV6":"1",)"
            R"("availableV6":"1208925819614629174706173","conditions":[{"type":"Ready",)"
            R"("status":"True","reason":"InForce","message":""}]})");
  EXPECT_EQ(world.wanted().at(pool).generation, WantedObject::Generation::Everywhere);
  EXPECT_EQ(world.wanted().at(pool).create, SharedText());
}

TEST(HeraldStatus, OfAPoolThatIsNotReadySaysWhy) {
  DialectWorld world;
  const auto old = world.add(kHeraldPool, "old", "spec: {addresses: [10.0.0.0/24]}");
  const auto late =
      world.add(kHeraldPool, "late", "spec: {addresses: [10.0.0.128/25]}", "2026-02-01T00:00:00Z");
  const auto off =
      world.add(kHeraldPool, "off", "spec: {addresses: [10.0.1.0/24], disabled: true}");
  const auto bad = world.add(kHeraldPool, "bad", "spec: {addresses: [10.0.0.0/33]}");
  EXPECT_EQ(world.condition(old, "Ready"), "True InForce ");
  EXPECT_EQ(world.condition(late, "Ready"),
            "False Conflict spec.addresses: 10.0.0.128-10.0.0.255 overlaps pool 'old' (addresses "
            "10.0.0.0-10.0.0.255), which is older: nothing is allocated from this pool until its "
            "addresses are changed");
  EXPECT_NE(world.status(late).find(R"("conflictsWith":"old")"), std::string::npos);
  EXPECT_EQ(world.condition(off, "Ready"),
            "False Disabled spec.disabled is true: what is held stays, nothing new is given");
  EXPECT_NE(world.condition(bad, "Ready").find("False Invalid spec.addresses[0]: '10.0.0.0/33'"),
            std::string::npos)
      << world.condition(bad, "Ready");
  // Nothing is known of its addresses.
  EXPECT_EQ(world.status(bad).find("total"), std::string::npos);
}

TEST(HeraldStatus, OfAPoolWhoseNewVersionIsBadCountsByTheOldOne) {
  DialectWorld world;
  const auto pool = world.add(kHeraldPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.add(kHeraldPool, "lan", "spec: {addresses: [10.0.0.0/24], colour: red}");
  EXPECT_NE(world.status(pool).find(R"("total":"256")"), std::string::npos);
  const std::string ready = world.condition(pool, "Ready");
  EXPECT_EQ(ready.rfind("False Invalid spec.colour: unknown field", 0), 0U) << ready;
  EXPECT_NE(ready.find("still using the version read before"), std::string::npos) << ready;
}

TEST(HeraldStatus, OfPoliciesCountsWhatTheySelect) {
  DialectWorld world;
  world.member("n1");
  world.member("n2");
  world.add(kHeraldPool, "lan", "spec: {addresses: [10.0.0.0/24, fd00::/64]}");
  const auto all = world.add(kHeraldL2, "all", "spec: {}");
  const auto one =
      world.add(kHeraldL2, "one",
                "spec: {serviceSelector: {matchLabels: {app: web}}, nodeSelector: {matchLabels: "
                "{kubernetes.io/hostname: n2}}}");
  world.service("web", {"10.0.0.1", "fd00::1"}, "n1");
  world.service("db", {"10.0.0.2"}, "n2");
  world.service("new", {"10.0.0.3"});
  const std::string ready =
      R"("conditions":[{"type":"Ready","status":"True","reason":"InForce","message":""}]})";
  EXPECT_EQ(world.status(all), R"({"services":3,"ips":4,"ownedIPs":3,"nodes":2,)" + ready);
  EXPECT_EQ(world.status(one), R"({"services":1,"ips":2,"ownedIPs":0,"nodes":1,)" + ready);
}

TEST(HeraldStatus, OfASharedIpCountsTheServicesThatAreSelected) {
  DialectWorld world;
  const auto one =
      world.add(kHeraldL2, "one", "spec: {serviceSelector: {matchLabels: {app: web}}}");
  world.service("web", {});
  world.service("db", {});
  coord::TableEntry shared;
  shared.services = {{"default", "db"}, {"default", "web"}};
  world.hold("10.0.0.1", shared);
  EXPECT_NE(world.status(one).find(R"("services":1,"ips":1,)"), std::string::npos)
      << world.status(one);
}

TEST(HeraldStatus, OfAnAdvertisementCountsRoutes) {
  DialectWorld world;
  world.member("n1");
  world.add(kHeraldPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.add(kHeraldPeer, "tor-1", "spec: {address: 10.9.9.1, peerASN: 64512, localASN: 64513}");
  world.add(kHeraldPeer, "tor-2", "spec: {address: 10.9.9.2, peerASN: 64512, localASN: 64513}");
  const auto wide =
      world.add(kHeraldAdvertisement, "wide", "spec: {aggregationLength: {ipv4: 24}}");
  const auto host = world.add(kHeraldAdvertisement, "host", "spec: {peers: [tor-2]}");
  world.service("a", {"10.0.0.1"}, "n1");
  world.service("b", {"10.0.0.2"}, "n1");
  EXPECT_NE(world.status(wide).find(R"({"services":2,"ips":2,"routes":1,"nodes":1,"peers":2,)"),
            std::string::npos)
      << world.status(wide);
  EXPECT_NE(world.status(host).find(R"({"services":2,"ips":2,"routes":2,"nodes":1,"peers":1,)"),
            std::string::npos)
      << world.status(host);
}

TEST(HeraldStatus, OfAPeerCountsSessionsByWhatNodesTell) {
  DialectWorld world;
  for (const char* node : {"n1", "n2", "n3"}) world.member(node);
  const auto peer =
      world.add(kHeraldPeer, "tor-1", "spec: {address: 10.9.9.1, peerASN: 64512, localASN: 64513}");
  EXPECT_EQ(world.condition(peer, "Established"),
            "False NoneEstablished 0 of 3 nodes; nothing is known of n1, n2, n3");
  world.told("n1", {"tor-1", "tor-9"});
  world.told("n2", {"tor-9"});
  world.told("n9", {"tor-1"});  // no member any more
  EXPECT_EQ(world.condition(peer, "Established"),
            "False SomeEstablished 1 of 3 nodes; not n2: see kubectl get nodestatuses; nothing is "
            "known of n3");
  EXPECT_EQ(world.condition(peer, "Ready"), "True InForce ");
  world.told("n2", {"tor-1"});
  world.told("n3", {"tor-1"});
  EXPECT_EQ(world.status(peer),
            R"({"nodes":3,"established":3,"sessions":"3/3","conditions":[{"type":"Ready",)"
            R"("status":"True","reason":"InForce","message":""},{"type":"Established",)"
            R"("status":"True","reason":"AllEstablished","message":"3 of 3 nodes"}]})");
  // What a node told, taken back.
  world.see(object(kNodeStatus, "n3"), R"({"sessions":"none"})");
  EXPECT_NE(world.status(peer).find(R"("sessions":"2/3")"), std::string::npos);
}

TEST(HeraldStatus, OfAPeerThatNoNodeHasIsNotReady) {
  DialectWorld world;
  world.member("n1");
  const std::string asn = "address: 10.9.9.1, peerASN: 64512, localASN: 64513";
  const auto nowhere = world.add(kHeraldPeer, "nowhere",
                                 "spec: {" + asn + ", nodeSelector: {matchLabels: {rack: b}}}");
  const auto vrf = world.add(kHeraldPeer, "vrf", "spec: {" + asn + ", vrf: red}");
  EXPECT_EQ(world.condition(nowhere, "Ready").rfind("False NoMatchingNode spec.nodeSelector (", 0),
            0U)
      << world.condition(nowhere, "Ready");
  EXPECT_EQ(world.condition(vrf, "Ready").rfind("False NotInForce spec.vrf: is understood", 0), 0U)
      << world.condition(vrf, "Ready");
}

TEST(HeraldStatus, TellsWhatIsNotInForceYet) {
  DialectWorld world;
  const auto bfd = world.add(kHeraldBfd, "fast", "spec: {detectMultiplier: 3}");
  EXPECT_EQ(world.condition(bfd, "Ready"), "True InForce ");
  EXPECT_EQ(world.condition(bfd, "Warnings"),
            "True SeeMessage spec: is understood, but not in force yet in this version: a dead "
            "router is found by BGP's hold time");
}

TEST(HeraldStatus, IsUtf8AndBounded) {
  DialectWorld world;
  std::string body = "spec: {addresses: [";
  for (int i = 0; i < 200; ++i) body += "\"10.0.0.0/" + std::to_string(1000 + i) + "\", ";
  const auto many = world.add(kHeraldPool, "many", body + "x]}");
  const std::string ready = world.condition(many, "Ready");
  EXPECT_GT(ready.size(), 1000U);
  EXPECT_LT(ready.size(), 4100U);
  EXPECT_EQ(ready.substr(ready.size() - 4), " ...");
  // A field's name is cut after 80 octets, in the middle of a character.
  std::string name(79, 'x');
  for (int i = 0; i < 10; ++i) name += "\xc3\xa4";
  const auto cut =
      world.add(kHeraldPool, "cut", "spec: {addresses: [10.0.0.0/24], " + name + ": 1}");
  EXPECT_NE(world.condition(cut, "Ready").find("xxx?: unknown field"), std::string::npos)
      << world.condition(cut, "Ready");
}

TEST(HeraldStatus, MessagesKeepEveryCharacterOfUtf8AndNoOther) {
  const auto message = [](const std::string& text) {
    return std::string(condition("Ready", true, "InForce", text)["message"].as_string());
  };
  const std::string good =
      "a\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
  EXPECT_EQ(message(good), good);
  const std::pair<const char*, const char*> cases[] = {
      {"\xc0\x80", "??"},
      {"\xc3", "?"},
      {"\xe0\x9f\xbf", "???"},
      {"\xed\xa0\x80", "???"},
      {"\xf0\x8f\xbf\xbf", "????"},
      {"\xf4\x90\x80\x80", "????"},
      {"\xf5\x80\x80\x80", "????"},
      {"\xe2\x82", "??"},
      {"\xff", "?"},
      {"\x80z", "?z"},
  };
  for (const auto& [in, out] : cases) EXPECT_EQ(message(in), out);
  EXPECT_EQ(message(std::string(3999, 'a') + "\xc3\xa4"), std::string(3999, 'a') + " ...");
}

TEST(HeraldStatus, IsWantedOfNothingThatIsNotThere) {
  DialectWorld world;
  const auto pool = world.add(kHeraldPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.observed.objects.erase(pool);
  EXPECT_TRUE(world.wanted().empty());
  // One that is there, and was not read yet: the leader's reading of the manifests is older.
  world.see(object(kHeraldPool, "next"));
  EXPECT_EQ(world.condition(object(kHeraldPool, "next"), "Ready").rfind("False NotRead", 0), 0U);
}

}  // namespace
}  // namespace herald::daemon
