#include "config/manifests.h"

#include <gtest/gtest.h>

namespace herald::config {
namespace {

const std::string kPool =
    "apiVersion: herald.io/v1alpha1\nkind: LoadBalancerIPPool\nmetadata: {name: lan}\n";
const std::string kPeer = "apiVersion: herald.io/v1alpha1\nkind: BGPPeer\nmetadata: {name: tor}\n";
const std::string kAdvertisement =
    "apiVersion: herald.io/v1alpha1\nkind: BGPAdvertisement\nmetadata: {name: all}\n";
const std::string kService =
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"
    "  annotations: {lbipam.cilium.io/ips: 10.0.0.5}\nspec:\n  type: LoadBalancer\n";

std::vector<std::string> problems(const Manifests& m) {
  std::vector<std::string> out;
  for (const Problem& p : m.desired().problems) out.push_back(to_string(p));
  return out;
}

// A list of so many, which differ in their last number.
std::string communities(const std::string& prefix, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += (i > 0 ? ", '" : "'") + prefix + std::to_string(i) + "'";
  return out;
}

TEST(Manifests, SayWhatIsWrongAndWhere) {
  const struct {
    std::string text, problem;
  } cases[] = {
      {kPool + "spec:\n  addresses: [10.0.0.0/33]\n",
       "f.yaml:5: LoadBalancerIPPool lan: spec.addresses[0]: '10.0.0.0/33' is no CIDR: write it "
       "like 10.0.0.0/24 or fd00::/64"},
      {kPool + "spec:\n  addresses: [10.0.0.0/24]\n  autoAsign: true\n",
       "f.yaml:6: LoadBalancerIPPool lan: spec.autoAsign: unknown field; did you mean "
       "'autoAssign'?"},
      {kPool + "spec:\n  addresses: [10.0.0.9-10.0.0.1]\n",
       "f.yaml:5: LoadBalancerIPPool lan: spec.addresses[0]: '10.0.0.9-10.0.0.1' ends before it "
       "begins: swap the two addresses"},
      {kPeer + "spec: {address: 192.0.2.1, localASN: 65001, peerASN: 4294967296}\n",
       "f.yaml:4: BGPPeer tor: spec.peerASN: '4294967296' is no AS number: write 1 to 4294967295, "
       "internal, external or any"},
      {kPeer + "spec: {address: 192.0.2.1, localASN: 0, peerASN: 65000}\n",
       "f.yaml:4: BGPPeer tor: spec.localASN: '0' is no whole number from 1 to 4294967295"},
      {kAdvertisement + "spec:\n  communities: [" + communities("large:64512:1:", 256) + "]\n",
       "f.yaml:5: BGPAdvertisement all: spec.communities: lists 256 communities, but a route with "
       "more than 255 may not fit a BGP message: take 1 of them out"},
      {"kind: Service\n",
       "f.yaml:1: Service: apiVersion: is missing: every document needs apiVersion, kind and "
       "metadata.name"},
  };
  for (const auto& c : cases) {
    Manifests m;
    m.set_file("f.yaml", c.text);
    EXPECT_EQ(problems(m), std::vector<std::string>{c.problem}) << c.text;
  }
}

TEST(Manifests, CommunitiesThatComeTogetherHaveToFitAMessage) {
  const auto both = [](const std::string& second_spec) {
    Manifests m;
    m.set_file("a.yaml",
               kAdvertisement + "spec: {communities: [" + communities("large:1:1:", 255) + "]}\n");
    m.set_file("b.yaml",
               "apiVersion: herald.io/v1alpha1\nkind: BGPAdvertisement\n"
               "metadata: {name: more}\nspec: {" +
                   second_spec + "}\n");
    return problems(m);
  };
  EXPECT_TRUE(both("communities: [" + communities("large:1:1:", 255) + "]").empty())
      << "the same ones, and 255 are allowed";
  EXPECT_TRUE(both("communities: ['64512:1']").empty());
  const auto found = both("communities: [" + communities("64512:", 200) + "]");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0],
            "b.yaml:1: BGPAdvertisement more: spec.communities: 455 communities come together "
            "where this and other advertisements, such as 'all', select the same IP: such a route "
            "may not fit a BGP message and is then not announced; list fewer, or let the "
            "advertisements select different pools or peers");
}

