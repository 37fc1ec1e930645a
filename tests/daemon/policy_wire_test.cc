// `get policies`: what each selects, in force or not, in every dialect.
#include "daemon/policy_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cluster.h"
#include "tests/daemon/home.h"

namespace herald::daemon {
namespace {

using testing::HasSubstr;

const std::string kManifests = home_pool("10.25.150.0/28") + R"(
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: web}
spec:
  serviceSelector: {matchLabels: {app: web}}
  nodeSelector: {matchLabels: {kubernetes.io/hostname: n1}}
  interfaces: ["^eth"]
  pools: [lan]
---
apiVersion: cilium.io/v2alpha1
kind: CiliumL2AnnouncementPolicy
metadata: {name: theirs}
spec: {loadBalancerIPs: true}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: old, namespace: metallb-system}
spec: {}
---
apiVersion: herald.io/v1alpha1
kind: BGPAdvertisement
metadata: {name: web}
spec: {peers: [tor-1]}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: dns}
spec: {type: LoadBalancer}
)";

class PolicyWire : public Cluster {
 protected:
  PolicyWire() : Cluster(kManifests) { start_three(); }
  json::array policies(const std::string& name = "") {
    return json::parse(daemon::answer(
                           *hosts_.at("n2").node, {},
                           R"({"command":"get","what":"policies","name":")" + name + "\"}", now_))
        .at("data")
        .at("policies")
        .as_array();
  }
};

TEST_F(PolicyWire, TellsWhatEachSelects) {
  const auto all = policies();
  ASSERT_EQ(all.size(), 4U) << json::serialize(all);
  std::map<std::string, json::object> by;
  for (const json::value& one : all) {
    by[std::string(one.at("kind").as_string())] = one.as_object();
    EXPECT_EQ(one.at("reason"), "InForce") << json::serialize(one);
  }
  const json::object& own = by.at("L2AnnouncementPolicy");
  EXPECT_EQ(own.at("name"), "web");
  EXPECT_EQ(own.at("via"), "l2");
  EXPECT_EQ(own.at("service_selector"), "app=web");
  EXPECT_EQ(own.at("node_selector"), "kubernetes.io/hostname=n1");
  EXPECT_EQ(own.at("pools"), (json::array{"lan"}));
  EXPECT_EQ(own.at("interfaces"), (json::array{"^eth"}));
  EXPECT_EQ(own.at("addresses"), (json::array{"LoadBalancerIP"}));
  EXPECT_EQ(own.at("services"), 1);
  EXPECT_EQ(own.at("ips"), 1);
  EXPECT_EQ(own.at("nodes"), 1);
  EXPECT_EQ(by.at("CiliumL2AnnouncementPolicy").at("services"), 2);
  EXPECT_EQ(by.at("CiliumL2AnnouncementPolicy").at("nodes"), 3);
  EXPECT_EQ(by.at("L2Advertisement").at("name"), "old");
  const json::object& bgp = by.at("BGPAdvertisement");
  EXPECT_EQ(bgp.at("via"), "bgp");
  EXPECT_EQ(bgp.at("peers"), (json::array{"tor-1"}));
  EXPECT_EQ(bgp.if_contains("interfaces"), nullptr);
  EXPECT_EQ(policies("web").size(), 2U) << "one of each sort may have the name";
}

TEST_F(PolicyWire, SaysOfABadOneWhatIsInForce) {
  std::string bad = kManifests;
  bad.replace(bad.find("[\"^eth\"]"), 8, "[\"^(eth\"]");
  bad += R"(
---
apiVersion: herald.io/v1alpha1
kind: BGPAdvertisement
metadata: {name: never}
spec: {aggregationLength: {ipv4: 99}}
)";
  read(bad);
  const auto old = policies("web").at(0).as_object();
  EXPECT_EQ(old.at("reason"), "OldVersion");
  EXPECT_EQ(old.at("interfaces"), (json::array{"^eth"}));
  EXPECT_THAT(std::string(old.at("message").as_string()), HasSubstr("spec.interfaces"));
  const auto never = policies("never");
  ASSERT_EQ(never.size(), 1U);
  EXPECT_EQ(never.at(0).at("reason"), "Invalid");
  EXPECT_EQ(never.at(0).at("kind"), "BGPAdvertisement");
  EXPECT_EQ(never.at(0).at("via"), "bgp");
  EXPECT_EQ(never.at(0).at("problems").at(0).at("field"), "spec.aggregationLength.ipv4");
  EXPECT_EQ(never.at(0).as_object().if_contains("services"), nullptr) << "nothing is known of it";
}

TEST_F(PolicyWire, BeforeTheManifestsAreReadThereAreNone) {
  NodeConfig c;
  c.name = NodeName("n9");
  const Node node(c, now_);
  EXPECT_EQ(daemon::answer(node, {}, R"({"command":"get","what":"policies"})", now_),
            R"({"ok":true,"data":{"policies":[]}})");
}

}  // namespace
}  // namespace herald::daemon
