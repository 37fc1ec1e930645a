// What a NodeStatus says of a node that starts, stops, crashes, and comes back: whole nodes with an
// API server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/dead_node_statuses.h"
#include "tests/daemon/api_model.h"
#include "tests/daemon/cluster.h"
#include "tests/daemon/home.h"

namespace herald::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

class NodeStatusLife : public Cluster {
 protected:
  NodeStatusLife() : Cluster(home_pool("10.25.150.0/28") + home_policy() + home_service("web")) {
    for (const char* name : {"n1", "n2", "n3"}) begin(name);
    pass(20s);
  }
  void begin(const std::string& name) {
    start(name);
    deliver(name, WallClockRead{1795251600});
    show();
  }

  void configure(NodeConfig& c) override { c.objects = true; }
  void kube(const std::string& name, const AskKube& ask) override {
    kube::WriteAnswer done;
    done.outcome = kube::WriteAnswer::Outcome::Done;
    if (ask.write.object.resource.kind != "NodeStatus") {
      return deliver(name, KubeAnswered{ask.id, done});
    }
    if (silent_) return;
    ++writes_;
    deliver(name, KubeAnswered{ask.id, api_.answer(ask.write)});
    show();
  }
  void show() {
    const auto observed = std::make_shared<kube::Observed>(api_.observed("heraldd"));
    for (const auto& [name, host] : hosts_) deliver(name, ObjectsSeen{observed});
  }
  std::string status(const std::string& node) const {
    return api_.status(node_status_ref(NodeName(node)));
  }
  json::object ready(const std::string& node) const {
    const auto said = json::parse(status(node));
    EXPECT_EQ(said.at("conditions").as_array().size(), 1u) << said;
    return said.at("conditions").at(0).as_object();
  }
  std::string word(const std::string& node) const {
    const auto is = ready(node);
    return std::string(is.at("status").as_string()) + " " +
           std::string(is.at("reason").as_string());
  }

  ApiModel api_;
  bool silent_ = false;
  int writes_ = 0;
};

TEST_F(NodeStatusLife, AnOrderlyStopIsTheLastWord) {
  EXPECT_EQ(word("n1"), "True Ready");
  const std::string owner = speaker("10.25.150.0");
  const Instant asked = now_;
  deliver(owner, StopRequested{});
  settle();
  pass(2s);
  EXPECT_TRUE(exited_.contains(owner));
  EXPECT_LT(now_ - asked, 3s);
  EXPECT_EQ(word(owner), "False Stopped");
  const auto said = json::parse(status(owner));
  EXPECT_EQ(said.at("ips"), 0);
  EXPECT_EQ(said.at("leader"), false);
  EXPECT_EQ(said.at("sessionsEstablished"), "0/0");
  EXPECT_NE(speaker("10.25.150.0"), owner) << "handed over before";
  // Nobody else has anything to add to it.
  crash(owner);
  pass(60s);
  EXPECT_EQ(word(owner), "False Stopped");
  begin(owner);
  pass(20s);
  EXPECT_EQ(word(owner), "True Ready");
}

TEST_F(NodeStatusLife, AnApiServerThatDoesNotAnswerHoldsNobodyUp) {
  silent_ = true;
  deliver("n2", StopRequested{});
  settle();
  EXPECT_FALSE(exited_.contains("n2"));
  pass(990ms);
  EXPECT_FALSE(exited_.contains("n2"));
  EXPECT_NE(speaker("10.25.150.0"), "n2") << "it is silent all the while";
  pass(20ms);
  EXPECT_TRUE(exited_.contains("n2"));
}

// What hangs is the store: then there is nothing to wait for.
TEST_F(NodeStatusLife, AStopThatRanOutOfTimeIsNotMadeLonger) {
  store_answers_ = false;
  deliver("n2", StopRequested{});
  settle();
  pass(10s - 1ms);
  EXPECT_FALSE(exited_.contains("n2"));
  pass(2ms);
  EXPECT_TRUE(exited_.contains("n2"));
}

