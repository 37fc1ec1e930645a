// What heraldctl says by the API server alone is what a daemon says.
#include "daemon/cluster_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/cluster.h"

namespace herald::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kHome = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.25.150.0/24], avoid: [FirstLast], probe: false}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {rebalance: never}
---
apiVersion: herald.io/v1alpha1
kind: BGPPeer
metadata: {name: tor-1}
spec: {address: 10.25.150.254, peerASN: 64512, localASN: 64513}
---
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {metallb.io/loadBalancerIPs: 10.25.150.201}}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: dns}
spec: {type: LoadBalancer}
)";

constexpr const char* kTold =
    R"({"loadBalancer":{"ingress":[{"ip":"10.25.150.201","ipMode":"VIP"}]},"conditions":[
        {"type":"herald.io/IPAllocated","status":"True","reason":"Allocated","message":"as asked"},
        {"type":"herald.io/Announced","status":"True","reason":"Announced","message":"by n1"}]})";

class ClusterViewTest : public Cluster {
 protected:
  ClusterViewTest() : Cluster(kHome) {
    start_three();
    facts_.server = "https://10.0.0.1:6443 (test)";
    facts_.read_at = "2026-11-21T12:00:00Z";
    facts_.desired = std::make_shared<const Desired>(manifests_.desired());
    take();
    facts_.service_status[{"default", "web"}] = kTold;
    facts_.nodes[NodeName("n1")] = {
        R"({"version":"1","right":"guarded by n2, n3","drained":false,"warnings":["eth1 is down"],
            "sessions":[{"peer":"tor-1","address":"10.25.150.254","state":"Established",
                         "since":"2026-11-21T08:00:00Z","routes":2}]})",
        "2026-11-21T11:59:00Z"};
    facts_.nodes[NodeName("n2")] = {
        R"({"sessions":[{"peer":"tor-1","state":"Active","message":"no answer from the router"}]})",
        ""};
  }
  void take() {
    facts_.documents.clear();
    for (const auto& [key, document] : store_.documents) {
      // Neither is kept in objects that everybody may read.
      if (std::holds_alternative<coord::StatusDocument>(document)) continue;
      if (std::holds_alternative<coord::ClusterDocument>(document)) continue;
      facts_.documents.push_back(document);
    }
  }
  json::value said(const std::string& request) {
    return json::parse(daemon::answer(facts_, request));
  }
  json::value list(const std::string& what, const std::string& name = "") {
    return said(R"({"command":"get","what":")" + what + R"(","name":")" + name + "\"}")
        .at("data")
        .at(what);
  }
  std::string explained(const std::string& what, const std::string& name) {
    return json::serialize(
        said(R"({"command":"explain","what":")" + what + R"(","name":")" + name + "\"}"));
  }

  ClusterFacts facts_;
};

TEST_F(ClusterViewTest, ListsAreThoseOfADaemon) {
  for (const char* what : {"ips", "pools", "policies"}) {
    const auto theirs = report("n1", R"({"command":"get","what":")" + std::string(what) + "\"}");
    EXPECT_EQ(list(what), theirs.at(what)) << what;
  }
  const auto services = list("services").as_array();
  ASSERT_EQ(services.size(), 2U);
  EXPECT_EQ(services[0].at("reason"), "Pending") << "no leader has told dns anything";
  EXPECT_EQ(services[1].at("reason"), "Allocated");
  EXPECT_EQ(services[1].at("message"), "as asked");
  EXPECT_EQ(services[1].at("ips"), (json::array{"10.25.150.201"}));
  EXPECT_EQ(services[1].at("announcements").at(0).at("nodes").at(0),
            json::value(speaker("10.25.150.201")));
  EXPECT_EQ(list("services", "default/web").as_array().size(), 1U);
  EXPECT_THAT(json::serialize(said(R"({"command":"get","what":"ips","name":"10.9.9.9"})")),
              HasSubstr("there is no '10.9.9.9' among the ips"));
}

