// What is said of objects that no daemon has read.
#include "daemon/explain_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace herald::daemon {
namespace {

constexpr const char* kHome = R"(
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: lan}
spec: {addresses: [10.25.150.1-10.25.150.2]}
---
apiVersion: herald.io/v1alpha1
kind: LoadBalancerIPPool
metadata: {name: bad}
spec: {addresses: [10.25.150.0/33]}
---
apiVersion: herald.io/v1alpha1
kind: L2AnnouncementPolicy
metadata: {name: all}
spec: {serviceSelector: {matchLabels: {lan: "yes"}}}
---
apiVersion: herald.io/v1alpha1
kind: BGPPeer
metadata: {name: tor}
spec: {address: 10.25.150.111, localASN: 64512, peerASN: 64513}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default, labels: {lan: "yes"}}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: mute, namespace: default}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: zero, namespace: default}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: inner, namespace: default}
spec: {type: ClusterIP}
)";

std::string said(const char* what, const char* name) {
  config::Manifests manifests;
  manifests.set_file("home.yaml", kHome);
  const Policies wanted(std::make_shared<Desired>(manifests.desired()));
  return explain_plan(wanted, plan_offline(wanted), what, name);
}

TEST(ExplainPlan, EachObjectHasItsVerdict) {
  const struct {
    const char *what, *name, *words;
  } cases[] = {
      {"service", "default/web", "announced by ARP/NDP from n1"},
      {"service", "default/mute", "not announced: NoPolicy"},
      {"service", "default/zero", "no IP: PoolExhausted"},
      {"service", "default/inner", "not served: its type is ClusterIP"},
      {"service", "default/nobody", "the manifests have no service 'default/nobody'"},
      {"service", "web", "NAMESPACE/NAME"},
      {"ip", "10.25.150.1", "would be held by default/"},
      {"ip", "10.25.150.77", "it is in no pool"},
      {"ip", "nonsense", "is no IP address"},
      {"pool", "lan", "2 addresses, 2 would be held, 0 free"},
      {"pool", "bad", "not in force"},
      {"peer", "tor", "sessions from n1"},
      {"node", "n1", "by a running daemon alone"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(said(c.what, c.name), testing::HasSubstr(c.words)) << c.what << " " << c.name;
  }
}

}  // namespace
}  // namespace herald::daemon
