// When Kubernetes' word that a node is dead is taken, and when it is not.
#include "daemon/dead_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/daemon/wish.h"

namespace herald::daemon {
namespace {

using coord::Incarnation;
using coord::Revision;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Instant kStart{1000s};
const coord::Peers::MayRevoke kMay{true, true};

// Five nodes in guard mode, looked at from n1. Of n4 and n5, nothing is heard.
class DeadNode : public testing::Test {
 protected:
  DeadNode() : peers_(NodeName("n1"), coord::LeaseTiming{}) {
    for (const char* name : {"n1", "n2", "n3", "n4", "n5"}) {
      coord::MemberDocument d;
      d.node = NodeName(name);
      d.rev = Revision(7);
      d.inc = Incarnation(2);
      for (const char* guard : {"n1", "n2", "n3", "n4", "n5"}) {
        if (d.node != NodeName(guard)) d.guards.push_back({NodeName(guard), Incarnation(2)});
      }
      d.info.heartbeat = {{*IpAddress::parse("10.0.0.1"), 7946}};
      peers_.on_seen(d, now_);
      world_.node(name);
      if (d.node != NodeName("n1")) heard_[d.node].lively = true;
    }
    silence("n4", {"n1", "n2", "n3"});
    silence("n5", {"n1", "n2", "n3"});
    read();
  }

  // The node is not heard by n1, and these have fenced it.
  void silence(const char* node, const std::vector<const char*>& fenced_by) {
    auto& said = heard_[NodeName(node)];
    said = {};
    said.silent = true;
    for (const char* guard : fenced_by) {
      said.fences[NodeName(guard)] = {Incarnation(2), Revision(7)};
    }
    tell();
  }
  void tell() {
    coord::GuardReport report;
    report.peers = heard_;
    peers_.on_report(report, now_);
  }
  NodeObject& object(const char* name) {
    auto& nodes = world_.desired.nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nodes.at(i).name == NodeName(name)) return nodes[i];
    }
    ADD_FAILURE() << name;
    return nodes.back();
  }
  void remove(const char* name) {
    auto& nodes = world_.desired.nodes;
    nodes.erase(std::find_if(nodes.begin(), nodes.end(),
                             [&](const NodeObject& n) { return n.name == NodeName(name); }));
  }
  void read() {
    policies_ = world_.policies();
    dead_.on_desired(world_.desired, from_api_, now_);
  }
  std::vector<std::string> tick() { return dead_.tick(NodeName("n1"), policies_, peers_, now_); }
  // Whom this node would now write off, by V4 alone.
  std::vector<std::string> revoked() {
    tick();
    peers_.tick({true, false}, now_);
    std::vector<std::string> out;
    for (const auto& request : peers_.take_requests()) {
      if (const auto* write = std::get_if<coord::CasDocument>(&request)) {
        out.push_back(std::get<coord::MemberDocument>(write->document).node.str());
      }
      const auto* asked = std::get_if<coord::ReadDocument>(&request);
      if (asked == nullptr) continue;
      for (const auto& [name, peer] : peers_.all()) {
        if (asked->key != coord::member_key(name)) continue;
        peers_.on_read(name, peer.document, now_, now_);
        for (const auto& write : peers_.take_requests()) {
          if (std::holds_alternative<coord::CasDocument>(write)) out.push_back(name.str());
        }
      }
    }
    return out;
  }

  Instant now_ = kStart;
  coord::Peers peers_;
  World world_;
  Policies policies_;
  DeadNodes dead_;
  bool from_api_ = true;
  std::map<NodeName, coord::GuardReport::Peer> heard_;
};

TEST_F(DeadNode, ATaintIsTakenAtOnceWhereTheGuardsAreTooFew) {
  // n3, n4 and n5 are dead: of n4's guards n1 and n2 are left, and three would have to fence it.
  for (const char* n : {"n3", "n4", "n5"}) {
    silence(n, {"n1", "n2"});
    object(n).ready = false;
  }
  read();
  EXPECT_THAT(revoked(), IsEmpty()) << "NotReady alone is no word";
  object("n4").out_of_service = true;
  read();
  EXPECT_THAT(revoked(), ElementsAre("n4"));
  EXPECT_THAT(dead_.why(NodeName("n4")), HasSubstr("out-of-service"));
  EXPECT_EQ(dead_.why(NodeName("n3")), "");
}

TEST_F(DeadNode, SoIsADeletedNodeAfterAMoment) {
  for (const char* n : {"n3", "n4", "n5"}) {
    silence(n, {"n1", "n2"});
    object(n).ready = false;
  }
  read();
  remove("n4");
  read();
  EXPECT_THAT(revoked(), IsEmpty());
  ASSERT_TRUE(dead_.next_deadline());
  now_ = *dead_.next_deadline();
  EXPECT_LE(now_, kStart + 5s);
  EXPECT_THAT(revoked(), ElementsAre("n4"));
  EXPECT_FALSE(dead_.next_deadline());
  EXPECT_THAT(dead_.why(NodeName("n4")), HasSubstr("deleted"));
}

TEST_F(DeadNode, OneThatComesBackWithinAMomentWasNotDeleted) {
  for (const char* n : {"n3", "n4", "n5"}) silence(n, {"n1", "n2"});
  const NodeObject before = object("n4");
  remove("n4");
  read();
  now_ += 1s;
  world_.desired.nodes.push_back(before);
  read();
  now_ += 10s;
  EXPECT_THAT(revoked(), IsEmpty());
  EXPECT_FALSE(dead_.next_deadline());
}

