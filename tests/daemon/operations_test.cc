// What operators ask of three nodes, and what becomes of it.
#include "daemon/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "daemon/view.h"
#include "tests/daemon/cluster.h"

namespace herald::daemon {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

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
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {metallb.io/loadBalancerIPs: 10.25.150.201}}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: dns, annotations: {metallb.io/loadBalancerIPs: 10.25.150.202}}
spec: {type: LoadBalancer}
)";
const char* const kWeb = "10.25.150.201";
const char* const kDns = "10.25.150.202";

class Operators : public Cluster {
 protected:
  Operators() : Cluster(kHome) {}
};

std::vector<IpAddress> ips(std::initializer_list<const char*> texts) {
  std::vector<IpAddress> out;
  for (const char* t : texts) out.push_back(*IpAddress::parse(t));
  return out;
}

TEST_F(Operators, ADrainHandsEverythingOverAndIsRememberedOverRestarts) {
  start_three();
  const std::string owner = speaker(kWeb);
  const auto said = ask(owner, R"({"command":"drain"})");
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->accepted && said->complete) << said->message;
  EXPECT_THAT(said->message, HasSubstr(owner + " is drained"));
  EXPECT_THAT(said->handed_over, testing::Contains(*IpAddress::parse(kWeb)));
  EXPECT_THAT(said->kept, IsEmpty());
  EXPECT_NE(speaker(kWeb), owner);
  EXPECT_NE(speaker(kWeb), "nobody");

  crash(owner);
  pass(10s);
  start(owner);
  // All others go: now it is the last one, and serves.
  for (const char* name : {"n1", "n2", "n3"}) {
    if (name != owner) crash(name);
  }
  pass(10s);
  EXPECT_EQ(speaker(kWeb), owner);
  const auto status = report(owner, R"({"command":"status"})");
  EXPECT_THAT(json::serialize(status.at("warnings")), HasSubstr("is drained and keeps"));
  // Somebody else comes: he gets it all.
  start(other_than(owner));
  pass(5s);
  EXPECT_EQ(speaker(kWeb), other_than(owner));
}

TEST_F(Operators, UndrainLetsANodeOwnAgain) {
  start_three();
  ASSERT_TRUE(ask("n1", R"({"command":"drain","node":"n2"})")->complete);
  ASSERT_TRUE(ask("n1", R"({"command":"drain","node":"n3"})")->complete);
  EXPECT_EQ(speaker(kWeb), "n1");
  const auto refused = ask("n2", R"({"command":"move","ip":"10.25.150.201","node":"n2"})");
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->accepted);
  EXPECT_THAT(refused->message, HasSubstr("n2 may not own 10.25.150.201: it is drained"));
  const auto undrained = ask("n3", R"({"command":"undrain","node":"n2"})");
  ASSERT_TRUE(undrained);
  EXPECT_TRUE(undrained->complete);
  EXPECT_TRUE(ask("n2", R"({"command":"move","ip":"10.25.150.201","node":"n2"})")->complete);
  EXPECT_EQ(speaker(kWeb), "n2");
}

TEST_F(Operators, TheLastEligibleNodeIsNotDrainedAwaySilently) {
  start("n1");
  pass(3s);
  const auto said = ask("n1", R"({"command":"drain","node":"n1"})");
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->accepted);
  EXPECT_FALSE(said->complete);
  EXPECT_EQ(said->kept, ips({kWeb, kDns}));
  ASSERT_EQ(said->warnings.size(), 1u);
  EXPECT_THAT(said->warnings[0], HasSubstr("n1 keeps 10.25.150.201, 10.25.150.202"));
  EXPECT_EQ(speaker(kWeb), "n1") << "it goes on";
  const auto why = report("n1", R"({"command":"explain","what":"ip","name":"10.25.150.201"})");
  EXPECT_EQ(why.at("why_owner").as_string(), "kept");
  EXPECT_THAT(json::serialize(why.at("facts")), HasSubstr("n1 is drained and keeps it"));
}

