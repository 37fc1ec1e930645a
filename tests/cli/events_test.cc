#include "cli/events.h"

#include <gtest/gtest.h>

namespace herald::cli {
namespace {

constexpr const char* kReply =
    R"({"ok":true,"data":{"events":[{"seq":7,"time":"2026-11-21T08:00:00.123Z","age_ms":5,)"
    R"("severity":"warning","message":"member n2 is silent"}],"last":7}})";

TEST(Events, ALineForEachAndWhereToGoOn) {
  const Followed table = follow(Format::Table, kReply, 3);
  EXPECT_EQ(table.answer.out, "2026-11-21T08:00:00.123Z  warning  member n2 is silent\n");
  EXPECT_EQ(table.since, 7u);
  const Followed json = follow(Format::Json, kReply, 3);
  EXPECT_EQ(json.answer.out.front(), '{');
  EXPECT_EQ(json.answer.out.find('\n'), json.answer.out.size() - 1);
}

TEST(Events, ADaemonThatWasRestartedCountsAnew) {
  EXPECT_EQ(follow(Format::Table, R"({"ok":true,"data":{"events":[],"last":2}})", 7).since, 0u);
}

TEST(Events, WhatIsNoReplyIsSaid) {
  for (const char* reply : {"", "{}", R"({"ok":true,"data":{}})", R"({"ok":true,"data":[]})",
                            R"({"ok":true,"data":{"events":{},"last":1}})"}) {
    const Followed said = follow(Format::Table, reply, 3);
    EXPECT_EQ(said.answer.exit_code, kExitUnreachable) << reply;
    EXPECT_FALSE(said.answer.err.empty());
  }
  const Followed refused = follow(Format::Table, R"({"ok":false,"error":"unknown command"})", 3);
  EXPECT_EQ(refused.answer.exit_code, kExitNo);
}

}  // namespace
}  // namespace herald::cli
