#include "daemon/explain_wishes.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace herald::daemon {
namespace {

bool lists(const Service& service, const IpAddress& ip) {
  return std::find(service.external_ips.begin(), service.external_ips.end(), ip) !=
         service.external_ips.end();
}

void tell_claim(const View& view, const Service& s, const IpAddress& ip, Story& story) {
  for (const RefusedExternal& refused : refused_external_ips(view)) {
    if (refused.ip != ip || refused.service != s.name) continue;
    story.fact(sentence(refused));
    story.advise(sentence(refused));
    return;
  }
  const bool wanted = view.policies().wants_external(s, ip);
  story.fact(fmt::format(
      "service {} lists {} in spec.externalIPs: {}", to_string(s.name), to_string(ip),
      wanted ? "announced like its other IPs"
             : "no policy that selects it has ExternalIP among its addresses, so it is not "
               "announced"));
}

std::string where(const Backends& backends) {
  std::vector<std::string> nodes;
  for (const NodeName* node : backends.nodes) nodes.push_back(node->str());
  if (backends.gateway) {
    nodes.push_back("every node, as it is a Gateway or an Ingress of Cilium's");
  } else if (backends.everywhere) {
    nodes.push_back("no node in particular (counts for all)");
  } else if (backends.any && nodes.empty()) {
    nodes.push_back("no node (their EndpointSlices have no nodeName)");
  }
  return some(nodes);
}

}  // namespace

std::vector<RefusedExternal> refused_external_ips(const View& view) {
  if (!view.policies().known()) return {};
  const auto& services = view.desired().services;
  if (std::all_of(services.begin(), services.end(),
                  [](const Service& s) { return s.external_ips.empty(); })) {
    return {};
  }
  ipam::Holdings held = holdings_of(view.node().table());
  return take_external_ips(view.policies(), view.node().statuses(), held).refused;
}

void tell_endpoints(const View& view, const Service& service, Story& story) {
  const bool local = service.traffic_policy == TrafficPolicy::Local;
  const Backends* backends = view.policies().backends(service.name, IpFamily::IPv4);
  const Backends* v6 = view.policies().backends(service.name, IpFamily::IPv6);
  if (service.load_balancer_class) {
    story.fact(fmt::format("its loadBalancerClass is {}", *service.load_balancer_class));
  }
  if (backends == nullptr) {
    if (local) {
      story.fact(
          "externalTrafficPolicy is Local, but it has no EndpointSlice: where its endpoints are is "
          "not known, so every node counts as having one");
    }
    return;
  }
  const char* only = local ? "; externalTrafficPolicy is Local, so only from there" : "";
  if (*backends == *v6) {
    story.fact(fmt::format("endpoints that serve are on: {}{}", where(*backends), only));
  } else {
    story.fact(fmt::format("endpoints that serve are on: {} for IPv4, {} for IPv6{}",
                           where(*backends), where(*v6), only));
  }
  if (local && !backends->any && !v6->any) {
    story.advise("externalTrafficPolicy is Local and no endpoint is ready: see its pods");
  }
}

void tell_external_ips(const View& view, const Service& service, Story& story) {
  for (const IpAddress& ip : service.external_ips) tell_claim(view, service, ip, story);
}

void tell_external_claims(const View& view, const IpAddress& ip, Story& story) {
  if (!view.policies().known()) return;
  for (const Service& s : view.desired().services) {
    if (lists(s, ip)) tell_claim(view, s, ip, story);
  }
}

}  // namespace herald::daemon
