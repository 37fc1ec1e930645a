// What is said of pools, policies, peers, nodes and IPs: to one node with a store that answers at
// once. Above all: every fault of a manifest is told of the object that it is in.
#include "daemon/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include <boost/json.hpp>

#include "config/manifests.h"
#include "daemon/report.h"
#include "tests/daemon/fake_store.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

constexpr const char* kHome = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan, creationTimestamp: "2020-01-01T00:00:00Z"}
spec: {addresses: [10.25.150.0/24], avoid: [FirstLast], probe: false}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {interfaces: ["^eth0$"]}
---
apiVersion: herald.io/v1alpha1
kind: BGPAdvertisement
metadata: {name: all}
spec: {}
---
apiVersion: herald.io/v1alpha1
kind: BGPPeer
metadata: {name: tor}
spec: {address: 10.25.150.111, localASN: 64512, peerASN: 64513}
---
apiVersion: v1
kind: Service
metadata: {name: whoami, annotations: {metallb.io/loadBalancerIPs: 10.25.150.223}}
spec: {type: LoadBalancer}
)";

NodeConfig config(std::uint64_t seed) {
  NodeConfig config;
  config.name = NodeName("n1");
  config.machine_id = "m1";
  config.version = "test";
  config.seed = seed;
  return config;
}

class Explain : public testing::Test {
 protected:
  Explain() : node_(config(7), now_) {
    Link eth0;
    eth0.index = LinkIndex(2);
    eth0.name = "eth0";
    eth0.mac = *MacAddress::parse("02:00:00:00:00:01");
    eth0.up = eth0.ethernet = eth0.carrier = true;
    eth0.addresses = {{*IpAddress::parse("10.25.150.101"), 24}};
    step(LinksRead{{eth0}});
    read("home.yaml", kHome);
  }

  void step(const Event& event) {
    auto effects = node_.step(event, now_);
    for (std::size_t i = 0; i < effects.size(); ++i) {
      const Effect effect = effects[i];
      if (const auto* ask = std::get_if<AskStore>(&effect)) {
        ASSERT_LT(i, 10000u);
        const auto more = node_.step(StoreAnswered{ask->id, store(ask->request)}, now_);
        effects.insert(effects.end(), more.begin(), more.end());
      }
    }
  }

  coord::StoreReply store(const coord::StoreRequest& request) {
    if (disk_full_ && std::holds_alternative<coord::CasDocument>(request)) {
      return coord::CasReply{coord::CasOutcome::NotSent, "the disk is full"};
    }
    return store_.answer(request);
  }

  void read(const char* file, const char* text) {
    manifests_.set_file(file, text);
    step(DesiredRead{std::make_shared<Desired>(manifests_.desired())});
  }

  // The whole reply of the daemon.
  json::object reply(const char* what, const char* name) {
    const json::object request{{"command", "explain"}, {"what", what}, {"name", name}};
    return json::parse(answer(node_, {"embedded:/x", "packet", {}}, json::serialize(request), now_))
        .as_object();
  }
  json::object ask(const char* what, const char* name) {
    const auto said = reply(what, name);
    EXPECT_TRUE(said.at("ok").as_bool()) << json::serialize(said);
    return said.contains("data") ? said.at("data").as_object() : json::object{};
  }
  static std::string text(const json::object& o, const char* key) {
    return o.contains(key) && o.at(key).is_string() ? std::string(o.at(key).as_string()) : "";
  }
  static std::string facts(const json::object& o) { return json::serialize(o.at("facts")); }

  Instant now_{1000s};
  Node node_;
  config::Manifests manifests_;
  bool disk_full_ = false;
  FakeStore store_;
};

