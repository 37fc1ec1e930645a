#include "daemon/object_writer.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "tests/daemon/api_model.h"

namespace herald::daemon {
namespace {

using kube::ObjectRef;
using kube::WriteAnswer;
using Outcome = WriteAnswer::Outcome;

const kube::Resource kServices{"", "v1", "services", "Service", true};
ObjectRef service(const std::string& name) {
  return {kServices, "default", name};
}
std::string ready(const std::string& reason, const std::string& status = "True") {
  return fmt::format(
      R"({{"conditions":[{{"type":"herald.io/Ready","status":"{}","reason":"{}","message":""}}]}})",
      status, reason);
}

class Writing : public testing::Test {
 protected:
  Writing() { writer_.set_wall_clock(std::chrono::seconds(1795251600)); }

  void want(const std::string& name, const std::string& status) {
    auto next = std::make_shared<WantedObjects>(*wanted_);
    (*next)[service(name)].status = status;
    wanted_ = next;
  }
  void drop(const std::string& name) {
    auto next = std::make_shared<WantedObjects>(*wanted_);
    next->erase(service(name));
    wanted_ = next;
  }
  void set(bool complete = true) {
    writer_.set(wanted_, std::make_shared<kube::Observed>(api_.observed("heraldd")), complete,
                now_);
  }
  // What is written now, without an answer.
  std::vector<AskKube> writes() {
    writer_.tick(now_);
    return writer_.take_writes(now_);
  }
  // Answers everything, and shows it, until all is still. The number of writes.
  int settle(bool complete = true) {
    int count = 0;
    for (;; set(complete)) {
      set(complete);
      const auto asked = writes();
      if (asked.empty()) return count;
      for (const AskKube& ask : asked) {
        ++count;
        EXPECT_TRUE(writer_.on_answer(ask.id, api_.answer(ask.write), now_));
      }
      if (count > 100) {
        ADD_FAILURE() << "it does not come to rest";
        return count;
      }
    }
  }
  WriteAnswer failed(Outcome outcome, unsigned status, const std::string& message) {
    WriteAnswer out;
    out.outcome = outcome;
    out.status = status;
    out.message = message;
    return out;
  }
  std::string said() {
    std::string out;
    for (const auto& s : writer_.take_said()) out += s.reason + ": " + s.log.text + "\n";
    return out;
  }

  ApiModel api_;
  ObjectWriter writer_{{}, Rng(1)};
  std::shared_ptr<const WantedObjects> wanted_ = std::make_shared<WantedObjects>();
  Instant now_{100s};
};

TEST_F(Writing, OnlyWhatDiffersAndOnce) {
  api_.create(service("a"));
  api_.create(service("b"));
  want("a", ready("X"));
  EXPECT_EQ(settle(), 1);
  EXPECT_NE(api_.status(service("a")).find("\"X\""), std::string::npos);
  EXPECT_EQ(api_.status(service("b")), "{}");
  EXPECT_EQ(settle(), 0);
  EXPECT_EQ(said(), "");
  EXPECT_TRUE(writer_.quiet());
  EXPECT_EQ(writer_.next_deadline(), std::nullopt);
}

TEST_F(Writing, NothingWithoutAWallClock) {
  writer_ = ObjectWriter({}, Rng(1));
  api_.create(service("a"));
  want("a", ready("X"));
  EXPECT_EQ(settle(), 0);
  writer_.set_wall_clock(0s);
  EXPECT_EQ(settle(), 1);
}

TEST_F(Writing, AConditionKeepsItsTimeUntilItsStatusChanges) {
  api_.create(service("a"));
  want("a", ready("X"));
  settle();
  const std::string then = "\"lastTransitionTime\":\"2026-11-21T09:01:40Z\"";
  EXPECT_NE(api_.status(service("a")).find(then), std::string::npos) << api_.status(service("a"));
  now_ += 1h;
  want("a", ready("Y"));
  settle();
  EXPECT_NE(api_.status(service("a")).find(then), std::string::npos);
  want("a", ready("Y", "False"));
  settle();
  EXPECT_NE(api_.status(service("a")).find("2026-11-21T10:01:40Z"), std::string::npos);
}

TEST_F(Writing, AnAnswerCountsBeforeTheWatchShowsIt) {
  api_.create(service("a"));
  want("a", ready("X"));
  set();
  const auto before = std::make_shared<kube::Observed>(api_.observed("heraldd"));
  for (const AskKube& ask : writes()) writer_.on_answer(ask.id, api_.answer(ask.write), now_);
  writer_.set(wanted_, std::make_shared<kube::Observed>(*before), true, now_);
  EXPECT_TRUE(writes().empty());
  EXPECT_NE(writer_.known(service("a"))->status.find("\"X\""), std::string::npos);
  // A watch that never shows it is believed after a while, and the server has the last word.
  now_ += 31s;
  const auto again = writes();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(api_.answer(again[0].write).outcome, Outcome::Conflict);
}

TEST_F(Writing, WhatLeavesUsLosesOursAndNothingElse) {
  api_.create(service("a"));
  api_.set_status(service("a"), "other", R"({"theirs":1})");
  want("a", ready("X"));
  settle();
  drop("a");
  EXPECT_EQ(settle(false), 0) << "the manifests are not complete";
  EXPECT_EQ(settle(), 1);
  EXPECT_EQ(api_.status(service("a")), R"({"theirs":1})");
  EXPECT_EQ(settle(), 0);
}

TEST_F(Writing, OthersObjectsAreNeverTouched) {
  api_.create(service("theirs"));
  api_.set_status(service("theirs"), "other",
                  R"({"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}})");
  EXPECT_EQ(settle(), 0);
  EXPECT_EQ(api_.writes(), 0u);
}