// Sessions should be there by the rules, and are up by the word of the node at this end.
TEST_F(ClusterViewTest, ServicesSayFromWhichNodesTheyAreAnnouncedByBgp) {
  manifests_.set_file("bgp.yaml",
                      "apiVersion: herald.io/v1alpha1\nkind: BGPAdvertisement\n"
                      "metadata: {name: all}\nspec: {serviceSelector: {matchLabels: "
                      "{io.kubernetes.service.name: web}}}\n");
  facts_.desired = std::make_shared<const Desired>(manifests_.desired());
  const auto announced = [&](const char* service) {
    std::vector<std::string> out;
    const json::value said = list("services", service).at(0);
    for (const json::value& a : said.at("announcements").as_array()) {
      if (a.at("via") == "l2") continue;
      EXPECT_EQ(a.at("via"), "bgp");
      EXPECT_EQ(a.at("ip"), "10.25.150.201");
      EXPECT_EQ(a.at("prefix"), "10.25.150.201/32");
      out.push_back(std::string(a.at("node").as_string()) + ">" +
                    std::string(a.at("peer").as_string()) + " " +
                    std::string(a.at("reason").as_string()));
    }
    return out;
  };
  EXPECT_EQ(announced("default/web"),
            (std::vector<std::string>{"n1>tor-1 Announced", "n2>tor-1 SessionDown",
                                      "n3>tor-1 SessionUnknown"}));
  EXPECT_EQ(announced("default/dns"), std::vector<std::string>{});
  // A drained node leaves it to the others.
  facts_.nodes[NodeName("n2")].status = R"({"drained":true,"sessions":[]})";
  EXPECT_EQ(announced("default/web"),
            (std::vector<std::string>{"n1>tor-1 Announced", "n3>tor-1 SessionUnknown"}));
  // One that is gone announces nothing, whatever it said last.
  crash("n1");
  pass(30s);
  take();
  EXPECT_EQ(announced("default/web"), (std::vector<std::string>{"n3>tor-1 SessionUnknown"}));
}

TEST_F(ClusterViewTest, OfAThousandSessionsAListNamesSomeAndTheServiceAll) {
  std::string peers =
      "apiVersion: herald.io/v1alpha1\nkind: BGPAdvertisement\nmetadata: {name: all}\nspec: {}\n";
  for (int i = 0; i < 20; ++i) {
    peers += "---\napiVersion: herald.io/v1alpha1\nkind: BGPPeer\nmetadata: {name: p" +
             std::to_string(i) + "}\nspec: {address: 10.9.0." + std::to_string(i + 1) +
             ", peerASN: 64512, localASN: 64513}\n";
  }
  manifests_.set_file("bgp.yaml", peers);
  facts_.desired = std::make_shared<const Desired>(manifests_.desired());
  const auto one_of_all = list("services").at(1);
  EXPECT_EQ(one_of_all.at("announcements").as_array().size(), 1U + 32U);
  EXPECT_EQ(one_of_all.at("announcements_cut"), true);
  const auto alone = list("services", "default/web").at(0);
  EXPECT_EQ(alone.at("announcements").as_array().size(), 1U + 3U * 21U);
  EXPECT_EQ(alone.as_object().if_contains("announcements_cut"), nullptr);
}

TEST_F(ClusterViewTest, NodesAreAsTheirDocumentsSay) {
  crash("n3");
  pass(30s);
  take();
  const auto nodes = list("nodes").as_array();
  ASSERT_EQ(nodes.size(), 3U);
  EXPECT_EQ(nodes[0].at("name"), "n1");
  EXPECT_EQ(nodes[0].at("state"), "Member");
  EXPECT_EQ(nodes[0].at("right"), "guarded by n2, n3");
  EXPECT_EQ(nodes[0].at("said_at"), "2026-11-21T11:59:00Z");
  EXPECT_TRUE(nodes[0].at("lease_remaining_ms").is_null()) << "only a node itself knows";
  EXPECT_TRUE(nodes[0].at("heard_ms").is_null());
  EXPECT_EQ(nodes[2].at("state"), "Gone");
  EXPECT_EQ(nodes[2].at("lease"), "over");
}

