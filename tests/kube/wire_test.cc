#include "kube/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace herald::kube {
namespace {

using ::testing::HasSubstr;

TEST(Wire, APageIsReadAsSlices) {
  const std::string body =
      R"({"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"42","continue":"abc"},)"
      R"("items":[{"metadata":{"name":"a"}} , {"metadata":{"name":"b","note":"}]\"{["}}]})";
  const auto page = parse_page(body);
  ASSERT_TRUE(page) << page.error();
  EXPECT_EQ(page->resource_version, "42");
  EXPECT_EQ(page->continue_token, "abc");
  ASSERT_EQ(page->items.size(), 2U);
  EXPECT_EQ(page->items[0], R"({"metadata":{"name":"a"}})");
  EXPECT_EQ(page->items[1], R"({"metadata":{"name":"b","note":"}]\"{["}})");
}

TEST(Wire, AnEmptyListIsNullOrEmpty) {
  for (const char* items : {"null", "[]", " [ ] "}) {
    const std::string body =
        std::string(R"({"metadata":{"resourceVersion":"1"},"items":)") + items + "}";
    const auto page = parse_page(body);
    ASSERT_TRUE(page) << items;
    EXPECT_TRUE(page->items.empty());
  }
}

TEST(Wire, WhatIsNoPageIsRefused) {
  struct Case {
    const char* body;
    const char* why;
  };
  for (const Case& c : {
           Case{"", "no whole JSON object"},
           {"<html>", "no whole JSON object"},
           {"[]", "no whole JSON object"},
           {R"({"items":[]})", "no metadata"},
           {R"({"metadata":{},"items":[]})", "without a resourceVersion"},
           {R"({"metadata":{"resourceVersion":""},"items":[]})", "without a resourceVersion"},
           {R"({"metadata":{"resourceVersion":7},"items":[]})", "without a resourceVersion"},
           {R"({"metadata":{"resourceVersion":"7"}})", "no items"},
           {R"({"metadata":{"resourceVersion":"7"},"items":{}})", "no list"},
           {R"({"metadata":{"resourceVersion":"7"},"items":[]}})", "no whole JSON object"},
           {R"({"metadata":{"resourceVersion":"7"},"items":[}])", "no whole JSON object"},
       }) {
    const auto page = parse_page(c.body);
    ASSERT_FALSE(page) << c.body;
    EXPECT_THAT(page.error(), HasSubstr(c.why)) << c.body;
  }
}

TEST(Wire, EveryTruncationIsFound) {
  const std::string page = R"({"metadata":{"resourceVersion":"42"},"items":[{"a":[1,"x"]},{}]})";
  const std::string line = R"({"type":"ADDED","object":{"metadata":{"name":"a\"b","uid":"u"}}})";
  for (std::size_t n = 0; n < page.size(); ++n) EXPECT_FALSE(parse_page(page.substr(0, n))) << n;
  for (std::size_t n = 0; n < line.size(); ++n) {
    EXPECT_FALSE(parse_watch_line(line.substr(0, n))) << n;
  }
  EXPECT_TRUE(parse_page(page));
  EXPECT_TRUE(parse_watch_line(line));
}

TEST(Wire, DepthIsBounded) {
  const auto nested = [](std::size_t n) {
    return R"({"type":"ADDED","object":{"x":)" + std::string(n, '[') + std::string(n, ']') + "}}";
  };
  EXPECT_TRUE(parse_watch_line(nested(kMaxDepth - 1)));
  EXPECT_FALSE(parse_watch_line(nested(kMaxDepth)));
  EXPECT_FALSE(parse_watch_line(nested(1'000'000)));
}

TEST(Wire, MetadataOfAnObject) {
  const auto m = parse_metadata(
      R"({"kind":"X","metadata":{"name":"n","namespace":"ns","uid":"u-1","resourceVersion":"9",)"
      R"("generation":3,"labels":{"name":"other"},"managedFields":[{"f:name":{}}]},"spec":{}})");
  ASSERT_TRUE(m) << m.error();
  EXPECT_EQ(m->ns + "/" + m->name + "@" + m->resource_version, "ns/n@9");
  EXPECT_EQ(m->uid, "u-1");
  EXPECT_EQ(m->generation, 3);
  EXPECT_FALSE(m->initial_events_end);
  EXPECT_FALSE(parse_metadata(R"({"metadata":{"name":7}})"));
  EXPECT_FALSE(parse_metadata(R"({"metadata":{"name":"a\u0000b"}})"));
  EXPECT_FALSE(parse_metadata(R"({"metadata":[]})"));
  EXPECT_FALSE(parse_metadata(R"({})"));
}

TEST(Wire, TheBookmarkThatEndsAList) {
  const auto line = parse_watch_line(
      R"({"type":"BOOKMARK","object":{"kind":"Service","metadata":{"resourceVersion":"12",)"
      R"("annotations":{"k8s.io/initial-events-end":"true"}}}})");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->type, WatchLine::Type::Bookmark);
  const auto m = parse_metadata(line->object);
  ASSERT_TRUE(m);
  EXPECT_TRUE(m->initial_events_end);
  EXPECT_EQ(m->resource_version, "12");
}

TEST(Wire, LinesOfStrangeForms) {
  EXPECT_FALSE(parse_watch_line(R"({"type":"RENAMED","object":{}})"));
  EXPECT_FALSE(parse_watch_line(R"({"type":"ADDED"})"));
  EXPECT_FALSE(parse_watch_line(R"({"type":"ADDED","object":[]})"));
  EXPECT_FALSE(parse_watch_line("ok"));
}

TEST(Wire, AStatusSaysWhyNot) {
  const auto status = parse_status(
      R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old\nresource",)"
      R"("reason":"Expired","code":410})");
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, (Status{410, "Expired", "too old resource"}));
  EXPECT_FALSE(parse_status(R"({"kind":"Service"})"));
  EXPECT_FALSE(parse_status("404 page not found"));
  const auto odd = parse_status(R"({"kind":"Status","code":-5,"message":{}})");
  ASSERT_TRUE(odd);
  EXPECT_EQ(*odd, Status{});
  const auto rambling =
      parse_status(R"({"kind":"Status","message":")" + std::string(100'000, 'x') + R"("})");
  ASSERT_TRUE(rambling);
  EXPECT_LT(rambling->message.size(), 400U);
}

TEST(Wire, VersionsAreNumbers) {
  EXPECT_EQ(version_number("18446744073709551615"), 18446744073709551615U);
  EXPECT_FALSE(version_number("18446744073709551616"));
  EXPECT_FALSE(version_number("a7"));
  EXPECT_FALSE(version_number(""));
}

TEST(Wire, AMemberOfAnObject) {
  EXPECT_EQ(member(R"({"a":1,"status":{"x":[]}})", "status"), R"({"x":[]})");
  EXPECT_EQ(member(R"({"a":1})", "status"), "");
  EXPECT_EQ(member("[", "status"), "");
}

}  // namespace
}  // namespace herald::kube
