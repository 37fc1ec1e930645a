// One node and a store that answers at once: the path from a manifest to a grant, and what is said
// of it on the way. Several nodes and everything that can go wrong: tests/sim.
#include "daemon/node.h"

#include <gtest/gtest.h>

#include <map>

#include <boost/json.hpp>

#include "config/manifests.h"
#include "daemon/report.h"
#include "tests/daemon/fake_store.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

constexpr const char* kHome = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.25.150.0/24], avoid: [FirstLast], probe: false}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {}
---
apiVersion: v1
kind: Service
metadata: {name: whoami, annotations: {metallb.io/loadBalancerIPs: 10.25.150.223}}
spec: {type: LoadBalancer}
)";

class Story : public testing::Test {
 protected:
  static NodeConfig config(std::uint64_t seed) {
    NodeConfig c;
    c.name = NodeName("n1");
    c.machine_id = "m1";
    c.version = "test";
    c.seed = seed;
    return c;
  }
  Story() : node_(config(7), now_) {}

  // Steps, answers every question to the store at once, and goes on until there is none left.
  void step(const Event& event) {
    auto effects = node_.step(event, now_);
    for (std::size_t i = 0; i < effects.size(); ++i) {
      const Effect effect = effects[i];
      order_.push_back(effect.index());
      if (const auto* g = std::get_if<SetGrants>(&effect)) grants_.links = g->links;
      if (const auto* g = std::get_if<ApplyGuard>(&effect)) {
        guard_.apply(g->orders, now_);
        grants_.deadline = guard_.deadline();
      }
      if (std::holds_alternative<SendFrame>(effect)) ++frames_;
      if (std::holds_alternative<Exit>(effect)) exited_ = true;
      if (const auto* ask = std::get_if<AskStore>(&effect)) {
        ASSERT_LT(i, 10000u);
        const auto more = node_.step(StoreAnswered{ask->id, store_.answer(ask->request)}, now_);
        effects.insert(effects.end(), more.begin(), more.end());
      }
    }
  }

  void read(const char* manifests) {
    manifests_.set_file("home.yaml", manifests);
    step(DesiredRead{std::make_shared<Desired>(manifests_.desired())});
  }

  void link(bool carrier = true) {
    Link eth0;
    eth0.index = LinkIndex(2);
    eth0.name = "eth0";
    eth0.mac = *MacAddress::parse("02:00:00:00:00:01");
    eth0.up = eth0.ethernet = true;
    eth0.carrier = carrier;
    eth0.addresses = {{*IpAddress::parse("10.25.150.101"), 24}};
    step(LinksRead{{eth0}});
  }

  bool may_answer(const char* vip) const {
    return grants_.may_answer(LinkIndex(2), *IpAddress::parse(vip), now_);
  }

  void pass(Duration d) {
    const Instant until = now_ + d;
    for (int i = 0; i < 10000; ++i) {
      const auto next = node_.next_deadline();
      if (!next || *next > until) break;
      now_ = std::max(now_, *next);
      step(TimePassed{});
    }
    now_ = until;
    step(TimePassed{});
  }

  json::object ask(const std::string& request) {
    const auto reply = json::parse(answer(node_, {"embedded:/x", "packet", {}}, request, now_));
    return reply.as_object();
  }

  Instant now_{1000s};
  Node node_;
  config::Manifests manifests_;
  FakeStore store_;
  coord::Guard guard_{NodeName("n1"), {}};
  l2::Grants grants_;
  std::vector<std::size_t> order_;
  int frames_ = 0;
  bool exited_ = false;
};

TEST_F(Story, AServiceGetsItsIpAndItsAnnouncement) {
  link();
  read(kHome);
  EXPECT_TRUE(may_answer("10.25.150.223"));
  EXPECT_FALSE(may_answer("10.25.150.222"));
  EXPECT_GE(frames_, 2) << "a gratuitous ARP in both forms";
  pass(1min);
  EXPECT_TRUE(may_answer("10.25.150.223")) << "renewed all the while";

  const auto services = ask(R"({"command":"get","what":"services","name":""})");
  const auto& whoami = services.at("data").at("services").at(0).as_object();
  EXPECT_EQ(whoami.at("ips").at(0).as_string(), "10.25.150.223");
  EXPECT_EQ(whoami.at("pool").as_string(), "lan");
  EXPECT_EQ(whoami.at("reason").as_string(), "Allocated");
  const auto why = ask(R"({"command":"explain","what":"service","name":"default/whoami"})");
  EXPECT_EQ(why.at("data").at("verdict").as_string(), "announced: 10.25.150.223 from n1 on eth0");
}

TEST_F(Story, UnknownIsNotEmpty) {
  read(kHome);
  EXPECT_FALSE(node_.membership().joined()) << "without its links it does not join";
  link();
  EXPECT_TRUE(may_answer("10.25.150.223"));
  // Another life, before it has read its manifests: nothing is freed.
  Node next(config(8), now_);
  std::swap(node_, next);
  grants_ = {};
  link();
  pass(30s);
  EXPECT_NE(node_.table().find(*IpAddress::parse("10.25.150.223")), nullptr);
  read(kHome);
  EXPECT_TRUE(may_answer("10.25.150.223"));
  EXPECT_EQ(node_.membership().incarnation(), coord::Incarnation(2));
}

