#include "kube/resources.h"

namespace herald::kube {
namespace {

using Presence = SourceKind::Presence;

constexpr bool kNamespaced = true, kClusterScoped = false;

SourceKind custom(Literal group, const std::vector<Literal>& versions, Literal plural, Literal kind,
                  bool namespaced, bool observed) {
  SourceKind out;
  for (const Literal version : versions) {
    out.versions.push_back({group, version, plural, kind, namespaced});
  }
  out.presence = Presence::ByCrd;
  out.observed = observed;
  return out;
}

SourceKind herald(Literal plural, Literal kind) {
  return custom("herald.io", {"v1alpha1"}, plural, kind, kClusterScoped, true);
}

SourceKind cilium(const std::vector<Literal>& versions, Literal plural, Literal kind,
                  bool observed) {
  return custom("cilium.io", versions, plural, kind, kClusterScoped, observed);
}

SourceKind metallb(const std::vector<Literal>& versions, Literal plural, Literal kind,
                   bool observed) {
  return custom("metallb.io", versions, plural, kind, kNamespaced, observed);
}

// Written by us alone: what is there is compared with what should be.
SourceKind status_only(SourceKind kind) {
  kind.wanted = false;
  return kind;
}

std::vector<SourceKind> make_kinds() {
  std::vector<SourceKind> out;
  SourceKind services;
  services.versions = {{"", "v1", "services", "Service", kNamespaced}};
  services.observed = true;
  out.push_back(services);

  SourceKind slices;
  slices.versions = {{"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", kNamespaced}};
  // Not those of headless services, which get no IP: nothing can be sent to it. The label is set by
  // the controller that makes the slices; many thousands of pods may lie behind them.
  slices.selector =
      "labelSelector=kubernetes.io%2Fservice-name%2C%21service.kubernetes.io%2Fheadless";
  slices.page = 100;
  out.push_back(slices);

  SourceKind nodes;
  nodes.versions = {{"", "v1", "nodes", "Node", kClusterScoped}};
  nodes.page = 50;        // each lists the images that it has: tens of kilobytes
  nodes.observed = true;  // its uid: a NodeStatus goes with its Node
  out.push_back(nodes);

  SourceKind namespaces;
  namespaces.versions = {{"", "v1", "namespaces", "Namespace", kClusterScoped}};
  namespaces.page = 500;
  out.push_back(namespaces);

  out.push_back(herald("loadbalancerippools", "LoadBalancerIPPool"));
  out.push_back(herald("l2announcementpolicies", "L2AnnouncementPolicy"));
  out.push_back(herald("bgppeers", "BGPPeer"));
  out.push_back(herald("bgpadvertisements", "BGPAdvertisement"));
  out.push_back(herald("bfdprofiles", "BFDProfile"));
  out.push_back(status_only(herald("nodestatuses", "NodeStatus")));

  const std::vector<Literal> kBoth = {"v2", "v2alpha1"};
  out.push_back(cilium(kBoth, "ciliumloadbalancerippools", "CiliumLoadBalancerIPPool", true));
  out.push_back(
      cilium({"v2alpha1"}, "ciliuml2announcementpolicies", "CiliumL2AnnouncementPolicy", true));
  out.push_back(cilium(kBoth, "ciliumbgpclusterconfigs", "CiliumBGPClusterConfig", true));
  out.push_back(cilium(kBoth, "ciliumbgppeerconfigs", "CiliumBGPPeerConfig", true));
  // Has no status.
  out.push_back(cilium(kBoth, "ciliumbgpadvertisements", "CiliumBGPAdvertisement", false));
  out.push_back(
      cilium(kBoth, "ciliumbgpnodeconfigoverrides", "CiliumBGPNodeConfigOverride", false));
  out.push_back(status_only(cilium(kBoth, "ciliumbgpnodeconfigs", "CiliumBGPNodeConfig", true)));

  out.push_back(metallb({"v1beta1"}, "ipaddresspools", "IPAddressPool", true));
  out.push_back(metallb({"v1beta1"}, "l2advertisements", "L2Advertisement", false));
  out.push_back(metallb({"v1beta1"}, "bgpadvertisements", "BGPAdvertisement", false));
  // v1beta1 of this one needs MetalLB's conversion webhook: without it, lists of it fail.
  out.push_back(metallb({"v1beta2"}, "bgppeers", "BGPPeer", false));
  out.push_back(metallb({"v1beta1"}, "bfdprofiles", "BFDProfile", false));
  out.push_back(metallb({"v1beta1"}, "communities", "Community", false));
  out.push_back(status_only(metallb({"v1beta1"}, "servicel2statuses", "ServiceL2Status", true)));
  out.push_back(status_only(metallb({"v1beta1"}, "servicebgpstatuses", "ServiceBGPStatus", true)));
  out.push_back(
      status_only(metallb({"v1beta1"}, "configurationstates", "ConfigurationState", true)));
  return out;
}

}  // namespace

const std::vector<SourceKind>& source_kinds() {
  static const std::vector<SourceKind> kKinds = make_kinds();
  return kKinds;
}

const Resource& crd_resource() {
  static const Resource kCrds = {"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                 "CustomResourceDefinition", kClusterScoped};
  return kCrds;
}

}  // namespace herald::kube
