// Each transition of the reflector, told one answer at a time.
#include "kube/reflector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace herald::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string object(const std::string& name, int version, const std::string& uid = "u") {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"d","uid":")" + uid +
         R"(","resourceVersion":")" + std::to_string(version) + R"("}})";
}
std::string page(int version, const std::vector<std::string>& items,
                 const std::string& token = "") {
  return R"({"metadata":{"resourceVersion":")" + std::to_string(version) + R"(","continue":")" +
         token + R"("},"items":[)" + join(items, ",") + "]}";
}
std::string line(const std::string& type, const std::string& item) {
  return R"({"type":")" + type + R"(","object":)" + item + "}";
}
std::string bookmark(int version, bool end = false) {
  return line("BOOKMARK",
              R"({"metadata":{"resourceVersion":")" + std::to_string(version) + R"(")" +
                  (end ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "") + "}}");
}
std::string expired(const std::string& reason = "Expired") {
  return line("ERROR",
              R"({"kind":"Status","code":410,"message":"too old","reason":")" + reason + R"("})");
}

// A reflector, and the words that it says.
struct Story {
  explicit Story(bool streams = false,
                 std::vector<Resource> versions = {{"", "v1", "services", "Service", true}})
      : reflector({.versions = std::move(versions), .page = 2, .stream_lists = streams}, Rng(7)) {
    reflector.start(now);
    look();
  }
  void look() {
    for (Ask& ask : reflector.take_asks()) {
      if (ask.kind == Ask::Kind::Cancel) {
        said.push_back("cancel");
      } else {
        last = ask;
        const bool list = ask.kind == Ask::Kind::List;
        const bool stream = ask.path.find("sendInitialEvents=true") != std::string::npos;
        said.emplace_back(list ? "list" : stream ? "stream" : "watch");
      }
    }
    for (const Change& change : reflector.take_changes()) {
      if (const auto* put = std::get_if<Put>(&change)) {
        said.push_back("+" + put->ref.name + "@" + put->metadata.resource_version);
      } else if (const auto* gone = std::get_if<Gone>(&change)) {
        said.push_back("-" + gone->ref.name);
        last_words = gone->text;
      } else {
        said.emplace_back("synced");
      }
    }
  }
  void reply(unsigned status, const std::string& body = "") {
    Reply answer{.status = status, .body = body, .retry_after = {}, .why = ""};
    if (status == 0) answer.why = "connection cut";
    reflector.on_reply(last.id, answer, now);
    look();
  }
  void hear(const std::string& text) {
    reflector.on_line(last.id, text, now);
    look();
  }
  // To its next deadline; how long that was.
  Duration wait() {
    const Duration pause = std::max(*reflector.next_deadline() - now, Duration(0s));
    now += pause;
    reflector.tick(now);
    look();
    return pause;
  }
  // Listed a and b at version 10, and watching.
  Story& watching() {
    reply(200, page(10, {object("a", 3), object("b", 4)}));
    said.clear();
    return *this;
  }
  std::vector<std::string> take() { return std::exchange(said, {}); }

  Instant now{100s};
  Reflector reflector;
  Ask last;
  std::vector<std::string> said;
  std::string last_words;  // of what is gone
};

TEST(Reflector, ListsInPagesThenWatchesFromThere) {
  Story s;
  EXPECT_EQ(s.last.path, "/api/v1/services?limit=2");
  s.reply(200, page(10, {object("a", 3), object("b", 4)}, "t1"));
  EXPECT_EQ(s.last.path, "/api/v1/services?limit=2&continue=t1");
  EXPECT_FALSE(s.reflector.synced());
  s.reply(200, page(10, {object("c", 5)}));
  EXPECT_THAT(s.take(), ElementsAre("list", "list", "+a@3", "+b@4", "watch", "+c@5", "synced"));
  EXPECT_TRUE(s.reflector.synced());
  EXPECT_THAT(s.last.path, HasSubstr("resourceVersion=10&"));
  EXPECT_THAT(s.last.path, HasSubstr("allowWatchBookmarks=true"));
}

TEST(Reflector, TheSelectorGoesWithEveryRequest) {
  Reflector r({.versions = {{"", "v1", "services", "Service", true}},
               .selector = "labelSelector=x",
               .stream_lists = false},
              Rng(1));
  r.start(Instant{1s});
  EXPECT_THAT(r.take_asks().at(0).path, HasSubstr("/services?labelSelector=x&limit="));
}