TEST(Manifests, ReadAServiceAndItsPool) {
  Manifests m;
  m.set_file("f.yaml", kPool + "spec: {addresses: [10.0.0.0/24], avoid: [FirstLast]}\n---\n" +
                           kService + "status: {loadBalancer: {ingress: [{ip: 10.0.0.5}]}}\n");
  const Desired d = m.desired();
  EXPECT_TRUE(problems(m).empty());
  ASSERT_EQ(d.services.size(), 1U);
  EXPECT_EQ(to_string(d.services[0].name), "default/web");
  EXPECT_EQ(d.services[0].requested_by.value_or(""), "lbipam.cilium.io/ips");
  EXPECT_EQ(d.services[0].requested, d.services[0].held);
  EXPECT_EQ(d.services[0].labels.find("io.kubernetes.service.name")->second, "web");
  ASSERT_EQ(d.pools.size(), 1U);
  EXPECT_EQ(d.pools[0].avoided.size(), 2U);
  EXPECT_TRUE(d.complete);
  EXPECT_EQ(d.objects_read, 2);
}

TEST(Manifests, ReadCiliumPools) {
  Manifests m;
  m.set_file("f.yaml",
             "apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: p}\n"
             "spec:\n  allowFirstLastIPs: \"No\"\n  blocks:\n  - cidr: 10.0.0.0/24\n"
             "  - {start: 10.1.0.1, stop: 10.1.0.9}\n");
  EXPECT_TRUE(problems(m).empty());
  ASSERT_EQ(m.desired().pools.size(), 1U);
  EXPECT_EQ(m.desired().pools[0].ranges.size(), 2U);
  EXPECT_EQ(m.desired().pools[0].avoided.size(), 2U);
}

TEST(Manifests, KeepTheLastGoodVersion) {
  const std::string good = kPool + "spec: {addresses: [10.0.0.0/24]}\n---\n" + kService;
  for (const std::string& bad :
       {kPool + "spec: {addresses: [x]}\n---\n" + kService,  // a bad object
        kPool + "spec: {addresses: [\n---\n" + kService,     // a bad document
        std::string("{"), kPool + "spec: {addresses: [10.0.0.0/24]}\n---\n: : :\n- ]"}) {
    Manifests m;
    m.set_file("f.yaml", good);
    m.set_file("f.yaml", bad);
    const Desired d = m.desired();
    EXPECT_EQ(d.services.size(), 1U) << bad;
    EXPECT_EQ(d.pools.size(), 1U) << bad;
    EXPECT_TRUE(d.complete) << bad;
    ASSERT_FALSE(d.problems.empty()) << bad;
    EXPECT_NE(d.problems[0].message.find("still using the version read before"), std::string::npos)
        << d.problems[0].message;
    m.set_file("f.yaml", kService);
    EXPECT_TRUE(m.desired().pools.empty()) << "a good file without it removes it";
    m.remove_file("f.yaml");
    EXPECT_TRUE(m.desired().services.empty());
  }
}

TEST(Manifests, AreIncompleteWhenAServiceMayBeMissing) {
  const struct {
    std::string text;
    bool complete;
  } cases[] = {
      {"{", false},
      {"metadata: {name: x}\n", false},
      {"apiVersion: v1\nkind: Service\nmetadata: {name: w}\nspec: {type: LoadBalancer, "
       "ipFamilyPolicy: x}\n",
       false},
      {kPool + "spec: {addresses: [x]}\n", true},
      {"apiVersion: apps/v1\nkind: Deployment\n", true},
  };
  for (const auto& c : cases) {
    Manifests m;
    m.set_file("f.yaml", c.text);
    EXPECT_EQ(m.desired().complete, c.complete) << c.text;
  }
}

