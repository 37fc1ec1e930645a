#include "daemon/status_metallb.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include <boost/json.hpp>

#include "base/lists.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

constexpr const char* kGroup = "metallb.io";
constexpr const char* kVersion = "v1beta1";
// An offer is what one node has for one peer of one IP. Hundreds of nodes and thousands of services
// make millions; so many take some ms.
constexpr std::size_t kMostOffers = 200'000;

const kube::Resource kServiceL2Status{kGroup, kVersion, "servicel2statuses", "ServiceL2Status"};
const kube::Resource kServiceBgpStatus{kGroup, kVersion, "servicebgpstatuses", "ServiceBGPStatus"};
const kube::Resource kConfigurationState{kGroup, kVersion, "configurationstates",
                                         "ConfigurationState"};

// The namespace of an object of MetalLB, by its path; empty: it is none of these.
std::string metallb_namespace(const Source& source) {
  static constexpr std::string_view kBefore = "/apis/metallb.io/", kIn = "/namespaces/";
  const std::string_view path = source.file;
  if (path.rfind(kBefore, 0) != 0) return {};
  const std::size_t in = path.find(kIn, kBefore.size());
  if (in == std::string_view::npos) return {};
  const std::size_t from = in + kIn.size();
  return std::string(path.substr(from, path.find('/', from) - from));
}

std::int64_t saturated(Uint128 n) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  return n > Uint128{kMost} ? kMost : static_cast<std::int64_t>(n);
}

json::object pool_status(const ipam::PoolUsage& usage) {
  return {{"assignedIPv4", saturated(usage.used_v4)},
          {"assignedIPv6", saturated(usage.used_v6)},
          {"availableIPv4", saturated(usage.available_v4)},
          {"availableIPv6", saturated(usage.available_v6)}};
}

// A label's value has at most 63 characters, a node's name 253.
void add_label(json::object& labels, const char* key, const std::string& value) {
  constexpr std::size_t kMost = 63;
  if (value.size() <= kMost) labels[key] = value;
}

std::string metadata(json::object labels) {
  labels["app.kubernetes.io/managed-by"] = "herald";
  return json::serialize(json::object{{"metadata", json::object{{"labels", std::move(labels)}}}});
}

// FNV-1a of all the names, each with its end: a name as MetalLB's are, but always the same.
std::string own_name(const char* prefix, const ObjectName& service, const NodeName& node) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string* part : {&service.ns, &service.name, &node.str()}) {
    for (const char c : *part + '/') {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  }
  return fmt::format("herald-{}-{:016x}", prefix, hash);
}

void want_service_status(const kube::Resource& resource, const char* prefix, const std::string& ns,
                         const ObjectName& service, const NodeName& node, json::object more,
                         WantedObjects& out) {
  json::object status{
      {"node", node.str()}, {"serviceName", service.name}, {"serviceNamespace", service.ns}};
  for (auto& [key, value] : more) status[key] = value;
  json::object labels;
  add_label(labels, "metallb.io/node", node.str());
  add_label(labels, "metallb.io/service-name", service.name);
  add_label(labels, "metallb.io/service-namespace", service.ns);
  out[{resource, ns, own_name(prefix, service, node)}] = {json::serialize(status),
                                                          WantedObject::Generation::Nowhere,
                                                          metadata(std::move(labels)), false};
}

using ByService = std::map<ObjectName, HeldIps>;

// Those of services that are there.
ByService by_service(const Policies& policies, const HeldIps& held) {
  ByService out;
  for (const auto& [vip, entry] : held) {
    if (entry->unproven) continue;
    for (const ObjectName& name : entry->services) {
      if (policies.service(name) != nullptr) out[name].emplace_back(vip, entry);
    }
  }
  return out;
}

// The links on which nodes announce a service's IPs, by MetalLB's own objects.
struct Links {
  std::string ns;    // of the first of these objects
  bool all = false;  // one of them has no interfaces
  std::set<std::string> names;
};

void want_l2(const Policies& policies, const ByService& services,
             const std::vector<PlannedNode>& nodes, std::size_t most, WantedObjects& out) {
  std::map<NodeName, L2Scope> scopes;
  std::size_t made = 0;
  for (const auto& [service, ips] : services) {
    std::map<NodeName, Links> found;
    for (const auto& [vip, entry] : ips) {
      const PlannedNode* node = entry->owner ? find_node(nodes, *entry->owner) : nullptr;
      if (node == nullptr) continue;
      const auto picks = policies.l2_picks(vip, entry->services);
      if (picks.picks.empty()) continue;
      const auto* links = node->links ? &*node->links : nullptr;
      const auto& scope =
          scopes.try_emplace(node->facts.name, policies, node->facts, links).first->second;
      const L2Scope::Seat seat = scope.seat(vip, picks);
      if (!seat.may()) continue;
      for (const auto& pick : picks.picks) {
        const std::string ns = metallb_namespace(pick.policy->source);
        if (ns.empty() || !pick.on(node->facts.name) ||
            !selects(pick.policy->node_selectors, node->facts.labels)) {
          continue;
        }
        Links& all = found[node->facts.name];
        if (all.ns.empty()) all.ns = ns;
        all.all = all.all || pick.policy->interfaces.empty();
        for (const coord::MemberLink* link : seat.links) all.names.insert(link->name);
      }
    }
    for (const auto& [node, links] : found) {
      if (made++ == most) return;
      json::object more;
      if (!links.all) {
        json::array& list = more["interfaces"].emplace_array();
        for (const std::string& name : links.names) list.push_back(json::object{{"name", name}});
      }
      want_service_status(kServiceL2Status, "l2", links.ns, service, node, std::move(more), out);
    }
  }
}

