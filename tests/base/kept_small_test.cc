// Values for things of which there are thousands: Rare, Shared, Interner.
#include <gtest/gtest.h>

#include <string>

#include "base/rare.h"
#include "base/shared.h"

namespace herald {
namespace {

TEST(Rare, IsThereOrNotLikeAnOptional) {
  Rare<std::string> none, some = std::string("n1");
  EXPECT_FALSE(none);
  EXPECT_EQ(none, std::nullopt);
  EXPECT_EQ(some, std::string("n1"));
  EXPECT_NE(some, none);
  EXPECT_NE(none, std::string());
  EXPECT_EQ(some->size(), 2u);
  *some += "x";
  EXPECT_EQ(some.value_or("n2"), "n1x");
  some.reset();
  EXPECT_EQ(some, none);
  EXPECT_EQ(some.value_or("n2"), "n2");
  EXPECT_EQ(some.emplace(), "");
  EXPECT_TRUE(some.has_value()) << "an empty one is one";
  some = std::optional<std::string>();
  EXPECT_FALSE(some.has_value());
  EXPECT_EQ(sizeof(none), sizeof(void*));
}

TEST(Rare, CopiesAreValuesOfTheirOwn) {
  Rare<std::string> first = std::string("n1");
  Rare<std::string> copy = first;
  EXPECT_EQ(copy, first);
  first = std::string("n2");
  EXPECT_EQ(copy, std::string("n1"));
  copy = first;
  EXPECT_EQ(copy, std::string("n2"));
  first = std::nullopt;
  EXPECT_TRUE(copy);
}

TEST(Shared, IsAValueWhoseCopiesAreTheSame) {
  const Shared<std::string> none, some("n1"), alike("n1"), less("n0");
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(*none, "");
  EXPECT_EQ(none, Shared<std::string>(std::string()));
  EXPECT_FALSE(some.empty());
  EXPECT_EQ(some->size(), 2u);
  const Shared<std::string> copy = some;
  EXPECT_EQ(&*copy, &*some) << "not a second text";
  EXPECT_NE(&*alike, &*some);
  EXPECT_EQ(alike, some);
  EXPECT_NE(less, some);
  EXPECT_LT(less, some);
  EXPECT_LT(none, less);
}

TEST(Interner, KeepsOneOfThoseThatAreAlike) {
  Interner<std::string> interner;
  const auto kept = interner.intern(std::string("n1"));
  EXPECT_EQ(&*interner.intern(std::string("n1")), &*kept);
  EXPECT_TRUE(interner.intern({}).empty());
  // However many come and go.
  for (int i = 0; i < 1000; ++i) interner.intern(std::to_string(i));
  EXPECT_EQ(&*interner.intern(std::string("n1")), &*kept);
  EXPECT_LT(interner.size(), 100u);
}

}  // namespace
}  // namespace herald