TEST(Manifests, FindWhatIsWrongBetweenObjects) {
  Manifests m;
  m.set_file("a.yaml", kPool + "spec: {addresses: [10.0.0.0/24]}\n");
  m.set_file("b.yaml",
             "apiVersion: herald.io/v1alpha1\nkind: LoadBalancerIPPool\nmetadata: {name: old, "
             "creationTimestamp: \"2020-01-01T00:00:00Z\"}\nspec: {addresses: [10.0.0.128/25]}\n");
  m.set_file("c.yaml", kPool + "spec: {addresses: [10.9.0.0/24]}\n");
  const Desired d = m.desired();
  ASSERT_EQ(d.pools.size(), 2U);
  EXPECT_EQ(d.pools[0].conflicts_with, PoolName("old"));
  EXPECT_FALSE(d.pools[1].conflicts_with);
  const auto all = problems(m);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0],
            "c.yaml:1: LoadBalancerIPPool lan: metadata.name: is there twice: the one at a.yaml:1 "
            "is used, the one at c.yaml:1 is not; rename or remove one");
  EXPECT_EQ(all[1],
            "a.yaml:1: LoadBalancerIPPool lan: spec.addresses: 10.0.0.0-10.0.0.255 overlaps pool "
            "'old' (addresses 10.0.0.128-10.0.0.255), which is older: nothing is allocated from "
            "this pool until its addresses are changed");
}

TEST(Manifests, APoolThatOverlapsItselfIsNotUsed) {
  const std::string cilium =
      "apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: lan}\n";
  const struct {
    std::string text;
    const char* problem;
    Severity severity;
  } cases[] = {
      {kPool + "spec: {addresses: [10.0.0.64/28, 10.0.0.0/24]}\n",
       "f.yaml:1: LoadBalancerIPPool lan: spec.addresses: 10.0.0.64-10.0.0.79 overlaps "
       "10.0.0.0-10.0.0.255 of the same pool: nothing is allocated from it until one of the two is "
       "removed",
       Severity::Error},
      {cilium + "spec: {blocks: [{cidr: 10.0.0.0/24}, {start: 10.0.0.255}]}\n",
       "f.yaml:1: CiliumLoadBalancerIPPool lan: spec.blocks: 10.0.0.255 overlaps "
       "10.0.0.0-10.0.0.255 of the same pool: nothing is allocated from it until one of the two is "
       "removed",
       Severity::Warning},
  };
  for (const auto& c : cases) {
    Manifests m;
    m.set_file("f.yaml", c.text);
    const Desired d = m.desired();
    ASSERT_EQ(d.pools.size(), 1U) << c.text;
    EXPECT_EQ(d.pools[0].conflicts_with, PoolName("lan")) << c.text;
    EXPECT_EQ(conflict_of(d.pools[0]), "overlaps itself");
    ASSERT_EQ(d.problems.size(), 1U) << c.text;
    EXPECT_EQ(to_string(d.problems[0]), c.problem);
    EXPECT_EQ(d.problems[0].severity, c.severity);
  }
}

TEST(Manifests, BoundHostileText) {
  for (const std::string& text :
       {std::string(200000, '['), std::string("a: &x [1]\nb: *x\n"), std::string("a: 1\na: 2\n"),
        std::string(kMaxFileBytes + 1, ' '), std::string("a\0b", 3)}) {
    Manifests m;
    m.set_file("f.yaml", text);
    EXPECT_FALSE(m.desired().problems.empty());
    EXPECT_FALSE(m.desired().complete);
  }
}

TEST(Manifests, RebalanceIsGentleUnlessItIsNeverOrCiliums) {
  const struct {
    const char* text;
    bool rebalance;
  } cases[] = {
      {"apiVersion: herald.io/v1alpha1\nkind: L2AnnouncementPolicy\nmetadata: {name: p}\nspec: "
       "{}\n",
       true},
      {"apiVersion: herald.io/v1alpha1\nkind: L2AnnouncementPolicy\nmetadata: {name: p}\n"
       "spec: {rebalance: gentle}\n",
       true},
      {"apiVersion: herald.io/v1alpha1\nkind: L2AnnouncementPolicy\nmetadata: {name: p}\n"
       "spec: {rebalance: never}\n",
       false},
      {"apiVersion: cilium.io/v2alpha1\nkind: CiliumL2AnnouncementPolicy\nmetadata: {name: p}\n"
       "spec: {loadBalancerIPs: true}\n",
       false},
  };
  for (const auto& c : cases) {
    Manifests manifests;
    manifests.set_file("p.yaml", c.text);
    const Desired desired = manifests.desired();
    EXPECT_TRUE(desired.problems.empty()) << c.text;
    ASSERT_EQ(desired.l2_policies.size(), 1u) << c.text;
    EXPECT_EQ(desired.l2_policies[0].rebalance, c.rebalance) << c.text;
  }
}

}  // namespace
}  // namespace herald::config