TEST_F(Writing, AnObjectThatIsGoneIsForgotten) {
  api_.create(service("a"));
  want("a", ready("X"));
  set();
  const auto asked = writes();
  api_.remove(service("a"));
  writer_.on_answer(asked.at(0).id, api_.answer(asked.at(0).write), now_);
  EXPECT_EQ(settle(), 0);
  api_.create(service("a"));  // another one of this name
  EXPECT_EQ(settle(), 1);
}

// The watch lags: what the server answers to a patch does not say that the object is gone.
TEST_F(Writing, WhatMayBeGoneIsLookedAt) {
  for (const WriteAnswer& odd :
       {failed(Outcome::Refused, 422, "spec.ports: Required value"),
        failed(Outcome::Conflict, 409, "uid mismatch: no existing object was found")}) {
    api_.create(service("a"));
    want("a", ready(odd.message));
    set();
    auto asked = writes();
    ASSERT_EQ(asked.size(), 1u) << odd.message;
    writer_.on_answer(asked[0].id, odd, now_);
    asked = writes();
    ASSERT_EQ(asked.size(), 1u) << odd.message;
    EXPECT_EQ(asked[0].write.verb, kube::Write::Verb::Look);
    api_.remove(service("a"));
    writer_.on_answer(asked[0].id, api_.answer(asked[0].write), now_);
    for (const Instant end = now_ + 1min; now_ < end; now_ += 1s) EXPECT_TRUE(writes().empty());
    EXPECT_EQ(said(), "");
    EXPECT_EQ(settle(), 0);
  }
}

TEST_F(Writing, AnInvalidStatusOfWhatIsThereIsSaid) {
  api_.create(service("a"));
  want("a", ready("X"));
  set();
  int sent = 0;
  for (const Instant end = now_ + 10min; now_ < end; now_ += 1s) {
    for (const AskKube& ask : writes()) {
      const bool look = ask.write.verb == kube::Write::Verb::Look;
      sent += !look;
      writer_.on_answer(ask.id,
                        look ? api_.answer(ask.write)
                             : failed(Outcome::Refused, 422, "conditions: Invalid value"),
                        now_);
    }
  }
  EXPECT_EQ(sent, 3);  // at once, after 10 s, then every 5 minutes
  EXPECT_NE(said().find("StatusRefused"), std::string::npos);
}