TEST_F(Story, ABrokenFileWithdrawsNothingAndADeletedServiceIsReleased) {
  link();
  read(kHome);
  read("kind: [");
  pass(10s);
  EXPECT_TRUE(may_answer("10.25.150.223"));
  const std::string without(kHome, std::string(kHome).find("---\napiVersion: v1"));
  read(without.c_str());
  pass(500ms);
  EXPECT_TRUE(may_answer("10.25.150.223")) << "not at once";
  pass(1s);
  EXPECT_FALSE(may_answer("10.25.150.223"));
  EXPECT_EQ(node_.table().find(*IpAddress::parse("10.25.150.223")), nullptr);
}

TEST_F(Story, WithoutPolicyAnIpIsHeldAndExplained) {
  link();
  std::string text(kHome);
  text.replace(text.find("L2AnnouncementPolicy"), 20, "BGPAdvertisement");
  read(text.c_str());
  EXPECT_FALSE(may_answer("10.25.150.223"));
  const auto why = ask(R"({"command":"explain","what":"service","name":"whoami"})");
  EXPECT_NE(std::string(why.at("data").at("remedy").as_string()).find("no L2AnnouncementPolicy"),
            std::string::npos);
}

TEST_F(Story, APolicySaysHowOftenAVipIsAnnounced) {
  link();
  std::string text(kHome);
  text.replace(text.find("spec: {}"), 8,
               "spec: {gratuitous: {count: 2, interval: 1s, refresh: 30s}}");
  read(text.c_str());
  EXPECT_EQ(frames_, 2) << "one announcement in two forms";
  pass(5s);
  EXPECT_EQ(frames_, 4) << "and a second one after a second";
  pass(65s);
  EXPECT_EQ(frames_, 8) << "then one each 30 s";
}

TEST_F(Story, StoppingIsSilentFirst) {
  link();
  read(kHome);
  order_.clear();
  step(StopRequested{});
  EXPECT_TRUE(exited_);
  EXPECT_FALSE(may_answer("10.25.150.223"));
  // The first thing done about it is silence, ahead of any write.
  const Effect silence = SetGrants{}, write = AskStore{};
  const auto first_silence = std::find(order_.begin(), order_.end(), silence.index());
  const auto first_write = std::find(order_.begin(), order_.end(), write.index());
  EXPECT_LT(first_silence, first_write);
  const auto& d =
      std::get<coord::MemberDocument>(store_.documents.at(coord::DocumentKey("member/n1")));
  EXPECT_TRUE(d.revoked);
}

TEST_F(Story, EventsTellTheWayOfAnIp) {
  link();
  read(kHome);
  const auto first = ask(R"({"command":"events"})").at("data");
  std::string all;
  for (const auto& event : first.at("events").as_array()) {
    all += std::string(event.at("message").as_string()) + "\n";
    EXPECT_EQ(event.at("time").as_string().size(), 24u) << event.at("time");
  }
  EXPECT_NE(all.find("member n1 has the right to answer"), std::string::npos) << all;
  EXPECT_NE(all.find("ip 10.25.150.223 owner n1"), std::string::npos) << all;
  const auto last = first.at("last").to_number<std::uint64_t>();
  const std::string next = R"({"command":"events","since":)" + std::to_string(last) + "}";
  EXPECT_TRUE(ask(next).at("data").at("events").as_array().empty());
  const std::string without(kHome, std::string(kHome).find("---\napiVersion: v1"));
  read(without.c_str());
  pass(2s);
  const std::string later = json::serialize(ask(next));
  EXPECT_NE(later.find("ip 10.25.150.223 is free again"), std::string::npos) << later;
  EXPECT_EQ(later.find("has the right"), std::string::npos) << "only what is new: " << later;
}

TEST_F(Story, HostileRequestsGetAnAnswer) {
  link();
  read(kHome);
  for (const char* request :
       {"", "{", "[]", "{}", R"({"command":7})", R"({"command":"get"})",
        R"({"command":"get","what":"secrets"})", R"({"command":"events","since":"yesterday"})",
        R"({"command":"explain","what":"service","name":"a/b"})"}) {
    const auto reply = ask(request);
    EXPECT_FALSE(reply.at("ok").as_bool()) << request;
    EXPECT_FALSE(reply.at("error").as_string().empty()) << request;
  }
}

// Two shards change hands at once: one decision, and the same end as one by one.
TEST_F(Story, WhatComesTogetherIsDecidedTogether) {
  link();
  read(kHome);
  pass(1s);
  std::vector<Event> events;
  for (const char* vip : {"10.25.150.7", "10.25.150.8"}) {
    const auto ip = *IpAddress::parse(vip);
    auto shard = node_.table().shard(coord::shard_of(ip));
    ASSERT_EQ(shard.entries.count(ip), 0u);
    shard.shard = coord::shard_of(ip);
    shard.rev = shard.rev.next();
    shard.highest = shard.highest.next();
    coord::TableEntry& entry = shard.entries[ip];
    entry.services = {{"default", "whoami"}};
    entry.owner = NodeName("n1");
    entry.inc = node_.membership().incarnation();
    entry.epoch = shard.highest;
    store_.documents[coord::table_key(shard.shard)] = shard;
    events.push_back(StoreChanged{{shard}});
  }
  ASSERT_NE(coord::shard_of(*IpAddress::parse("10.25.150.7")),
            coord::shard_of(*IpAddress::parse("10.25.150.8")));
  std::size_t grants = 0;
  for (const Effect& effect : node_.step(events, now_)) {
    if (const auto* g = std::get_if<SetGrants>(&effect)) {
      ++grants;
      grants_.links = g->links;
    }
  }
  EXPECT_EQ(grants, 1u);
  EXPECT_TRUE(may_answer("10.25.150.7"));
  EXPECT_TRUE(may_answer("10.25.150.8"));
}

}  // namespace
}  // namespace herald::daemon