TEST_F(NodeStatusLife, OfANodeThatCrashedTheLeaderSaysSo) {
  const std::string before = status("n3");
  crash("n3");
  pass(60s);
  EXPECT_EQ(word("n3"), "Unknown NodeNotHeard");
  EXPECT_THAT(std::string(ready("n3").at("message").as_string()), HasSubstr("n3 was not heard"));
  EXPECT_EQ(json::parse(status("n3")).at("right"), json::parse(before).at("right"))
      << "the rest of it is the node's";
  EXPECT_EQ(word("n1"), "True Ready");
  const int told = writes_;
  pass(60s);
  EXPECT_EQ(writes_, told) << "said once";
  begin("n3");
  pass(20s);
  EXPECT_EQ(word("n3"), "True Ready");
  pass(60s);
  EXPECT_EQ(word("n3"), "True Ready");
  // As often as it crashes.
  for (int i = 0; i < 4; ++i) {
    crash("n3");
    pass(30s);
    EXPECT_EQ(word("n3"), "Unknown NodeNotHeard") << i;
    begin("n3");
    pass(20s);
    EXPECT_EQ(word("n3"), "True Ready") << i;
  }
}

TEST_F(NodeStatusLife, TheLeaderItselfMayCrash) {
  std::string leader;
  for (const auto& [name, host] : hosts_) {
    if (host.node->election().leads(now_)) leader = name;
  }
  ASSERT_NE(leader, "");
  crash(leader);
  pass(60s);
  EXPECT_EQ(word(leader), "Unknown NodeNotHeard");
}

// The others lost sight of it, and it runs: it says so again, although nothing of it has changed.
TEST_F(NodeStatusLife, ANodeThatRunsIsNotToldToBeDeadForLong) {
  api_.set_status(node_status_ref(NodeName("n2")), "heraldd",
                  R"({"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeNotHeard",
                      "message":"x","lastTransitionTime":"2026-11-21T08:00:00Z"}]})");
  show();
  pass(10s);
  EXPECT_EQ(word("n2"), "True Ready");
}

// A word of its former life may come late, whatever it was.
TEST_F(NodeStatusLife, ALateWordOfAFormerLifeIsSetRight) {
  const char* late[] = {
      R"({"ips":0,"conditions":[{"type":"Ready","status":"False","reason":"Stopped","message":"x",
          "lastTransitionTime":"2026-11-21T08:00:00Z"}]})",
      R"({"right":"none: waiting for the store's first answer"})", R"({"ips":7})",
      R"({"conditions":[{"type":"Ready","lastTransitionTime":"2026-11-21T08:00:00Z"}]})"};
  const auto before = json::parse(status("n2"));
  for (const char* word : late) {
    api_.set_status(node_status_ref(NodeName("n2")), "heraldd-n2", word);
    ASSERT_NE(json::parse(status("n2")), before);
    show();
    const int told = writes_;
    pass(20s);
    EXPECT_EQ(json::parse(status("n2")), before) << word;
    EXPECT_EQ(writes_, told + 1) << word;
  }
}

// Of those that are no members here nothing is known: they may be another Herald's.
TEST(DeadNodes, StrangersAndThoseThatSaidGoodbyeAreLeftAlone) {
  ApiModel api;
  coord::Peers peers(NodeName("n1"), {});
  const auto add = [&](const char* name, const char* status, bool revoked) {
    const auto ref = node_status_ref(NodeName(name));
    api.create(ref);
    if (*status != 0) api.set_status(ref, "heraldd-x", status);
    coord::MemberDocument d;
    d.node = NodeName(name);
    d.rev = coord::Revision(3);
    d.inc = coord::Incarnation(1);
    d.revoked = revoked;
    if (std::string(name) != "stranger") peers.on_seen(d, Instant{100s});
  };
  constexpr const char* kReady =
      R"({"conditions":[{"type":"Ready","status":"True","reason":"Ready"}]})";
  add("stranger", kReady, true);
  add("alive", kReady, false);
  add("silent", "", true);
  add("stopped", R"({"conditions":[{"type":"Ready","status":"False","reason":"Stopped"}]})", true);
  add("dead", kReady, true);
  add("nonsense", kReady, true);
  kube::Observed observed = api.observed("heraldd");
  kube::ObservedObject nonsense;
  nonsense.status = R"({"conditions":[7,{"type":"Ready"},[]]})";
  observed.objects.set(node_status_ref(NodeName("nonsense")), nonsense);
  WantedObjects out;
  EXPECT_EQ(want_dead_nodes(peers, observed, Instant{101s}, out), Instant{103s});
  const auto marked = [&] {
    std::string said;
    for (const auto& [ref, wanted] : out) said += wanted.wait ? "" : ref.name + " ";
    return said;
  };
  EXPECT_EQ(marked(), "") << "its last word may be on its way";
  EXPECT_EQ(want_dead_nodes(peers, observed, Instant{103s}, out), std::nullopt);
  EXPECT_EQ(marked(), "dead nonsense silent ");
}

}  // namespace
}  // namespace herald::daemon
