// config/core_kinds.cc: v1 Service, Node, Namespace. Of these we read what we need and tolerate the
// rest: they belong to Kubernetes, whose API server has checked them.
#include <algorithm>

#include "base/text.h"
#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {
namespace {

constexpr const char* kServiceNamespaceLabel = "io.kubernetes.service.namespace";
constexpr const char* kServiceNameLabel = "io.kubernetes.service.name";

void read_ports(MapReader& spec, Service& service) {
  for (MapReader& in : spec.maps("ports")) {
    ServicePort port;
    const auto number = in.integer("port", 1, 65535);
    if (!number && !in.has("port")) in.error("port", "is missing: write a number, 1 to 65535");
    port.port = static_cast<std::uint16_t>(number.value_or(1));
    const std::vector<std::string> protocols = {"TCP", "UDP", "SCTP"};
    port.protocol = protocols[in.choice("protocol", protocols).value_or(0)];
    service.ports.push_back(port);
  }
}

// Each way to ask for addresses adds to the list; the first one names it.
void read_requests(MapReader& annotations, MapReader& spec, Service& service) {
  const auto take = [&](MapReader& from, const std::string& key) {
    const auto list = from.text(key);
    if (!list) return;
    for (const std::string& item : split_list(*list)) {
      const auto address = IpAddress::parse(item);
      if (!address) {
        from.error(key, "'" + item +
                            "' is no IP address: write addresses like 192.0.2.1, with commas "
                            "between them");
        continue;
      }
      if (service.requested_by.empty()) service.requested_by = key;
      const auto& all = service.requested;
      if (std::find(all.begin(), all.end(), *address) == all.end()) {
        service.requested.push_back(*address);
      }
    }
  };
  for (const char* key : {"lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips",
                          "metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs"}) {
    take(annotations, key);
  }
  take(spec, "loadBalancerIP");
  if (service.requested_by == "loadBalancerIP") service.requested_by = "spec.loadBalancerIP";
}

void read_service(MapReader& root, Translated& out) {
  out.sort = kSort<Service>;
  out.may_be_service = true;
  if (out.ns.empty()) out.ns = "default";
  MapReader spec = root.map("spec");
  const std::string type = spec.text("type").value_or("ClusterIP");
  if (type != "LoadBalancer") {
    out.may_be_service = !out.good;
    out.object = UnmanagedService{{out.ns, out.name}, out.source, "its type is " + type};
    return;
  }
  Service service;
  service.name = {out.ns, out.name};
  service.source = out.source;
  MapReader metadata = root.map("metadata");
  service.created = read_creation_time(metadata);
  service.labels = metadata.labels("labels");
  service.labels[kServiceNamespaceLabel] = out.ns;
  service.labels[kServiceNameLabel] = out.name;
  MapReader annotations = metadata.map("annotations");

  if (const auto families = spec.choices("ipFamilies", {"IPv4", "IPv6"})) {
    for (const std::size_t f : *families) service.families.push_back(static_cast<IpFamily>(f));
  }
  const auto policy =
      spec.choice("ipFamilyPolicy", {"SingleStack", "PreferDualStack", "RequireDualStack"});
  service.family_policy = static_cast<IpFamilyPolicy>(policy.value_or(0));
  const auto traffic = spec.choice("externalTrafficPolicy", {"Cluster", "Local"});
  service.traffic_policy = static_cast<TrafficPolicy>(traffic.value_or(0));
  read_ports(spec, service);
  read_requests(annotations, spec, service);
  spec.each("externalIPs", [&](const std::string& t) -> std::optional<std::string> {
    const auto address = IpAddress::parse(t);
    if (!address) return "'" + t + "' is no IP address";
    service.external_ips.push_back(*address);
    return std::nullopt;
  });

  MapReader status = root.map("status");
  MapReader load_balancer = status.map("loadBalancer");
  for (MapReader& ingress : load_balancer.maps("ingress")) {
    if (!ingress.has("ip")) continue;  // a hostname, of another controller
    if (const auto address = ingress.ip("ip")) service.held.push_back(*address);
  }
  out.object = std::move(service);
}

}  // namespace

bool translate_core(const std::string& api, MapReader& root, Translated& out) {
  if (api != "v1") return false;
  if (out.kind == "Service") {
    read_service(root, out);
    return true;
  }
  if (out.kind == "Node" || out.kind == "Namespace") {
    MapReader metadata = root.map("metadata");
    Labels labels = metadata.labels("labels");
    out.ns.clear();
    if (out.kind == "Node") {
      out.sort = kSort<NodeObject>;
      const bool cordoned = root.map("spec").boolean("unschedulable").value_or(false);
      out.object = NodeObject{NodeName(out.name), out.source, std::move(labels), cordoned};
    } else {
      out.sort = kSort<NamespaceObject>;
      // As the API server does, so that selectors can name a namespace.
      labels["kubernetes.io/metadata.name"] = out.name;
      out.object = NamespaceObject{out.name, std::move(labels)};
    }
    return true;
  }
  return false;
}

}  // namespace herald::config