// Between the nodes stands a firewall, or they have different keys: it works, but status must warn.
TEST_F(Explain, WhomItShouldHearAndDoesNot) {
  const auto warnings = [this](HeartbeatFacts heartbeats) {
    const ShellFacts facts{"embedded:/x", "packet", {}, std::move(heartbeats)};
    const auto said = json::parse(answer(node_, facts, R"({"command":"status"})", now_));
    return json::serialize(said.at("data").at("warnings"));
  };
  EXPECT_EQ(warnings({}), "[]");  // alone
  read("broken.yaml", "a: [is not\n  yaml: at all\n");
  const std::string fault = to_string(manifests_.desired().problems.front());
  const auto twice = json::parse(
      answer(node_, {"embedded:/x", "packet", {fault}}, R"({"command":"status"})", now_));
  EXPECT_EQ(twice.at("data").at("warnings").as_array().size(), 2u) << twice;  // and "not all"
  manifests_.remove_file("broken.yaml");
  step(DesiredRead{std::make_shared<Desired>(manifests_.desired())});

  coord::MemberDocument n2;
  n2.node = NodeName("n2");
  n2.rev = coord::Revision(1);
  n2.inc = coord::Incarnation(1);
  n2.info.heartbeat = {{*IpAddress::parse("10.25.150.102"), 7950}};
  step(StoreChanged{{n2}});
  EXPECT_THAT(warnings({}), HasSubstr("heartbeat-listen is none here, but not on n2"));

  auto with_heartbeats = config(7);
  with_heartbeats.heartbeat_port = 7950;
  node_ = Node(with_heartbeats, now_);
  step(StoreChanged{{n2}});
  HeartbeatFacts refused;
  refused.last_refused = "one from n2 was not authentic";
  EXPECT_THAT(warnings(refused),
              testing::AllOf(HasSubstr("no heartbeat comes from n2"), HasSubstr("UDP port 7950"),
                             HasSubstr("Last refused: one from n2 was not authentic")));

  // It is heard, but does not hear.
  coord::GuardReport report;
  report.peers[NodeName("n2")].heard = now_;
  step(GuardReported{report});
  EXPECT_THAT(warnings({}), HasSubstr("n2 can be heard, but leases from the store"));
  n2.rev = coord::Revision(2);
  n2.guards = {{NodeName("n1"), coord::Incarnation(1)}};
  step(StoreChanged{{n2}});
  EXPECT_EQ(warnings({}), "[]");
  // Nor does a node that is gone.
  now_ += 10s;
  EXPECT_THAT(warnings({}), HasSubstr("no heartbeat comes from n2"));
  n2.rev = coord::Revision(3);
  n2.revoked = true;
  step(StoreChanged{{n2}});
  EXPECT_EQ(warnings({}), "[]");
}

// Reads succeed all the time: that is no reason to say that all is well, nor to say it in turns.
TEST_F(Explain, AStoreThatTakesNoWritesIsInTrouble) {
  const auto asked = [this](const char* line) {
    return json::parse(answer(node_, {"embedded:/x", "packet", {}}, line, now_)).at("data");
  };
  const auto healthy = [&] { return asked(R"({"command":"status"})").at("store").at("healthy"); };
  const auto pass = [this](Duration d) {
    for (const Instant end = now_ + d; now_ < end; now_ += 10ms) step(TimePassed{});
  };
  EXPECT_EQ(healthy(), true);
  disk_full_ = true;
  pass(12s);
  EXPECT_EQ(healthy(), false);
  const std::string events = json::serialize(asked(R"({"command":"events"})"));
  EXPECT_THAT(events, HasSubstr("store trouble: the disk is full"));
  EXPECT_THAT(events, testing::Not(HasSubstr("store answers again")));
  disk_full_ = false;
  pass(1s);
  EXPECT_EQ(healthy(), true);
}

TEST_F(Explain, WhatIsNotThere) {
  EXPECT_THAT(
      text(reply("node", "n9"), "error"),
      HasSubstr(
          "there is no Node n9 in the manifests, nor among the members; `heraldctl get nodes`"));
  EXPECT_THAT(text(reply("pool", "nope"), "error"), HasSubstr("`heraldctl get pools` lists"));
  EXPECT_THAT(text(reply("policy", "nope"), "error"), HasSubstr("; there are all"));
}

