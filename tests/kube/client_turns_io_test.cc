// Which of a client's requests goes first, who waits, and watches.
#include <gmock/gmock.h>

#include "tests/kube/client_lab.h"

namespace herald::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = Answer::Kind;
using Priority = Request::Priority;

// ---- turns

TEST_F(KubeClient, WhoIsTooBusyIsLeftAloneExceptForLeases) {
  bool busy = true;  // under the server's lock
  Server server(
      [&](const Heard& heard) {
        if (heard.says("PUT /write") && std::exchange(busy, false)) {
          return Reply::json(refusal(429, "too many"), "429 Too Many Requests",
                             "Retry-After: 1\r\n");
        }
        return Reply::json("{}");
      },
      tls());
  ClientLab lab(access({server.url()}));
  const Answer first = lab.ask(put("/write/1"));
  EXPECT_EQ(first.status, 429U);
  EXPECT_EQ(first.retry_after, 1s);
  EXPECT_THAT(lab.troubles(), HasSubstr("(429): too many"));
  const auto held = lab.call(put("/write/2"));
  const Answer hopeless = lab.ask(put("/write/3", 100ms));
  EXPECT_EQ(hopeless.kind, Kind::NotSent);
  EXPECT_THAT(hopeless.why, HasSubstr("waited for its turn"));
  EXPECT_TRUE(lab.ask(put("/lease", 2s, Priority::Lease)).ok());
  EXPECT_TRUE(lab.ask(get("/read", 2s)).ok());
  EXPECT_FALSE(held->has_value());
  lab.until([&] { return held->has_value(); });
  EXPECT_TRUE((*held)->ok());
  std::vector<std::string> order;
  for (const Heard& heard : server.heard()) {
    order.push_back(heard.head.substr(0, heard.head.find(" HTTP")));
  }
  EXPECT_THAT(order, ElementsAre("PUT /write/1", "PUT /lease", "GET /read", "PUT /write/2"));
  EXPECT_EQ(lab.troubles(), "");
}

TEST_F(KubeClient, WithoutAWordOrWithADateASecondIsWaited) {
  for (const char* field : {"", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n",
                            "Retry-After: -1\r\n", "Retry-After: 99999999999999999999\r\n"}) {
    Server server([&](const Heard&) { return Reply::json("", "429 Too Many Requests", field); },
                  tls());
    ClientLab lab(access({server.url()}));
    EXPECT_EQ(lab.ask(get("/x")).retry_after, 1s) << field;
  }
}

TEST_F(KubeClient, AWatchIsNotOpenedWhileReadsAreHeld) {
  bool busy = true;  // under the server's lock
  Server server(
      [&](const Heard&) {
        return std::exchange(busy, false)
                   ? Reply::json("", "429 Too Many Requests", "Retry-After: 1\r\n")
                   : Reply::lines("{}\n", true);
      },
      tls());
  ClientLab lab(access({server.url()}));
  const auto refused = lab.watch(get("/w"));
  lab.until([&] { return refused->end.has_value(); });
  EXPECT_EQ(refused->end->status, 429U);
  const auto late = lab.watch(get("/w", 100ms)), held = lab.watch(get("/w"));
  lab.until([&] { return late->end.has_value(); });
  EXPECT_EQ(late->end->kind, Kind::NotSent);
  EXPECT_EQ(server.heard().size(), 1U);
  lab.until([&] { return held->end.has_value(); });
  EXPECT_THAT(held->lines, ElementsAre("{}"));
  EXPECT_EQ(held->end->kind, Kind::Answered);
  EXPECT_EQ(held->end->status, 200U);
}

TEST_F(KubeClient, AWatchThatTellsEndsTheTroubleOfTheListsBefore) {
  bool busy = true;  // under the server's lock
  Server server(
      [&](const Heard&) {
        return std::exchange(busy, false)
                   ? Reply::json(refusal(429, "storage is (re)initializing"),
                                 "429 Too Many Requests", "Retry-After: 1\r\n")
                   : Reply::lines("{}\n", false);
      },
      tls());
  ClientLab lab(access({server.url()}));
  EXPECT_EQ(lab.ask(get("/list")).status, 429U);
  EXPECT_THAT(lab.troubles(), HasSubstr("(re)initializing"));
  const auto watch = lab.watch(get("/w"));
  lab.until([&] { return !watch->lines.empty(); });
  EXPECT_FALSE(watch->end.has_value());
  EXPECT_EQ(lab.troubles(), "");
}

TEST_F(KubeClient, LeasesPassWhateverElseWaits) {
  Server server(
      [](const Heard& heard) {
        return heard.says("/lease") ? Reply::json("{}") : Reply::nothing();
      },
      tls());
  ClientLab lab(access({server.url()}));
  std::vector<std::shared_ptr<std::optional<Answer>>> stuck;
  for (int i = 0; i < 40; ++i) {
    stuck.push_back(lab.call(get("/slow/" + std::to_string(i))));
    stuck.push_back(lab.call(put("/slow/" + std::to_string(i))));
  }
  EXPECT_TRUE(lab.ask(put("/lease", 5s, Priority::Lease)).ok());
  lab.until([&] { return server.heard().size() == 13; });
  EXPECT_EQ(server.connections(), 1 + 4 + 8);
  EXPECT_TRUE(lab.ask(put("/lease", 5s, Priority::Lease)).ok());
  EXPECT_EQ(server.connections(), 13);
  for (const auto& one : stuck) EXPECT_FALSE(one->has_value());
}

