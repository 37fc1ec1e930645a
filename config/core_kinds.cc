// config/core_kinds.cc: v1 Service, Node, Namespace and Secret, EndpointSlice. Of these we read
// what we need and tolerate the rest: they belong to Kubernetes, whose API server has checked them.
#include <algorithm>
#include <set>
#include <utility>

#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {
namespace {

constexpr const char* kServiceNamespaceLabel = "io.kubernetes.service.namespace";
constexpr const char* kServiceNameLabel = "io.kubernetes.service.name";

// A status is what controllers told. One of a strange form is theirs to mend, and hurts nobody who
// does not read it: from an API server it is passed over.
template <typename Read>
void read_forgiving(Translated& out, Read read) {
  const bool good = out.good;
  const std::size_t problems = out.problems.size();
  read();
  if (!out.lenient) return;
  out.good = good;
  out.problems.resize(problems);
}

// If its name does not say it.
template <typename T>
void keep_source(const Source& source, T& object) {
  if (source_of(object) != source) object.source = source;
}

void read_ports(MapReader& spec, Service& service) {
  for (MapReader& in : spec.maps("ports")) {
    ServicePort port;
    const auto number = in.integer("port", 1, 65535);
    if (!number && !in.has("port")) in.error("port", "is missing: write a number, 1 to 65535");
    port.port = static_cast<std::uint16_t>(number.value_or(1));
    const std::vector<std::string> protocols = {"TCP", "UDP", "SCTP"};
    port.protocol = static_cast<Protocol>(in.choice("protocol", protocols).value_or(0));
    service.ports.push_back(port);
  }
}

// ipFamilies, else the families of the cluster IPs. A cluster IP that is "None", or there but
// empty, says that there is nothing to send traffic to; manifests written by hand have none at all.
void read_families(MapReader& spec, Service& service) {
  if (const auto families = spec.choices("ipFamilies", {"IPv4", "IPv6"})) {
    for (const std::size_t f : *families) service.families.push_back(static_cast<IpFamily>(f));
  }
  const auto policy =
      spec.choice("ipFamilyPolicy", {"SingleStack", "PreferDualStack", "RequireDualStack"});
  service.family_policy = static_cast<IpFamilyPolicy>(policy.value_or(0));

  const auto first = spec.text("clusterIP");
  std::vector<std::string> all = spec.texts("clusterIPs");
  if (all.empty() && first && !first->empty()) all.push_back(*first);
  if (all.empty()) {
    service.headless = spec.has("clusterIP") || spec.has("clusterIPs");
    return;
  }
  const bool from_ips = service.families.empty();
  for (const std::string& text : all) {
    const auto ip = IpAddress::parse(text);
    if (!ip) {
      service.headless = true;
      if (text != "None" && !text.empty()) {
        spec.warning("clusterIPs", "'" + text +
                                       "' is no IP address, so there is nothing to send "
                                       "traffic to: leave it out, or write None");
      }
    } else if (from_ips && std::find(service.families.begin(), service.families.end(),
                                     ip->family()) == service.families.end()) {
      service.families.push_back(ip->family());
    }
  }
}

void read_status(MapReader status, Service& service) {
  MapReader load_balancer = status.map("loadBalancer");
  for (MapReader& ingress : load_balancer.maps("ingress")) {
    if (!ingress.text("hostname").value_or("").empty()) service.foreign_status = true;
    const auto text = ingress.text("ip");
    if (!text || text->empty()) continue;
    if (const auto address = IpAddress::parse(*text)) {
      service.held.push_back(*address);
    } else {
      ingress.warning("ip", "'" + *text + "' is no IP address, and is passed over");
    }
  }
}

void read_service(MapReader& root, Translated& out) {
  out.sort = kSort<Service>;
  out.may_be_service = true;
  if (out.ns.empty()) out.ns = "default";
  MapReader spec = root.map("spec");
  const std::vector<std::string> types = {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"};
  const std::string type = types[spec.choice("type", types).value_or(0)];
  if (type != "LoadBalancer") {
    out.may_be_service = !out.good;
    UnmanagedService other{{out.ns, out.name}, {}, "its type is " + type};
    keep_source(out.source, other);
    out.object = std::move(other);
    return;
  }
  Service service;
  service.name = {out.ns, out.name};
  keep_source(out.source, service);
  MapReader metadata = root.map("metadata");
  service.created = read_creation_time(metadata);
  service.labels = metadata.labels("labels");
  service.labels.set({{kServiceNamespaceLabel, out.ns}, {kServiceNameLabel, out.name}});
  MapReader annotations = metadata.map("annotations");

  service.selector = spec.labels("selector");
  service.load_balancer_class = spec.text("loadBalancerClass");
  read_families(spec, service);
  const auto traffic = spec.choice("externalTrafficPolicy", {"Cluster", "Local"});
  service.traffic_policy = static_cast<TrafficPolicy>(traffic.value_or(0));
  read_ports(spec, service);
  read_wishes(annotations, spec, service);
  spec.each("externalIPs", [&](const std::string& t) -> std::optional<std::string> {
    const auto address = IpAddress::parse(t);
    if (!address) return "'" + t + "' is no IP address";
    service.external_ips.push_back(*address);
    return std::nullopt;
  });

  // Kubernetes has these, too.
  for (const char* other : {"allocateLoadBalancerNodePorts", "externalName", "healthCheckNodePort",
                            "internalTrafficPolicy", "loadBalancerSourceRanges",
                            "publishNotReadyAddresses", "sessionAffinity", "sessionAffinityConfig",
                            "trafficDistribution", "topologyKeys", "ipFamily"}) {
    spec.ignore(other);
  }
  spec.warn_of_slips();

  read_forgiving(out, [&] { read_status(root.map("status"), service); });
  out.object = std::move(service);
}

void read_node(MapReader& root, Labels labels, Translated& out) {
  out.sort = kSort<NodeObject>;
  NodeObject node;
  node.name = NodeName(out.name);
  keep_source(out.source, node);
  node.labels = std::move(labels);
  MapReader spec = root.map("spec");
  node.cordoned = spec.boolean("unschedulable").value_or(false);
  for (MapReader& taint : spec.maps("taints")) {
    const auto key = taint.text("key");
    if (key == "node.kubernetes.io/out-of-service") node.out_of_service = true;
    if (key == "ToBeDeletedByClusterAutoscaler") node.going = true;
  }
  read_forgiving(out, [&] {
    MapReader status = root.map("status");
    for (MapReader& condition : status.maps("conditions")) {
      const auto type = condition.text("type"), value = condition.text("status");
      if (type == "Ready") node.ready = value != "False" && value != "Unknown";
      if (type == "NetworkUnavailable") node.network_unavailable = value == "True";
    }
  });
  out.object = std::move(node);
}

// Cilium's operator puts this in place of the pods of a Gateway or an Ingress, as its proxy runs on
// every node. Told by the address, as labels and names differ between its versions.
bool is_gateway(MapReader& endpoint, const std::vector<std::int64_t>& ports) {
  const auto addresses = endpoint.texts("addresses");
  return addresses.size() == 1 && addresses[0] == "192.192.192.192" && !endpoint.has("nodeName") &&
         (ports.empty() || std::find(ports.begin(), ports.end(), 9999) != ports.end());
}

// Where pods are. A condition that is not there means: ready; serving if ready; not terminating.
// Names instead of addresses are nothing that traffic is sent to.
void read_endpoint_slice(MapReader& root, MapReader& metadata, Translated& out) {
  out.sort = kSort<EndpointSlice>;
  if (out.ns.empty()) out.ns = "default";
  const Labels labels = metadata.labels("labels");
  const auto service = labels.find("kubernetes.io/service-name");
  if (service == labels.end()) return;  // of nobody's
  const auto type = root.text("addressType");
  if (type == "FQDN") return;
  EndpointSlice slice;
  if (type == "IPv4") slice.family = IpFamily::IPv4;
  if (type == "IPv6") slice.family = IpFamily::IPv6;
  std::vector<std::int64_t> ports;
  for (MapReader& in : root.maps("ports")) {
    if (const auto port = in.integer("port", 1, 65535)) ports.push_back(*port);
  }
  slice.name = {out.ns, out.name};
  slice.service = {out.ns, std::string(service->second)};
  for (MapReader& in : root.maps("endpoints")) {
    Endpoint endpoint;
    if (const auto node = in.text("nodeName")) endpoint.node = NodeName(*node);
    MapReader conditions = in.map("conditions");
    endpoint.ready = conditions.boolean("ready").value_or(true);
    endpoint.serving = conditions.boolean("serving").value_or(endpoint.ready);
    endpoint.terminating = conditions.boolean("terminating").value_or(false);
    endpoint.gateway = is_gateway(in, ports);
    slice.endpoints.push_back(std::move(endpoint));
  }
  out.object = std::move(slice);
}

void read_secret(MapReader& root, Translated& out) {
  out.sort = kSort<SecretObject>;
  if (out.ns.empty()) out.ns = "default";
  SecretObject secret;
  secret.name = {out.ns, out.name};
  secret.source = out.source;
  secret.type = root.text("type").value_or("Opaque");
  std::set<std::string> keys;
  for (const char* field : {"data", "stringData"}) {
    for (std::string& key : root.keys(field)) keys.insert(std::move(key));
  }
  secret.keys.assign(keys.begin(), keys.end());
  out.object = std::move(secret);
}

// MetalLB's configuration until its version 0.13.
bool is_metallb_config_map(MapReader& root, const Translated& out) {
  if (out.kind != "ConfigMap" || !root.has("data")) return false;
  const std::string config = root.map("data").text("config").value_or("");
  return config.find("address-pools:") != std::string::npos ||
         config.find("peer-address:") != std::string::npos;
}

}  // namespace

bool translate_core(const std::string& api, MapReader& root, Translated& out) {
  if (api == "discovery.k8s.io/v1" && out.kind == "EndpointSlice") {
    MapReader metadata = root.map("metadata");
    read_endpoint_slice(root, metadata, out);
    return true;
  }
  if (api.rfind("discovery.k8s.io/", 0) == 0 && out.kind == "EndpointSlice") {
    root.warning("apiVersion", "'" + api + "' is not read: write discovery.k8s.io/v1");
    return true;
  }
  if (api != "v1") return false;
  if (is_metallb_config_map(root, out)) {
    root.warning("data.config",
                 "MetalLB's configuration in a ConfigMap is not read, as MetalLB itself does not "
                 "since 0.13: write IPAddressPool, L2Advertisement, BGPPeer and BGPAdvertisement");
    return true;
  }
  if (out.kind == "Service") {
    read_service(root, out);
    return true;
  }
  if (out.kind == "Secret") {
    read_secret(root, out);
    return true;
  }
  if (out.kind == "Node" || out.kind == "Namespace") {
    MapReader metadata = root.map("metadata");
    Labels labels = metadata.labels("labels");
    out.ns.clear();
    if (out.kind == "Node") {
      read_node(root, std::move(labels), out);
    } else {
      out.sort = kSort<NamespaceObject>;
      // As the API server does, so that selectors can name a namespace.
      labels.set("kubernetes.io/metadata.name", out.name);
      out.object = NamespaceObject{out.name, std::move(labels)};
    }
    return true;
  }
  return false;
}

}  // namespace herald::config