TEST_F(Explain, WhatIsFine) {
  const auto pool = ask("pool", "lan");
  EXPECT_EQ(text(pool, "verdict"), "in use");
  EXPECT_EQ(text(pool, "remedy"), "");
  EXPECT_EQ(pool.at("total"), 254);
  EXPECT_EQ(pool.at("used"), 1);
  EXPECT_EQ(pool.at("services").at(0).at("name"), "whoami");
  EXPECT_THAT(facts(pool), HasSubstr("default/whoami (10.25.150.223)"));

  const auto policy = ask("policy", "all");
  EXPECT_THAT(facts(policy), HasSubstr("node n1 is selected: a member; interfaces matched: eth0"));
  EXPECT_EQ(policy.at("l2").at("services").at(0), "default/whoami");
  EXPECT_EQ(policy.at("bgp").at("peers").at(0), "tor");

  const auto node = ask("node", "n1");
  EXPECT_EQ(text(node, "verdict"), "Member: owns 1 IPs, may own 1");
  EXPECT_EQ(node.at("ips").at(0), "10.25.150.223");
  EXPECT_EQ(node.at("revoked"), false);
  EXPECT_EQ(node.at("links").at(0).at("name"), "eth0");

  const auto ip = ask("ip", "10.25.150.223");
  EXPECT_EQ(text(ip, "verdict"), "announced: n1 on eth0");
  EXPECT_EQ(text(ip, "pool"), "lan");
  EXPECT_EQ(text(ip, "owner"), "n1");
  EXPECT_EQ(text(ip, "why_owner"), "placed");
  EXPECT_THAT(facts(ip), HasSubstr("BGP to tor from n1: to be advertised"));
  EXPECT_EQ(text(ask("ip", "10.25.150.9"), "verdict"), "free, in pool lan");
  EXPECT_THAT(text(ask("ip", "192.0.2.1"), "verdict"), HasSubstr("in no pool"));
}

TEST_F(Explain, AnObjectThatCouldNotBeLoadedIsFoundByItsProblem) {
  const struct {
    const char* what;
    const char* kind;
    const char* spec;
    const char* field;
    const char* value;
  } cases[] = {
      {"pool", "LoadBalancerIPPool", "{addresses: [192.168.1.0/33]}", "spec.addresses[0]",
       "192.168.1.0/33"},
      {"policy", "L2AnnouncementPolicy", "{interfaecs: [eth9]}", "spec.interfaecs", "interfaecs"},
      {"policy", "BGPAdvertisement", "{communities: [x]}", "spec.communities[0]", "x"},
      {"peer", "BGPPeer", "{address: 10.0.0.300, localASN: 1, peerASN: 2}", "spec.address",
       "10.0.0.300"},
  };
  for (const auto& c : cases) {
    const std::string file = std::string("apiVersion: herald.io/v1alpha1\nkind: ") + c.kind +
                             "\nmetadata: {name: bad}\nspec: " + c.spec + "\n";
    read("bad.yaml", file.c_str());
    const auto said = ask(c.what, "bad");
    EXPECT_EQ(said.at("in_force"), false) << c.spec;
    EXPECT_THAT(text(said, "verdict"), HasSubstr("not in force")) << c.spec;
    const auto& problem = said.at("problems").at(0).as_object();
    EXPECT_EQ(text(problem, "file"), "bad.yaml");
    EXPECT_EQ(problem.at("line"), 4);
    EXPECT_EQ(text(problem, "kind"), c.kind);
    EXPECT_EQ(text(problem, "field"), c.field);
    EXPECT_THAT(text(said, "remedy"), HasSubstr(c.value));
    EXPECT_THAT(facts(said), HasSubstr(std::string("bad.yaml:4: ") + c.kind + " bad"));
  }
}

TEST_F(Explain, ABadNewVersionLeavesTheOldOneInForceAndIsTold) {
  std::string text_of(kHome);
  text_of.replace(text_of.find("10.25.150.0/24"), 14, "10.25.150.0/42");
  read("home.yaml", text_of.c_str());
  const auto pool = ask("pool", "lan");
  EXPECT_EQ(pool.at("in_force"), true);
  EXPECT_THAT(text(pool, "verdict"), HasSubstr("in force as it was read before"));
  EXPECT_THAT(text(pool, "remedy"), HasSubstr("10.25.150.0/42"));
  EXPECT_EQ(pool.at("total"), 254);

  read("home.yaml", "kind: [");
  const auto kept = ask("pool", "lan");
  EXPECT_THAT(text(kept, "verdict"), HasSubstr("in force as it was read before"));
  EXPECT_THAT(facts(kept), HasSubstr("cannot be parsed"));
  EXPECT_THAT(facts(ask("peer", "tor")), HasSubstr("cannot be parsed"));
  EXPECT_THAT(facts(ask("service", "default/whoami")), HasSubstr("cannot be parsed"));
}

