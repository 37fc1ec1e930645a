// What a running node answers to `heraldctl plan`: by the IPs that are held, and by the manifests
// in force with the new ones laid over them.
#include "daemon/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cluster.h"

namespace herald::daemon {
namespace {

constexpr const char* kHome = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.25.150.0/24], avoid: [FirstLast]}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {interfaces: ["^eth0$"]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer}
)";

class Plan : public Cluster {
 protected:
  Plan() : Cluster(kHome) { start("n1"); }

  json::object plan(const std::string& path, const std::string& text) {
    const std::string request = json::serialize(json::object{
        {"command", "plan"}, {"files", json::array{json::object{{"path", path}, {"text", text}}}}});
    const auto said = answer_plan(*hosts_.at("n1").node, manifests_, request, now_);
    return json::parse(said.value()).as_object();
  }
  static std::string changes(const json::object& said) {
    return json::serialize(said.at("data").as_object().at("changes"));
  }
};

TEST_F(Plan, NothingChangesForWhatIsInForce) {
  EXPECT_EQ(changes(plan("again.yaml", kHome)), "[]");
}

TEST_F(Plan, ANewServiceGetsItsIpAndOthersKeepTheirs) {
  const json::object said = plan("new.yaml", R"(
apiVersion: v1
kind: Service
metadata: {name: app, namespace: default}
spec: {type: LoadBalancer}
)");
  EXPECT_EQ(changes(said),
            R"([{"namespace":"default","name":"app","from":[],"to":["10.25.150.2"]}])");
  EXPECT_EQ(said.at("data").as_object().at("services").as_array().size(), 2U);
}

TEST_F(Plan, AnObjectTakesThePlaceOfItsNamesake) {
  const json::object said = plan("edited.yaml", R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default, annotations: {herald.io/ips: 10.25.150.9}}
spec: {type: LoadBalancer}
)");
  EXPECT_EQ(
      changes(said),
      R"([{"namespace":"default","name":"web","from":["10.25.150.1"],"to":["10.25.150.9"]}])");
  EXPECT_EQ(said.at("data").as_object().at("problems").as_array().size(), 0U)
      << "it is not there twice";
}

TEST_F(Plan, APoolThatMovesAwayMovesNoIp) {
  EXPECT_EQ(changes(plan("lan.yaml", R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.99.0.0/24]}
)")),
            "[]");
}

TEST_F(Plan, UnlessThePoolTakesBackWhatAnEditPutOutside) {
  EXPECT_EQ(changes(plan("lan.yaml", R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.99.0.0/24], onShrink: release}
)")),
            R"([{"namespace":"default","name":"web","from":["10.25.150.1"],"to":["10.99.0.0"]}])");
}

TEST_F(Plan, WhatIsNoPlanIsLeftToOthersAndABadOneIsRefused) {
  const Node& node = *hosts_.at("n1").node;
  EXPECT_FALSE(answer_plan(node, manifests_, R"({"command":"status"})", now_));
  EXPECT_FALSE(answer_plan(node, manifests_, "no JSON", now_));
  EXPECT_FALSE(answer_plan(node, manifests_, R"({"command":{"plan":1}})", now_));
  for (const char* bad : {R"({"command":"plan"})", R"({"command":"plan","files":{}})",
                          R"({"command":"plan","files":[1]})",
                          R"({"command":"plan","files":[{"path":"x","text":1}]})"}) {
    const auto said = answer_plan(node, manifests_, bad, now_);
    ASSERT_TRUE(said) << bad;
    EXPECT_THAT(*said, testing::HasSubstr(R"("ok":false)")) << bad;
  }
}

}  // namespace
}  // namespace herald::daemon