// Deleted and made anew, before the watch has shown either.
TEST_F(Writing, ANewObjectOfTheSameNameIsFoundByTheLook) {
  api_.create(service("a"));
  want("a", ready("X"));
  set();
  auto asked = writes();
  ASSERT_EQ(asked.size(), 1u);
  api_.remove(service("a"));
  writer_.on_answer(asked[0].id, api_.answer(asked[0].write), now_);
  api_.create(service("a"));
  for (int i = 0; i < 2; ++i) {
    asked = writes();
    ASSERT_EQ(asked.size(), 1u) << i;
    writer_.on_answer(asked[0].id, api_.answer(asked[0].write), now_);
  }
  EXPECT_NE(api_.status(service("a")).find("\"X\""), std::string::npos);
  EXPECT_EQ(said(), "");
}

TEST_F(Writing, FieldsOfOthersAreTakenOverOnce) {
  api_.create(service("a"));
  api_.set_status(service("a"), "metallb", R"({"x":1})");
  want("a", R"({"x":2})");
  EXPECT_EQ(settle(), 2);
  EXPECT_EQ(api_.status(service("a")), R"({"x":2})");
  EXPECT_EQ(said(), "");
}

TEST_F(Writing, WhoeverPutsItBackTimeAndAgainHasItForAWhile) {
  api_.create(service("a"));
  want("a", R"({"x":2})");
  settle();
  for (int round = 0; round < 3; ++round) {
    now_ += 10s;
    EXPECT_EQ(api_.status(service("a")), R"({"x":2})") << round;
    api_.set_status(service("a"), "metallb", R"({"x":1})");
    settle();
  }
  EXPECT_EQ(api_.status(service("a")), R"({"x":1})");
  EXPECT_EQ(said(),
            "StatusConflict: status of Service default/a: field manager metallb has changed what "
            "Herald writes to its status 3 times within 5 minutes: it is left alone for 10 "
            "minutes; let only one of the two write it\n");
  now_ += 9min;
  EXPECT_EQ(settle(), 0);
  now_ += 2min;
  EXPECT_GT(settle(), 0);
  EXPECT_EQ(api_.status(service("a")), R"({"x":2})");
}

TEST_F(Writing, OncePerWhileIsNoFight) {
  api_.create(service("a"));
  want("a", R"({"x":2})");
  settle();
  for (int round = 0; round < 10; ++round) {
    now_ += 3min;
    api_.set_status(service("a"), "kubectl", "{}");
    settle();
    EXPECT_EQ(api_.status(service("a")), R"({"x":2})") << round;
  }
  EXPECT_EQ(said(), "");
}

TEST_F(Writing, AnEditOfTheSpecIsNoFight) {
  api_.create(service("a"));
  want("a", ready("X"));
  settle();
  for (int round = 0; round < 10; ++round) {
    api_.next_generation(service("a"));
    EXPECT_EQ(settle(), 1) << round;
  }
  EXPECT_EQ(said(), "");
}