TEST(Reflector, ANamespaceIsAllThatIsAsked) {
  Reflector r(
      {.versions = {{"", "v1", "services", "Service", true}}, .stream_lists = false, .ns = "home"},
      Rng(1));
  r.start(Instant{1s});
  EXPECT_THAT(r.take_asks().at(0).path, HasSubstr("/api/v1/namespaces/home/services?limit="));
}

TEST(Reflector, WhatIsGoneIsToldAsItWas) {
  Story s;
  s.watching();
  s.hear(line("DELETED", object("b", 13)));
  EXPECT_EQ(s.last_words, object("b", 13));
  s.hear(expired());
  s.wait();
  s.reply(200, page(20, {}));
  EXPECT_THAT(s.take(), ElementsAre("-b", "cancel", "list", "watch", "-a"));
  EXPECT_EQ(s.last_words, "") << "nobody knows";
}

TEST(Reflector, AWatchThatIsSuspectedIsResumed) {
  Story s;
  s.watching();
  s.hear(line("MODIFIED", object("a", 11)));
  s.take();
  s.reflector.suspect(s.now);
  s.look();
  EXPECT_THAT(s.take(), ElementsAre("cancel", "watch"));
  EXPECT_THAT(s.last.path, HasSubstr("resourceVersion=11&"));
  s.reply(503);
  s.reflector.suspect(s.now);
  EXPECT_EQ(s.wait(), 0s);
  EXPECT_THAT(s.take(), ElementsAre("watch"));
}

TEST(Reflector, TellsWhatTheWatchTells) {
  Story s;
  s.watching();
  s.hear(line("MODIFIED", object("a", 11)));
  s.hear(line("ADDED", object("c", 12)));
  s.hear(line("DELETED", object("b", 13)));
  s.hear(line("DELETED", object("never-seen", 14)));
  EXPECT_THAT(s.take(), ElementsAre("+a@11", "+c@12", "-b"));
  s.reply(200);
  s.wait();
  EXPECT_THAT(s.last.path, HasSubstr("resourceVersion=14&"));
}

TEST(Reflector, ResumesFromTheLastBookmark) {
  Story s;
  s.watching();
  s.now += 10s;
  s.hear(bookmark(77));
  s.reply(200);  // the server ends it in good order
  EXPECT_LE(s.wait(), 1s);
  EXPECT_THAT(s.take(), ElementsAre("watch"));
  EXPECT_THAT(s.last.path, HasSubstr("resourceVersion=77&"));
}

TEST(Reflector, WhatIsOlderThanWhatItKnowsIsPassedOver) {
  Story s;
  s.watching();
  s.hear(line("MODIFIED", object("a", 20)));
  s.take();
  s.hear(line("MODIFIED", object("a", 19)));
  s.hear(line("DELETED", object("a", 18)));
  s.hear(line("MODIFIED", object("a", 20)));
  EXPECT_THAT(s.take(), IsEmpty());
  s.reply(0);
  s.wait();
  EXPECT_THAT(s.last.path, HasSubstr("resourceVersion=20&"));
}

TEST(Reflector, An410RelistsWithoutForgetting) {
  for (const bool by_line : {true, false}) {
    Story s;
    s.watching();
    if (by_line) {
      s.hear(expired());
      EXPECT_THAT(s.take(), ElementsAre("cancel"));
    } else {
      s.reply(410, R"({"kind":"Status","code":410,"reason":"Expired"})");
    }
    EXPECT_LE(s.wait(), 500ms);
    EXPECT_THAT(s.take(), ElementsAre("list"));
    s.reply(200, page(30, {object("b", 4)}, "t"));
    s.reply(200, page(30, {object("d", 29)}));
    EXPECT_THAT(s.take(), ElementsAre("list", "watch", "+d@29", "-a"));
    EXPECT_EQ(s.reflector.trouble(), "");
  }
}

TEST(Reflector, AListThatFailsInTheMiddleLosesNothing) {
  for (const unsigned status : {0U, 410U, 500U, 403U, 429U}) {
    Story s;
    s.watching();
    s.hear(expired());
    s.wait();
    s.reply(200, page(30, {object("b", 4)}, "t"));
    s.take();
    s.reply(status);
    EXPECT_THAT(s.take(), IsEmpty()) << status;  // nothing is gone
    s.wait();
    s.reply(200, page(31, {object("a", 3), object("b", 4)}));
    EXPECT_THAT(s.take(), ElementsAre("list", "watch")) << status;
  }
}

