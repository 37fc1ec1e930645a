#include "daemon/policy_wire.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "daemon/dialect_view.h"
#include "daemon/lint.h"
#include "daemon/reply_wire.h"
#include "daemon/story.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

using Kinds = std::vector<std::string_view>;

const Kinds kL2 = {"L2AnnouncementPolicy", "CiliumL2AnnouncementPolicy", "L2Advertisement"};
const Kinds kBgp = {"BGPAdvertisement", "CiliumBGPAdvertisement"};

const char* to_string(AddressKind kind) {
  switch (kind) {
    case AddressKind::LoadBalancerIP:
      return "LoadBalancerIP";
    case AddressKind::ExternalIP:
      return "ExternalIP";
    case AddressKind::ClusterIP:
      break;
  }
  return "ClusterIP";
}

bool is_error(const Problem& problem) {
  return problem.severity == Severity::Error;
}

// in_force: a version of the object is.
void tell_problems(std::vector<Problem> problems, bool in_force, json::object& row) {
  const auto error = std::find_if(problems.begin(), problems.end(), is_error);
  const bool bad = error != problems.end();
  row["reason"] = !bad ? "InForce" : in_force ? "OldVersion" : "Invalid";
  row["message"] = bad                ? herald::to_string(*error)
                   : problems.empty() ? std::string()
                                      : herald::to_string(problems.front());
  row["problems"] = problems_wire(std::move(problems));
}

template <typename Policy>
json::object row_of(const View& view, const Policy& policy, const char* via, const Kinds& kinds,
                    const Reach& reach, const std::vector<PlannedNode>& nodes) {
  json::array pools, addresses;
  for (const PoolName& pool : policy.pools.names) pools.emplace_back(pool.str());
  for (const LabelSelector& selector : policy.pools.selectors) {
    pools.emplace_back(herald::to_string(selector));
  }
  for (const AddressKind kind : policy.addresses) addresses.emplace_back(to_string(kind));
  const auto selected = std::count_if(nodes.begin(), nodes.end(), [&](const PlannedNode& node) {
    return selects(policy.node_selectors, node.facts.labels);
  });
  json::object row{{"name", policy.name},
                   {"kind", policy.source.kind.empty() ? kinds.front() : policy.source.kind},
                   {"via", via},
                   {"service_selector", herald::to_string(policy.service_selectors)},
                   {"node_selector", herald::to_string(policy.node_selectors)},
                   {"pools", std::move(pools)},
                   {"addresses", std::move(addresses)},
                   {"services", reach.services.size()},
                   {"ips", reach.ips},
                   {"nodes", selected}};
  tell_problems(problems_of(view.desired(), kinds, "", policy.name, &policy.source), true, row);
  return row;
}

// Those of which no version is in force: of their text nothing is known for sure.
template <typename Policy>
void add_invalid(const Desired& desired, const std::vector<Policy>& in_force, const char* via,
                 const Kinds& kinds, json::array& out) {
  std::set<std::pair<std::string, std::string>> told;  // kind, name
  for (const Problem& p : desired.problems) {
    if (!is_error(p) || p.name.empty()) continue;
    if (std::find(kinds.begin(), kinds.end(), p.kind) == kinds.end()) continue;
    if (std::any_of(in_force.begin(), in_force.end(),
                    [&](const Policy& policy) { return policy.name == p.name; }) ||
        !told.emplace(p.kind, p.name).second) {
      continue;
    }
    json::object row{{"name", p.name}, {"kind", p.kind}, {"via", via}};
    tell_problems(problems_of(desired, {p.kind}, p.ns, p.name, nullptr), false, row);
    out.push_back(std::move(row));
  }
}

}  // namespace

json::array policies_wire(const View& view) {
  json::array out;
  if (!view.policies().known()) return out;
  const Desired& desired = view.desired();
  const auto members = eligible_members(view.node().peers(), std::nullopt, view.instant());
  const auto nodes = planned_nodes(members, view.policies(), view.node().cluster().drained);
  const auto reached =
      DialectView::reached(view.policies(), held_ips(view.node().table()), nodes, true);
  for (std::size_t i = 0; i < desired.l2_policies.size(); ++i) {
    const L2Policy& policy = desired.l2_policies[i];
    json::object row = row_of(view, policy, "l2", kL2, reached.l2[i], nodes);
    row["interfaces"] = strings(policy.interfaces);
    out.push_back(std::move(row));
  }
  add_invalid(desired, desired.l2_policies, "l2", kL2, out);
  for (std::size_t i = 0; i < desired.advertisements.size(); ++i) {
    const BgpAdvertisement& ad = desired.advertisements[i];
    json::object row = row_of(view, ad, "bgp", kBgp, reached.bgp[i], nodes);
    json::array& peers = row["peers"].emplace_array();
    for (const PeerName& peer : ad.peers) peers.emplace_back(peer.str());
    out.push_back(std::move(row));
  }
  add_invalid(desired, desired.advertisements, "bgp", kBgp, out);
  return out;
}

}  // namespace herald::daemon