TEST_F(Writing, WhatTheServerDropsIsTakenForDone) {
  api_.dropped = {"/observedGeneration"};
  for (const char* name : {"a", "b", "c"}) {
    api_.create(service(name));
    want(name, ready("X"));
  }
  EXPECT_EQ(settle(), 3);
  EXPECT_EQ(settle(), 0);
  const std::string text = said();
  EXPECT_NE(text.find("StatusDropped"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  want("a", ready("Y"));
  EXPECT_EQ(settle(), 1);
}

TEST_F(Writing, AWriteOfWhichNothingIsKnownIsSentAgain) {
  api_.create(service("a"));
  want("a", ready("X"));
  set();
  auto asked = writes();
  ASSERT_EQ(asked.size(), 1u);
  api_.answer(asked[0].write);  // it was done
  writer_.on_answer(asked[0].id, failed(Outcome::Later, 0, "timeout"), now_);
  EXPECT_TRUE(writes().empty());
  const auto due = writer_.next_deadline();
  ASSERT_TRUE(due);
  EXPECT_GE(*due, now_ + 500ms);
  now_ = *due;
  asked = writes();
  ASSERT_EQ(asked.size(), 1u);
  writer_.on_answer(asked[0].id, api_.answer(asked[0].write), now_);
  EXPECT_EQ(settle(), 0);  // by the watch it is there
}

TEST_F(Writing, AnAnswerThatNeverComesIsGivenUp) {
  api_.create(service("a"));
  want("a", ready("X"));
  set();
  ASSERT_EQ(writes().size(), 1u);
  now_ += 59s;
  EXPECT_TRUE(writes().empty());
  now_ += 1s;
  writer_.tick(now_);
  now_ += 1s;
  EXPECT_EQ(writes().size(), 1u);
}

TEST_F(Writing, AServerThatAsksForTimeHasIt) {
  for (int i = 0; i < 50; ++i) {
    api_.create(service(std::to_string(i)));
    want(std::to_string(i), ready("X"));
  }
  set();
  const auto asked = writes();
  ASSERT_EQ(asked.size(), 32u);
  auto later = failed(Outcome::Later, 429, "too many");
  later.retry_after = 7s;
  for (const AskKube& ask : asked) writer_.on_answer(ask.id, later, now_);
  for (now_ += 1s; now_ < Instant(107s); now_ += 1s) EXPECT_TRUE(writes().empty());
  now_ += 1s;
  EXPECT_GT(writes().size(), 0u);
}

TEST_F(Writing, ARefusalIsSaidOnceAndTriedSlowly) {
  for (const char* name : {"a", "b"}) {
    api_.create(service(name));
    want(name, ready("X"));
  }
  set();
  int sent = 0;
  for (const Instant end = now_ + 20min; now_ < end; now_ += 1s) {
    for (const AskKube& ask : writes()) {
      ++sent;
      writer_.on_answer(ask.id, failed(Outcome::Refused, 403, "may not patch services/status"),
                        now_);
    }
  }
  EXPECT_EQ(sent, 10);  // at once, after 10 s, then every 5 minutes
  const std::string text = said();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_NE(text.find("StatusRefused: status of Service default/a: the API server refuses"),
            std::string::npos);
}

TEST_F(Writing, ALaterLeaderFindsWhatAnEarlierOneWrote) {
  api_.create(service("a"));
  want("a", R"({"x":1,"y":2})");
  settle();
  ObjectWriter next({}, Rng(2));
  next.set_wall_clock(0s);
  want("a", R"({"x":1})");
  next.set(wanted_, std::make_shared<kube::Observed>(api_.observed("heraldd")), true, now_);
  const auto asked = next.take_writes(now_);
  ASSERT_EQ(asked.size(), 1u);
  api_.answer(asked[0].write);
  EXPECT_EQ(api_.status(service("a")), R"({"x":1})");
}

TEST_F(Writing, ALateWriteOfAnEarlierLeaderChangesNothing) {
  api_.create(service("a"));
  want("a", ready("Old"));
  set();
  const auto late = writes();
  writer_.forget();
  ObjectWriter next({}, Rng(2));
  next.set_wall_clock(0s);
  want("a", ready("New"));
  next.set(wanted_, std::make_shared<kube::Observed>(api_.observed("heraldd")), true, now_);
  for (const AskKube& ask : next.take_writes(now_)) api_.answer(ask.write);
  EXPECT_EQ(api_.answer(late.at(0).write).outcome, Outcome::Conflict);
  EXPECT_NE(api_.status(service("a")).find("New"), std::string::npos);
}

TEST_F(Writing, ObjectsOfOurMakingComeAndGo) {
  auto next = std::make_shared<WantedObjects>();
  (*next)[service("made")] = {R"({"node":"n1"})", WantedObject::Generation::Nowhere,
                              R"({"metadata":{"labels":{"a":"b"}}})", false, false};
  wanted_ = next;
  EXPECT_EQ(settle(), 2);  // the object, then its status
  EXPECT_EQ(api_.status(service("made")), R"({"node":"n1"})");
  EXPECT_EQ(settle(), 0);
  wanted_ = std::make_shared<WantedObjects>();
  EXPECT_EQ(settle(), 1);
  EXPECT_FALSE(api_.has(service("made")));
}

// Random latency, losses, conflicts, other writers, leaders that come and go: in the end all is as
// wanted, with a bounded number of writes, and then it is silent.
TEST(WritingProperty, ConvergesWithFewWrites) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng(seed);
    ApiModel api;
    if (rng.one_in(4)) api.dropped = {"/observedGeneration"};
    auto wanted = std::make_shared<WantedObjects>();
    Instant now{1000s};
    auto writer = std::make_unique<ObjectWriter>(ObjectWriter::Options{}, Rng(seed));
    writer->set_wall_clock(0s);
    std::deque<std::pair<Instant, AskKube>> to_server;
    std::vector<std::pair<Instant, std::pair<std::uint64_t, WriteAnswer>>> to_us;
    std::deque<std::pair<Instant, std::shared_ptr<kube::Observed>>> watch;
    std::uint64_t edits = 0;
    const auto names = 1 + rng.below(12);
    const auto shown = [&](Duration lag) {
      watch.emplace_back(now + lag, std::make_shared<kube::Observed>(api.observed("heraldd")));
    };
    std::shared_ptr<kube::Observed> seen = std::make_shared<kube::Observed>();
    std::uint64_t version = 0;
    const Instant calm = now + 60s, end = now + 20min;
    bool quiet = false;
    for (; now < end && !quiet; now += now < calm ? 100ms : 2s) {
      const bool busy = now < calm;
      if (busy && rng.one_in(3)) {
        ++edits;
        const ObjectRef which = service(std::to_string(rng.below(names)));
        auto next = std::make_shared<WantedObjects>(*wanted);
        switch (rng.below(8)) {
          case 0:
            if (api.has(which)) api.remove(which);
            break;
          case 1:
            next->erase(which);
            break;
          case 2:
            if (api.has(which)) api.set_status(which, "other", "{}");
            break;
          case 3:
            if (api.has(which)) api.set_status(which, "other", ready("Theirs"));
            break;
          case 4:
            if (api.has(which)) api.next_generation(which);
            break;
          case 5:
            if (rng.one_in(4)) {  // another leader
              writer = std::make_unique<ObjectWriter>(ObjectWriter::Options{}, Rng(rng.next()));
              writer->set_wall_clock(0s);
              to_us.clear();
              edits += names;
            }
            break;
          default:
            if (!api.has(which)) api.create(which);
            (*next)[which].status = ready("R" + std::to_string(rng.below(100)));
        }
        wanted = next;
      }
      shown(busy ? rng.between(0s, 3s) : 200ms);
      while (!watch.empty() && watch.front().first <= now) {
        seen = watch.front().second;
        watch.pop_front();
      }
      while (!to_server.empty() && to_server.front().first <= now) {
        auto answer = api.answer(to_server.front().second.write);
        if (busy && rng.one_in(5)) {
          answer = {};
          answer.outcome = Outcome::Later;
        }
        to_us.push_back({now + rng.between(0s, 1s), {to_server.front().second.id, answer}});
        to_server.pop_front();
      }
      std::erase_if(to_us, [&](const auto& due) {
        if (due.first > now) return false;
        writer->on_answer(due.second.first, due.second.second, now);
        return true;
      });
      writer->set(wanted, seen, true, now);
      writer->tick(now);
      for (AskKube& ask : writer->take_writes(now)) {
        to_server.emplace_back(now + rng.between(0s, 500ms), std::move(ask));
      }
      std::stable_sort(to_server.begin(), to_server.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      if (!busy && version == api.writes() && now > calm + 11min) quiet = true;
      version = api.writes();
    }
    EXPECT_TRUE(quiet) << "seed " << seed;
    const kube::Observed last = api.observed("heraldd");
    for (const auto& [object, is] : last.objects) {
      const auto want = wanted->find(object);
      const auto status = is.status;
      if (want == wanted->end()) {
        EXPECT_TRUE(is.managed.empty()) << "seed " << seed << " " << object.name;
      } else {
        const std::size_t at = want->second.status->find("\"reason\"");
        EXPECT_NE(status.find(want->second.status->substr(at, 14)), std::string::npos)
            << "seed " << seed << " " << status;
      }
    }
    EXPECT_LT(api.writes(), 20 + 8 * edits) << "seed " << seed;
  }
}

}  // namespace
}  // namespace herald::daemon
