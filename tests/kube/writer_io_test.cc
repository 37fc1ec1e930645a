// What is asked of the API server for each write, and what its answers mean.
#include "kube/writer_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace herald::kube {
namespace {

const ObjectRef kService{{"", "v1", "services", "Service", true}, "default", "web"};

TEST(Writer, TheRequestForEach) {
  using Verb = Write::Verb;
  struct Case {
    Verb verb;
    bool force;
    Request::Method method;
    const char* path;
    const char* type;
  };
  const std::string web = "/api/v1/namespaces/default/services/web";
  for (const Case& c : {
           Case{Verb::ApplyStatus, false, Request::Method::Patch,
                "/api/v1/namespaces/default/services/web/status?fieldManager=heraldd&force=false",
                "application/apply-patch+yaml"},
           {Verb::Apply, true, Request::Method::Patch,
            "/api/v1/namespaces/default/services/web?fieldManager=heraldd&force=true",
            "application/apply-patch+yaml"},
           {Verb::Create, false, Request::Method::Post,
            "/api/v1/namespaces/default/services?fieldManager=heraldd", "application/json"},
           {Verb::Delete, false, Request::Method::Delete, web.c_str(), "application/json"},
           {Verb::Look, false, Request::Method::Get, web.c_str(), "application/json"},
       }) {
    Write write;
    write.verb = c.verb;
    write.object = kService;
    write.force = c.force;
    write.body = "{}";
    const Request request = request_of(write);
    EXPECT_EQ(request.method, c.method) << c.path;
    EXPECT_EQ(request.path, c.path);
    EXPECT_EQ(request.content_type, c.type) << c.path;
    EXPECT_EQ(request.priority, Request::Priority::Write);
  }
}

TEST(Writer, WhatAnAnswerMeans) {
  using Verb = Write::Verb;
  using Outcome = WriteAnswer::Outcome;
  struct Case {
    Verb verb;
    Answer::Kind kind;
    unsigned status;
    const char* reason;
    Outcome outcome;
  };
  const auto kAnswered = Answer::Kind::Answered;
  for (const Case& c : {
           Case{Verb::ApplyStatus, kAnswered, 200, "", Outcome::Done},
           {Verb::Create, kAnswered, 201, "", Outcome::Done},
           {Verb::ApplyStatus, kAnswered, 409, "Conflict", Outcome::Conflict},
           {Verb::Create, kAnswered, 409, "AlreadyExists", Outcome::Done},
           {Verb::Create, kAnswered, 409, "Conflict", Outcome::Conflict},
           {Verb::Apply, kAnswered, 404, "NotFound", Outcome::Gone},
           {Verb::Delete, kAnswered, 404, "NotFound", Outcome::Done},
           {Verb::Look, kAnswered, 404, "NotFound", Outcome::Gone},
           {Verb::Apply, kAnswered, 422, "Invalid", Outcome::Refused},
           {Verb::Apply, kAnswered, 403, "Forbidden", Outcome::Refused},
           {Verb::Apply, kAnswered, 401, "Unauthorized", Outcome::Later},
           {Verb::Apply, kAnswered, 429, "TooManyRequests", Outcome::Later},
           {Verb::Apply, kAnswered, 500, "", Outcome::Later},
           {Verb::Apply, Answer::Kind::Unknown, 0, "", Outcome::Later},
           {Verb::Apply, Answer::Kind::NotSent, 0, "", Outcome::Later},
       }) {
    Write write;
    write.verb = c.verb;
    Answer answer;
    answer.kind = c.kind;
    answer.status = c.status;
    answer.why = "no answer";
    answer.body = R"({"kind":"Status","message":"words","reason":")" + std::string(c.reason) +
                  R"(","code":)" + std::to_string(c.status) + "}";
    const WriteAnswer meant = answer_of(write, answer);
    EXPECT_EQ(meant.outcome, c.outcome) << c.status << ' ' << c.reason;
    EXPECT_EQ(meant.message.empty(), c.outcome == Outcome::Done && c.status < 300) << c.status;
  }
}

// Answers when it is told to.
class Slow : public Client {
 public:
  void call(Request request, std::function<void(Answer)> done) override {
    paths.push_back(request.path);
    waiting.push_back(std::move(done));
  }
  std::uint64_t watch(Request, Duration, std::function<void(std::string_view)>,
                      std::function<void(Answer)>) override {
    return 0;
  }
  void cancel(std::uint64_t) override {}
  std::vector<std::string> paths;
  std::vector<std::function<void(Answer)>> waiting;
};

TEST(Writer, SoManyAreUnderWayAndEachIsAnsweredOnce) {
  Slow client;
  std::map<std::uint64_t, int> answered;
  Writer writer(client, [&](std::uint64_t id, const WriteAnswer&) { answered[id] += 1; });
  for (std::uint64_t id = 1; id <= 100; ++id) {
    Write write;
    write.object = kService;
    writer.ask(id, write);
  }
  EXPECT_EQ(client.waiting.size(), 32U);
  for (std::size_t i = 0; i < client.waiting.size(); ++i) {
    Answer done;
    done.kind = Answer::Kind::Answered;
    done.status = 200;
    const auto answer = client.waiting[i];
    answer(done);
  }
  EXPECT_EQ(answered.size(), 100U);
  for (const auto& [id, times] : answered) EXPECT_EQ(times, 1) << id;
}

TEST(Writer, AnswersAfterItsEndAreNobodys) {
  Slow client;
  int answered = 0;
  {
    Writer writer(client, [&](std::uint64_t, const WriteAnswer&) { ++answered; });
    Write write;
    write.object = kService;
    writer.ask(1, write);
  }
  client.waiting.at(0)({});
  EXPECT_EQ(answered, 0);
}

}  // namespace
}  // namespace herald::kube
