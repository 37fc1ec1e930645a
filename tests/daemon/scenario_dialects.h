// tests/daemon/scenario_dialects.h: pools, peers and advertisements in neutral words as manifests
// of Cilium and MetalLB.
#pragma once

#include "scenario_manifests.h"

namespace herald::scenarios {

// ---- Cilium
// ----------------------------------------------------------------------------------------

inline json::object cilium_pool(const json::object& p) {
  know(p, {"name", "blocks", "addresses", "allowFirstLastIPs", "disabled", "serviceSelector",
           "created"});
  json::object spec;
  carry(p, spec,
        {{"blocks", "blocks"},
         {"allowFirstLastIPs", "allowFirstLastIPs"},
         {"disabled", "disabled"},
         {"serviceSelector", "serviceSelector"}});
  json::object out = object("cilium.io/v2", "CiliumLoadBalancerIPPool", text(p, "name"), spec);
  if (p.contains("created")) out["metadata"].as_object()["creationTimestamp"] = p.at("created");
  return out;
}

inline Objects cilium_config(const json::object& config) {
  know(config, {"pools", "bgpAdvs", "bgpInstances", "peerConfigs", "nodeOverrides", "l2Policies"});
  Objects out;
  for (const json::value& v : list(config, "pools")) out.push_back(cilium_pool(v.as_object()));
  std::size_t n = 0;
  for (const json::value& v : list(config, "bgpAdvs")) {
    json::object ad = v.as_object();
    know(ad, {"type", "service", "interface", "selector", "attributes"});
    if (ad.contains("type")) {
      json::value type = ad.at("type");  // a copy: the new member may move the others
      ad["advertisementType"] = std::move(type);
      ad.erase("type");
    }
    out.push_back(object("cilium.io/v2", "CiliumBGPAdvertisement", "ad" + std::to_string(++n),
                         {{"advertisements", json::array{ad}}}));
  }
  if (config.contains("bgpInstances")) {
    out.push_back(object("cilium.io/v2", "CiliumBGPClusterConfig", "cluster",
                         {{"bgpInstances", config.at("bgpInstances")}}));
  }
  const auto named = [&](const char* key, const char* kind) {
    for (const json::value& v : list(config, key)) {
      json::object spec = v.as_object();
      const std::string name = text(spec, "name");
      spec.erase("name");
      out.push_back(object("cilium.io/v2", kind, name, std::move(spec)));
    }
  };
  named("peerConfigs", "CiliumBGPPeerConfig");
  named("nodeOverrides", "CiliumBGPNodeConfigOverride");
  for (const json::value& v : list(config, "l2Policies")) {
    json::object spec = v.as_object();
    const std::string name = text(spec, "name");
    spec.erase("name");
    out.push_back(
        object("cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", name, std::move(spec)));
  }
  return out;
}

// ---- MetalLB
// ---------------------------------------------------------------------------------------

inline json::object metallb(const char* kind, const std::string& name, json::object spec,
                            const std::string& ns, const char* version = "v1beta1") {
  const std::string api = std::string("metallb.io/") + version;
  json::object out = object(api.c_str(), kind, name, std::move(spec));
  out["metadata"].as_object()["namespace"] = ns;
  return out;
}

inline json::object metallb_pool(const json::object& p, const std::string& ns = "metallb-system") {
  know(p, {"name", "addresses", "autoAssign", "avoidBuggyIPs", "allocateTo", "labels", "bgpAdvs",
           "created"});
  json::object spec;
  carry(p, spec,
        {{"addresses", "addresses"},
         {"autoAssign", "autoAssign"},
         {"avoidBuggyIPs", "avoidBuggyIPs"},
         {"allocateTo", "serviceAllocation"}});
  json::object out = metallb("IPAddressPool", text(p, "name"), std::move(spec), ns);
  if (p.contains("labels")) out["metadata"].as_object()["labels"] = p.at("labels");
  if (p.contains("created")) out["metadata"].as_object()["creationTimestamp"] = p.at("created");
  return out;
}

inline json::object metallb_peer(const json::object& p, const std::string& name,
                                 const std::string& ns) {
  know(p, {"name",          "myASN",
           "peerASN",       "dynamicASN",
           "localASN",      "address",
           "interface",     "sourceAddress",
           "port",          "holdTime",
           "keepaliveTime", "connectTime",
           "routerID",      "nodeSelectors",
           "password",      "passwordSecret",
           "bfdProfile",    "enableGracefulRestart",
           "ebgpMultiHop",  "vrf",
           "disableMP",     "dualStackAddressFamily"});
  json::object spec;
  for (const auto& [key, value] : p) spec[key] = value;
  for (const char* gone : {"name", "address", "port"}) spec.erase(gone);
  carry(p, spec, {{"address", "peerAddress"}, {"port", "peerPort"}});
  if (!p.contains("name")) {  // a rule that needs no more than is written there
    if (!p.contains("myASN")) spec["myASN"] = 64512;
    if (!p.contains("peerASN") && !p.contains("dynamicASN")) spec["peerASN"] = 64513;
  }
  if (p.contains("passwordSecret")) {
    spec["passwordSecret"] = json::object{{"name", p.at("passwordSecret")}};
  }
  return metallb("BGPPeer", name, std::move(spec), ns, "v1beta2");
}

// The neutral `nodes` names nodes; a manifest selects them by label.
inline json::array by_host_name(const json::array& nodes) {
  json::array out;
  for (const json::value& n : nodes) {
    out.push_back(json::object{{"matchLabels", json::object{{"kubernetes.io/hostname", n}}}});
  }
  return out;
}

inline json::object metallb_bgp_adv(const json::object& a, const std::string& name,
                                    const std::string& ns = "metallb-system") {
  know(a, {"name", "aggregationLength", "aggregationLengthV6", "localPref", "communities", "pools",
           "poolSelectors", "nodeSelectors", "nodes", "peers", "serviceSelectors"});
  json::object spec;
  carry(a, spec,
        {{"aggregationLength", "aggregationLength"},
         {"aggregationLengthV6", "aggregationLengthV6"},
         {"localPref", "localPref"},
         {"communities", "communities"},
         {"pools", "ipAddressPools"},
         {"poolSelectors", "ipAddressPoolSelectors"},
         {"nodeSelectors", "nodeSelectors"},
         {"peers", "peers"},
         {"serviceSelectors", "serviceSelectors"}});
  if (a.contains("nodes")) spec["nodeSelectors"] = by_host_name(list(a, "nodes"));
  return metallb("BGPAdvertisement", name, std::move(spec), ns);
}

inline json::object metallb_l2_adv(const json::object& a, const std::string& name,
                                   const std::string& ns = "metallb-system") {
  know(a, {"name", "pools", "poolSelectors", "nodeSelectors", "nodes", "nodeScores", "interfaces",
           "serviceSelectors", "preferredNodes"});
  json::object spec;
  carry(a, spec,
        {{"pools", "ipAddressPools"},
         {"poolSelectors", "ipAddressPoolSelectors"},
         {"nodeSelectors", "nodeSelectors"},
         {"interfaces", "interfaces"},
         {"serviceSelectors", "serviceSelectors"}});
  if (a.contains("nodes")) spec["nodeSelectors"] = by_host_name(list(a, "nodes"));
  json::array preferred;
  for (const json::value& v : list(a, "preferredNodes")) {
    preferred.push_back(json::object{{"weight", v.as_object().at("weight")},
                                     {"preference", v.as_object().at("selector")}});
  }
  if (a.contains("nodeScores")) {
    for (const auto& [node, score] : a.at("nodeScores").as_object()) {
      // A weight is at most 100; a score may be the sum of several.
      for (std::int64_t left = score.as_int64(); left > 0; left -= 100) {
        preferred.push_back(json::object{
            {"weight", std::min<std::int64_t>(left, 100)},
            {"preference",
             json::object{
                 {"matchLabels", json::object{{"kubernetes.io/hostname", std::string(node)}}},
                 {"matchExpressions",
                  json::array{
                      json::object{{"key", "kubernetes.io/hostname"},
                                   {"operator", "NotIn"},
                                   {"values", json::array{"x" + std::to_string(left)}}}}}}}});
      }
    }
  }
  if (!preferred.empty()) spec["preferredNodeSelectors"] = std::move(preferred);
  return metallb("L2Advertisement", name, std::move(spec), ns);
}

inline Objects metallb_config(const json::object& config) {
  know(config, {"pools", "peers", "bgpAdvs", "l2Advs", "bfdProfiles", "communities", "nodes",
                "namespaces", "secrets", "objectNamespace", "operatorNamespace"});
  const std::string ns =
      config.contains("objectNamespace") ? text(config, "objectNamespace") : "metallb-system";
  Objects out;
  std::size_t n = 0;
  const auto name_of = [&](const json::object& o) {
    return o.contains("name") ? text(o, "name") : "unnamed-" + std::to_string(++n);
  };
  for (const json::value& v : list(config, "nodes")) out.push_back(node_manifest(v.as_object()));
  for (const json::value& v : list(config, "namespaces")) {
    out.push_back(namespace_manifest(v.as_object()));
  }
  for (const json::value& v : list(config, "secrets")) {
    json::object secret{
        {"apiVersion", "v1"},
        {"kind", "Secret"},
        {"metadata", json::object{{"name", v.as_object().at("name")}, {"namespace", ns}}}};
    carry(v.as_object(), secret, {{"type", "type"}, {"data", "data"}});
    out.push_back(std::move(secret));
  }
  for (const json::value& v : list(config, "pools")) {
    json::object pool = v.as_object();
    if (!pool.contains("name")) pool["name"] = name_of(pool);
    out.push_back(metallb_pool(pool, ns));
  }
  for (const json::value& v : list(config, "peers")) {
    out.push_back(metallb_peer(v.as_object(), name_of(v.as_object()), ns));
  }
  for (const json::value& v : list(config, "bgpAdvs")) {
    out.push_back(metallb_bgp_adv(v.as_object(), name_of(v.as_object()), ns));
  }
  for (const json::value& v : list(config, "l2Advs")) {
    out.push_back(metallb_l2_adv(v.as_object(), name_of(v.as_object()), ns));
  }
  for (const json::value& v : list(config, "bfdProfiles")) {
    json::object spec = v.as_object();
    spec.erase("name");
    if (spec.contains("minimumTTL")) {
      json::value ttl = spec.at("minimumTTL");
      spec["minimumTtl"] = std::move(ttl);
      spec.erase("minimumTTL");
    }
    out.push_back(metallb("BFDProfile", name_of(v.as_object()), std::move(spec), ns));
  }
  for (const json::value& v : list(config, "communities")) {
    out.push_back(metallb("Community", name_of(v.as_object()),
                          {{"communities", list(v.as_object(), "aliases")}}, ns));
  }
  return out;
}

}  // namespace herald::scenarios
