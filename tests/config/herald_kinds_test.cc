// Herald's own kinds: what is wrong is said, with the way out.
#include <gtest/gtest.h>

#include "config/manifests.h"

namespace herald::config {
namespace {

std::vector<std::string> problems(const std::string& kind, const std::string& spec) {
  Manifests m;
  m.set_file("f.yaml", "apiVersion: herald.io/v1alpha1\nkind: " + kind +
                           "\nmetadata: {name: x}\nspec: {" + spec + "}\n");
  std::vector<std::string> out;
  for (const Problem& p : m.desired().problems) out.push_back(p.field + ": " + p.message);
  return out;
}

TEST(HeraldKinds, SayWhatIsWrong) {
  const std::string peer = "address: 192.0.2.1, peerASN: 65000, localASN: 65001, ";
  const struct {
    std::string kind, spec, problem;
  } cases[] = {
      {"LoadBalancerIPPool",
       "addresses: [10.0.0.0/24], serviceSelector: {}, serviceSelectors: [{}]",
       "spec.serviceSelectors: excludes serviceSelector: move that one into the list"},
      {"LoadBalancerIPPool", "addresses: [10.0.0.0/24], avoid: [FirstLst]",
       "spec.avoid[0]: 'FirstLst' is neither FirstLast nor BuggyIPv4, nor an address, range or "
       "CIDR; did you mean 'FirstLast'?"},
      {"LoadBalancerIPPool", "addresses: [10.0.0.0/24], dualStack: Both",
       "spec.dualStack: 'Both' is none of AcrossPools, OnePool"},
      {"L2AnnouncementPolicy", "nodeSelectors: [{matchLables: {a: b}}]",
       "spec.nodeSelectors[0].matchLables: unknown field; did you mean 'matchLabels'?"},
      {"L2AnnouncementPolicy", "withoutEndpoints: no",
       "spec.withoutEndpoints: 'no' is none of announce, withhold"},
      {"BGPPeer", "peerASN: 1, localASN: 2",
       "spec.address: is missing: write the router's IP address"},
      {"BGPPeer", "address: 192.0.2.1, peerASN: 1, nodeOverrides: [{node: n1}]",
       "spec.nodeOverrides[0].localASN: is missing here and in spec.localASN: write it in one of "
       "the two"},
      {"BGPPeer", peer + "nodeOverrides: [{routerID: 1.1.1.1}]",
       "spec.nodeOverrides[0].node: is missing: name the node that differs"},
      {"BGPPeer", peer + "gracefulRestart: {restartTime: 1500ms}",
       "spec.gracefulRestart.restartTime: '1s500ms' is no number of whole seconds"},
      {"BGPPeer", peer + "gracefulRestart: {restartTime: 4096s}",
       "spec.gracefulRestart.restartTime: '4096s' is not between 0s and 1h8m15s"},
      {"BGPPeer", peer + "passive: true",
       "spec.passive: is understood, but not in force yet in this version: it has no effect"},
      {"BGPPeer", peer + "gracefulRestart: {enabled: false}", ""},
      {"BGPAdvertisement", "families: []", "spec.families: is empty: list ipv4, ipv6 or both"},
      {"BGPAdvertisement", "aggregationLength: {ipv4: 33}",
       "spec.aggregationLength.ipv4: '33' is no whole number from 0 to 32"},
      {"BFDProfile", "detectMultiplier: 0",
       "spec.detectMultiplier: '0' is no whole number from 1 to 255"},
  };
  for (const auto& c : cases) {
    const auto found = problems(c.kind, c.spec);
    if (c.problem.empty()) {
      EXPECT_TRUE(found.empty()) << found[0];
      continue;
    }
    ASSERT_FALSE(found.empty()) << c.spec;
    EXPECT_EQ(found[0], c.problem) << c.spec;
  }
}

}  // namespace
}  // namespace herald::config
