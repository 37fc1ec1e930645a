#include "daemon/plan.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include <boost/json.hpp>

#include "daemon/plan_wire.h"
#include "daemon/reply_wire.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

std::vector<PlannedPeer> sessions(const Desired& desired, const std::vector<PlannedNode>& nodes) {
  std::vector<PlannedPeer> out;
  for (const BgpPeer& peer : desired.peers) {
    PlannedPeer planned{peer.name, {}, {}};
    for (const PlannedNode& node : nodes) {
      if (peers_with(peer, node.facts.labels)) planned.nodes.push_back(node.facts.name);
    }
    if (planned.nodes.empty()) planned.reason = nodes.empty() ? "NoNodeKnown" : "NoEligibleNode";
    out.push_back(std::move(planned));
  }
  return out;
}

std::vector<IpAddress> ips_of(const ipam::Decision& decision) {
  std::vector<IpAddress> out;
  for (const ipam::GivenIp& given : decision.ips) out.push_back(given.ip);
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<IpChange> changes(const ipam::Holdings& held, const ipam::Plan& plan) {
  std::map<ObjectName, IpChange> of;
  for (const auto& [ip, services] : held) {
    for (const ObjectName& s : services) of[s].from.push_back(ip);
  }
  for (const ipam::Decision& decision : plan.decisions) of[decision.service].to = ips_of(decision);
  std::vector<IpChange> out;
  for (auto& [service, change] : of) {
    if (change.from == change.to) continue;
    change.service = service;
    out.push_back(std::move(change));
  }
  return out;
}

}  // namespace

ManifestPlan plan_offline(const Policies& wanted) {
  const std::vector<PlannedNode> nodes = declared_nodes(wanted);
  ManifestPlan out;
  out.allocation = allocate(wanted, coord::Table{}, {}, {});
  out.announced = announcements(wanted, out.allocation.holdings, nodes);
  out.peers = sessions(wanted.desired(), nodes);
  out.no_node = nodes.empty();
  return out;
}

ManifestPlan plan_on(const Node& node, const Policies& wanted, Instant now) {
  std::vector<PlannedNode> nodes;
  for (const Eligible& member : eligible_members(node.peers(), std::nullopt, now)) {
    nodes.push_back({wanted.node(member.node, member.info.labels), member.info.links,
                     node.cluster().drained.contains(member.node)});
  }
  std::map<IpAddress, NodeName> owners;
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : node.table().shard(s).entries) {
      if (entry.owner) owners.emplace(vip, *entry.owner);
    }
  }
  ManifestPlan out;
  out.allocation =
      allocate(wanted, node.table(), {{}, pools_told(wanted, node.statuses())}, node.statuses());
  out.announced = announcements(wanted, out.allocation.holdings, nodes, owners);
  out.peers = sessions(wanted.desired(), nodes);
  out.no_node = nodes.empty();
  out.changes = changes(holdings_of(node.table()), out.allocation.plan);
  return out;
}

std::optional<std::string> answer_plan(const Node& node, const config::Manifests& in_force,
                                       std::string_view request, Instant now) {
  boost::system::error_code bad;
  const json::value parsed = json::parse({request.data(), request.size()}, bad);
  const json::object* o = bad ? nullptr : parsed.if_object();
  const json::value* command = o == nullptr ? nullptr : o->if_contains("command");
  if (command == nullptr || *command != "plan") return std::nullopt;
  const json::value* files = o->if_contains("files");
  if (files == nullptr || !files->is_array()) {
    return refused("'files' must be a list of {\"path\", \"text\"}");
  }
  config::Manifests applied = in_force;
  for (const json::value& file : files->get_array()) {
    const json::object* f = file.if_object();
    const json::value* path = f == nullptr ? nullptr : f->if_contains("path");
    const json::value* text = f == nullptr ? nullptr : f->if_contains("text");
    if (path == nullptr || text == nullptr || !path->is_string() || !text->is_string()) {
      return refused("each of 'files' must be {\"path\", \"text\"}, both text");
    }
    applied.apply_file(std::string(path->get_string()), std::string_view(text->get_string()));
  }
  const Policies wanted(std::make_shared<Desired>(applied.desired()), node.config().policies);
  return plan_wire(wanted, plan_on(node, wanted, now));
}

}  // namespace herald::daemon