TEST_F(KubeClient, TooManyThatWaitAreRefusedWithAReason) {
  Server server([](const Heard&) { return Reply::nothing(); }, tls());
  ClientLab lab(access({server.url()}));
  for (int i = 0; i < 260; ++i) lab.call(get("/slow"));
  const Answer refused = lab.ask(get("/one-more"));
  EXPECT_EQ(refused.kind, Kind::NotSent);
  EXPECT_THAT(refused.why, HasSubstr("256 requests wait for the API server"));
}

// ---- watches

TEST_F(KubeClient, AWatchIsLinesUntilEitherSideEndsIt) {
  Server server(
      [](const Heard& heard) {
        if (heard.says("/good")) return Reply::lines("{\"a\":1}\n\n{\"b\":2}\n{\"c\"", true);
        if (heard.says("/open")) return Reply::lines("{}\n");
        return Reply::json(refusal(410, "too old"), "410 Gone");
      },
      tls());
  ClientLab lab(access({server.url()}));
  const auto good = lab.watch(get("/good")), gone = lab.watch(get("/gone")),
             open = lab.watch(get("/open"), 300ms);
  lab.until([&] { return good->end && gone->end && open->end; });
  EXPECT_THAT(good->lines, ElementsAre("{\"a\":1}", "{\"b\":2}"));
  EXPECT_EQ(good->end->kind, Kind::Answered);
  EXPECT_EQ(good->end->status, 200U);
  EXPECT_EQ(gone->end->status, 410U);
  EXPECT_THAT(gone->end->body, HasSubstr("too old"));
  EXPECT_THAT(open->lines, ElementsAre("{}"));
  EXPECT_EQ(open->end->kind, Kind::Unknown);
  EXPECT_THAT(open->end->why, HasSubstr("no word for 300ms"));
  EXPECT_EQ(server.connections(), 3);
}

TEST_F(KubeClient, AWatchCanBeCanceledInEveryState) {
  std::uint16_t deaf_port = 0;
  const UniqueFd deaf = listen_on(deaf_port);  // the kernel accepts, nobody shakes hands
  Server server(
      [](const Heard& heard) {
        if (heard.says("/silent")) return Reply::nothing();
        if (heard.says("/header")) return Reply::lines("");
        if (heard.says("/busy")) {
          return Reply::json("", "429 Too Many Requests", "Retry-After: 60\r\n");
        }
        return Reply::lines("{}\n{}\n");
      },
      tls());
  ClientLab lab(access({server.url()})), unheard(access({{true, "127.0.0.1", deaf_port}}));
  const auto canceled = [](ClientLab& in, const ClientLab::Watched& watch) {
    in.client().cancel(watch.id);
    in.client().cancel(watch.id);  // again is nothing
    in.poll();
    EXPECT_FALSE(watch.end);
  };
  canceled(lab, *lab.watch(get("/lines")));  // not begun
  EXPECT_EQ(server.connections(), 0);
  const auto connecting = unheard.watch(get("/lines"));
  unheard.poll();
  canceled(unheard, *connecting);
  for (const char* path : {"/silent", "/header"}) {
    const auto watch = lab.watch(get(path));
    const auto heard = server.heard().size();
    lab.until([&] { return server.heard().size() > heard; });
    lab.poll();
    canceled(lab, *watch);
  }
  const auto lines = lab.watch(get("/lines"));
  lab.until([&] { return lines->lines.size() == 2; });
  canceled(lab, *lines);

  std::uint64_t id = 0;
  int seen = 0;
  id = lab.client().watch(
      get("/lines"), 0s,
      [&](std::string_view) {
        ++seen;
        lab.client().cancel(id);  // from within
      },
      [](const Answer&) { ADD_FAILURE() << "it was canceled"; });
  lab.until([&] { return seen > 0; });
  lab.poll();
  EXPECT_EQ(seen, 1);

  const auto busy = lab.watch(get("/busy"));
  lab.until([&] { return busy->end.has_value(); });
  const auto held = lab.watch(get("/lines"));
  lab.poll();
  canceled(lab, *held);
  lab.client().cancel(12'345);
}

TEST_F(KubeClient, WhenItGoesNobodyIsAnswered) {
  Server server(
      [](const Heard& heard) {
        return heard.says("/lines") ? Reply::lines("{}\n") : Reply::nothing();
      },
      tls());
  const HttpUrl dead{true, "127.0.0.1", free_port()};
  for (const int steps : {0, 1, 5, 20, 100}) {
    ClientLab lab(access({dead, server.url()}));
    for (int i = 0; i < 10; ++i) {
      const auto fail = [](const Answer&) { ADD_FAILURE() << "it is gone"; };
      lab.client().call(get("/a"), fail);
      lab.client().call(put("/a"), fail);
      lab.client().watch(
          get("/lines"), 1s, [](std::string_view) {}, fail);
    }
    for (int i = 0; i < steps; ++i) lab.poll();
    lab.drop();
    lab.poll();
  }
  // From within an answer.
  Server quick([](const Heard&) { return Reply::json("{}"); }, tls());
  ClientLab lab(access({quick.url()}));
  bool answered = false;
  for (int i = 0; i < 10; ++i) {
    lab.client().call(get("/a"), [&](const Answer&) {
      EXPECT_FALSE(std::exchange(answered, true));
      lab.drop();
    });
  }
  lab.until([&] { return answered; });
  lab.poll();
}

}  // namespace
}  // namespace herald::kube