// What a node said last stays there when it is gone.
TEST_F(ClusterViewTest, ANodeThatIsGoneIsNotReadyWhateverItSaidLast) {
  constexpr const char* kReady =
      R"({"right":"guarded by n1","warnings":["eth1 is down"],"conditions":[
          {"type":"Ready","status":"True","reason":"Ready","message":""}]})";
  facts_.nodes[NodeName("n2")].status = facts_.nodes[NodeName("n3")].status = kReady;
  EXPECT_EQ(list("nodes").at(2).at("ready"), "True");
  EXPECT_EQ(list("nodes").at(0).at("ready"), "Unknown") << "it does not say";
  crash("n3");
  pass(30s);
  take();
  EXPECT_EQ(list("nodes").at(1).at("ready"), "True");
  EXPECT_EQ(list("nodes").at(2).at("ready"), "Unknown");
  EXPECT_EQ(list("nodes").at(2).at("ready_reason"), "NodeNotHeard");
  EXPECT_EQ(list("nodes").at(2).at("right"), "none");
  EXPECT_THAT(explained("node", "n3"), HasSubstr("Ready is Unknown, NodeNotHeard"));
  const std::string warnings =
      json::serialize(said(R"({"command":"status"})").at("data").at("warnings"));
  EXPECT_THAT(warnings, HasSubstr("n2: eth1 is down"));
  EXPECT_THAT(warnings, Not(HasSubstr("n3: eth1 is down")));
  facts_.nodes[NodeName("n3")].status =
      R"({"conditions":[{"type":"Ready","status":"False","reason":"Stopped","message":"bye"}]})";
  EXPECT_EQ(list("nodes").at(2).at("ready"), "False");
  EXPECT_THAT(explained("node", "n3"), HasSubstr("Ready is False, Stopped: bye"));
}

TEST_F(ClusterViewTest, StatusSaysWhoShowsItAndWhen) {
  const auto status = said(R"({"command":"status"})").at("data");
  EXPECT_EQ(status.at("as_shown_by"), "https://10.0.0.1:6443 (test)");
  EXPECT_EQ(status.at("read_at"), "2026-11-21T12:00:00Z");
  EXPECT_NE(status.at("leader"), "");
  EXPECT_EQ(status.at("counts").at("ips"), 2);
  EXPECT_EQ(status.at("counts").at("sessions_established"), 1);
  EXPECT_EQ(status.at("members").as_array().size(), 3U);
  EXPECT_THAT(json::serialize(status.at("warnings")), HasSubstr("n1: eth1 is down"));
  for (const char* own : {"node", "responder", "heartbeats", "store", "lease_remaining_ms"}) {
    EXPECT_EQ(status.as_object().if_contains(own), nullptr) << own;
  }
}

TEST_F(ClusterViewTest, PeersAreAsTheNodesSayOfTheirSessions) {
  const auto peers = list("peers");
  ASSERT_EQ(peers.as_array().size(), 1U);
  EXPECT_EQ(peers.at(0).at("state"), "1/2 Established");
  EXPECT_EQ(peers.at(0).at("prefixes"), 2);
  EXPECT_EQ(peers.at(0).at("last_error"), "n2: no answer from the router");
  const std::string why = explained("peer", "tor-1");
  EXPECT_THAT(why, HasSubstr("1 of 2 sessions Established"));
  EXPECT_THAT(why, HasSubstr("n1: Established since 2026-11-21T08:00:00Z, 2 routes announced"));
  EXPECT_THAT(why, HasSubstr("(as it said at 2026-11-21T11:59:00Z)"));
  EXPECT_THAT(explained("peer", "tor-9"),
              HasSubstr("there is no BGPPeer tor-9 in the cluster; there are tor-1"));
  facts_.nodes.clear();
  EXPECT_EQ(list("peers").at(0).at("state"), "Absent");
  EXPECT_THAT(explained("peer", "tor-1"), HasSubstr("no session"));
}