// One label is all that tells who may own it.
TEST_F(Operators, ANodeThatIsNotSelectedAnyMoreHandsOver) {
  std::string text(kHome);
  const std::string policy = "spec: {rebalance: never}";
  const auto selecting = [&](const std::string& role) {
    std::string out(text);
    out.replace(out.find(policy), policy.size(),
                "spec: {rebalance: never, nodeSelector: {matchLabels: {edge: \"" + role + "\"}}}");
    for (const char* n : {"n1", "n2", "n3"}) {
      out += std::string("---\napiVersion: v1\nkind: Node\nmetadata: {name: ") + n +
             ", labels: {edge: \"" + (std::string(n) == "n1" ? "a" : "b") + "\"}}\n";
    }
    return out;
  };
  manifests_.set_file("home.yaml", selecting("a"));
  start_three();
  EXPECT_EQ(speaker(kWeb), "n1");
  const auto refused = ask("n1", R"({"command":"move","ip":"10.25.150.201","node":"n2"})");
  ASSERT_TRUE(refused);
  EXPECT_THAT(refused->message, HasSubstr("no L2AnnouncementPolicy selects this service"));
  read(selecting("b"));
  EXPECT_THAT((std::set<std::string>{"n2", "n3"}), testing::Contains(speaker(kWeb)))
      << "at once, not after a lease";
  EXPECT_NE(speaker(kDns), "nobody");
}

std::string node_object(const char* name, const std::string& rest) {
  return std::string("---\napiVersion: v1\nkind: Node\nmetadata: {name: ") + name + rest;
}

TEST_F(Operators, AnExcludedNodeHandsOver) {
  start_three();
  const std::string owner = speaker(kWeb);
  read(kHome +
       node_object(owner.c_str(),
                   ", labels: {node.kubernetes.io/exclude-from-external-load-balancers: \"\"}}\n"));
  EXPECT_NE(speaker(kWeb), owner);
  EXPECT_NE(speaker(kWeb), "nobody");
  const auto refused =
      ask(owner, R"({"command":"move","ip":"10.25.150.201","node":")" + owner + "\"}");
  ASSERT_TRUE(refused);
  EXPECT_THAT(refused->message, HasSubstr("excludes it"));
}

TEST_F(Operators, ACordonedNodeYieldsIfTheSettingSaysSo) {
  for (const auto cordoned : {Policies::Cordoned::Keep, Policies::Cordoned::Yield}) {
    hosts_.clear();
    store_.documents.clear();
    cordoned_ = cordoned;
    manifests_.set_file("home.yaml", kHome);
    start_three();
    const std::string owner = speaker(kWeb);
    read(kHome + node_object(owner.c_str(), "}\nspec: {unschedulable: true}\n"));
    EXPECT_EQ(speaker(kWeb) == owner, cordoned == Policies::Cordoned::Keep);
    EXPECT_NE(speaker(kWeb), "nobody");
    // Softly: it is better than nobody.
    for (const char* name : {"n1", "n2", "n3"}) {
      if (name != owner) crash(name);
    }
    pass(10s);
    EXPECT_EQ(speaker(kWeb), owner);
  }
}

// Who is drained leaves its routes to the others, if they announce them.
TEST_F(Operators, ADrainedNodeWithdrawsWhatOthersAnnounce) {
  start_three();
  manifests_.set_file("bgp.yaml",
                      "apiVersion: herald.io/v1alpha1\nkind: BGPAdvertisement\nmetadata: {name: "
                      "all}\nspec: {}\n---\napiVersion: herald.io/v1alpha1\nkind: BGPPeer\n"
                      "metadata: {name: tor}\nspec: {address: 10.25.150.111, localASN: 64512, "
                      "peerASN: 64513}\n");
  read(kHome);
  const Node& n1 = *hosts_.at("n1").node;
  const auto routes = [&] {
    const View view(n1, now_);
    return view.routes(view.desired().peers.at(0)).size();
  };
  EXPECT_EQ(routes(), 2u);
  EXPECT_TRUE(ask("n2", R"({"command":"drain","node":"n1"})")->complete);
  EXPECT_EQ(routes(), 0u);
  const auto why = report("n1", R"({"command":"explain","what":"ip","name":"10.25.150.201"})");
  EXPECT_THAT(json::serialize(why.at("facts")), HasSubstr("this node is drained, and others"));
  crash("n2");
  crash("n3");
  pass(10s);
  EXPECT_EQ(routes(), 2u) << "nobody else announces them";
}

