// Which kinds are watched, and when what is there counts as known.
#include "kube/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace herald::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

SourceKind kind(Literal group, const std::vector<Literal>& versions, Literal plural,
                SourceKind::Presence presence) {
  SourceKind out;
  for (const Literal v : versions) out.versions.push_back({group, v, plural, plural, false});
  out.presence = presence;
  return out;
}

std::vector<SourceKind> kinds() {
  return {kind("", {"v1"}, "nodes", SourceKind::Presence::Required),
          kind("x.io", {"v2", "v1"}, "pools", SourceKind::Presence::ByCrd),
          kind("x.io", {"v1"}, "peers", SourceKind::Presence::ByCrd)};
}

std::string object(const std::string& name, int version) {
  return R"({"metadata":{"name":")" + name + R"(","uid":"u","resourceVersion":")" +
         std::to_string(version) + R"("}})";
}

// A server that has lists only, and answers by path.
struct World {
  World() { sources.start(now); }

  static std::string resource_of(const std::string& path) { return path.substr(0, path.find('?')); }
  // Answers all that is asked until nothing is, or nobody answers.
  void run() {
    for (bool busy = true; busy;) {
      busy = false;
      for (SourceAsk& asked : sources.take_asks()) {
        const std::string what = resource_of(asked.ask.path);
        if (asked.ask.kind == Ask::Kind::Cancel) continue;
        EXPECT_EQ(asked.metadata_only, what == kDefinitions);
        const bool stream = asked.ask.path.find("sendInitialEvents") != std::string::npos;
        if (stream) {
          sources.on_reply(asked.ask.id, {.status = 422}, now);
        } else if (asked.ask.kind == Ask::Kind::Watch) {
          watches[what] = asked.ask.id;
        } else {
          asked_for[what] += 1;
          sources.on_reply(asked.ask.id, answer(what), now);
        }
        busy = true;
      }
      for (const SourceChange& changed : sources.take_changes()) {
        const std::string name = changed.kind->name();
        if (const auto* put = std::get_if<Put>(&changed.change)) {
          said.push_back("+" + put->ref.resource.version.str() + "/" + name + "/" + put->ref.name);
        } else if (const auto* gone = std::get_if<Gone>(&changed.change)) {
          said.push_back("-" + gone->ref.resource.version.str() + "/" + name + "/" +
                         gone->ref.name);
        } else {
          said.push_back("synced " + name);
        }
      }
      if (!busy && sources.next_deadline() && *sources.next_deadline() <= now) {
        sources.tick(now);
        busy = true;
      }
    }
  }
  Reply answer(const std::string& path) {
    const auto at = lists.find(path);
    if (at == lists.end()) return {.status = refusal};
    if (at->second.size() == 1 && at->second[0] == "403") return {.status = 403};
    ++version;
    return {.status = 200,
            .body = R"({"metadata":{"resourceVersion":")" + std::to_string(version) +
                    R"("},"items":[)" + join(at->second, ",") + "]}"};
  }
  void hear(const std::string& path, const std::string& type, const std::string& what) {
    sources.on_line(watches.at(path), R"({"type":")" + type + R"(","object":)" + what + "}", now);
    run();
  }
  void pass(Duration time) {
    for (const Instant until = now + time; now < until; now += 1s) {
      sources.tick(now);
      run();
    }
  }
  std::vector<std::string> take() { return std::exchange(said, {}); }

  static constexpr const char* kDefinitions =
      "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  Instant now{100s};
  int version = 100;
  unsigned refusal = 404;
  std::map<std::string, std::vector<std::string>> lists;
  std::map<std::string, std::uint64_t> watches;
  std::map<std::string, int> asked_for;
  std::vector<std::string> said;
  Sources sources{kinds(), Rng(1)};
};

TEST(Sources, OptionalKindsComeAndGoWithTheirDefinitions) {
  World w;
  w.lists[World::kDefinitions] = {object("pools.x.io", 5), object("other.y.io", 6)};
  w.lists["/api/v1/nodes"] = {object("n1", 7)};
  w.lists["/apis/x.io/v1/pools"] = {object("a", 8)};
  w.run();
  EXPECT_TRUE(w.sources.settled());
  EXPECT_THAT(w.take(), UnorderedElementsAre("+v1/nodes/n1", "synced nodes", "+v1/pools.x.io/a",
                                             "synced pools.x.io"));
  EXPECT_THAT(w.sources.present(), ElementsAre("pools.x.io"));
  EXPECT_EQ(w.asked_for.count("/apis/x.io/v1/peers"), 0U);
  // Another is installed.
  w.lists["/apis/x.io/v1/peers"] = {object("p", 200)};
  w.hear(World::kDefinitions, "ADDED", object("peers.x.io", 301));
  EXPECT_THAT(w.take(), ElementsAre("+v1/peers.x.io/p", "synced peers.x.io"));
  // A better version is served.
  w.lists["/apis/x.io/v2/pools"] = w.lists["/apis/x.io/v1/pools"];
  w.hear(World::kDefinitions, "MODIFIED", object("pools.x.io", 302));
  EXPECT_THAT(w.take(), ElementsAre("+v2/pools.x.io/a", "-v1/pools.x.io/a"));
  // One is removed, and its objects with it.
  w.hear(World::kDefinitions, "DELETED", object("peers.x.io", 303));
  EXPECT_THAT(w.take(), ElementsAre("-v1/peers.x.io/p"));
  EXPECT_THAT(w.sources.present(), ElementsAre("pools.x.io"));
}