TEST_F(ClusterViewTest, ExplanationsAreThoseOfADaemonAndWhatTheLeaderSaid) {
  EXPECT_THAT(explained("ip", "10.25.150.201"),
              HasSubstr("announced: " + speaker("10.25.150.201") + " on eth0"));
  EXPECT_THAT(explained("ip", "10.25.150.201"), HasSubstr("herald.io/Announced of default/web is"));
  EXPECT_THAT(explained("service", "default/web"), HasSubstr("by n1"));
  EXPECT_THAT(explained("pool", "lan"), HasSubstr("pool lan"));
  EXPECT_THAT(explained("policy", "all"), HasSubstr("policy all"));
  EXPECT_THAT(explained("node", "n1"), HasSubstr("node n1"));
  EXPECT_THAT(explained("node", "n1"), Not(HasSubstr("ago")));
  // By BGP alone: of that, the leader's word is all that is known here.
  std::string bgp(kHome);
  bgp.replace(bgp.find("L2AnnouncementPolicy"), 20, "BGPAdvertisement");
  bgp.replace(bgp.find("{rebalance: never}"), 18, "{}");
  manifests_.set_file("home.yaml", bgp);
  facts_.desired = std::make_shared<const Desired>(manifests_.desired());
  EXPECT_THAT(explained("ip", "10.25.150.201"),
              HasSubstr("announced, as the leader last said: by n1"));
  EXPECT_THAT(explained("policy", "all"), HasSubstr("peer tor-1: 1/2 Established"));
  EXPECT_THAT(explained("policy", "all"), Not(HasSubstr("this node is")));
}

// The table may still hold what was deleted a moment ago.
TEST_F(ClusterViewTest, WhatIsNotThereIsNotInTheCluster) {
  EXPECT_THAT(explained("service", "default/gone"),
              HasSubstr("there is no Service default/gone in the cluster"));
  manifests_.set_file("home.yaml", "");
  facts_.desired = std::make_shared<const Desired>(manifests_.desired());
  const std::string held = explained("service", "default/web");
  EXPECT_THAT(held, HasSubstr("there is no Service default/web in the cluster"));
  EXPECT_THAT(held, HasSubstr("10.25.150.201 is held for it"));
  EXPECT_THAT(held, Not(HasSubstr("manifest")));
}

TEST_F(ClusterViewTest, ADrainedNodeIsShownAsItSaysItself) {
  facts_.nodes[NodeName("n2")].status = R"({"drained":true})";
  EXPECT_EQ(list("nodes").at(1).at("drained"), true);
  EXPECT_EQ(list("nodes").at(0).at("drained"), false);
}

TEST_F(ClusterViewTest, OrdersAreForDaemonsAndNonsenseForNobody) {
  for (const char* request : {R"({"command":"drain"})", R"({"command":"events"})", "{}", "[", "",
                              R"({"command":"get","what":"shoes"})"}) {
    EXPECT_EQ(said(request).at("ok"), false) << request;
  }
  facts_.nodes[NodeName("n1")].status = "{\"sessions\":[1,{\"peer\":2}],\"warnings\":{}}";
  facts_.service_status[{"default", "web"}] = R"({"conditions":[[]],"loadBalancer":7})";
  facts_.documents.clear();
  facts_.desired = nullptr;
  for (const char* request :
       {R"({"command":"status"})", R"({"command":"get","what":"peers"})",
        R"({"command":"get","what":"nodes"})", R"({"command":"explain","what":"peer","name":"a"})",
        R"({"command":"explain","what":"service","name":"default/web"})"}) {
    EXPECT_TRUE(said(request).is_object()) << request;
  }
}

}  // namespace
}  // namespace herald::daemon
