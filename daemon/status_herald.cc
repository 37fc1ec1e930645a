#include "daemon/status_herald.h"

#include <fmt/core.h>

#include <algorithm>

#include <boost/json.hpp>

#include "base/lists.h"
#include "base/text.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

constexpr const char* kGroup = "herald.io";
constexpr std::size_t kMostNames = 5;

struct Ready {
  bool holds = true;
  const char* reason = "InForce";
  std::string message = {};
};

// What stands before anything else: whether it could be read at all. `there`: a version of it is in
// force.
Ready readable(const ReadObject& read, bool there) {
  if (read.has(Severity::Error)) return {false, "Invalid", read.in_words(Severity::Error)};
  if (!there) return {false, "NotRead", "it was not read: see the log of the daemon that leads"};
  return {};
}

json::array conditions(const ReadObject& read, const Ready& ready) {
  json::array out{condition("Ready", ready.holds, ready.reason, ready.message)};
  if (read.has(Severity::Warning)) {
    out.push_back(condition("Warnings", true, "SeeMessage", read.in_words(Severity::Warning)));
  }
  return out;
}

// Counters are text: a /64 has more addresses than a JSON number has digits.
void count(json::object& status, const ipam::PoolUsage& usage) {
  const auto set = [&](const char* name, Uint128 n) { status[name] = to_string(n); };
  set("total", usage.total());
  set("used", usage.used());
  set("available", usage.available());
  set("totalV4", usage.total_v4);
  set("usedV4", usage.used_v4);
  set("availableV4", usage.available_v4);
  set("totalV6", usage.total_v6);
  set("usedV6", usage.used_v6);
  set("availableV6", usage.available_v6);
}

json::object pool_status(const ReadObject& read) {
  Ready ready = readable(read, read.pool != nullptr);
  if (read.pool != nullptr && read.pool->conflicts_with) {
    ready = {false, "Conflict", read.in_words(Severity::Error)};
    if (ready.message.empty()) ready.message = conflict_of(*read.pool);
  } else if (ready.holds && read.pool->disabled) {
    ready = {false, "Disabled", "spec.disabled is true: what is held stays, nothing new is given"};
  }
  json::object status;
  if (read.usage != nullptr) count(status, *read.usage);
  if (read.pool != nullptr && read.pool->conflicts_with) {
    status["conflictsWith"] = read.pool->conflicts_with->str();
  }
  status["conditions"] = conditions(read, ready);
  return status;
}

// What several policies have in common.
void tell_reach(const Reach& reach, json::object& status) {
  status["services"] = reach.services.size();
  status["ips"] = reach.ips;
}

std::size_t nodes_selected(const DialectView& view, const Selectors& selectors) {
  const auto& all = view.facts().nodes;
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& node) {
    return selects(selectors, node.facts.labels);
  }));
}

json::object l2_status(const DialectView& view, const ReadObject& read) {
  const Ready ready = readable(read, read.l2 != nullptr);
  json::object status;
  if (read.l2 != nullptr) {
    const Reach& reach = view.reach(*read.l2);
    tell_reach(reach, status);
    status["ownedIPs"] = reach.owned;
    status["nodes"] = nodes_selected(view, read.l2->node_selectors);
  }
  status["conditions"] = conditions(read, ready);
  return status;
}

json::object advertisement_status(const DialectView& view, const ReadObject& read) {
  const Ready ready = readable(read, read.advertisement != nullptr);
  json::object status;
  if (const BgpAdvertisement* ad = read.advertisement) {
    const Reach& reach = view.reach(*ad);
    tell_reach(reach, status);
    status["routes"] = reach.prefixes.size();
    status["nodes"] = nodes_selected(view, ad->node_selectors);
    const auto& peers = view.desired().peers;
    status["peers"] = std::count_if(peers.begin(), peers.end(), [&](const BgpPeer& peer) {
      return ad->peers.empty() || contains(ad->peers, peer.name);
    });
  }
  status["conditions"] = conditions(read, ready);
  return status;
}

std::string some(const std::vector<std::string>& names) {
  if (names.size() <= kMostNames) return join(names, ", ");
  const std::vector<std::string> first(names.begin(), names.begin() + kMostNames);
  return fmt::format("{} and {} more", join(first, ", "), names.size() - kMostNames);
}

json::object peer_status(const DialectView& view, const ReadObject& read) {
  Ready ready = readable(read, read.peer != nullptr);
  json::object status;
  if (read.peer == nullptr) {
    status["conditions"] = conditions(read, ready);
    return status;
  }
  const BgpPeer& peer = *read.peer;
  std::vector<std::string> without, silent;
  std::size_t nodes = 0, established = 0;
  for (const PlannedNode& node : view.facts().nodes) {
    if (!peers_with(peer, node.facts.labels)) continue;
    ++nodes;
    const auto& told = view.facts().established;
    const auto sessions = told.find(node.facts.name);
    if (sessions == told.end()) {
      silent.push_back(node.facts.name.str());
    } else if (sessions->second.contains(peer.name)) {
      ++established;
    } else {
      without.push_back(node.facts.name.str());
    }
  }
  if (ready.holds && (!peer.interface.empty() || !peer.vrf.empty())) {
    ready = {false, "NotInForce", read.in_words(Severity::Warning)};
  } else if (ready.holds && nodes == 0) {
    ready = {false, "NoMatchingNode",
             "spec.nodeSelector (" + to_string(peer.node_selectors) +
                 ") selects no node on which Herald runs: change it, or label a node"};
  }
  status["nodes"] = nodes;
  status["established"] = established;
  status["sessions"] = fmt::format("{}/{}", established, nodes);  // for a column
  status["conditions"] = conditions(read, ready);
  const bool all = nodes > 0 && established == nodes;
  std::string message = fmt::format("{} of {} nodes", established, nodes);
  if (!without.empty()) {
    message += fmt::format("; not {}: see kubectl get nodestatuses", some(without));
  }
  if (!silent.empty()) message += fmt::format("; nothing is known of {}", some(silent));
  const char* reason = all               ? "AllEstablished"
                       : established > 0 ? "SomeEstablished"
                                         : "NoneEstablished";
  status["conditions"].as_array().push_back(condition("Established", all, reason, message));
  return status;
}

json::object bfd_status(const ReadObject& read) {
  // A warning says that BFD is not in force yet; that alone is to stop nobody's roll-out.
  return {{"conditions", conditions(read, readable(read, read.bfd != nullptr))}};
}

json::object status_of(const DialectView& view, const kube::ObjectRef& object,
                       const ReadObject& read) {
  const std::string_view kind = object.resource.kind;
  if (kind == "LoadBalancerIPPool") return pool_status(read);
  if (kind == "L2AnnouncementPolicy") return l2_status(view, read);
  if (kind == "BGPAdvertisement") return advertisement_status(view, read);
  if (kind == "BGPPeer") return peer_status(view, read);
  if (kind == "BFDProfile") return bfd_status(read);
  return {};
}

}  // namespace

void want_herald_statuses(const DialectView& view, WantedObjects& out) {
  for (const auto& [object, seen] : view.facts().observed.objects) {
    if (object.resource.group != kGroup) continue;
    const json::object status = status_of(view, object, view.read_from(object));
    if (status.empty()) continue;
    out[object] = {json::serialize(status), WantedObject::Generation::Everywhere, {}, false};
  }
}

}  // namespace herald::daemon
