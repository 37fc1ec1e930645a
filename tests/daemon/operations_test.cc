// Operators and three nodes: a store that answers at once and tells everybody, no heartbeats. After
// every effect at most one node may answer for an IP. What goes wrong in between: tests/sim.
#include "daemon/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>

#include <boost/json.hpp>

#include "config/manifests.h"
#include "daemon/node.h"
#include "daemon/operator_wire.h"
#include "daemon/report.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kHome = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.25.150.0/24], avoid: [FirstLast]}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {}
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

class Cluster : public testing::Test {
 protected:
  struct Host {
    std::unique_ptr<Node> node;
    std::unique_ptr<coord::Guard> guard;
    l2::Grants grants;
    bool carrier = true;
  };

  Cluster() { manifests_.set_file("home.yaml", kHome); }

  void start(const std::string& name) {
    NodeConfig c;
    c.name = NodeName(name);
    c.machine_id = "machine-" + name;
    c.version = "test";
    c.seed = 7 + hosts_.size();
    Host& host = hosts_[name];
    host.guard = std::make_unique<coord::Guard>(c.name, c.guard_timing);
    host.node = std::make_unique<Node>(c, now_);
    link(name, true);
    deliver(name, DesiredRead{std::make_shared<Desired>(manifests_.desired())});
    settle();
  }
  void start_three() {
    for (const char* name : {"n1", "n2", "n3"}) start(name);
    pass(3s);
  }
  // Its power is cut.
  void crash(const std::string& name) { hosts_.erase(name); }

  void link(const std::string& name, bool carrier) {
    Link eth0;
    eth0.index = LinkIndex(2);
    eth0.name = "eth0";
    eth0.mac = *MacAddress::parse("02:00:00:00:00:01");
    eth0.up = eth0.ethernet = true;
    eth0.carrier = carrier;
    eth0.addresses = {{*IpAddress::parse("10.25.150.10" + name.substr(1)), 24}};
    deliver(name, LinksRead{{eth0}});
    settle();
  }
  void read(const std::string& text) {
    manifests_.set_file("home.yaml", text);
    const auto desired = std::make_shared<Desired>(manifests_.desired());
    for (const auto& [name, host] : hosts_) deliver(name, DesiredRead{desired});
    settle();
  }