TEST(Reflector, AnExpiredTokenIsMetWithLargerPages) {
  Story s;
  s.reply(200, page(30, {object("b", 4)}, "t"));
  s.reply(410);
  s.wait();
  EXPECT_EQ(s.last.path, "/api/v1/services?limit=8");
}

TEST(Reflector, AStaleListIsNotBelievedUntilItInsists) {
  Story s;
  s.watching();
  s.hear(line("MODIFIED", object("a", 50)));
  s.hear(expired());
  s.wait();
  s.take();
  for (int i = 0; i < 4; ++i) {
    s.reply(200, page(40, {}));
    EXPECT_THAT(s.take(), IsEmpty());
    s.wait();
    EXPECT_THAT(s.take(), ElementsAre("list"));
  }
  EXPECT_THAT(s.reflector.trouble(), HasSubstr("older than what was seen"));
  s.reply(200, page(40, {object("a", 33)}));  // restored from a backup
  EXPECT_THAT(s.take(), ElementsAre("watch", "+a@33", "-b"));
  EXPECT_THAT(s.last.path, HasSubstr("resourceVersion=40&"));
  s.hear(line("MODIFIED", object("a", 41)));
  EXPECT_THAT(s.take(), ElementsAre("+a@41"));
}

TEST(Reflector, AStreamIsAListAndThenAWatch) {
  Story s(true);
  EXPECT_THAT(s.last.path, HasSubstr("sendInitialEvents=true&resourceVersionMatch=NotOlderThan"));
  EXPECT_THAT(s.last.path, Not(HasSubstr("resourceVersion=")));
  s.hear(line("ADDED", object("a", 3)));
  EXPECT_FALSE(s.reflector.synced());
  s.hear(bookmark(10, true));
  s.hear(line("MODIFIED", object("a", 12)));
  EXPECT_THAT(s.take(), ElementsAre("stream", "+a@3", "synced", "+a@12"));
  // Streamed again after 410: what is not in it any more is gone.
  s.hear(expired());
  s.wait();
  s.hear(line("ADDED", object("b", 20)));
  s.hear(bookmark(21, true));
  EXPECT_THAT(s.take(), ElementsAre("cancel", "stream", "+b@20", "-a"));
}

TEST(Reflector, AStaleStreamIsNotBelievedUntilItInsists) {
  Story s(true);
  s.hear(line("ADDED", object("a", 90)));
  s.hear(bookmark(100, true));
  s.take();
  s.hear(expired());
  for (int i = 0; i < 5; ++i) {
    s.wait();
    EXPECT_THAT(s.take(), ElementsAre("cancel", "stream"));
    s.hear(line("ADDED", object("b", 40)));
    s.take();
    s.hear(bookmark(50, true));
    EXPECT_EQ(s.reflector.size(), 2U);
  }
  s.wait();
  s.hear(line("ADDED", object("b", 40)));
  s.hear(bookmark(50, true));
  EXPECT_THAT(s.take(), ElementsAre("cancel", "stream", "+b@40", "-a"));
}

TEST(Reflector, AServerWithoutStreamsGetsLists) {
  struct Case {
    const char* what;
    std::function<void(Story&)> server;
  };
  for (const Case& c : {
           Case{"refuses: unknown parameter", [](Story& s) { s.reply(400); }},
           {"refuses: the feature is off", [](Story& s) { s.reply(422); }},
           {"ignores it, and sends an ordinary bookmark",
            [](Story& s) {
              s.hear(line("ADDED", object("a", 3)));
              s.hear(bookmark(10));
            }},
           {"ignores it, and is quiet",
            [](Story& s) {
              s.hear(line("ADDED", object("a", 3)));
              s.wait();
            }},
           {"has an etcd that is too old",
            [](Story& s) {
              s.hear(line("ERROR",
                          R"({"kind":"Status","code":500,"message":"RequestWatchProgress"})"));
            }},
           {"ends it early, again and again",
            [](Story& s) {
              for (int i = 0; i < 3; ++i) {
                s.hear(line("ADDED", object("a", 3)));
                s.reply(200);
                s.wait();
              }
            }},
       }) {
    Story s(true);
    c.server(s);
    EXPECT_EQ(s.last.path, "/api/v1/services?limit=2") << c.what;
    EXPECT_FALSE(s.reflector.synced()) << c.what;
    s.reply(200, page(10, {object("a", 3)}));
    EXPECT_TRUE(s.reflector.synced()) << c.what;
    s.hear(expired());
    s.wait();
    EXPECT_EQ(s.last.kind, Ask::Kind::List) << c.what;
  }
}