TEST_F(Operators, ALinkThatGoesDownHandsOverAtOnce) {
  start_three();
  const std::string owner = speaker(kWeb);
  link(owner, false);
  EXPECT_NE(speaker(kWeb), owner);
  EXPECT_NE(speaker(kWeb), "nobody");
  const std::string next = speaker(kWeb);
  link(owner, true);
  pass(60s);
  EXPECT_EQ(speaker(kWeb), next) << "sticky";
}

TEST_F(Operators, TheLastUndrainedNodeStopsAndADrainedOneTakesOver) {
  start_three();
  ask("n1", R"({"command":"drain","node":"n2"})");
  ask("n1", R"({"command":"drain","node":"n3"})");
  ASSERT_EQ(speaker(kWeb), "n1");
  deliver("n1", StopRequested{});
  settle();
  EXPECT_NE(speaker(kWeb), "n1");
  EXPECT_NE(speaker(kWeb), "nobody");
}

TEST_F(Operators, AMoveGoesWhereItIsSaidAndStays) {
  start_three();
  const std::string from = speaker(kWeb), to = other_than(from);
  const std::string order = R"({"command":"move","ip":"10.25.150.201","node":")" + to + "\"}";
  const auto said = ask("n3", order);
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->complete);
  EXPECT_EQ(said->message, "10.25.150.201 is on " + to);
  EXPECT_EQ(speaker(kWeb), to);
  pass(30s);
  EXPECT_EQ(speaker(kWeb), to);
  EXPECT_EQ(ask("n3", order)->message, "10.25.150.201 is on " + to + " already");
}

TEST_F(Operators, WithoutWaitingItIsAnsweredWhenItIsWritten) {
  start_three();
  const std::string from = speaker(kWeb), to = other_than(from);
  const std::string via = from == "n3" || to == "n3" ? "n2" : "n3";
  const auto said =
      ask(via, R"({"command":"move","ip":"10.25.150.201","wait":false,"node":")" + to + "\"}");
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->accepted);
  EXPECT_EQ(speaker(kWeb), to);
}

TEST_F(Operators, RefusalsHaveAReason) {
  start_three();
  const struct {
    const char* line;
    const char* why;
  } cases[] = {
      {R"({"command":"drain","node":"n9"})", "there is no node 'n9': known are n1, n2, n3"},
      {R"({"command":"undrain","node":"n9"})", "there is no node 'n9'"},
      {R"({"command":"move","ip":"10.25.150.201","node":"n9"})", "there is no node 'n9'"},
      {R"({"command":"move","ip":"10.25.150.7","node":"n1"})", "held by no service"},
      {R"({"command":"force-dead","node":"n1"})", "is the node that was asked"},
      {R"({"command":"force-dead","node":"n2"})", "n2 is alive"},
      {R"({"command":"force-dead","node":"n9"})", "there is no node 'n9'"},
  };
  for (const auto& c : cases) {
    const auto said = ask("n1", c.line);
    ASSERT_TRUE(said) << c.line;
    EXPECT_FALSE(said->accepted) << c.line;
    EXPECT_THAT(said->message, HasSubstr(c.why)) << c.line;
  }
}