  void deliver(const std::string& name, Event event) {
    queue_.emplace_back(name, std::move(event));
  }
  void settle() {
    for (int steps = 0; !queue_.empty(); ++steps) {
      ASSERT_LT(steps, 100'000);
      const auto [name, event] = std::move(queue_.front());
      queue_.pop_front();
      const auto host = hosts_.find(name);
      if (host == hosts_.end()) continue;
      for (const Effect& effect : host->second.node->step(event, now_)) perform(name, effect);
    }
  }

  void perform(const std::string& name, const Effect& effect) {
    Host& host = hosts_.at(name);
    if (const auto* g = std::get_if<SetGrants>(&effect)) host.grants.links = g->links;
    if (const auto* g = std::get_if<ApplyGuard>(&effect)) {
      host.guard->apply(g->orders, now_);
      host.grants.deadline = host.guard->deadline();
    }
    if (const auto* a = std::get_if<OperatorAnswered>(&effect)) answers_[a->id] = a->answer;
    if (const auto* a = std::get_if<AskStore>(&effect); a != nullptr && store_answers_) {
      deliver(name, StoreAnswered{a->id, store(a->request)});
    }
    for (const char* vip : {kWeb, kDns}) ASSERT_LE(speakers(vip).size(), 1u) << vip;
  }

  coord::StoreReply store(const coord::StoreRequest& request) {
    if (const auto* read = std::get_if<coord::ReadDocument>(&request)) {
      const auto it = documents_.find(read->key);
      return it == documents_.end() ? coord::ReadReply{} : coord::ReadReply{it->second};
    }
    if (std::holds_alternative<coord::ListDocuments>(request)) {
      coord::ListReply all;
      for (const auto& [key, d] : documents_) all.documents.push_back(d);
      return all;
    }
    const auto& cas = std::get<coord::CasDocument>(request);
    const auto key = coord::key_of(cas.document);
    const auto it = documents_.find(key);
    const auto rev = it == documents_.end() ? coord::Revision{} : coord::revision_of(it->second);
    if (rev != cas.base) return coord::CasReply{coord::CasOutcome::Conflict, ""};
    documents_[key] = cas.document;
    for (const auto& [name, host] : hosts_) deliver(name, StoreChanged{{cas.document}});
    return coord::CasReply{coord::CasOutcome::Won, ""};
  }

  void pass(Duration d) {
    const Instant until = now_ + d;
    for (int i = 0; i < 100'000; ++i) {
      std::optional<Instant> next;
      for (const auto& [name, host] : hosts_) next = earliest(next, host.node->next_deadline());
      if (!next || *next > until) break;
      now_ = std::max(now_ + 100us, *next);
      for (const auto& [name, host] : hosts_) deliver(name, TimePassed{});
      settle();
    }
    now_ = until;
    for (const auto& [name, host] : hosts_) deliver(name, TimePassed{});
    settle();
  }

  std::set<std::string> speakers(const char* vip) const {
    std::set<std::string> out;
    for (const auto& [name, host] : hosts_) {
      if (host.grants.may_answer(LinkIndex(2), *IpAddress::parse(vip), now_)) out.insert(name);
    }
    return out;
  }
  std::string speaker(const char* vip) const {
    const auto all = speakers(vip);
    return all.empty() ? "nobody" : *all.begin();
  }
  // Asks `through`, as heraldctl does; nullopt: it waits.
  std::optional<OperatorAnswer> ask(const std::string& through, const std::string& line) {
    const auto request = parse_operator_request(line);
    EXPECT_TRUE(request && *request) << line;
    if (!request || !*request) return std::nullopt;
    deliver(through, OperatorAsked{++asked_, **request});
    settle();
    return answer(asked_);
  }
  std::optional<OperatorAnswer> answer(std::uint64_t id) const {
    const auto it = answers_.find(id);
    return it == answers_.end() ? std::nullopt : std::optional(it->second);
  }
  json::object report(const std::string& through, const std::string& request) {
    const auto said = json::parse(
        daemon::answer(*hosts_.at(through).node, {"embedded:/x", "packet", {}}, request, now_));
    return said.as_object().at("data").as_object();
  }
  std::string other_than(const std::string& name) const { return name == "n1" ? "n2" : "n1"; }

  Instant now_{1000s};
  config::Manifests manifests_;
  std::map<std::string, Host> hosts_;
  std::map<coord::DocumentKey, coord::Document> documents_;
  std::deque<std::pair<std::string, Event>> queue_;
  std::map<std::uint64_t, OperatorAnswer> answers_;
  std::uint64_t asked_ = 0;
  bool store_answers_ = true;
};

std::vector<IpAddress> ips(std::initializer_list<const char*> texts) {
  std::vector<IpAddress> out;
  for (const char* t : texts) out.push_back(*IpAddress::parse(t));
  return out;
}

TEST_F(Cluster, ADrainHandsEverythingOverAndIsRememberedOverRestarts) {
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

TEST_F(Cluster, UndrainLetsANodeOwnAgain) {
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

TEST_F(Cluster, TheLastEligibleNodeIsNotDrainedAwaySilently) {
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
TEST_F(Cluster, ANodeThatIsNotSelectedAnyMoreHandsOver) {
  std::string text(kHome);
  const std::string policy = "spec: {}";
  const auto selecting = [&](const std::string& role) {
    std::string out(text);
    out.replace(out.find(policy), policy.size(),
                "spec: {nodeSelector: {matchLabels: {edge: \"" + role + "\"}}}");
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

TEST_F(Cluster, ALinkThatGoesDownHandsOverAtOnce) {
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

TEST_F(Cluster, TheLastUndrainedNodeStopsAndADrainedOneTakesOver) {
  start_three();
  ask("n1", R"({"command":"drain","node":"n2"})");
  ask("n1", R"({"command":"drain","node":"n3"})");
  ASSERT_EQ(speaker(kWeb), "n1");
  deliver("n1", StopRequested{});
  settle();
  EXPECT_NE(speaker(kWeb), "n1");
  EXPECT_NE(speaker(kWeb), "nobody");
}

TEST_F(Cluster, AMoveGoesWhereItIsSaidAndStays) {
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

TEST_F(Cluster, WithoutWaitingItIsAnsweredWhenItIsWritten) {
  start_three();
  const std::string from = speaker(kWeb), to = other_than(from);
  const std::string via = from == "n3" || to == "n3" ? "n2" : "n3";
  const auto said =
      ask(via, R"({"command":"move","ip":"10.25.150.201","wait":false,"node":")" + to + "\"}");
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->accepted);
  EXPECT_EQ(speaker(kWeb), to);
}

TEST_F(Cluster, RefusalsHaveAReason) {
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

TEST_F(Cluster, AStoreThatIsAwayIsSaidAndNothingHappensLater) {
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

TEST_F(Cluster, AStoppingNodeSaysSo) {
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
TEST_F(Cluster, ForceDeadIsAtOnceAndUntilItStartsAgain) {
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

TEST(OperatorWire, AnswersAreOneLine) {
  EXPECT_EQ(to_line({false, false, "no", {}, {}, {}, {}}), R"({"ok":false,"error":"no"})");
  EXPECT_EQ(to_line({true, true, "done", NodeName("n1"), ips({kWeb}), {}, {"beware"}}),
            R"({"ok":true,"data":{"message":"done","node":"n1","complete":true,)"
            R"("handed_over":["10.25.150.201"],"kept":[],"warnings":["beware"]}})");
}

}  // namespace
}  // namespace herald::daemon