TEST_F(Explain, WhatIsUnknownIsNotFoundAndBadFilesAreNamed) {
  read("broken.yaml", "a: [is not\n  yaml: at all\n");
  for (const char* what : {"pool", "policy", "peer", "node", "service"}) {
    const auto said = reply(what, "nobody");
    EXPECT_FALSE(said.at("ok").as_bool()) << what;
    EXPECT_THAT(text(said, "error"), HasSubstr("there is no "));
    EXPECT_THAT(text(said, "error"), HasSubstr("nobody in the manifests"));
    EXPECT_THAT(text(said, "error"), HasSubstr("broken.yaml:"));
  }
  EXPECT_THAT(text(reply("ip", "10.0.0"), "error"), HasSubstr("no IP address"));
  EXPECT_THAT(text(reply("secret", "x"), "error"), HasSubstr("cannot be explained"));
}

TEST_F(Explain, OverlappingPoolsAndRefusedServices) {
  read("more.yaml", R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: young, creationTimestamp: "2024-01-01T00:00:00Z"}
spec: {addresses: [10.25.150.128/25], probe: false}
---
apiVersion: v1
kind: Service
metadata: {name: twin, annotations: {metallb.io/loadBalancerIPs: 10.25.150.223}}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: outside, annotations: {metallb.io/loadBalancerIPs: 192.0.2.7}}
spec: {type: LoadBalancer}
)");
  const auto young = ask("pool", "young");
  EXPECT_EQ(text(young, "verdict"), "gives nothing: overlaps the older pool lan");
  EXPECT_EQ(text(young, "conflicts_with"), "lan");
  EXPECT_THAT(text(young, "remedy"), HasSubstr("more.yaml:"));
  const auto lan = ask("pool", "lan");
  EXPECT_EQ(lan.at("overlapped_by").at(0), "young");
  EXPECT_EQ(lan.at("refused").at(0).at("name"), "twin");
  EXPECT_EQ(text(lan, "verdict"), "in use");

  const auto ip = ask("ip", "192.0.2.7");
  EXPECT_EQ(text(ip, "verdict"), "held by no service: RequestedIPNotInPool");
  EXPECT_THAT(facts(ip), HasSubstr("service default/outside asks for it"));
  EXPECT_FALSE(text(ip, "remedy").empty());
  EXPECT_THAT(facts(ask("service", "default/outside")), HasSubstr("192.0.2.7"));
}

// The router says that it is AS 65000: we send 2/2, and say which field to correct.
TEST_F(Explain, APeerInAnotherAs) {
  step(BgpConnected{PeerName("tor"), *IpAddress::parse("10.25.150.101")});
  Bytes open(16, std::uint8_t{0xff});
  for (const int octet : {0, 29, 1, 4, 0xfd, 0xe8, 0, 90, 10, 25, 150, 111, 0}) {
    open.push_back(static_cast<std::uint8_t>(octet));
  }
  step(BgpReceived{PeerName("tor"), open});
  const auto peer = ask("peer", "tor");
  EXPECT_EQ(text(peer, "state"), "Active");
  const auto& n = peer.at("last_notification").as_object();
  EXPECT_EQ(n.at("code"), 2);
  EXPECT_EQ(n.at("subcode"), 2);
  EXPECT_EQ(n.at("sent"), true);
  EXPECT_THAT(text(peer, "last_error"), HasSubstr("65000"));
  EXPECT_THAT(text(peer, "remedy"), HasSubstr("correct spec.peerASN (home.yaml:"));
  EXPECT_EQ(peer.at("prefixes").at(0), "10.25.150.223/32");
}

TEST_F(Explain, APeerThatExpectsAnotherAsOfUs) {
  step(BgpConnected{PeerName("tor"), *IpAddress::parse("10.25.150.101")});
  Bytes notification(16, std::uint8_t{0xff});
  for (const int octet : {0, 21, 3, 2, 2}) {
    notification.push_back(static_cast<std::uint8_t>(octet));
  }
  step(BgpReceived{PeerName("tor"), notification});
  const auto peer = ask("peer", "tor");
  EXPECT_EQ(peer.at("last_notification").at("sent"), false);
  EXPECT_THAT(text(peer, "remedy"), HasSubstr("spec.localASN 64512"));
}

