// tests/daemon/scenario_manifests.h: the neutral words of tests/scenarios as manifests of a
// dialect. A manifest is one line of JSON, which is YAML too.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "config/yaml_document.h"

namespace herald::scenarios {

namespace json = boost::json;
using Objects = std::vector<json::object>;

inline json::value to_json(const config::Value& v) {
  switch (v.type) {
    case config::Value::Type::Null:
      return nullptr;
    case config::Value::Type::Bool:
      return v.text == "true";
    case config::Value::Type::Number: {
      boost::system::error_code bad;
      const json::value number = json::parse(v.text, bad);
      return bad ? json::value(v.text) : number;
    }
    case config::Value::Type::String:
      return json::value(v.text);
    case config::Value::Type::List: {
      json::array out;
      for (const config::Value& item : v.items) out.push_back(to_json(item));
      return out;
    }
    case config::Value::Type::Map: {
      json::object out;
      for (std::size_t i = 0; i < v.keys.size(); ++i) out[v.keys[i]] = to_json(v.items[i]);
      return out;
    }
  }
  return nullptr;
}

inline json::object read_data(const std::string& name) {
  std::ifstream in(std::string(HERALD_SOURCE_DIR) + "/tests/scenarios/" + name + ".yaml");
  std::stringstream text;
  text << in.rdbuf();
  const config::YamlFile file = config::parse_yaml(text.str());
  if (file.documents.size() != 1 || !file.errors.empty()) {
    throw std::runtime_error(name + " cannot be read");
  }
  return to_json(file.documents.front()).as_object();
}

inline std::string to_manifests(const Objects& objects) {
  std::string out;
  for (const json::object& o : objects) out += "---\n" + json::serialize(o) + "\n";
  return out;
}

// ---- reading the neutral words ------------------------------------------------------------------

inline std::string text(const json::value& v) {
  if (v.is_string()) return std::string(v.get_string());
  return v.is_null() ? "" : json::serialize(v);
}
inline std::string text(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v == nullptr ? "" : text(*v);
}
inline json::array list(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_array() ? v->get_array() : json::array{};
}
inline std::string joined(const json::array& items) {
  std::string out;
  for (const json::value& item : items) out += (out.empty() ? "" : ",") + text(item);
  return out;
}

inline json::object object(const char* api, const char* kind, const std::string& name,
                           json::object spec) {
  return {{"apiVersion", api},
          {"kind", kind},
          {"metadata", json::object{{"name", name.empty() ? "unnamed" : name}}},
          {"spec", std::move(spec)}};
}

// Moves the members named `from` of `in` into `out`, under the name that follows.
inline void carry(const json::object& in, json::object& out,
                  std::initializer_list<std::pair<const char*, const char*>> names) {
  for (const auto& [from, to] : names) {
    if (const json::value* v = in.if_contains(from)) out[to] = *v;
  }
}

// A word that the translation below does not know would silently test nothing.
inline void know(const json::object& o, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : o) {
    bool found = false;
    for (const std::string_view k : known) found = found || key == k;
    if (!found) throw std::runtime_error("unknown word: " + std::string(key));
  }
}

// ---- kinds of Kubernetes
// -------------------------------------------------------------------------

inline json::object node_manifest(const json::object& n) {
  know(n, {"name", "labels"});
  json::object out = object("v1", "Node", text(n, "name"), {});
  if (n.contains("labels")) out["metadata"].as_object()["labels"] = n.at("labels");
  return out;
}

inline json::object namespace_manifest(const json::object& n) {
  know(n, {"name", "labels"});
  json::object out = object("v1", "Namespace", text(n, "name"), {});
  if (n.contains("labels")) out["metadata"].as_object()["labels"] = n.at("labels");
  return out;
}

