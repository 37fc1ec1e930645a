#include "model/labels.h"

#include <gtest/gtest.h>

namespace herald {
namespace {

using Op = LabelSelector::Operator;

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
