// tests/daemon/home.h: manifests that many stories begin with. Each ends where the next may follow.
#pragma once

#include <string>

namespace herald::daemon {

// Pool "lan", without probes: an IP is given at once.
inline std::string home_pool(const std::string& addresses) {
  return "apiVersion: herald.io/v1alpha1\nkind: LoadBalancerIPPool\nmetadata: {name: lan}\nspec: "
         "{addresses: [" +
         addresses + "], probe: false}\n---\n";
}

// All IPs may be announced on all links of all nodes.
inline std::string home_policy() {
  return "apiVersion: herald.io/v1alpha1\nkind: L2AnnouncementPolicy\nmetadata: {name: all}\nspec: "
         "{}\n---\n";
}

// Service default/NAME.
inline std::string home_service(const std::string& name) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name +
         ", namespace: default}\nspec: {type: LoadBalancer}\n---\n";
}

}  // namespace herald::daemon
