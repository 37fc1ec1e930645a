// What is understood but has no effect yet is said, never silently ignored.
#include <gtest/gtest.h>

#include "config/manifests.h"

namespace herald::config {
namespace {

TEST(NotInForce, ClusterIpsAreWarnedOf) {
  Manifests manifests;
  manifests.set_file("p.yaml",
                     "apiVersion: herald.io/v1alpha1\nkind: BGPAdvertisement\n"
                     "metadata: {name: p}\nspec: {addresses: [LoadBalancerIP, ClusterIP]}\n");
  const Desired desired = manifests.desired();
  ASSERT_EQ(desired.problems.size(), 1u);
  EXPECT_EQ(desired.problems[0].severity, Severity::Warning);
  EXPECT_NE(to_string(desired.problems[0]).find("not in force yet"), std::string::npos)
      << to_string(desired.problems[0]);
  EXPECT_EQ(desired.advertisements.size(), 1u) << "the rest of it is used";
}

TEST(NotInForce, WhatAPoolSaysOfTheLifeOfItsIpsIs) {
  Manifests manifests;
  manifests.set_file("p.yaml",
                     "apiVersion: herald.io/v1alpha1\nkind: LoadBalancerIPPool\n"
                     "metadata: {name: p}\nspec: {addresses: [192.0.2.0/24], onShrink: release, "
                     "releaseHold: 1h, probe: false}\n");
  const Desired desired = manifests.desired();
  EXPECT_TRUE(desired.problems.empty()) << to_string(desired.problems[0]);
  ASSERT_EQ(desired.pools.size(), 1u);
  EXPECT_TRUE(desired.pools[0].release_on_shrink);
  EXPECT_EQ(desired.pools[0].release_hold, 1h);
  EXPECT_FALSE(desired.pools[0].probe);
}

}  // namespace
}  // namespace herald::config