TEST_F(DeadNode, OneWhoseDaemonLivesIsNotDead) {
  struct {
    const char* name;
    std::function<void()> world;
  } const cases[] = {
      {"n1 hears it",
       [this] {
         heard_[NodeName("n2")] = {};
         heard_[NodeName("n2")].lively = true;
       }},
      {"n1 is cut off from it, n3 is heard and has not fenced it",
       [this] {
         silence("n2", {"n1", "n4"});
       }},
      {"n1 is cut off from all, and Kubernetes finds n3 well",
       [this] {
         for (const char* n : {"n2", "n3", "n4", "n5"}) silence(n, {"n1"});
         for (const char* n : {"n4", "n5"}) object(n).ready = false;
       }},
      {"a fence of an older rev",
       [this] {
         silence("n2", {"n1", "n4"});
         heard_[NodeName("n2")].fences[NodeName("n3")] = {Incarnation(2), Revision(6)};
       }},
      {"a fence of an older life",
       [this] {
         silence("n2", {"n1", "n4"});
         heard_[NodeName("n2")].fences[NodeName("n3")] = {Incarnation(1), Revision(7)};
       }},
      {"this node itself has not fenced it",
       [this] {
         silence("n2", {"n3", "n4"});
       }},
  };
  // n5 is dead as well, so that two guards are too few for V1.
  object("n5").ready = false;
  const auto objects = world_.desired.nodes;
  for (const bool taint : {false, true}) {
    for (const auto& c : cases) {
      SCOPED_TRACE(c.name);
      world_.desired.nodes = objects;
      read();
      c.world();
      tell();
      taint ? void(object("n2").out_of_service = true) : remove("n2");
      read();
      now_ += 60s;
      EXPECT_THAT(tick(), IsEmpty());
      EXPECT_THAT(revoked(), testing::Not(testing::Contains("n2")));
    }
  }
}

TEST_F(DeadNode, WhoSpeaksAgainIsSparedAndSoIsOneWhoWrites) {
  for (const char* n : {"n3", "n4", "n5"}) {
    silence(n, {"n1", "n2"});
    object(n).ready = false;
  }
  object("n4").out_of_service = true;
  read();
  EXPECT_THAT(tick(), ElementsAre(HasSubstr("member n4 is dead: its taint")));
  heard_[NodeName("n4")].lively = true;
  tell();
  EXPECT_THAT(tick(), ElementsAre(HasSubstr("not dead after all")));
  EXPECT_THAT(revoked(), IsEmpty());

  silence("n4", {"n1", "n2"});
  EXPECT_THAT(tick(), ElementsAre(HasSubstr("member n4 is dead")));
  peers_.tick(kMay, now_);
  EXPECT_EQ(peers_.take_requests().size(), 1U);
  // The read before the revocation shows that it has gone over to a lease from the store.
  coord::MemberDocument alive = *peers_.find(NodeName("n4"));
  alive.rev = Revision(8);
  alive.guards.clear();
  peers_.on_read(NodeName("n4"), alive, now_, now_ + 2ms);
  EXPECT_THAT(peers_.take_requests(), IsEmpty());
  EXPECT_THAT(tick(), ElementsAre(HasSubstr("not dead after all")));
  now_ += 100ms;
  EXPECT_THAT(revoked(), IsEmpty()) << "V2 has to wait for its lease";
}

TEST_F(DeadNode, TheWordIsTakenBack) {
  for (const char* n : {"n3", "n4", "n5"}) {
    silence(n, {"n1", "n2"});
    object(n).ready = false;
  }
  object("n4").out_of_service = true;
  read();
  tick();
  object("n4").out_of_service = false;
  read();
  EXPECT_THAT(tick(), ElementsAre(HasSubstr("not dead after all")));
  EXPECT_THAT(revoked(), IsEmpty());
  EXPECT_THAT(tick(), IsEmpty()) << "said once";
}

TEST_F(DeadNode, WhatIsNotThereMayBeUnknown) {
  for (const char* n : {"n2", "n3", "n4", "n5"}) {
    silence(n, {"n1"});
    object(n).ready = false;
  }
  read();
  const auto nothing = [this](const char* why) {
    read();
    now_ += 60s;
    EXPECT_THAT(revoked(), IsEmpty()) << why;
  };
  const Desired whole = world_.desired;
  world_.desired.complete = false;
  remove("n4");
  nothing("something could not be read");
  world_.desired = whole;
  nothing("it is there");
  world_.desired.nodes.clear();
  nothing("Node objects could not be read at all");
  world_.desired = whole;
  from_api_ = false;
  remove("n4");
  nothing("a directory of manifests");
  from_api_ = true;
  dead_ = DeadNodes();
  nothing("it was never seen");
  peers_.spare(NodeName("n4"));
  coord::MemberDocument leaves = *peers_.find(NodeName("n5"));
  leaves.rev = Revision(8);
  leaves.revoked = true;
  peers_.on_seen(leaves, now_);
  remove("n5");
  nothing("it has left");
  remove("n1");
  nothing("nobody revokes himself");
}

}  // namespace
}  // namespace herald::daemon