TEST(Reflector, AServerThatIsDownDoesNotEndStreams) {
  Story s(true);
  for (int i = 0; i < 10; ++i) {
    s.reply(0);
    s.wait();
  }
  EXPECT_THAT(s.last.path, HasSubstr("sendInitialEvents"));
  EXPECT_THAT(s.reflector.trouble(), HasSubstr("cannot be read: connection cut"));
}

TEST(Reflector, AServerThatIsDownForLongIsNotAskedForANewList) {
  for (const unsigned status : {0U, 429U, 503U}) {
    Story s;
    s.watching();
    Duration longest{};
    for (int i = 0; i < 20; ++i) {
      s.reply(status);
      longest = std::max(longest, s.wait());
    }
    EXPECT_THAT(s.take(), Not(::testing::Contains("list"))) << status;
    // Who is not there is looked for more often than who has too much to do.
    EXPECT_GE(longest, status == 0 ? 8s : 15s) << status;
    EXPECT_LE(longest, status == 0 ? 12s : 45s) << status;
    EXPECT_THAT(s.reflector.trouble(), HasSubstr("as they were last seen")) << status;
    EXPECT_TRUE(s.reflector.synced());
    s.hear(bookmark(12));
    EXPECT_EQ(s.reflector.trouble(), "");
  }
}

TEST(Reflector, AWatchThatCannotResumeIsListedAnew) {
  const std::string error =
      line("ERROR", R"({"kind":"Status","code":504,"message":"Too large resource version"})");
  for (const std::string& fault :
       {error, std::string("{\"type\":\"ADDED\",\"obj"), line("ADDED", R"({"metadata":{}})")}) {
    Story s;
    s.watching();
    for (int i = 0; i < 3; ++i) {
      s.hear(fault);
      s.wait();
      EXPECT_THAT(s.take(), ElementsAre("cancel", "watch"));
    }
    s.hear(fault);
    s.wait();
    EXPECT_THAT(s.take(), ElementsAre("cancel", "list"));
  }
}

TEST(Reflector, RefusedForWantOfRightsIsSaidAndRetriedSlowly) {
  Story s;
  s.reply(403, R"({"kind":"Status","code":403,"message":"forbidden: User \"x\" cannot list"})");
  EXPECT_TRUE(s.reflector.refused());
  EXPECT_THAT(s.reflector.trouble(), HasSubstr("verbs list and watch on services"));
  EXPECT_THAT(s.reflector.trouble(), HasSubstr("cannot list"));
  // A server that has just started may not know its roles yet; one that knows them is left alone.
  EXPECT_LE(s.wait(), 3s);
  for (int i = 0; i < 5; ++i) {
    s.reply(403);
    s.wait();
  }
  s.reply(403);
  EXPECT_GE(s.wait(), 60s);
  s.reply(403);
  s.reflector.poke(s.now);  // the rights may be there now
  EXPECT_EQ(s.wait(), 0s);
  s.reply(200, page(10, {}));
  EXPECT_FALSE(s.reflector.refused());
  EXPECT_TRUE(s.reflector.synced());
}

TEST(Reflector, TheServersWishToWaitIsKept) {
  Story s;
  s.reflector.on_reply(s.last.id, {.status = 429, .body = "", .retry_after = 20s, .why = ""},
                       s.now);
  EXPECT_GE(s.wait(), 20s);
}

TEST(Reflector, VersionsAreTriedInOrderThenItIsAbsent) {
  Story s(false, {{"x.io", "v2", "pools", "Pool", false}, {"x.io", "v1", "pools", "Pool", false}});
  EXPECT_EQ(s.last.path, "/apis/x.io/v2/pools?limit=2");
  s.reply(404);
  s.wait();
  EXPECT_EQ(s.last.path, "/apis/x.io/v1/pools?limit=2");
  s.reply(404);
  EXPECT_TRUE(s.reflector.absent());
  EXPECT_GE(s.wait(), 45s);
  EXPECT_EQ(s.last.path, "/apis/x.io/v2/pools?limit=2");
  s.reply(404);
  s.wait();
  s.reply(200, page(10, {object("a", 3)}));
  EXPECT_FALSE(s.reflector.absent());
  s.take();
  // The better version comes: the same objects, by another path.
  s.reflector.prefer_first_version(s.now);
  s.wait();
  s.reply(200, page(12, {object("a", 3)}));
  EXPECT_THAT(s.take(), ElementsAre("cancel", "list", "watch", "+a@3", "-a"));
  EXPECT_EQ(s.reflector.resource().version.view(), "v2");
}

