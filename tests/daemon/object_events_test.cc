#include "daemon/object_events.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "daemon/release_checks.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

class Events : public testing::Test {
 protected:
  Events() { events_.set_wall_clock(std::chrono::seconds(1795251600)); }
  void add(const std::string& note, const char* reason = "Allocated") {
    events_.add({service_ref({"default", "web"}), "u1", false, reason, "Allocate", note}, now_);
  }
  std::vector<AskKube> take() {
    auto out = events_.take_requests(now_);
    kube::WriteAnswer done;
    done.outcome = kube::WriteAnswer::Outcome::Done;
    for (const AskKube& ask : out) events_.on_answer(ask.id, done, now_);
    return out;
  }
  ObjectEvents events_{100, NodeName("n1")};
  Instant now_{100s};
};

TEST_F(Events, AnEventHasWhatTheServerAsksFor) {
  add("10.0.0.1 of pool lan");
  const auto asked = take();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].write.verb, kube::Write::Verb::Create);
  EXPECT_EQ(path_of(asked[0].write.object),
            "/apis/events.k8s.io/v1/namespaces/default/events/" + asked[0].write.object.name);
  const json::value body = json::parse(asked[0].write.body);
  EXPECT_EQ(body.at("eventTime").as_string(), "2026-11-21T09:01:40.000000Z");
  EXPECT_EQ(body.at("reportingController").as_string(), "herald.io/heraldd");
  EXPECT_EQ(body.at("reportingInstance").as_string(), "heraldd-n1");
  EXPECT_EQ(body.at("type").as_string(), "Normal");
  EXPECT_EQ(body.at("note").as_string(), "10.0.0.1 of pool lan");
  EXPECT_EQ(body.at("regarding").at("uid").as_string(), "u1");
  EXPECT_EQ(body.at("regarding").at("kind").as_string(), "Service");
  EXPECT_EQ(body.at("metadata").at("name").as_string(), asked[0].write.object.name);
}

TEST_F(Events, TheSameSaidByTheNextLeaderHasTheSameName) {
  add("a");
  const auto first = take();
  ObjectEvents other(100, NodeName("n2"));
  other.set_wall_clock(std::chrono::seconds(1795251600));
  now_ += 5s;
  other.add({service_ref({"default", "web"}), "u1", false, "Allocated", "Allocate", "a"}, now_);
  EXPECT_EQ(other.take_requests(now_).at(0).write.object.name, first.at(0).write.object.name);
  add("b");
  EXPECT_NE(take().at(0).write.object.name, first.at(0).write.object.name);
  now_ += 20min;
  add("a");
  EXPECT_NE(take().at(0).write.object.name, first.at(0).write.object.name);
}

TEST_F(Events, TooManyAreToldInOneSentence) {
  for (int i = 0; i < 10'000; ++i) add(std::to_string(i), "Announced");
  std::size_t sent = take().size();
  EXPECT_EQ(sent, 50u);
  std::string summary;
  for (int i = 0; i < 600; ++i) {
    now_ += 100ms;
    for (const AskKube& ask : take()) {
      ++sent;
      if (ask.write.body.find("ManyChanges") != std::string::npos) summary = ask.write.body;
    }
  }
  EXPECT_EQ(sent, 101u);
  EXPECT_NE(
      summary.find("9900 more changes of services than can be told one by one (9900 Announced)"),
      std::string::npos)
      << summary;
  EXPECT_NE(summary.find(R"("kind":"Node","name":"n1")"), std::string::npos);
  EXPECT_EQ(events_.next_deadline(), std::nullopt);
}

TEST_F(Events, WithoutAClockTheyWait) {
  events_ = ObjectEvents(100, NodeName("n1"));
  add("a");
  EXPECT_TRUE(take().empty());
  EXPECT_EQ(events_.next_deadline(), std::nullopt);
  events_.set_wall_clock(0s);
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(Events, LongNotesAreCut) {
  std::string longest;
  for (int i = 0; i < 1000; ++i) longest += "é";
  add(longest);
  const auto asked = take();
  EXPECT_LE(json::parse(asked.at(0).write.body).at("note").as_string().size(), 1024u);
}

TEST_F(Events, WhatIsNotAnsweredIsTriedAgainAFewTimes) {
  add("a");
  kube::WriteAnswer later;
  int sent = 0;
  for (int i = 0; i < 100; ++i) {
    now_ += 1s;
    for (const AskKube& ask : events_.take_requests(now_)) {
      ++sent;
      events_.on_answer(ask.id, later, now_);
    }
  }
  EXPECT_EQ(sent, 3);
}

}  // namespace
}  // namespace herald::daemon