// MetalLB's peers of one node, ready to be asked.
struct NodePeers {
  const PlannedNode* node;
  std::vector<std::pair<const BgpPeer*, RouteScope>> peers;
};

std::vector<NodePeers> peers_of(const Policies& policies, const std::vector<PlannedNode>& nodes) {
  std::vector<NodePeers> out;
  for (const PlannedNode& node : nodes) {
    if (node.drained) continue;  // the others announce what it has
    NodePeers here{&node, {}};
    for (const BgpPeer& peer : policies.desired().peers) {
      if (metallb_namespace(peer.source).empty() || !peers_with(peer, node.facts.labels)) continue;
      RouteScope scope(policies, node.facts, peer);
      if (!scope.silent()) here.peers.emplace_back(&peer, std::move(scope));
    }
    if (!here.peers.empty()) out.push_back(std::move(here));
  }
  return out;
}

void want_bgp(const Policies& policies, const ByService& services,
              const std::vector<PlannedNode>& nodes, std::size_t most, WantedObjects& out) {
  const std::vector<NodePeers> all = peers_of(policies, nodes);
  if (all.empty()) return;
  std::size_t made = 0, asked = 0;
  for (const auto& [service, ips] : services) {
    std::vector<Picks<BgpAdvertisement>> picks;
    for (const auto& [vip, entry] : ips) picks.push_back(policies.bgp_picks(vip, entry->services));
    for (const NodePeers& here : all) {
      std::string ns;
      std::set<std::string> told;
      for (const auto& [peer, scope] : here.peers) {
        for (std::size_t i = 0; i < ips.size(); ++i) {
          if (picks[i].picks.empty()) continue;
          if (++asked > kMostOffers) return;
          for (const auto& share :
               scope.offer(ips[i].first, picks[i], ips[i].second->owner).shares) {
            const std::string theirs = metallb_namespace(share.advertisement->source);
            if (theirs.empty()) continue;
            if (ns.empty()) ns = theirs;
            told.insert(peer->name.str());
          }
        }
      }
      if (told.empty()) continue;
      if (made++ == most) return;
      want_service_status(kServiceBgpStatus, "bgp", ns, service, here.node->facts.name,
                          {{"peers", json::array(told.begin(), told.end())}}, out);
    }
  }
}

json::object configuration(const std::vector<const Problem*>& problems) {
  std::string errors, warnings;
  for (const Problem* p : problems) {
    std::string& to = p->severity == Severity::Error ? errors : warnings;
    to += (to.empty() ? "" : "\n") + p->kind + " " + p->name + ": " +
          (p->field.empty() ? "" : p->field + ": ") + p->message;
  }
  const bool valid = errors.empty();
  json::object reconciled =
      condition("configReconcilerValid", valid, valid ? "Reconciled" : "ConfigurationError",
                valid ? "" : "configuration error: " + errors);
  // Made to fit, as the condition is.
  const json::string summary =
      valid ? json::string() : condition("x", true, "x", errors)["message"].as_string();
  json::array conditions{std::move(reconciled)};
  if (!warnings.empty()) {
    conditions.push_back(condition("herald.io/Warnings", true, "SeeMessage", warnings));
  }
  return {{"result", valid ? "Valid" : "Invalid"},
          {"errorSummary", summary},
          {"conditions", std::move(conditions)}};
}

bool serves(const kube::Observed& observed, const kube::Resource& resource) {
  return observed.kinds.contains(kube::name_of(resource));
}

}  // namespace

void want_metallb_statuses(const DialectView& view, WantedObjects& out) {
  const kube::Observed& observed = view.facts().observed;
  std::set<std::string> namespaces;
  for (const auto& [object, seen] : observed.objects) {
    if (object.resource.group != kGroup) continue;
    if (object.resource.kind != "IPAddressPool") continue;
    const ReadObject& read = view.read_from(object);
    namespaces.insert(object.ns);
    if (read.usage == nullptr) continue;
    out[object] = {
        json::serialize(pool_status(*read.usage)), WantedObject::Generation::Nowhere, {}, false};
  }
  // All of them in one object of each namespace: those that have no conditions of their own.
  std::map<std::string, std::vector<const Problem*>> problems;
  for (const std::string& ns : namespaces) problems[ns];
  for (const Problem& p : view.desired().problems) {
    const std::string ns = metallb_namespace(p.source);
    if (!ns.empty()) problems[ns].push_back(&p);
  }
  if (!serves(observed, kConfigurationState)) return;
  for (const auto& [ns, all] : problems) {
    out[{kConfigurationState, ns, "herald"}] = {
        json::serialize(configuration(all)), WantedObject::Generation::Nowhere,
        metadata({{"metallb.io/component-type", "controller"}}), false};
  }
}

void want_service_statuses(const kube::Observed& observed, const Policies& policies,
                           const HeldIps& held, const std::vector<PlannedNode>& nodes,
                           std::size_t most, WantedObjects& out) {
  const bool l2 = serves(observed, kServiceL2Status), bgp = serves(observed, kServiceBgpStatus);
  if (!l2 && !bgp) return;
  const ByService services = by_service(policies, held);
  if (l2) want_l2(policies, services, nodes, most, out);
  if (bgp) want_bgp(policies, services, nodes, most, out);
}

}  // namespace herald::daemon
