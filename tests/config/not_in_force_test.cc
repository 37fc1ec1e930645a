// What is understood but has no effect yet is said, never silently ignored.
#include <gtest/gtest.h>

#include "config/manifests.h"

namespace herald::config {
namespace {

TEST(NotInForce, ExternalIpsAreWarnedOf) {
  for (const char* text :
       {"apiVersion: herald.io/v1alpha1\nkind: L2AnnouncementPolicy\n"
        "metadata: {name: p}\nspec: {addresses: [LoadBalancerIP, ExternalIP]}\n"}) {
    Manifests manifests;
    manifests.set_file("p.yaml", text);
    const Desired desired = manifests.desired();
    ASSERT_EQ(desired.problems.size(), 1u) << text;
    EXPECT_EQ(desired.problems[0].severity, Severity::Warning);
    EXPECT_NE(to_string(desired.problems[0]).find("not in force yet"), std::string::npos)
        << to_string(desired.problems[0]);
    EXPECT_EQ(desired.l2_policies.size(), 1u) << "the rest of it is used";
  }
}

}  // namespace
}  // namespace herald::config