inline json::object service_manifest(const json::object& s, bool metallb) {
  know(s, {"ns",
           "name",
           "type",
           "labels",
           "families",
           "familyPolicy",
           "ports",
           "etp",
           "podSelector",
           "sharingKey",
           "sharingNamespaces",
           "sharingPermitDifferentPods",
           "requestIPs",
           "requestVia",
           "requestPool",
           "loadBalancerClass",
           "clusterIPs",
           "statusIPs",
           "statusHostnames",
           "created"});
  json::object metadata{{"name", text(s, "name")},
                        {"namespace", s.contains("ns") ? text(s, "ns") : "default"}};
  json::object annotations, spec{{"type", s.contains("type") ? text(s, "type") : "LoadBalancer"}};
  if (s.contains("labels")) metadata["labels"] = s.at("labels");
  if (s.contains("created")) metadata["creationTimestamp"] = s.at("created");
  carry(s, spec,
        {{"families", "ipFamilies"},
         {"familyPolicy", "ipFamilyPolicy"},
         {"etp", "externalTrafficPolicy"},
         {"podSelector", "selector"},
         {"loadBalancerClass", "loadBalancerClass"},
         {"clusterIPs", "clusterIPs"}});
  json::array ports;
  for (const json::value& port : list(s, "ports")) {
    const std::string word = text(port);
    const auto slash = word.find('/');
    ports.push_back(
        json::object{{"name", "p" + std::to_string(ports.size())},
                     {"port", std::stoi(word)},
                     {"protocol", slash == std::string::npos ? "TCP" : word.substr(slash + 1)}});
  }
  if (!ports.empty()) spec["ports"] = std::move(ports);

  const char* ips = metallb ? "metallb.io/loadBalancerIPs" : "lbipam.cilium.io/ips";
  const json::value* via = s.if_contains("requestVia");
  if (via != nullptr && via->is_object()) {
    for (const json::value& ip : list(via->get_object(), "field")) spec["loadBalancerIP"] = ip;
    const json::array asked = list(via->get_object(), "annotation");
    if (!asked.empty()) annotations[ips] = joined(asked);
  } else if (const json::array asked = list(s, "requestIPs"); !asked.empty()) {
    if (via != nullptr && text(*via) == "field") {
      spec["loadBalancerIP"] = asked.front();
    } else {
      annotations[ips] = joined(asked);
    }
  }
  if (s.contains("requestPool")) annotations["metallb.io/address-pool"] = s.at("requestPool");
  if (s.contains("sharingKey")) {
    annotations[metallb ? "metallb.io/allow-shared-ip" : "lbipam.cilium.io/sharing-key"] =
        s.at("sharingKey");
  }
  if (s.contains("sharingNamespaces")) {
    annotations["lbipam.cilium.io/sharing-cross-namespace"] = joined(list(s, "sharingNamespaces"));
  }
  if (s.contains("sharingPermitDifferentPods")) {
    annotations["lbipam.cilium.io/sharing-permit-different-pods"] =
        text(s, "sharingPermitDifferentPods");
  }
  if (!annotations.empty()) metadata["annotations"] = std::move(annotations);
  json::array ingress;
  for (const json::value& ip : list(s, "statusIPs")) ingress.push_back(json::object{{"ip", ip}});
  for (const json::value& name : list(s, "statusHostnames")) {
    ingress.push_back(json::object{{"hostname", name}});
  }
  json::object out{{"apiVersion", "v1"},
                   {"kind", "Service"},
                   {"metadata", std::move(metadata)},
                   {"spec", std::move(spec)}};
  if (!ingress.empty()) {
    out["status"] = json::object{{"loadBalancer", json::object{{"ingress", std::move(ingress)}}}};
  }
  return out;
}

// One EndpointSlice; `ready` and `serving` as Kubernetes writes them.
inline json::object endpoints_manifest(const std::string& ns, const std::string& service,
                                       const json::array& endpoints) {
  json::array out;
  for (const json::value& v : endpoints) {
    const json::object& e = v.as_object();
    know(e, {"address", "node", "ready", "serving", "terminating"});
    json::object conditions;
    carry(e, conditions,
          {{"ready", "ready"}, {"serving", "serving"}, {"terminating", "terminating"}});
    json::object endpoint{{"addresses", json::array{text(e, "address")}},
                          {"conditions", std::move(conditions)}};
    if (e.contains("node")) endpoint["nodeName"] = e.at("node");
    out.push_back(std::move(endpoint));
  }
  return {
      {"apiVersion", "discovery.k8s.io/v1"},
      {"kind", "EndpointSlice"},
      {"metadata", json::object{{"name", service + "-1"},
                                {"namespace", ns},
                                {"labels", json::object{{"kubernetes.io/service-name", service}}}}},
      {"addressType", "IPv4"},
      {"endpoints", std::move(out)}};
}

}  // namespace herald::scenarios