TEST_F(Operators, AStoreThatIsAwayIsSaidAndNothingHappensLater) {
  start_three();
  const std::string owner = speaker(kWeb);
  store_answers_ = false;
  EXPECT_FALSE(ask(owner, R"({"command":"drain","timeout_ms":500})")) << "it waits";
  pass(1s);
  const auto said = answer(asked_);
  ASSERT_TRUE(said);
  EXPECT_FALSE(said->accepted);
  EXPECT_THAT(said->message, HasSubstr("could not be written within 500ms"));
  store_answers_ = true;
  pass(30s);
  EXPECT_THAT(hosts_.at("n1").node->cluster().drained, IsEmpty());
}

TEST_F(Operators, AStoppingNodeSaysSo) {
  start_three();
  store_answers_ = false;
  EXPECT_FALSE(ask("n1", R"({"command":"drain","node":"n2"})"));
  deliver("n1", StopRequested{});
  settle();
  ASSERT_TRUE(answer(asked_));
  EXPECT_THAT(answer(asked_)->message, HasSubstr("stopping"));
  EXPECT_THAT(ask("n1", R"({"command":"drain"})")->message, HasSubstr("stopping"));
}

// In store mode a lease has to run out; with the operator's word it need not.
TEST_F(Operators, ForceDeadIsAtOnceAndUntilItStartsAgain) {
  start_three();
  const std::string dead = speaker(kWeb), via = other_than(dead);
  crash(dead);
  pass(2050ms);  // longer than D: it is not heard any more; shorter than L
  ASSERT_EQ(speaker(kWeb), "nobody");
  const auto said = ask(via, R"({"command":"force-dead","node":")" + dead + "\"}");
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->accepted && said->complete) << said->message;
  EXPECT_THAT(said->handed_over, testing::Contains(*IpAddress::parse(kWeb)));
  EXPECT_NE(speaker(kWeb), "nobody");
  start(dead);
  pass(5s);
  EXPECT_TRUE(hosts_.at(dead).node->membership().joined()) << "in a new life";
}

// T1: a life that no document knows can never be shown to be over. That must not look like waiting.
TEST_F(Operators, AnOwnerWhoseDocumentWasDeletedIsTold) {
  const IpAddress web = *IpAddress::parse(kWeb);
  coord::TableDocument table;
  table.shard = coord::shard_of(web);
  table.rev = coord::Revision(4);
  table.highest = coord::Epoch(2);
  table.entries[web] = {
      {{"default", "web"}}, NodeName("ghost"), coord::Incarnation(3), coord::Epoch(2), {}, {}};
  store_.documents[coord::table_key(table.shard)] = table;
  start("n1");
  pass(60s);
  EXPECT_EQ(speaker(kWeb), "nobody");
  const auto why = report("n1", R"({"command":"explain","what":"ip","name":"10.25.150.201"})");
  EXPECT_THAT(json::serialize(why.at("facts")),
              HasSubstr("of which the store has no member/ghost"));
  EXPECT_THAT(json::serialize(why), HasSubstr("stop every heraldd"));
}

// More than 8 nodes are a ring, where not everybody hears everybody.
TEST_F(Operators, ForceDeadIsForThoseWhoWouldHearIt) {
  coord::MemberDocument far;
  far.node = NodeName("far");
  far.rev = coord::Revision(7);
  far.inc = coord::Incarnation(3);
  far.guards = {{NodeName("gone"), coord::Incarnation(1)}, {NodeName("n2"), coord::Incarnation(1)}};
  far.info.machine_id = "machine-far";
  store_.documents[coord::member_key(far.node)] = far;
  start_three();
  const auto said = ask("n1", R"({"command":"force-dead","node":"far"})");
  ASSERT_TRUE(said);
  EXPECT_FALSE(said->accepted);
  EXPECT_THAT(said->message, HasSubstr("sends no heartbeats to the node that was asked"));
  EXPECT_THAT(said->message, HasSubstr("say n2"));
  crash("n2");
  pass(20s);  // nobody hears far any more: then it is the operator who knows
  const auto then = ask("n1", R"({"command":"force-dead","node":"far"})");
  ASSERT_TRUE(then);
  EXPECT_TRUE(then->accepted) << then->message;
}

