// MetalLB's manifests as native ones mean the same.
#include "config/convert.h"
#include "tests/config/metallb_manifests.h"

namespace herald::config {
namespace {

template <typename T>
std::vector<T> bare(std::vector<T> objects) {
  for (T& object : objects) object.source = {};
  return objects;
}

TEST(MetallbConvert, SaysTheSameNatively) {
  const std::string text =
      metallb_pool("plain", "addresses: [10.20.30.40/24, 10.0.0.1-10.0.0.9], avoidBuggyIPs: true") +
      metallb_pool("some",
                   "addresses: ['2001:db8::/64'], autoAssign: false, serviceAllocation: "
                   "{namespaces: [a], namespaceSelectors: [{matchLabels: {x: y}}], "
                   "serviceSelectors: [{matchLabels: {s: t}}, {}]}") +
      metallb_pool("first", "addresses: [10.9.0.0/16], serviceAllocation: {priority: 3}") +
      metallb_l2("l2",
                 "ipAddressPools: [plain], ipAddressPoolSelectors: [{matchLabels: {z: 1}}], "
                 "nodeSelectors: [{matchLabels: {n: 1}}, {matchLabels: {n: 2}}], interfaces: "
                 "[eth0.1], serviceSelectors: [{matchLabels: {s: 1}}], preferredNodeSelectors:"
                 " [{weight: 40, preference: {}}, {weight: 2, preference: {matchLabels: {e: "
                 "1}}}]") +
      metallb_community("c", "{name: vpn, value: '64512:7'}, {name: big, value: 'large:1:2:3'}") +
      metallb_bgp("bgp",
                  "aggregationLength: 26, aggregationLengthV6: 60, localPref: 7, "
                  "communities: [vpn, big, '1:2'], ipAddressPools: [first], peers: [fast], "
                  "nodeSelectors: [{matchLabels: {n: 1}}]") +
      metallb_bfd("quick", "receiveInterval: 50, echoMode: true, minimumTtl: 3") +
      metallb_peer("fast",
                   "holdTime: 9s, keepaliveTime: 9s, bfdProfile: quick, connectTime: 3s, "
                   "enableGracefulRestart: true, passwordSecret: {name: s}") +
      metallb_object("BGPPeer", "far",
                     "myASN: 42, localASN: 43, peerASN: 44, peerAddress: "
                     "'2001:db8::1', ebgpMultiHop: true, holdTime: 0s, "
                     "dualStackAddressFamily: true, vrf: red, nodeSelectors: "
                     "[{matchLabels: {n: 1}}, {matchLabels: {n: 2}}]") +
      metallb_object("BGPPeer", "link", "myASN: 43, dynamicASN: external, interface: eth7, vrf: b");
  const Desired theirs = read(text);
  EXPECT_EQ(errors(theirs), std::vector<std::string>{});
  for (const ManifestForm form : {ManifestForm::Yaml, ManifestForm::Json}) {
    const std::string native = convert(theirs, {text}, form);
    EXPECT_EQ(native.find("metallb"), native.find("metallb-system"));  // the secret's namespace
    const Desired ours = read(native);
    EXPECT_EQ(errors(ours), std::vector<std::string>{}) << native;
    EXPECT_TRUE(bare(ours.pools) == bare(theirs.pools)) << native;
    EXPECT_TRUE(bare(ours.l2_policies) == bare(theirs.l2_policies)) << native;
    EXPECT_TRUE(bare(ours.advertisements) == bare(theirs.advertisements)) << native;
    EXPECT_TRUE(bare(ours.peers) == bare(theirs.peers)) << native;
    EXPECT_TRUE(bare(ours.bfd_profiles) == bare(theirs.bfd_profiles)) << native;
  }
}

}  // namespace
}  // namespace herald::config
