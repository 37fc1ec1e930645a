#include "daemon/plan_wire.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include <boost/json.hpp>

#include "base/check.h"
#include "daemon/lint.h"
#include "daemon/pool_wire.h"
#include "daemon/reply_wire.h"
#include "ipam/reason.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

json::object allocated(const char* status, const std::string& reason, const std::string& message) {
  return {{"status", status}, {"reason", reason}, {"message", message}};
}

json::object attributes_wire(const bgp::RouteAttributes& a, const BgpPeer& peer, Asn local) {
  json::array communities, large, path;
  for (const std::uint32_t c : a.communities) {
    communities.emplace_back(fmt::format("{}:{}", c >> 16, c & 0xffff));
  }
  for (const bgp::LargeCommunity& c : a.large_communities) {
    large.emplace_back(fmt::format("{}:{}:{}", c.global, c.local1, c.local2));
  }
  const bool internal =
      peer.peer_asn.kind == PeerAsn::Kind::Internal ||
      (peer.peer_asn.kind == PeerAsn::Kind::Number && peer.peer_asn.number == local);
  const unsigned times = a.as_path_prepend + (internal ? 0 : 1);
  for (unsigned i = 0; i < times; ++i) path.emplace_back(local.value);
  json::object out{{"origin", "IGP"},
                   {"as_path", path.empty() ? json::array{} : json::array{std::move(path)}},
                   {"communities", std::move(communities)},
                   {"large_communities", std::move(large)}};
  if (a.local_pref) out["local_pref"] = *a.local_pref;
  if (a.med) out["med"] = *a.med;
  return out;
}

Asn local_asn(const BgpPeer& peer, const NodeName& node) {
  for (const PeerOverride& o : peer.overrides) {
    if (o.node == node && o.local_asn) return *o.local_asn;
  }
  return peer.local_asn;
}

json::object announcement_wire(const IpAddress& ip, const Announcement& a, const Desired& desired) {
  if (a.via == Announcement::Via::L2) {
    return {{"ip", to_string(ip)},
            {"via", "l2"},
            {"nodes", json::array{a.node.str()}},
            {"interfaces", strings(a.interfaces)},
            {"reason", "Announced"}};
  }
  const auto peer = std::find_if(desired.peers.begin(), desired.peers.end(),
                                 [&](const BgpPeer& p) { return p.name == a.peer; });
  HERALD_CHECK(peer != desired.peers.end());
  return {{"ip", to_string(ip)},
          {"via", "bgp"},
          {"node", a.node.str()},
          {"peer", a.peer.str()},
          {"prefix", to_string(a.prefix)},
          {"attributes", attributes_wire(a.attributes, *peer, local_asn(*peer, a.node))},
          {"reason", "Announced"}};
}

json::array announced_wire(const IpAnnouncements& ip, const Desired& desired, bool no_node) {
  json::array out;
  for (const Announcement& a : ip.announced) {
    out.push_back(announcement_wire(ip.ip, a, desired));
  }
  if (const Hold why = ip.why(); why != Hold::None) {
    out.push_back(json::object{{"ip", to_string(ip.ip)},
                               {"via", "none"},
                               {"nodes", json::array{}},
                               {"interfaces", json::array{}},
                               {"reason", code(why)},
                               {"message", fmt::format("{} is not announced: {}", to_string(ip.ip),
                                                       why_not(ip, no_node))}});
  }
  return out;
}

json::object service_wire(const ipam::Decision& decision, json::array announced) {
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
          {"announcements", std::move(announced)}};
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

}  // namespace

std::string plan_wire(const Policies& wanted, const ManifestPlan& plan) {
  const Desired& desired = wanted.desired();
  json::array services, pools, peers;
  std::map<ObjectName, json::array> announced;
  auto ip = plan.announced.begin();
  for (const auto& [vip, holders] : plan.allocation.holdings) {
    for (json::value& one : announced_wire(*ip++, desired, plan.no_node)) {
      for (const ObjectName& holder : holders) announced[holder].push_back(one);
    }
  }
  for (const ipam::Decision& decision : plan.allocation.plan.decisions) {
    services.push_back(service_wire(decision, std::move(announced[decision.service])));
  }
  for (const UnmanagedService& service : desired.unmanaged) {
    services.push_back(unmanaged_wire(service));
  }
  std::stable_sort(services.begin(), services.end(), by_name);
  for (std::size_t i = 0; i < desired.pools.size(); ++i) {
    pools.push_back(pool_wire(desired.pools[i], plan.allocation.plan.pools[i]));
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
                                     {"from", strings(change.from)},
                                     {"to", strings(change.to)}});
    }
    out["changes"] = std::move(changes);
  }
  return accepted(std::move(out));
}

}  // namespace herald::daemon
