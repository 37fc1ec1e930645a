// What `heraldctl convert` writes means what Cilium's and MetalLB's manifests meant: the same
// model, and so the same plan.
#include "config/convert.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/manifests.h"
#include "ipam/allocator.h"

namespace herald::config {
namespace {

std::string pick(std::vector<std::string> all) {
  return *rc::gen::elementOf(std::move(all));
}
// A field, or nothing.
std::string maybe(const std::string& field) {
  return *rc::gen::arbitrary<bool>() ? field : "";
}
std::string object(const std::string& api, const std::string& kind, const std::string& metadata,
                   const std::string& spec) {
  return "---\napiVersion: " + api + "\nkind: " + kind + "\nmetadata: {" + metadata + "}\nspec:\n" +
         spec;
}

std::string cilium_pool(int i) {
  return object(
      "cilium.io/v2", "CiliumLoadBalancerIPPool",
      "name: c" + std::to_string(i) + maybe(", creationTimestamp: '2024-01-31T12:00:00Z'") +
          maybe(", labels: {zone: a}"),
      "  blocks:\n  - " +
          pick({"cidr: 10.0.0.0/29", "cidr: fd00::/125", "start: 10.0.0.9", "cidr: 10.0.0.8/30"}) +
          "\n" + maybe("  - {start: 10.0.1.1, stop: 10.0.1.4}\n") +
          maybe("  allowFirstLastIPs: No\n") + maybe("  disabled: true\n") +
          maybe(pick({"  serviceSelector: {matchLabels: {app: a}}\n",
                      "  serviceSelector: {matchExpressions: [{key: app, operator: NotIn, values: "
                      "[b]}]}\n"})));
}
std::string metallb_pool(int i) {
  return object(
      "metallb.io/v1beta1", "IPAddressPool",
      "namespace: metallb-system, name: m" + std::to_string(i) + maybe(", labels: {zone: a}"),
      "  addresses: [" + pick({"10.0.2.0/30", "10.0.2.4-10.0.2.6", "10.0.3.0/30, 'fd00:3::/126'"}) +
          "]\n" + maybe("  autoAssign: false\n") + maybe("  avoidBuggyIPs: true\n") +
          maybe("  serviceAllocation:\n    priority: " + pick({"0", "1", "7"}) + "\n" +
                maybe("    namespaces: [shop]\n") +
                maybe("    namespaceSelectors: [{matchLabels: {team: x}}]\n") +
                maybe("    serviceSelectors: [{matchLabels: {app: a}}]\n")));
}
std::string metallb_others() {
  const std::string ns = "namespace: metallb-system, ";
  return object(
             "metallb.io/v1beta1", "L2Advertisement", ns + "name: l2",
             maybe("  ipAddressPools: [m0]\n") +
                 maybe("  ipAddressPoolSelectors: [{matchLabels: {zone: a}}]\n") +
                 maybe(
                     "  nodeSelectors: [{matchLabels: {rack: r1}}, {matchLabels: {rack: r2}}]\n") +
                 maybe("  serviceSelectors: [{matchLabels: {app: a}}]\n") +
                 "  interfaces: [eth0, eth1.5]\n") +
         object("metallb.io/v1beta1", "BGPAdvertisement", ns + "name: bgp",
                maybe("  localPref: 100\n") + maybe("  peers: [tor]\n") +
                    "  communities: [no-way, '65000:1', 'large:1:2:3']\n") +
         object("metallb.io/v1beta1", "Community", ns + "name: names",
                "  communities: [{name: no-way, value: '65000:7'}]\n") +
         object("metallb.io/v1beta2", "BGPPeer", ns + "name: tor",
                "  myASN: 65001\n  peerAddress: 192.0.2.1\n" +
                    pick({"  peerASN: 65000\n", "  dynamicASN: internal\n"}) +
                    maybe("  holdTime: 30s\n") + maybe("  routerID: 192.0.2.9\n") +
                    maybe("  bfdProfile: fast\n") + maybe("  enableGracefulRestart: true\n") +
                    maybe("  dualStackAddressFamily: true\n")) +
         object(
             "metallb.io/v1beta1", "BFDProfile", ns + "name: fast",
             "  receiveInterval: 50\n" + maybe("  echoMode: true\n") + maybe("  minimumTtl: 3\n"));
}
std::string cilium_policy() {
  return object(
      "cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", "name: all",
      "  loadBalancerIPs: true\n" + maybe("  externalIPs: true\n") +
          maybe("  interfaces: ['^eth[0-9]+']\n") +
          maybe("  nodeSelector: {matchExpressions: [{key: a, operator: DoesNotExist}]}\n"));
}
std::string service(int i) {
  std::string annotations;
  for (const std::string& one :
       {maybe("lbipam.cilium.io/sharing-key: k"), maybe("metallb.io/address-pool: m0"),
        maybe(pick({"lbipam.cilium.io/ips: 10.0.0.1", "metallb.io/loadBalancerIPs: 10.0.2.1",
                    "lbipam.cilium.io/ips: nonsense"}))}) {
    if (!one.empty()) annotations += (annotations.empty() ? "" : ", ") + one;
  }
  return object(
      "v1", "Service",
      "name: s" + std::to_string(i) + ", namespace: " + pick({"shop", "other"}) +
          maybe(", labels: {app: a}") + ", annotations: {" + annotations + "}",
      "  type: LoadBalancer\n  ports: [{port: " + std::to_string(80 + i) + "}]\n" +
          maybe("  ipFamilyPolicy: " + pick({"PreferDualStack", "RequireDualStack"}) + "\n"));
}

Desired read(const std::string& text) {
  Manifests m;
  m.set_file("f.yaml", text);
  Desired out = m.desired();
  const auto bare = [](auto& objects) {
    for (std::size_t i = 0; i < objects.size(); ++i) objects[i].source = {};
  };
  bare(out.services);
  bare(out.pools);
  bare(out.l2_policies);
  bare(out.peers);
  bare(out.advertisements);
  bare(out.bfd_profiles);
  return out;
}

ipam::Plan planned(const Desired& d) {
  ipam::Plan out = ipam::plan({d.pools, d.namespaces, d.services, {}, d.complete});
  for (auto& decision : out.decisions) decision.message.clear();  // it names kinds and fields
  return out;
}

RC_GTEST_PROP(Convert, MeansAndPlansTheSame, ()) {
  std::string text =
      "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: x}}\n";
  for (int i = 0; i < 2; ++i) text += cilium_pool(i) + metallb_pool(i);
  text += metallb_others() + cilium_policy();
  for (int i = 0; i < 4; ++i) text += service(i);
  RC_LOG() << text;

  const Desired before = read(text);
  RC_ASSERT(before.pools.size() == 4U);
  RC_ASSERT(before.l2_policies.size() == 2U);
  RC_ASSERT(before.peers.size() == 1U);
  RC_ASSERT(before.advertisements.size() == 1U);
  const std::string native = convert(before, {text}, ManifestForm::Yaml);
  RC_LOG() << native;
  RC_ASSERT(native.find("cilium.io/v2") == std::string::npos);
  RC_ASSERT(native.find("metallb.io/v") == std::string::npos);
  const Desired after = read(native);
  RC_ASSERT(after.services == before.services);
  RC_ASSERT(after.namespaces == before.namespaces);
  RC_ASSERT(after.pools == before.pools);
  RC_ASSERT(after.l2_policies == before.l2_policies);
  RC_ASSERT(after.peers == before.peers);
  RC_ASSERT(after.advertisements == before.advertisements);
  RC_ASSERT(after.bfd_profiles == before.bfd_profiles);
  const ipam::Plan a = planned(before), b = planned(after);
  RC_ASSERT(a.decisions == b.decisions);
  RC_ASSERT(a.added == b.added);
  RC_ASSERT(a.pools == b.pools);
  RC_ASSERT(convert(after, {native}, ManifestForm::Yaml) == native);
}

}  // namespace
}  // namespace herald::config
