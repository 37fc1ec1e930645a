#include "model/labels.h"

#include <gtest/gtest.h>

namespace herald {
namespace {

using Op = LabelSelector::Operator;

std::string all(const Labels& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    out += std::string(key) + "=" + std::string(value) + ";";
  }
  return out;
}

TEST(Labels, AreSortedAndEachKeyIsThereOnce) {
  Labels labels;
  EXPECT_TRUE(labels.empty());
  EXPECT_EQ(labels.begin(), labels.end());
  EXPECT_EQ(labels, Labels(std::vector<Labels::value_type>{}));
  labels.set("tier", "front");
  labels.set("app", "web");
  labels.set("empty", "");
  EXPECT_EQ(all(labels), "app=web;empty=;tier=front;");
  labels.set({{"app", "db"}, {"zone", "a"}});
  EXPECT_EQ(all(labels), "app=db;empty=;tier=front;zone=a;");
  EXPECT_EQ(
      labels,
      (Labels{{"zone", "b"}, {"tier", "front"}, {"app", "db"}, {"empty", ""}, {"zone", "a"}}));
  EXPECT_EQ(labels.find("tier")->second, "front");
  EXPECT_TRUE(labels.contains("empty"));
  EXPECT_FALSE(labels.contains("emp"));
  EXPECT_FALSE(labels.contains(""));
}

TEST(Labels, WhereKeysAndValuesEndIsNoMatterOfWhatIsInThem) {
  using namespace std::string_view_literals;
  const Labels odd = {{""sv, "="sv}, {"a\0b"sv, "\0"sv}};
  EXPECT_EQ(odd.find("a\0b"sv)->second, "\0"sv);
  EXPECT_EQ(odd.find("")->second, "=");
  EXPECT_NE((Labels{{"a", "bc"}}), (Labels{{"ab", "c"}}));
}

TEST(Labels, CopiesAreTheirOwn) {
  const std::string long_value(5000, 'x');
  Labels one = {{"a", long_value}};
  Labels other = one;
  other.set("a", "b");
  EXPECT_EQ(one.find("a")->second, long_value);
  other = one;
  one = {};
  EXPECT_EQ(other.find("a")->second, long_value);
  EXPECT_TRUE(one.empty());
}

TEST(LabelSelector, MatchesAsKubernetesDoes) {
  const Labels web = {{"app", "web"}, {"tier", "front"}};
  const struct {
    LabelSelector selector;
    bool matches;
    const char* printed;
  } cases[] = {
      {{}, true, "<everything>"},
      {{{{"app", "web"}}, {}}, true, "app=web"},
      {{{{"app", "db"}}, {}}, false, "app=db"},
      {{{}, {{"tier", Op::In, {"front", "back"}}}}, true, "tier in (front,back)"},
      {{{}, {{"tier", Op::NotIn, {"front"}}}}, false, "tier notin (front)"},
      {{{}, {{"zone", Op::NotIn, {"a"}}}}, true, "zone notin (a)"},
      {{{}, {{"zone", Op::Exists, {}}}}, false, "zone"},
      {{{}, {{"zone", Op::DoesNotExist, {}}}}, true, "!zone"},
      {{{{"app", "web"}}, {{"zone", Op::Exists, {}}}}, false, "app=web,zone"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(c.selector.matches(web), c.matches) << c.printed;
    EXPECT_EQ(to_string(c.selector), c.printed);
  }
}

}  // namespace
}  // namespace herald