TEST(Sources, ADefinitionThatIsNotServedYetIsPickedUpWhenItIs) {
  World w;
  w.lists[World::kDefinitions] = {object("pools.x.io", 5)};
  w.lists["/api/v1/nodes"] = {};
  w.run();
  EXPECT_TRUE(w.sources.settled());
  EXPECT_THAT(w.sources.present(), IsEmpty());
  w.take();
  w.lists["/apis/x.io/v2/pools"] = {object("a", 8)};
  w.hear(World::kDefinitions, "MODIFIED", object("pools.x.io", 302));  // Established
  EXPECT_THAT(w.take(), ElementsAre("+v2/pools.x.io/a", "synced pools.x.io"));
}

TEST(Sources, NothingIsKnownBeforeWhatIsRequiredIsListed) {
  World w;
  w.lists[World::kDefinitions] = {};
  w.lists["/api/v1/nodes"] = {"403"};
  w.pass(300s);
  EXPECT_FALSE(w.sources.settled());
  EXPECT_THAT(w.sources.unread().at("/api/v1/nodes"), HasSubstr("list and watch on nodes"));
  EXPECT_THAT(w.sources.troubles(), ElementsAre(HasSubstr("nodes cannot be read")));
  w.lists["/api/v1/nodes"] = {};
  w.pass(80s);
  EXPECT_TRUE(w.sources.settled());
  EXPECT_THAT(w.sources.unread(), IsEmpty());
  EXPECT_THAT(w.sources.troubles(), IsEmpty());
}

TEST(Sources, AnOptionalKindThatMayNotBeReadIsUnknownNotEmpty) {
  World w;
  w.lists[World::kDefinitions] = {object("pools.x.io", 5)};
  w.lists["/api/v1/nodes"] = {};
  w.lists["/apis/x.io/v2/pools"] = {"403"};
  w.run();
  EXPECT_TRUE(w.sources.settled());
  EXPECT_EQ(w.sources.unread().count("/apis/x.io/v2/pools"), 1U);
}

TEST(Sources, WithoutDefinitionsEachKindIsAskedForNowAndThen) {
  World w;
  w.lists[World::kDefinitions] = {"403"};
  w.lists["/api/v1/nodes"] = {};
  w.lists["/apis/x.io/v1/pools"] = {object("a", 8)};
  w.run();
  EXPECT_TRUE(w.sources.settled());
  EXPECT_THAT(w.sources.present(), ElementsAre("pools.x.io"));
  w.take();
  w.pass(3600s);
  EXPECT_LE(w.asked_for["/apis/x.io/v1/peers"], 12);  // not there: seldom asked for
  w.lists["/apis/x.io/v1/peers"] = {object("p", 200)};
  w.pass(1200s);
  EXPECT_THAT(w.take(), ElementsAre("+v1/peers.x.io/p", "synced peers.x.io"));
  // The right to list definitions is given: what is not defined goes.
  w.lists[World::kDefinitions] = {object("peers.x.io", 5)};
  w.pass(80s);
  EXPECT_THAT(w.take(), ElementsAre("-v1/pools.x.io/a"));
  EXPECT_THAT(w.sources.present(), ElementsAre("peers.x.io"));
}

TEST(Sources, WithoutDefinitionsAKindThatIsGoneForLongIsGone) {
  World w;
  w.lists[World::kDefinitions] = {"403"};
  w.lists["/api/v1/nodes"] = {};
  w.lists["/apis/x.io/v1/pools"] = {object("a", 8)};
  w.run();
  w.take();
  w.lists.erase("/apis/x.io/v1/pools");
  w.sources.on_reply(w.watches.at("/apis/x.io/v1/pools"), {.status = 404}, w.now);
  w.pass(60s);
  EXPECT_THAT(w.take(), IsEmpty());  // a server that starts says so, too
  w.pass(600s);
  EXPECT_THAT(w.take(), ElementsAre("-v1/pools.x.io/a"));
}

TEST(Sources, TheTableHasEachKindOnce) {
  std::map<std::string, int> names;
  for (const SourceKind& k : source_kinds()) {
    names[k.name()] += 1;
    EXPECT_TRUE(k.wanted || k.observed) << k.name();
    for (const Resource& r : k.versions) EXPECT_EQ(name_of(r), k.name());
  }
  for (const auto& [name, times] : names) EXPECT_EQ(times, 1) << name;
}

}  // namespace
}  // namespace herald::kube