TEST(Reflector, AKindThatIsNotServedAnyMoreIsKept) {
  Story s;
  s.watching();
  s.reply(404);
  EXPECT_TRUE(s.reflector.absent());
  EXPECT_THAT(s.take(), IsEmpty());
  EXPECT_THAT(s.reflector.trouble(), HasSubstr("is kept"));
  s.reflector.forget();  // its definition is gone, too
  s.look();
  EXPECT_THAT(s.take(), ElementsAre("-a", "-b"));
  EXPECT_FALSE(s.reflector.synced());
  EXPECT_FALSE(s.reflector.next_deadline());
}

TEST(Reflector, ADeadWatchIsFoundByTheBookmarksThatDoNotCome) {
  Story s;
  s.watching();
  s.hear(bookmark(11));
  EXPECT_EQ(s.wait(), 150s);
  EXPECT_THAT(s.take(), ElementsAre("cancel", "watch"));
  EXPECT_THAT(s.last.path, HasSubstr("resourceVersion=11&"));
}

TEST(Reflector, AServerWithoutBookmarksIsNotAskedAgainAllTheTime) {
  Story s;
  s.watching();
  EXPECT_EQ(s.wait(), 5min);
  EXPECT_THAT(s.take(), ElementsAre("cancel", "watch"));
  EXPECT_GE(s.wait(), 15min);
}

TEST(Reflector, AServerThatIsBackIsAskedSoon) {
  Story s;
  s.watching();
  for (int i = 0; i < 8; ++i) {  // for a minute, there is no answer
    s.reply(0);
    EXPECT_LE(s.wait(), 12s) << i;
  }
  EXPECT_TRUE(s.reflector.unreached());
  // It has forgotten what it sent before: that is no further failure.
  s.reply(410);
  EXPECT_FALSE(s.reflector.unreached());
  EXPECT_LE(s.wait(), 500ms);
  s.reply(200, page(20, {}));
  EXPECT_EQ(s.reflector.trouble(), "");
}

TEST(Reflector, ThatOthersReachTheServerEndsAWait) {
  Story s;
  s.watching();
  for (int i = 0; i < 8; ++i) {
    s.reply(0);
    if (i < 7) s.wait();
  }
  s.reflector.reached(s.now);
  EXPECT_LE(s.wait(), 3s);
  // A wait for another reason goes on.
  for (int i = 0; i < 8; ++i) {
    s.reply(500);
    if (i < 7) s.wait();
  }
  s.reflector.reached(s.now);
  EXPECT_GT(s.wait(), 3s);
}

TEST(Reflector, WatchesThatEndAtOnceAreNotAskedForAllTheTime) {
  Story s;
  s.watching();
  Duration all{};
  for (int i = 0; i < 10; ++i) {
    s.reply(200);
    all += s.wait();
  }
  EXPECT_GE(all, 60s);
  EXPECT_THAT(s.take(), Not(::testing::Contains("list")));
}

TEST(Reflector, ALateAnswerToWhatWasGivenUpIsIgnored) {
  Story s;
  const Ask first = s.last;
  s.wait();  // no answer in time
  s.wait();
  EXPECT_THAT(s.take(), ElementsAre("list", "cancel", "list"));
  s.reflector.on_reply(first.id, {.status = 200, .body = page(10, {object("a", 3)})}, s.now);
  s.look();
  EXPECT_THAT(s.take(), IsEmpty());
}

TEST(Reflector, AListThatIsNoListIsAskedForAgain) {
  for (const std::string& body :
       {std::string("<html>"), page(5, {object("a", 3)}).substr(0, 60), page(5, {"{}"}),
        page(5, {R"({"metadata":{}})"}), std::string(R"({"metadata":{},"items":[]})")}) {
    Story s;
    s.watching();
    s.hear(expired());
    s.wait();
    s.take();
    s.reply(200, body);
    EXPECT_THAT(s.take(), IsEmpty()) << body;
    s.wait();
    EXPECT_THAT(s.take(), ElementsAre("list")) << body;
  }
}

TEST(Reflector, AListThatNeverEndsIsGivenUp) {
  Story s;
  s.reply(200, page(10, {object("a", 3)}, "t"));
  s.reply(200, page(10, {object("b", 3)}, "t"));
  EXPECT_THAT(s.take(), ElementsAre("list", "list", "+a@3", "+b@3"));
  s.wait();
  EXPECT_EQ(s.last.path, "/api/v1/services?limit=2");
}

}  // namespace
}  // namespace herald::kube
