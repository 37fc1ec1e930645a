// The client against what servers and networks do to it, and with several servers.
#include <gmock/gmock.h>

#include "tests/kube/client_lab.h"

namespace herald::kube {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = Answer::Kind;

// ---- what breaks

TEST_F(KubeClient, AReusedConnectionThatDiesIsNoReasonToFailARead) {
  // The second request of a connection is the one that finds it dead.
  for (const Reply& death : {Reply::hang_up(), Reply::nothing()}) {
    Server server([&](const Heard& heard) { return heard.request > 1 ? death : Reply::json("{}"); },
                  tls());
    ClientLab lab(access({server.url()}));
    EXPECT_TRUE(lab.ask(get("/a")).ok());
    const Answer again = lab.ask(get("/b", 1s));
    EXPECT_TRUE(again.ok()) << again.why;
    EXPECT_EQ(server.connections(), 2);
    EXPECT_EQ(lab.troubles(), "");

    EXPECT_TRUE(lab.ask(put("/a")).ok());
    const Answer unknown = lab.ask(put("/b", 500ms));
    EXPECT_EQ(unknown.kind, Kind::Unknown);
    EXPECT_THAT(unknown.why, HasSubstr(herald::to_string(server.url())));
    EXPECT_TRUE(lab.ask(put("/c")).ok());
    EXPECT_EQ(lab.troubles(), "");
  }
}

TEST_F(KubeClient, AKeptConnectionThatTheServerEndedIsNotUsed) {
  Server server(
      [](const Heard&) {
        Reply out = Reply::json("{}");
        out.then = Reply::Then::Close;
        return out;
      },
      tls());
  ClientLab lab(access({server.url()}));
  for (int i = 0; i < 5; ++i) {
    const Answer answer = lab.ask(get("/a"));
    EXPECT_TRUE(answer.ok()) << answer.why;
  }
}

TEST_F(KubeClient, NoPartOfAnAnswerIsAnAnswer) {
  const std::string whole = Reply::json(R"({"items":[{"a":1}]})").bytes;
  for (std::size_t length = 0; length < whole.size(); length += 3) {
    Server server([&](const Heard&) { return Reply::hang_up(whole.substr(0, length)); }, tls());
    ClientLab lab(access({server.url()}));
    for (const Request& request : {get("/a"), put("/a")}) {
      const Answer answer = lab.ask(request);
      EXPECT_EQ(answer.kind, Kind::Unknown) << length;
      EXPECT_THAT(answer.why, HasSubstr("the connection broke")) << length;
    }
    const auto watch = lab.watch(get("/a"));
    lab.until([&] { return watch->end.has_value(); });
    EXPECT_EQ(watch->end->kind, Kind::Unknown) << length;
  }
}

TEST_F(KubeClient, TheTimeHoldsForAllOfAnAnswer) {
  Reply slow = Reply::json(std::string(100'000, ' '));
  slow.trickle = true;
  Server server([&](const Heard&) { return slow; }, tls());
  ClientLab lab(access({server.url()}));
  for (const Request& request : {get("/a", 300ms), put("/a", 300ms)}) {
    const Answer answer = lab.ask(request);
    EXPECT_EQ(answer.kind, Kind::Unknown);
    EXPECT_THAT(answer.why, HasSubstr("no answer in time"));
  }
}

TEST_F(KubeClient, WhatNeverEndsIsGivenUp) {
  const std::string ok = "HTTP/1.1 200 OK\r\n", kilobyte(1024, 'x');
  const std::pair<std::string, std::string> cases[] = {
      {ok + "X: ", kilobyte},
      {ok, "X: " + kilobyte + "\r\n"},
      {"HTTP/1.1 200 ", kilobyte},
      {ok + "Content-Length: 99999999999\r\n\r\n", kilobyte},
      {ok + "\r\n", std::string(1 << 20, 'x')},
      {"SSH-2.0-", kilobyte},
  };
  for (const auto& [bytes, endless] : cases) {
    SCOPED_TRACE(bytes.substr(0, 40));
    Server server(
        [reply = Reply{bytes, Reply::Then::Keep, false, endless}](const Heard&) { return reply; },
        tls());
    ClientLab lab(access({server.url()}));
    const Answer answer = lab.ask(get("/a", 15s));
    EXPECT_EQ(answer.kind, Kind::Unknown);
    EXPECT_THAT(answer.why, Not(HasSubstr("in time")));
  }
  Server server(
      [&](const Heard&) {
        return Reply{Reply::lines("").bytes, Reply::Then::Keep, false,
                     Reply::chunk(std::string(1 << 20, 'x'))};
      },
      tls());
  ClientLab lab(access({server.url()}));
  const auto watch = lab.watch(get("/w"));
  lab.until([&] { return watch->end.has_value(); });
  EXPECT_EQ(watch->end->kind, Kind::Unknown);
  EXPECT_THAT(watch->end->why, HasSubstr("a line is longer than"));
}

TEST_F(KubeClient, RedirectsAreNotFollowed) {
  Server elsewhere([](const Heard&) { return Reply::json("{}"); }, tls());
  Server server(
      [&](const Heard&) {
        return Reply::json("", "302 Found",
                           "Location: " + herald::to_string(elsewhere.url()) + "/x\r\n");
      },
      tls());
  ClientLab lab(access({server.url()}));
  const Answer answer = lab.ask(get("/x"));
  EXPECT_EQ(answer.status, 302U);
  EXPECT_FALSE(answer.ok());
  EXPECT_THAT(lab.troubles(), HasSubstr("redirects elsewhere"));
  EXPECT_EQ(elsewhere.connections(), 0);
}

// ---- several servers

TEST_F(KubeClient, OneOfTwoServersIsEnough) {
  Server alive([](const Heard&) { return Reply::json("{}"); }, tls());
  Server ill([](const Heard&) { return Reply::json(refusal(503, "etcd is gone"), "503 No", ""); },
             tls());
  Server deaf([](const Heard&) { return Reply::nothing(); }, tls());
  for (const std::uint16_t other : {free_port(), ill.port(), deaf.port()}) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      std::vector<HttpUrl> servers = {{true, "127.0.0.1", other}, alive.url()};
      if (i % 2 == 1) std::swap(servers[0], servers[1]);
      ClientLab lab(access(servers));
      for (int k = 0; k < 3; ++k) {
        const Answer answer = lab.ask(get("/x", 2s));
        EXPECT_TRUE(answer.ok()) << answer.why;
      }
      const Answer written = lab.ask(put("/x"));
      EXPECT_TRUE(written.ok()) << written.why << written.body;
      const auto watch = lab.watch(get("/w", 2s));
      lab.until([&] { return watch->end.has_value(); });
      EXPECT_EQ(watch->end->status, 200U) << watch->end->why;
    }
  }
}

TEST_F(KubeClient, WithoutAnyServerItSaysWhichOnesWereTried) {
  const HttpUrl a{true, "127.0.0.1", free_port()}, b{true, "localhost", free_port()};
  ClientLab lab(access({a, b}));
  const Answer answer = lab.ask(put("/x"));
  EXPECT_EQ(answer.kind, Kind::NotSent);
  EXPECT_THAT(answer.why, HasSubstr("Connection refused; is it running, and reachable"));
  EXPECT_THAT(lab.troubles(), HasSubstr(herald::to_string(a)));
  EXPECT_THAT(lab.troubles(), HasSubstr(herald::to_string(b)));
  EXPECT_THAT(lab.ask(put("/x")).why, HasSubstr("Connection refused"));
}

TEST_F(KubeClient, ServerErrorsGoToTheCallerAndTheServerIsAskedAgain) {
  int failures = 3;  // under the server's lock
  Server server(
      [&](const Heard&) {
        return --failures >= 0 ? Reply::json(refusal(500, "etcdserver: leader changed"), "500 Oh")
                               : Reply::json("{}");
      },
      tls());
  ClientLab lab(access({server.url()}));
  for (int i = 0; i < 3; ++i) {
    const Answer answer = lab.ask(i == 1 ? get("/x") : put("/x"));
    EXPECT_EQ(answer.kind, Kind::Answered);
    EXPECT_EQ(answer.status, 500U);
    EXPECT_THAT(answer.body, HasSubstr("leader changed"));
  }
  EXPECT_TRUE(lab.ask(put("/x")).ok());
  EXPECT_EQ(server.connections(), 2);
}

}  // namespace
}  // namespace herald::kube
