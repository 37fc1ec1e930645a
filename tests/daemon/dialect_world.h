// tests/daemon/dialect_world.h: a cluster as its leader sees it, for tables of statuses: objects as
// an API server has them, members, the IP table.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "config/manifests.h"
#include "daemon/dialect_statuses.h"

namespace herald::daemon {

// A kind, as tests name it: its group, version, plural and name.
struct TestKind {
  Literal group, version, plural, kind;
  bool namespaced = false;
};
inline constexpr TestKind kHeraldPool{"herald.io", "v1alpha1", "loadbalancerippools",
                                      "LoadBalancerIPPool"};
inline constexpr TestKind kHeraldL2{"herald.io", "v1alpha1", "l2announcementpolicies",
                                    "L2AnnouncementPolicy"};
inline constexpr TestKind kHeraldPeer{"herald.io", "v1alpha1", "bgppeers", "BGPPeer"};
inline constexpr TestKind kHeraldAdvertisement{"herald.io", "v1alpha1", "bgpadvertisements",
                                               "BGPAdvertisement"};
inline constexpr TestKind kHeraldBfd{"herald.io", "v1alpha1", "bfdprofiles", "BFDProfile"};
inline constexpr TestKind kNodeStatus{"herald.io", "v1alpha1", "nodestatuses", "NodeStatus"};
inline constexpr TestKind kCiliumPool{"cilium.io", "v2", "ciliumloadbalancerippools",
                                      "CiliumLoadBalancerIPPool"};
inline constexpr TestKind kCiliumL2{"cilium.io", "v2alpha1", "ciliuml2announcementpolicies",
                                    "CiliumL2AnnouncementPolicy"};
inline constexpr TestKind kCiliumCluster{"cilium.io", "v2", "ciliumbgpclusterconfigs",
                                         "CiliumBGPClusterConfig"};
inline constexpr TestKind kCiliumPeerConfig{"cilium.io", "v2", "ciliumbgppeerconfigs",
                                            "CiliumBGPPeerConfig"};
inline constexpr TestKind kMetallbPool{"metallb.io", "v1beta1", "ipaddresspools", "IPAddressPool",
                                       true};
inline constexpr TestKind kMetallbL2{"metallb.io", "v1beta1", "l2advertisements", "L2Advertisement",
                                     true};
inline constexpr TestKind kMetallbAdvertisement{"metallb.io", "v1beta1", "bgpadvertisements",
                                                "BGPAdvertisement", true};
inline constexpr TestKind kMetallbPeer{"metallb.io", "v1beta2", "bgppeers", "BGPPeer", true};
inline constexpr TestKind kServiceL2{"metallb.io", "v1beta1", "servicel2statuses",
                                     "ServiceL2Status", true};
inline constexpr TestKind kServiceBgp{"metallb.io", "v1beta1", "servicebgpstatuses",
                                      "ServiceBGPStatus", true};
inline constexpr TestKind kConfiguration{"metallb.io", "v1beta1", "configurationstates",
                                         "ConfigurationState", true};

inline kube::ObjectRef object(const TestKind& kind, const std::string& name) {
  return {{kind.group, kind.version, kind.plural, kind.kind, kind.namespaced},
          kind.namespaced ? "metallb-system" : "",
          name};
}

class DialectWorld {
 public:
  DialectWorld() : peers_(NodeName("n1"), coord::LeaseTiming{}) {}

  // An object that is there; `body` is YAML from "spec:" on.
  kube::ObjectRef add(const TestKind& kind, const std::string& name, const std::string& body,
                      const std::string& created = "2026-01-01T00:00:00Z") {
    const kube::ObjectRef ref = object(kind, name);
    const std::string ns = ref.ns.empty() ? "" : ", namespace: " + ref.ns;
    manifests.set_file(kube::path_of(ref),
                       "apiVersion: " + kube::api_version(ref.resource) +
                           "\nkind: " + kind.kind.str() + "\nmetadata: {name: " + name + ns +
                           ", creationTimestamp: \"" + created + "\"}\n" + body + "\n");
    see(ref);
    return ref;
  }
  void see(const kube::ObjectRef& ref, const std::string& status = "") {
    observed.kinds.insert(kube::name_of(ref.resource));
    kube::ObservedObject seen;
    seen.status = status;
    observed.objects.set(ref, seen);
  }
  void serve(const TestKind& kind) {
    observed.kinds.insert(kube::name_of(object(kind, "").resource));
  }