// The word holds as long as the operator waits: what he was told could not be done is not done
// later.
TEST_F(Operators, AClaimOfANameThatCameToNothingIsTakenBack) {
  coord::MemberDocument other;
  other.node = NodeName("n1");
  other.rev = coord::Revision(7);
  other.inc = coord::Incarnation(3);
  other.guards = {{NodeName("n2"), coord::Incarnation(1)}};  // for ever, by itself
  other.info.machine_id = "another machine";
  store_.documents[coord::member_key(other.node)] = other;
  start("n1");
  pass(3s);
  store_answers_ = false;
  pass(3s);
  EXPECT_FALSE(ask("n1", R"({"command":"force-dead","node":"n1","timeout_ms":1000})"));
  pass(2s);
  ASSERT_TRUE(answer(asked_));
  EXPECT_FALSE(answer(asked_)->accepted) << answer(asked_)->message;
  store_answers_ = true;
  pass(20s);
  EXPECT_FALSE(hosts_.at("n1").node->membership().joined());
  EXPECT_THAT(hosts_.at("n1").node->membership().waiting_for(), HasSubstr("force-dead"));

  const auto said = ask("n1", R"({"command":"force-dead","node":"n1"})");
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->accepted) << said->message;
  EXPECT_TRUE(hosts_.at("n1").node->membership().joined());
}

TEST(OperatorWire, RequestsAreReadStrictly) {
  const auto drain = parse_operator_request(R"({"command":"drain"})");
  ASSERT_TRUE(drain && *drain);
  EXPECT_TRUE((*drain)->node.empty());
  EXPECT_TRUE((*drain)->wait);
  const auto move = parse_operator_request(
      R"({"command":"move","ip":"fd00::1","node":"n2","wait":false,"timeout_ms":1500})");
  ASSERT_TRUE(move && *move);
  EXPECT_EQ((*move)->ip, IpAddress::parse("fd00::1"));
  EXPECT_EQ((*move)->timeout, 1500ms);
  EXPECT_FALSE((*move)->wait);

  for (const char* other : {"", "{", "[]", "{}", R"({"command":7})", R"({"command":"status"})"}) {
    EXPECT_FALSE(parse_operator_request(other)) << other;
  }
  for (const char* bad : {
           R"({"command":"drain","node":7})",
           R"({"command":"drain","wait":"yes"})",
           R"({"command":"drain","timeout_ms":-1})",
           R"({"command":"drain","timeout_ms":600001})",
           R"({"command":"drain","timeout_ms":1e99})",
           R"({"command":"move","node":"n2"})",
           R"({"command":"move","ip":"10.0.0.1"})",
           R"({"command":"move","ip":"10.0.0","node":"n2"})",
           R"({"command":"force-dead"})",
       }) {
    const auto parsed = parse_operator_request(bad);
    ASSERT_TRUE(parsed) << bad;
    EXPECT_FALSE(*parsed) << bad;
  }
}

TEST(OperatorWire, APartOfARequestIsNone) {
  const std::string_view whole =
      R"({"command":"move","ip":"10.0.0.1","node":"n2","wait":true,"timeout_ms":5})";
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(parse_operator_request(whole.substr(0, n))) << n;
  }
  EXPECT_TRUE(parse_operator_request(whole));
}

TEST(OperatorWire, AnswersAreOneLine) {
  EXPECT_EQ(to_line({false, false, "no", {}, {}, {}, {}}), R"({"ok":false,"error":"no"})");
  EXPECT_EQ(to_line({true, true, "done", NodeName("n1"), ips({kWeb}), {}, {"beware"}}),
            R"({"ok":true,"data":{"message":"done","node":"n1","complete":true,)"
            R"("handed_over":["10.25.150.201"],"kept":[],"warnings":["beware"]}})");
}

}  // namespace
}  // namespace herald::daemon
