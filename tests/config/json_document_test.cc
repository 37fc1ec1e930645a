#include "config/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace herald::config {
namespace {

using ::testing::HasSubstr;

TEST(JsonDocument, TheSameTreeAsYaml) {
  const std::string text =
      R"( {"a":"x\n\u00e9","b":[1,-2.50,1e3,18446744073709551615],"c":{"t":true,"n":null},"":[]} )";
  const auto json = parse_json(text);
  ASSERT_TRUE(json) << json.error();
  EXPECT_EQ(json->keys, (std::vector<std::string>{"a", "b", "c", ""}));
  EXPECT_EQ(json->find("a")->text, "x\n\xc3\xa9");
  const Value& numbers = *json->find("b");
  ASSERT_EQ(numbers.items.size(), 4U);
  EXPECT_EQ(numbers.items[1].text, "-2.50");
  EXPECT_EQ(numbers.items[2].text, "1e3");
  EXPECT_EQ(numbers.items[3].text, "18446744073709551615");
  EXPECT_EQ(numbers.items[3].type, Value::Type::Number);
  EXPECT_EQ(json->find("c")->find("t")->type, Value::Type::Bool);
  EXPECT_EQ(json->find("c")->find("t")->text, "true");
  EXPECT_EQ(json->find("c")->find("n")->type, Value::Type::Null);
  EXPECT_EQ(json->line, 0);
}

TEST(JsonDocument, WhatNobodyReadsIsPassedOver) {
  const auto json = parse_json(
      R"({"metadata":{"managedFields":[{"a":{"b":[1,2,{"c":null}]}}],"name":"n"},)"
      R"("status":{"images":[{"names":["x"]}],"conditions":[{"images":7}]},"images":[1]})");
  ASSERT_TRUE(json) << json.error();
  EXPECT_EQ(json->find("metadata")->keys, std::vector<std::string>{"name"});
  EXPECT_EQ(json->find("metadata")->items.size(), 1U);
  EXPECT_EQ(json->find("status")->keys, std::vector<std::string>{"conditions"});
  EXPECT_NE(json->find("status")->items[0].items[0].find("images"), nullptr);
  EXPECT_NE(json->find("images"), nullptr);
  EXPECT_TRUE(parse_json(R"([{"metadata":{"managedFields":1}},{"managedFields":[]}])"));
  EXPECT_TRUE(parse_json(R"({"metadata":{"managedFields":"x","name":"n"}})"));
}

TEST(JsonDocument, WhatIsNoJsonIsRefused) {
  struct Case {
    std::string text, why;
  };
  for (const Case& c : {
           Case{"", "no JSON"},
           {"{", "no JSON"},
           {"{'a':1}", "no JSON"},
           {"{\"a\":1,}", "no JSON"},
           {"{\"a\":01}", "no JSON"},
           {"\"\xff\"", "no JSON"},
           {"/* */ {}", "no JSON"},
           {"{} {}", "goes on after its end"},
           {R"({"a":1,"b":2,"a":3})", "the key 'a' twice"},
           {std::string(100'000, '['), "no JSON"},
       }) {
    const auto json = parse_json(c.text);
    ASSERT_FALSE(json) << c.text.substr(0, 80);
    EXPECT_THAT(json.error(), HasSubstr(c.why));
  }
}

TEST(JsonDocument, EveryTruncationIsFound) {
  const std::string text =
      R"({"metadata":{"managedFields":[{}],"name":"n"},"spec":{"ports":[{"port":80}]},"x":null})";
  for (std::size_t n = 0; n < text.size(); ++n) EXPECT_FALSE(parse_json(text.substr(0, n))) << n;
  EXPECT_TRUE(parse_json(text));
}

TEST(JsonDocument, DepthAndSizeAreBounded) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(parse_json(nested(kMaxDepth)));
  EXPECT_FALSE(parse_json(nested(kMaxDepth + 1)));
  std::string many = "[0";
  for (std::size_t i = 0; i < kMaxNodes; ++i) many += ",0";
  EXPECT_FALSE(parse_json(many + "]"));
}

}  // namespace
}  // namespace herald::config