  // A member with eth0 and eth1 in the subnet of everything.
  void member(const std::string& name) {
    coord::MemberDocument d;
    d.node = NodeName(name);
    d.rev = coord::Revision(1);
    d.inc = coord::Incarnation(1);
    d.info.links = {{"eth0", {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("fd00::/16")}},
                    {"eth1", {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("fd00::/16")}}};
    peers_.on_seen(d, now);
    manifests.set_file("/api/v1/nodes/" + name,
                       "apiVersion: v1\nkind: Node\nmetadata: {name: " + name +
                           ", labels: {kubernetes.io/hostname: " + name + "}}\n");
  }
  // What a node tells of itself.
  void told(const std::string& node, const std::vector<std::string>& established) {
    boost::json::array sessions{boost::json::object{{"peer", "idle"}, {"state", "Idle"}}};
    for (const std::string& peer : established) {
      sessions.push_back(boost::json::object{{"peer", peer}, {"state", "Established"}});
    }
    see(object(kNodeStatus, node),
        boost::json::serialize(boost::json::object{{"sessions", sessions}}));
  }
  // A service that the table holds these IPs for.
  void service(const std::string& name, const std::vector<std::string>& ips,
               const std::string& owner = "", const std::string& more = "") {
    manifests.set_file("/api/v1/namespaces/default/services/" + name,
                       "apiVersion: v1\nkind: Service\nmetadata: {name: " + name +
                           ", namespace: default, labels: {app: " + name +
                           "}}\nspec: {type: LoadBalancer, ports: [{port: 80}]" + more + "}\n");
    for (const std::string& text : ips) {
      coord::TableEntry entry;
      entry.services = {{"default", name}};
      if (!owner.empty()) entry.owner = NodeName(owner);
      hold(text, entry);
    }
  }
  void hold(const std::string& text, const coord::TableEntry& entry) {
    const IpAddress vip = *IpAddress::parse(text);
    coord::TableDocument& shard = shards_[coord::shard_of(vip)];
    shard.shard = coord::shard_of(vip);
    shard.rev = shard.rev.next();
    shard.entries[vip] = entry;
    table_.on_seen(shard, now);
  }

  WantedObjects wanted() {
    if (!policies_ || manifests_read_ != manifests.desired()) {
      manifests_read_ = manifests.desired();
      policies_ = Policies(std::make_shared<const Desired>(manifests_read_));
    }
    const Allocation allocation = allocate(*policies_, table_, {}, {});
    WantedObjects out;
    statuses_.add(
        {observed, *policies_, &allocation.plan.pools, table_, peers_, drained, now, most}, out);
    return out;
  }
  // The wanted status of an object; empty: none is wanted.
  std::string status(const kube::ObjectRef& ref) {
    const WantedObjects all = wanted();
    const auto it = all.find(ref);
    return it == all.end() ? "" : *it->second.status;
  }
  // Its condition of this type as "True Reason message"; empty: it has none.
  std::string condition(const kube::ObjectRef& ref, const std::string& type) {
    const std::string text = status(ref);
    if (text.empty()) return "";
    const boost::json::value status_read = boost::json::parse(text);
    for (const auto& c : status_read.at("conditions").as_array()) {
      if (c.at("type").as_string() != type.c_str()) continue;
      return std::string(c.at("status").as_string()) + " " +
             std::string(c.at("reason").as_string()) + " " +
             std::string(c.at("message").as_string());
    }
    return "";
  }

  config::Manifests manifests;
  kube::Observed observed;
  std::set<NodeName> drained;
  std::size_t most = 2000;
  Instant now{1000s};

 private:
  coord::Table table_;
  coord::Peers peers_;
  std::map<unsigned, coord::TableDocument> shards_;
  std::optional<Policies> policies_;
  Desired manifests_read_;
  DialectStatuses statuses_;
};

}  // namespace herald::daemon
