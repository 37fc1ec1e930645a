#include "daemon/node_status.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace herald::daemon {
namespace {

namespace json = boost::json;
using kube::WriteAnswer;
using Verb = kube::Write::Verb;
using Outcome = WriteAnswer::Outcome;

class NodeStatusWriting : public testing::Test {
 protected:
  std::vector<AskKube> set(const std::string& status, const std::string& uid = "u1") {
    writer_.set(status, uid, now_);
    return writer_.take_requests();
  }
  void answer(const AskKube& ask, Outcome outcome) {
    WriteAnswer out;
    out.outcome = outcome;
    writer_.on_answer(ask.id, out, now_);
  }
  // All that is written for this status, done.
  int settle(const std::string& status, const std::string& uid = "u1") {
    int count = 0;
    for (auto asked = set(status, uid); !asked.empty(); asked = writer_.take_requests()) {
      ++count;
      answer(asked.at(0), Outcome::Done);
    }
    return count;
  }
  NodeStatusWriter writer_{100, NodeName("n1"), Rng(1)};
  Instant now_{100s};
};

TEST_F(NodeStatusWriting, TheObjectIsMadeAndThenItsStatus) {
  auto asked = set(R"({"ips":1})");
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].write.verb, Verb::Apply);
  EXPECT_EQ(asked[0].write.field_manager, "heraldd-n1");
  const json::value body = json::parse(asked[0].write.body);
  EXPECT_EQ(body.at("metadata").at("ownerReferences").at(0).at("uid").as_string(), "u1");
  answer(asked[0], Outcome::Done);
  asked = writer_.take_requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].write.verb, Verb::ApplyStatus);
  EXPECT_TRUE(asked[0].write.force);
  EXPECT_EQ(json::parse(asked[0].write.body).at("status"), json::parse(R"({"ips":1})"));
}

TEST_F(NodeStatusWriting, OnlyChangesAndNotTooOften) {
  EXPECT_EQ(settle("{}"), 2);
  now_ += 1s;
  EXPECT_EQ(settle(R"({"ips":1})"), 0) << "within five seconds";
  now_ += 5s;
  EXPECT_EQ(settle(R"({"ips":1})"), 1);
  for (int i = 0; i < 100; ++i) {
    now_ += 5s;
    EXPECT_EQ(settle(R"({"ips":1})"), 0);
  }
  now_ += 10min;
  EXPECT_EQ(settle(R"({"ips":1})"), 1) << "once in a while all the same";
}

TEST_F(NodeStatusWriting, ADeletedObjectIsMadeAgain) {
  settle("{}");
  now_ += 5s;
  answer(set(R"({"ips":1})").at(0), Outcome::Gone);
  now_ += 20s;
  EXPECT_EQ(settle(R"({"ips":1})"), 2);
}

TEST_F(NodeStatusWriting, TheOwnerIsToldWhenItIsKnown) {
  settle("{}", "");
  now_ += 5s;
  const auto asked = set("{}", "u2");
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].write.verb, Verb::Apply);
  EXPECT_NE(asked[0].write.body.find("u2"), std::string::npos);
}

TEST_F(NodeStatusWriting, ARefusalIsSaidOnce) {
  int sent = 0;
  std::size_t said = 0;
  for (int i = 0; i < 3600; ++i) {
    now_ += 1s;
    for (const AskKube& ask : set("{}")) {
      ++sent;
      answer(ask, Outcome::Refused);
    }
    said += writer_.take_logs().size();
  }
  EXPECT_LE(sent, 13);
  EXPECT_EQ(said, 1u);
}

TEST_F(NodeStatusWriting, TheLastWordIsSaidAtOnceAndOnlyOnce) {
  settle("{}");
  now_ += 100ms;  // not five seconds
  writer_.close(R"({"ips":0})", now_);
  EXPECT_TRUE(writer_.closing());
  auto asked = writer_.take_requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].write.verb, Verb::ApplyStatus);
  EXPECT_EQ(json::parse(asked[0].write.body).at("status"), json::parse(R"({"ips":0})"));
  answer(asked[0], Outcome::Later);
  EXPECT_FALSE(writer_.closing()) << "nobody waits for another try";
  EXPECT_TRUE(writer_.take_requests().empty());
}

// An answer that comes after it must not be of a write that goes before it.
TEST_F(NodeStatusWriting, TheLastWordWaitsForWhatIsUnderWay) {
  settle("{}");
  now_ += 5s;
  const AskKube before = set(R"({"ips":1})").at(0);
  writer_.close(R"({"ips":0})", now_);
  EXPECT_TRUE(writer_.take_requests().empty());
  answer(before, Outcome::Done);
  EXPECT_TRUE(writer_.closing());
  const auto asked = writer_.take_requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(json::parse(asked[0].write.body).at("status"), json::parse(R"({"ips":0})"));
  answer(asked[0], Outcome::Done);
  EXPECT_FALSE(writer_.closing());
}

TEST_F(NodeStatusWriting, WhoNeverSaidAnythingHasNoLastWord) {
  writer_.close("{}", now_);
  EXPECT_FALSE(writer_.closing());
  EXPECT_TRUE(writer_.take_requests().empty());
}

TEST_F(NodeStatusWriting, WhatOthersMadeOfItIsSetRight) {
  settle("{}");
  now_ += 5s;
  EXPECT_EQ(settle("{}"), 0);
  kube::ObservedObject is;
  is.status = R"({"ips":1,"of":"others"})";
  writer_.see(std::make_shared<const kube::ObservedObject>(is));
  now_ += 5s;
  EXPECT_EQ(settle(R"({"ips":1})"), 1) << "it is new";
  now_ += 5s;
  EXPECT_EQ(settle(R"({"ips":1})"), 0) << "what others have beside it is theirs";
  is.status = R"({"ips":0})";
  writer_.see(std::make_shared<const kube::ObservedObject>(is));
  now_ += 5s;
  EXPECT_EQ(settle(R"({"ips":1})"), 1);
  now_ += 5s;
  EXPECT_EQ(settle(R"({"ips":1})"), 0) << "a server that keeps it as it is, is let alone";
  writer_.see(std::make_shared<const kube::ObservedObject>(is));
  now_ += 5s;
  const auto again = set(R"({"ips":1})");
  ASSERT_EQ(again.size(), 1u);
  answer(again[0], Outcome::Later);
  now_ += 60s;
  EXPECT_EQ(settle(R"({"ips":1})"), 1) << "until it is told";
}

TEST_F(NodeStatusWriting, AnAnswerThatNeverComesIsGivenUp) {
  EXPECT_EQ(set("{}").size(), 1u);
  now_ += 59s;
  EXPECT_EQ(set("{}").size(), 0u);
  now_ += 2s;
  EXPECT_EQ(set("{}").size(), 1u);
}

}  // namespace
}  // namespace herald::daemon
