// Values for things of which there are thousands: Rare and SharedVector.
#include <gtest/gtest.h>

#include <string>

#include "base/rare.h"
#include "base/shared_vector.h"

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
  some.reset();
  EXPECT_EQ(some, none);
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

TEST(SharedVector, IsAListWhoseCopiesAreTheSame) {
  const SharedVector<int> none, some{1, 2, 3}, alike{1, 2, 3}, less{1, 2};
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.begin(), none.end());
  EXPECT_EQ(none, SharedVector<int>(std::vector<int>()));
  EXPECT_EQ(std::vector<int>(some.begin(), some.end()), (std::vector<int>{1, 2, 3}));
  const SharedVector<int> copy = some;
  EXPECT_EQ(copy.begin(), some.begin()) << "not a second list";
  EXPECT_NE(alike.begin(), some.begin());
  EXPECT_EQ(alike, some);
  EXPECT_NE(less, some);
  EXPECT_LT(less, some);
  EXPECT_LT(none, less);
}

}  // namespace
}  // namespace herald