TEST_F(Explain, WhereTheEndpointsAre) {
  const std::string service =
      "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
      "spec: {type: LoadBalancer, externalTrafficPolicy: Local}\n";
  const std::string slice =
      "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, labels: "
      "{kubernetes.io/service-name: web}}\naddressType: IPv4\n"
      "endpoints: [{addresses: [10.0.0.5], nodeName: n9, conditions: {ready: true}}]\n";
  read("web.yaml", service.c_str());
  EXPECT_THAT(facts(ask("service", "default/web")), HasSubstr("it has no EndpointSlice"));
  EXPECT_THAT(text(ask("service", "default/web"), "verdict"), HasSubstr("announced"));
  read("web.yaml", (service + slice).c_str());
  const auto local = ask("service", "default/web");
  EXPECT_THAT(facts(local), HasSubstr("endpoints that serve are on: n9"));
  EXPECT_THAT(facts(local), HasSubstr("no endpoint of the service is on the node"));
  EXPECT_EQ(text(local, "verdict"), "has an IP; nobody answers");
}

TEST_F(Explain, ExternalIps) {
  read("web.yaml",
       "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
       "spec: {type: LoadBalancer, externalIPs: [10.25.150.99, 10.25.150.223]}\n");
  EXPECT_THAT(facts(ask("service", "default/web")), HasSubstr("has ExternalIP among"));
  read("external.yaml",
       "apiVersion: herald.io/v1alpha1\nkind: L2AnnouncementPolicy\nmetadata: {name: external}\n"
       "spec: {addresses: [ExternalIP]}\n");
  const auto web = ask("service", "default/web");
  EXPECT_THAT(facts(web), HasSubstr("n1 answers ARP/NDP for 10.25.150.99 on eth0"));
  const char* refused = "10.25.150.223 is the load balancer IP of service default/whoami";
  EXPECT_THAT(facts(web), HasSubstr(refused));
  EXPECT_THAT(facts(ask("ip", "10.25.150.223")), HasSubstr(refused));
  const auto status =
      json::parse(answer(node_, {"embedded:/x", "packet", {}}, R"({"command":"status"})", now_));
  EXPECT_THAT(json::serialize(status.at("data").at("warnings")), HasSubstr(refused));
}

// With an API server nobody has manifests: what is not there is not in the cluster.
TEST_F(Explain, OfAnApiServerItSaysThatTheClusterHasNone) {
  NodeConfig with_objects = config(8);
  with_objects.objects = true;
  Node fresh(with_objects, now_);
  std::swap(node_, fresh);
  EXPECT_THAT(text(reply("pool", "nope"), "error"),
              HasSubstr("there is no pool nope in the cluster; this node has not read the "
                        "cluster's objects yet"));
  manifests_.set_object(
      {"/api/v1/namespaces/default/services/web", "v1", "Service", "default", "web"},
      R"({"metadata":{"name":"web"},"spec":{"type":"Nonsense"}})");
  manifests_.set_unreadable("/apis/metallb.io/v1beta1/ipaddresspools", "forbidden");
  step(DesiredRead{std::make_shared<Desired>(manifests_.desired())});
  const struct {
    const char *what, *name, *says;
  } cases[] = {
      {"service", "default/gone", "there is no Service default/gone in the cluster"},
      {"service", "gone", "there is no Service default/gone in the cluster"},
      {"node", "n9", "there is no Node n9 in the cluster, nor among the members"},
      {"peer", "nope", "there is no BGPPeer nope in the cluster"},
      {"pool", "nope", "it may be all the same, as not all objects could be read"},
      {"pool", "nope", "other objects with problems: /api"},
      {"policy", "nope", "; there are all"},
  };
  for (const auto& c : cases) {
    const std::string said = text(reply(c.what, c.name), "error");
    EXPECT_THAT(said, HasSubstr(c.says));
    EXPECT_THAT(said, testing::Not(HasSubstr("manifest"))) << c.name;
    EXPECT_THAT(said, testing::Not(HasSubstr(":0"))) << c.name;
  }
  const auto status =
      json::parse(answer(node_, {"kubernetes:/x", "packet", {}}, R"({"command":"status"})", now_));
  const std::string warnings = json::serialize(status.at("data").at("warnings"));
  EXPECT_THAT(warnings, HasSubstr("not all objects could be read"));
  EXPECT_THAT(warnings, testing::Not(HasSubstr("manifest")));
}

TEST_F(Explain, BeforeAnythingIsRead) {
  Node fresh(config(8), now_);
  std::swap(node_, fresh);
  for (const char* what : {"pool", "policy", "peer", "node", "service"}) {
    EXPECT_THAT(text(reply(what, "lan"), "error"), HasSubstr("not read its manifests"));
  }
  EXPECT_TRUE(reply("ip", "10.25.150.223").at("ok").as_bool());
}

}  // namespace
}  // namespace herald::daemon
