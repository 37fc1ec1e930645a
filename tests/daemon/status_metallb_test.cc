#include "daemon/status_metallb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "dialect_world.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

// What is wanted of a kind: "status | labels", by the order of their names.
std::vector<std::string> made(DialectWorld& world, const TestKind& kind) {
  std::vector<std::string> out;
  for (const auto& [ref, wanted] : world.wanted()) {
    if (ref.resource.kind != kind.kind) continue;
    EXPECT_EQ(ref.ns, "metallb-system");
    EXPECT_FALSE(wanted.create.empty());
    EXPECT_EQ(wanted.generation, WantedObject::Generation::Nowhere);
    out.push_back(*wanted.status);
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(MetallbStatus, OfAPoolIsFourIntegers) {
  DialectWorld world;
  const auto pool = world.add(
      kMetallbPool, "lan", "spec: {addresses: [10.0.0.0/24, \"fd00::/48\"], avoidBuggyIPs: true}");
  const auto empty = world.add(kMetallbPool, "v4", "spec: {addresses: [10.1.0.0/30]}");
  world.service("web", {"10.0.0.1", "fd00::1"});
  EXPECT_EQ(world.status(pool), R"({"assignedIPv4":1,"assignedIPv6":1,"availableIPv4":253,)"
                                R"("availableIPv6":9223372036854775807})");
  EXPECT_EQ(world.status(empty),
            R"({"assignedIPv4":0,"assignedIPv6":0,"availableIPv4":4,"availableIPv6":0})");
  EXPECT_EQ(world.wanted().at(pool).generation, WantedObject::Generation::Nowhere);
  // Nothing is known of the addresses of one that cannot be read.
  EXPECT_EQ(world.status(world.add(kMetallbPool, "bad", "spec: {addresses: [x]}")), "");
}

TEST(MetallbStatus, SaysWhoAnswersForAService) {
  DialectWorld world;
  world.member("n1");
  world.member("n2");
  world.add(kMetallbPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.add(kMetallbL2, "all", "spec: {}");
  world.service("web", {"10.0.0.1"}, "n1");
  world.service("new", {"10.0.0.2"});
  EXPECT_TRUE(made(world, kServiceL2).empty()) << "the server does not have the kind";
  world.serve(kServiceL2);
  EXPECT_EQ(made(world, kServiceL2),
            std::vector<std::string>{
                R"({"node":"n1","serviceName":"web","serviceNamespace":"default"})"});
  const WantedObjects all = world.wanted();
  const auto it = std::find_if(all.begin(), all.end(), [](const auto& o) {
    return o.first.resource.kind == "ServiceL2Status";
  });
  EXPECT_EQ(it->first.name.rfind("herald-l2-", 0), 0U);
  EXPECT_EQ(
      *it->second.create,
      R"({"metadata":{"labels":{"metallb.io/node":"n1","metallb.io/service-name":"web",)"
      R"("metallb.io/service-namespace":"default","app.kubernetes.io/managed-by":"herald"}}})");
}

TEST(MetallbStatus, NamesTheInterfacesIfTheAdvertisementDoes) {
  DialectWorld world;
  world.serve(kServiceL2);
  world.member("n1");
  world.add(kMetallbPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.add(kMetallbL2, "one", "spec: {interfaces: [eth1, eth9]}");
  world.service("web", {"10.0.0.1"}, "n1");
  EXPECT_EQ(
      made(world, kServiceL2),
      std::vector<std::string>{R"({"node":"n1","serviceName":"web","serviceNamespace":"default",)"
                               R"("interfaces":[{"name":"eth1"}]})"});
}

TEST(MetallbStatus, IsAnotherObjectOnAnotherNode) {
  DialectWorld world;
  world.serve(kServiceL2);
  world.member("n1");
  world.member("n2");
  world.add(kMetallbPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.add(kMetallbL2, "all", "spec: {}");
  world.service("web", {"10.0.0.1"}, "n1");
  const WantedObjects before = world.wanted();
  EXPECT_EQ(before, world.wanted());
  world.service("web", {"10.0.0.1"}, "n2");
  const WantedObjects after = world.wanted();
  std::set<std::string> names;
  for (const WantedObjects* all : {&before, &after}) {
    for (const auto& [ref, wanted] : *all) {
      if (ref.resource.kind == "ServiceL2Status") names.insert(ref.name);
    }
  }
  EXPECT_EQ(names.size(), 2U);
  EXPECT_EQ(made(world, kServiceL2).size(), 1U);
}

TEST(MetallbStatus, SaysNothingOfAnIpThatNobodyAnswersFor) {
  DialectWorld world;
  world.serve(kServiceL2);
  world.member("n1");
  world.add(kMetallbPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.add(kMetallbL2, "all", "spec: {}");
  coord::TableEntry entry;
  entry.services = {{"default", "web"}};
  entry.owner = NodeName("n1");
  world.service("web", {});
  for (const auto& change : std::vector<std::function<void(coord::TableEntry&)>>{
           [](auto& e) { e.unproven = true; },
           [](auto& e) { e.quarantine = coord::Quarantine{}; },
           [](auto& e) { e.owner = NodeName("gone"); },
           [](auto& e) {
             e.services = {{"default", "unknown"}};
           },
       }) {
    world.hold("10.0.0.1", entry);
    EXPECT_EQ(made(world, kServiceL2).size(), 1U);
    coord::TableEntry changed = entry;
    change(changed);
    world.hold("10.0.0.1", changed);
    EXPECT_EQ(made(world, kServiceL2).size(), 0U);
  }
}

TEST(MetallbStatus, IsNotMadeOfWhatOtherDialectsAnnounce) {
  DialectWorld world;
  world.serve(kServiceL2);
  world.serve(kServiceBgp);
  world.member("n1");
  world.add(kHeraldPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.add(kHeraldL2, "all", "spec: {}");
  world.add(kHeraldPeer, "tor", "spec: {address: 10.9.9.1, peerASN: 64512, localASN: 64513}");
  world.add(kHeraldAdvertisement, "all", "spec: {}");
  world.service("web", {"10.0.0.1"}, "n1");
  EXPECT_TRUE(made(world, kServiceL2).empty());
  EXPECT_TRUE(made(world, kServiceBgp).empty());
}

constexpr const char* kPeer = "spec: {myASN: 64513, peerASN: 64512, peerAddress: 10.9.9.";

class MetallbBgpStatus : public ::testing::Test {
 protected:
  MetallbBgpStatus() {
    world.serve(kServiceBgp);
    for (const char* node : {"n1", "n2"}) world.member(node);
    world.add(kMetallbPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
    world.add(kMetallbPeer, "tor-b", std::string(kPeer) + "1}");
    world.add(kMetallbPeer, "tor-a",
              std::string(kPeer) +
                  "2, nodeSelectors: [{matchLabels: "
                  "{kubernetes.io/hostname: n1}}]}");
    world.add(kMetallbAdvertisement, "all", "spec: {ipAddressPools: [lan]}");
  }
  DialectWorld world;
};

TEST_F(MetallbBgpStatus, SaysWhichPeersEachNodeTells) {
  world.service("web", {"10.0.0.1"}, "n1");
  EXPECT_EQ(
      made(world, kServiceBgp),
      (std::vector<std::string>{R"({"node":"n1","serviceName":"web","serviceNamespace":"default",)"
                                R"("peers":["tor-a","tor-b"]})",
                                R"({"node":"n2","serviceName":"web","serviceNamespace":"default",)"
                                R"("peers":["tor-b"]})"}));
  world.drained = {NodeName("n2")};
  EXPECT_EQ(made(world, kServiceBgp).size(), 1U);
}

TEST_F(MetallbBgpStatus, LeavesOutNodesThatMayNotAnnounce) {
  world.service("web", {"10.0.0.1"}, "n1", ", externalTrafficPolicy: Local");
  world.manifests.set_file("/slice", R"({"apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice", "addressType": "IPv4", "metadata": {"name": "web-1",
    "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
    "endpoints": [{"addresses": ["10.1.0.1"], "nodeName": "n2"}]})");
  EXPECT_EQ(
      made(world, kServiceBgp),
      std::vector<std::string>{R"({"node":"n2","serviceName":"web","serviceNamespace":"default",)"
                               R"("peers":["tor-b"]})"});
}

TEST_F(MetallbBgpStatus, IsBounded) {
  for (int i = 0; i < 9; ++i) {
    world.service("s" + std::to_string(i), {"10.0.0." + std::to_string(i + 1)}, "n1");
  }
  EXPECT_EQ(made(world, kServiceBgp).size(), 18U);
  world.most = 5;
  const auto few = made(world, kServiceBgp);
  ASSERT_EQ(few.size(), 5U);
  std::set<std::string> services;
  for (const std::string& status : few) {
    services.emplace(json::parse(status).at("serviceName").as_string());
  }
  EXPECT_EQ(services, (std::set<std::string>{"s0", "s1", "s2"}));
  world.most = 0;
  EXPECT_TRUE(made(world, kServiceBgp).empty());
}

TEST(MetallbStatus, LeavesOutALabelThatIsTooLong) {
  DialectWorld world;
  const std::string node(64, 'n');
  world.serve(kServiceL2);
  world.member(node);
  world.add(kMetallbPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  world.add(kMetallbL2, "all", "spec: {}");
  world.service("web", {"10.0.0.1"}, node);
  ASSERT_EQ(made(world, kServiceL2).size(), 1U);
  for (const auto& [ref, wanted] : world.wanted()) {
    EXPECT_EQ(wanted.create->find("metallb.io/node"), std::string::npos);
  }
}

TEST(MetallbStatus, GathersTheProblemsOfItsNamespace) {
  DialectWorld world;
  world.serve(kConfiguration);
  const auto state = object(kConfiguration, "herald");
  EXPECT_TRUE(world.wanted().empty());
  world.add(kMetallbPool, "lan", "spec: {addresses: [10.0.0.0/24]}");
  EXPECT_EQ(world.status(state),
            R"({"result":"Valid","errorSummary":"","conditions":[{"type":"configReconcilerValid",)"
            R"("status":"True","reason":"Reconciled","message":""}]})");
  EXPECT_EQ(*world.wanted().at(state).create,
            R"({"metadata":{"labels":{"metallb.io/component-type":"controller",)"
            R"("app.kubernetes.io/managed-by":"herald"}}})");
  world.add(kMetallbPool, "bad", "spec: {addresses: [10.0.0.0/33]}");
  world.add(kMetallbPeer, "tor", std::string(kPeer) + "1, bfdProfile: none}");
  const json::value status = json::parse(world.status(state));
  EXPECT_EQ(status.at("result").as_string(), "Invalid");
  const std::string summary(status.at("errorSummary").as_string());
  EXPECT_EQ(summary.rfind("IPAddressPool bad: spec.addresses[0]: '10.0.0.0/33'", 0), 0U) << summary;
  const json::value& first = status.at("conditions").at(0);
  EXPECT_EQ(first.at("status").as_string(), "False");
  EXPECT_EQ(first.at("reason").as_string(), "ConfigurationError");
  EXPECT_EQ(std::string(first.at("message").as_string()), "configuration error: " + summary);
}

}  // namespace
}  // namespace herald::daemon
