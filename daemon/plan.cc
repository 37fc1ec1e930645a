#include "daemon/plan.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include <boost/json.hpp>

#include "daemon/lint.h"
#include "daemon/reply_wire.h"
#include "ipam/reason.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

json::object allocated(const char* status, const std::string& reason, const std::string& message) {
  return {{"status", status}, {"reason", reason}, {"message", message}};
}

json::object service_wire(const ipam::Decision& decision) {
  json::array ips, pools;
  std::string pool;
  for (const ipam::GivenIp& given : decision.ips) {
    ips.emplace_back(to_string(given.ip));
    pools.emplace_back(given.pool.str());
    if (pool.empty()) pool = given.pool.str();
  }
  const bool all = decision.reason == ipam::Reason::Allocated;
  return {{"namespace", decision.service.ns},
          {"name", decision.service.name},
          {"ips", std::move(ips)},
          {"pool", pool},
          {"pools", std::move(pools)},
          {"allocated",
           allocated(all ? "True" : "False", ipam::to_string(decision.reason), decision.message)},
          {"announcements", json::array{}}};
}

json::object unmanaged_wire(const UnmanagedService& service) {
  return {{"namespace", service.name.ns},
          {"name", service.name.name},
          {"ips", json::array{}},
          {"pool", ""},
          {"pools", json::array{}},
          {"allocated", allocated("False", ipam::to_string(ipam::Reason::NotManaged),
                                  to_string(service.name) + " is not served: " + service.why)},
          {"announcements", json::array{}}};
}

bool by_name(const json::value& a, const json::value& b) {
  const auto key = [](const json::value& v) {
    const json::object& o = v.get_object();
    return std::pair(o.at("namespace").get_string(), o.at("name").get_string());
  };
  return key(a) < key(b);
}

json::object pool_wire(const Pool& pool, const ipam::PoolUsage& usage) {
  return {{"name", pool.name.str()},
          {"total", count(usage.total())},
          {"used", count(usage.used())},
          {"available", count(usage.available())},
          {"total_v4", count(usage.total_v4)},
          {"total_v6", count(usage.total_v6)},
          {"used_v4", count(usage.used_v4)},
          {"used_v6", count(usage.used_v6)},
          {"available_v4", count(usage.available_v4)},
          {"available_v6", count(usage.available_v6)},
          {"conflicting", pool.conflicts_with.has_value()},
          {"disabled", pool.disabled},
          {"reason", pool.conflicts_with ? ipam::to_string(ipam::Reason::PoolConflict)
                     : pool.disabled     ? ipam::to_string(ipam::Reason::PoolDisabled)
                                         : ""}};
}

}  // namespace

namespace {

std::vector<PlannedPeer> sessions(const Desired& desired,
                                  const std::vector<std::pair<NodeName, Labels>>& nodes) {
  std::vector<PlannedPeer> out;
  for (const BgpPeer& peer : desired.peers) {
    PlannedPeer planned{peer.name, {}, {}};
    for (const auto& [node, labels] : nodes) {
      if (selects(peer.node_selectors, labels)) planned.nodes.push_back(node);
    }
    if (planned.nodes.empty()) planned.reason = nodes.empty() ? "NoNodeKnown" : "NoNodeSelected";
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

json::array texts(const std::vector<IpAddress>& ips) {
  json::array out;
  for (const IpAddress& ip : ips) out.emplace_back(to_string(ip));
  return out;
}

}  // namespace

ManifestPlan plan_offline(const Policies& wanted) {
  const Desired& desired = wanted.desired();
  const ipam::Holdings nothing;
  ManifestPlan out;
  out.ips =
      ipam::plan({desired.pools, desired.namespaces, desired.services, nothing, desired.complete});
  std::vector<std::pair<NodeName, Labels>> nodes;
  for (const NodeObject& node : desired.nodes) {
    nodes.emplace_back(node.name, wanted.node_labels(node.name, {}));
  }
  out.peers = sessions(desired, nodes);
  return out;
}

ManifestPlan plan_on(const Node& node, const Policies& wanted, Instant now) {
  ManifestPlan out;
  out.ips = allocate(wanted, node.table(), {}, node.statuses()).plan;
  std::vector<std::pair<NodeName, Labels>> nodes;
  for (const Eligible& member : eligible_members(node.peers(), std::nullopt, now)) {
    nodes.emplace_back(member.node, wanted.node_labels(member.node, member.info.labels));
  }
  out.peers = sessions(wanted.desired(), nodes);
  out.changes = changes(holdings_of(node.table()), out.ips);
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
  const Policies wanted(std::make_shared<Desired>(applied.desired()), node.config().cordoned);
  return plan_wire(wanted, plan_on(node, wanted, now));
}

std::string plan_wire(const Policies& wanted, const ManifestPlan& plan) {
  const Desired& desired = wanted.desired();
  json::array services, pools, peers;
  for (const ipam::Decision& decision : plan.ips.decisions) {
    services.push_back(service_wire(decision));
  }
  for (const UnmanagedService& service : desired.unmanaged) {
    services.push_back(unmanaged_wire(service));
  }
  std::stable_sort(services.begin(), services.end(), by_name);
  for (std::size_t i = 0; i < desired.pools.size(); ++i) {
    pools.push_back(pool_wire(desired.pools[i], plan.ips.pools[i]));
  }
  for (const PlannedPeer& peer : plan.peers) {
    json::array nodes;
    for (const NodeName& node : peer.nodes) nodes.emplace_back(node.str());
    peers.push_back(json::object{
        {"name", peer.name.str()}, {"nodes", std::move(nodes)}, {"reason", peer.reason}});
  }
  json::object out{{"services", std::move(services)},
                   {"pools", std::move(pools)},
                   {"peers", std::move(peers)},
                   {"problems", problems_wire(desired.problems)}};
  if (plan.changes) {
    json::array changes;
    for (const IpChange& change : *plan.changes) {
      changes.push_back(json::object{{"namespace", change.service.ns},
                                     {"name", change.service.name},
                                     {"from", texts(change.from)},
                                     {"to", texts(change.to)}});
    }
    out["changes"] = std::move(changes);
  }
  return accepted(std::move(out));
}

}  // namespace herald::daemon
