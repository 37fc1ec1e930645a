#include "daemon/status_cilium.h"

#include <gtest/gtest.h>

#include "dialect_world.h"

namespace herald::daemon {
namespace {

TEST(CiliumStatus, OfAPoolIsWhatCiliumsOperatorWrites) {
  DialectWorld world;
  const auto pool = world.add(kCiliumPool, "lan", "spec: {blocks: [{cidr: 10.0.0.0/24}]}");
  world.service("web", {"10.0.0.0"});
  EXPECT_EQ(world.status(pool),
            R"({"conditions":[{"type":"cilium.io/PoolConflict","status":"False",)"
            R"("reason":"resolved","message":""},{"type":"cilium.io/IPsTotal","status":"Unknown",)"
            R"("reason":"noreason","message":"256"},{"type":"cilium.io/IPsAvailable",)"
            R"("status":"Unknown","reason":"noreason","message":"255"},)"
            R"({"type":"cilium.io/IPsUsed","status":"Unknown","reason":"noreason",)"
            R"("message":"1"}]})");
  EXPECT_EQ(world.wanted().at(pool).generation, WantedObject::Generation::InConditions);
}

TEST(CiliumStatus, CountsReservedAddressesAsUsed) {
  struct Case {
    const char *spec, *total, *available, *used;
  };
  const Case cases[] = {
      {"{blocks: [{cidr: 10.0.0.0/24}], allowFirstLastIPs: \"No\"}", "256", "254", "2"},
      {"{blocks: [{cidr: 10.0.0.0/31}], allowFirstLastIPs: \"No\"}", "2", "2", "0"},
      {"{blocks: [{cidr: 10.0.0.0/24}], disabled: true}", "256", "256", "0"},
      {"{blocks: [{cidr: \"fd00::/64\"}]}", "18446744073709551616", "18446744073709551616", "0"},
      {"{blocks: [{cidr: \"::/0\"}]}", "340282366920938463463374607431768211455",
       "340282366920938463463374607431768211455", "0"},
      {"{blocks: []}", "0", "0", "0"},
  };
  for (const Case& c : cases) {
    DialectWorld world;
    const auto pool = world.add(kCiliumPool, "lan", std::string("spec: ") + c.spec);
    const auto number = [&](const char* type) {
      return world.condition(pool, std::string("cilium.io/") + type);
    };
    EXPECT_EQ(number("IPsTotal"), std::string("Unknown noreason ") + c.total) << c.spec;
    EXPECT_EQ(number("IPsAvailable"), std::string("Unknown noreason ") + c.available) << c.spec;
    EXPECT_EQ(number("IPsUsed"), std::string("Unknown noreason ") + c.used) << c.spec;
  }
}

TEST(CiliumStatus, OfAPoolThatOverlapsNamesBothRanges) {
  DialectWorld world;
  const auto old = world.add(kCiliumPool, "old", "spec: {blocks: [{cidr: 10.0.1.0/24}]}");
  const auto late =
      world.add(kCiliumPool, "late", "spec: {blocks: [{cidr: 10.0.0.0/24}, {start: 10.0.1.7}]}",
                "2026-02-01T00:00:00Z");
  const auto within =
      world.add(kCiliumPool, "within",
                "spec: {blocks: [{start: 10.1.0.1, stop: 10.1.0.9}, {cidr: 10.1.0.8/29}]}");
  EXPECT_EQ(world.condition(old, "cilium.io/PoolConflict"), "False resolved ");
  EXPECT_EQ(world.condition(late, "cilium.io/PoolConflict"),
            "True cidr_overlap Pool conflicts since range '10.0.1.7 - 10.0.1.7' overlaps range "
            "'10.0.1.0 - 10.0.1.255' from IP Pool 'old'");
  EXPECT_EQ(world.condition(within, "cilium.io/PoolConflict"),
            "True cidr_overlap Pool conflicts since range '10.1.0.1 - 10.1.0.9' overlaps range "
            "'10.1.0.8 - 10.1.0.15' from IP Pool 'within'");
  EXPECT_EQ(world.condition(late, "herald.io/Problems").rfind("True Warnings spec.blocks: ", 0),
            0U);
}

TEST(CiliumStatus, OfAPoolThatCannotBeReadHasItsProblemAlone) {
  DialectWorld world;
  const auto bad = world.add(kCiliumPool, "bad", "spec: {blocks: [{cidr: 10.0.0.0/33}]}");
  EXPECT_EQ(
      world.condition(bad, "herald.io/Problems").rfind("True Invalid spec.blocks[0].cidr: ", 0), 0U)
      << world.status(bad);
  EXPECT_EQ(world.status(bad).find("cilium.io/"), std::string::npos);
}

TEST(CiliumStatus, OfAnL2PolicyHasItsFaultsAndNothingElse) {
  DialectWorld world;
  const auto good = world.add(kCiliumL2, "good", "spec: {loadBalancerIPs: true}");
  const auto bad =
      world.add(kCiliumL2, "bad", "spec: {loadBalancerIPs: true, interfaces: [\"eth[0\"]}");
  const auto selector = world.add(
      kCiliumL2, "selector",
      "spec: {loadBalancerIPs: true, nodeSelector: {matchExpressions: [{key: a, operator: In}]}}");
  EXPECT_EQ(world.status(good), "");
  EXPECT_TRUE(world.wanted().contains(good));  // what was ours there goes
  const std::string fault = world.condition(bad, "io.cilium/bad-interface-regex");
  EXPECT_EQ(fault.rfind("True error 'eth[0' is no regular expression", 0), 0U) << fault;
  EXPECT_EQ(world.condition(selector, "io.cilium/bad-node-selector").rfind("True error ", 0), 0U)
      << world.status(selector);
  EXPECT_EQ(world.condition(selector, "io.cilium/bad-service-selector"), "");
  // Mended: Cilium leaves such a condition there as False, and so do we.
  world.add(kCiliumL2, "bad", "spec: {loadBalancerIPs: true, interfaces: [\"eth[0]\"]}");
  world.see(bad, R"({"conditions":[{"type":"io.cilium/bad-interface-regex","status":"True"}]})");
  EXPECT_EQ(world.status(bad),
            R"({"conditions":[{"type":"io.cilium/bad-interface-regex","status":"False",)"
            R"("reason":"error","message":""}]})");
}

constexpr const char* kInstance =
    "bgpInstances: [{name: i, localASN: 64512, peers: [{name: a, peerASN: 64513, peerAddress: "
    "10.9.9.1, peerConfigRef: {name: ";

TEST(CiliumStatus, OfAClusterConfigHasAllThreeConditions) {
  DialectWorld world;
  world.member("n1");
  world.add(kCiliumPeerConfig, "there", "spec: {}");
  const auto good =
      world.add(kCiliumCluster, "good", std::string("spec: {") + kInstance + "there}}]}]}");
  EXPECT_EQ(world.status(good),
            R"({"conditions":[{"type":"cilium.io/ConflictingClusterConfig","status":"False",)"
            R"("reason":"ConflictingClusterConfigs","message":""},)"
            R"({"type":"cilium.io/MissingPeerConfigs","status":"False",)"
            R"("reason":"MissingPeerConfigs","message":""},)"
            R"({"type":"cilium.io/NoMatchingNode","status":"False","reason":"NoMatchingNode",)"
            R"("message":"No node matches spec.nodeSelector"}]})");
}

TEST(CiliumStatus, OfAClusterConfigSaysWhatIsMissing) {
  DialectWorld world;
  world.member("n1");
  const auto first = world.add(
      kCiliumCluster, "first",
      std::string("spec: {") + kInstance +
          "zz}}, {name: b, peerASN: "
          "64513, peerAddress: 10.9.9.2, peerConfigRef: {name: aa}}, {name: c, peerASN: 64513, "
          "peerAddress: 10.9.9.3, peerConfigRef: {name: zz}}]}]}");
  const auto second =
      world.add(kCiliumCluster, "second", std::string("spec: {") + kInstance + "aa}}]}]}",
                "2026-02-01T00:00:00Z");
  const auto nowhere = world.add(
      kCiliumCluster, "nowhere",
      std::string("spec: {nodeSelector: {matchLabels: {rack: b}}, ") + kInstance + "aa}}]}]}");
  EXPECT_EQ(world.condition(first, "cilium.io/MissingPeerConfigs"),
            "True MissingPeerConfigs Referenced CiliumBGPPeerConfig(s) are missing: [aa zz]");
  EXPECT_EQ(world.condition(first, "cilium.io/ConflictingClusterConfig"),
            "False ConflictingClusterConfigs ");
  EXPECT_EQ(world.condition(second, "cilium.io/ConflictingClusterConfig"),
            "True ConflictingClusterConfigs Selecting the same node(s) with ClusterConfig(s): "
            "[first]");
  EXPECT_EQ(world.condition(nowhere, "cilium.io/NoMatchingNode"),
            "True NoMatchingNode No node matches spec.nodeSelector");
}

TEST(CiliumStatus, OfAPeerConfigThatIsGoneIsMissingThoughItIsStillUsed) {
  DialectWorld world;
  world.member("n1");
  const auto config = world.add(kCiliumPeerConfig, "there", "spec: {}");
  const auto cluster =
      world.add(kCiliumCluster, "c", std::string("spec: {") + kInstance + "there}}]}]}");
  world.manifests.remove_file(kube::path_of(config));
  world.observed.objects.erase(config);
  EXPECT_EQ(world.condition(cluster, "cilium.io/MissingPeerConfigs"),
            "True MissingPeerConfigs Referenced CiliumBGPPeerConfig(s) are missing: [there]");
  EXPECT_FALSE(world.wanted().contains(config));
}

TEST(CiliumStatus, OfAPeerConfigSaysWhetherItsSecretIsThere) {
  DialectWorld world;
  const auto config = world.add(kCiliumPeerConfig, "c", "spec: {authSecretRef: pw}");
  // No Secret was read at all: they may be kept elsewhere.
  EXPECT_EQ(world.condition(config, "cilium.io/MissingAuthSecret"), "");
  const auto secret = [&](const char* name) {
    world.manifests.set_file("/secret",
                             std::string("apiVersion: v1\nkind: Secret\nmetadata: {name: ") + name +
                                 ", namespace: kube-system}\ndata: {password: eA==}\n");
  };
  secret("other");
  EXPECT_EQ(world.condition(config, "cilium.io/MissingAuthSecret"),
            "True MissingAuthSecret Referenced Auth Secret \"pw\" is missing");
  secret("pw");
  EXPECT_EQ(world.condition(config, "cilium.io/MissingAuthSecret"), "False MissingAuthSecret ");
  const auto without = world.add(kCiliumPeerConfig, "without", "spec: {}");
  EXPECT_EQ(world.condition(without, "cilium.io/MissingAuthSecret"), "False MissingAuthSecret ");
}

TEST(CiliumStatus, LeavesOtherKindsAlone) {
  DialectWorld world;
  const kube::ObjectRef config{
      {"cilium.io", "v2", "ciliumbgpnodeconfigs", "CiliumBGPNodeConfig", false}, "", "n1"};
  world.see(config);
  EXPECT_TRUE(world.wanted().empty());
}

}  // namespace
}  // namespace herald::daemon
