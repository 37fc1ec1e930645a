#include "daemon/explain.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include <boost/json.hpp>

#include "base/text.h"
#include "coord/placement.h"
#include "daemon/explain_wishes.h"
#include "daemon/lease_view.h"
#include "daemon/operations.h"
#include "daemon/reply_wire.h"
#include "daemon/story.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

// What users want, as a place.
const char* where(const View& view) {
  return view.from_api_server() ? "the cluster" : "the manifests";
}

}  // namespace

std::optional<Story> explain_service(const View& view, const ObjectName& name) {
  const Node& node = view.node();
  const Desired& desired = view.desired();
  const Policies& policies = view.policies();
  const Service* service = policies.known() ? policies.service(name) : nullptr;
  const auto source = service != nullptr ? std::optional(source_of(*service)) : std::nullopt;
  const auto& held = view.held_by(name);
  Story story;
  story.object = "service " + to_string(name);
  story.take_problems(
      problems_of(desired, {"Service"}, name.ns, name.name, source ? &*source : nullptr));
  if (service == nullptr && held.empty() && story.problems.empty()) return std::nullopt;
  story.in_force = service != nullptr;
  story.remedy.clear();  // of a service, what the leader says about its IPs goes first
  if (service != nullptr) {
    story.fact(fmt::format("read from {}", place_of(source_of(*service))));
    for (const IpAddress& ip : service->requested) {
      story.fact(
          fmt::format("asks for {} by {}", to_string(ip), service->requested_by.value_or("")));
    }
    tell_endpoints(view, *service, story);
    tell_external_ips(view, *service, story);
  } else {
    story.fact(fmt::format("there is no Service {} in {}", to_string(name), where(view)));
  }
  const auto status = node.statuses().find(name);
  std::string reason = "Pending";
  if (status != node.statuses().end()) {
    reason = status->second.reason;
    story.fact(fmt::format("the leader says {}: {}", reason, status->second.message));
    if (reason != "Allocated") story.advise(status->second.message);
  } else {
    story.fact(node.election().current() ? "the leader has not decided about it yet"
                                         : "there is no leader yet");
  }
  std::vector<std::string> said;
  for (const auto& [vip, entry] : held) {
    const PoolName pool = policies.known() ? policies.pool_name_of(vip) : PoolName{};
    const bool external =
        service != nullptr && pool.empty() && policies.wants_external(*service, vip);
    story.fact(fmt::format("{} is held for it in the IP table ({}), epoch {}", to_string(vip),
                           external       ? "as an external IP"
                           : pool.empty() ? "in no pool any more, kept all the same"
                                          : "pool " + pool.str(),
                           entry->epoch.value));
    const std::string silent = view.why_silent(vip, *entry);
    if (silent.empty()) {
      const std::string links = join(view.links_of(vip, *entry), ", ");
      said.push_back(fmt::format("{} from {} on {}", to_string(vip), entry->owner->str(), links));
      story.fact(fmt::format("{} answers ARP/NDP for {} on {}", entry->owner->str(), to_string(vip),
                             links));
    } else {
      story.fact(fmt::format("nobody answers ARP/NDP for {}: {}", to_string(vip), silent));
      story.advise(silent);
    }
    for (const auto& [peer_name, session] : node.sessions()) {
      const auto peer =
          std::find_if(desired.peers.begin(), desired.peers.end(),
                       [&, &wanted = peer_name](const BgpPeer& p) { return p.name == wanted; });
      if (peer == desired.peers.end()) continue;
      bool told = false;
      story.fact(fmt::format("BGP to {} from {}: {}", peer_name.str(), node.config().name.str(),
                             view.over_bgp(*peer, session, vip, told)));
    }
  }
  if (!story.problems.empty()) story.advise(to_string(story.problems.front()));
  story.verdict = !said.empty()   ? "announced: " + join(said, "; ")
                  : !held.empty() ? "has an IP; nobody answers"
                                  : "no IP: " + reason;
  json::array ips;
  for (const auto& [vip, entry] : held) ips.emplace_back(to_string(vip));
  story.set("namespace", name.ns);
  story.set("name", name.name);
  story.set("reason", reason);
  story.set("ips", ips);
  return story;
}

namespace {

// Why members that are not among `eligible` may not own it, and where it is wished to go.
void tell_others(const View& view, const IpAddress& ip, const coord::TableEntry& entry,
                 const coord::Candidates& eligible, Story& story) {
  const Node& node = view.node();
  for (const auto& [name, peer] : node.peers().all()) {
    if (std::any_of(eligible->begin(), eligible->end(),
                    [&, &member = name](const auto& c) { return c.node == member; })) {
      continue;
    }
    const std::string why = why_not_eligible(name, ip, entry.services, view.policies(),
                                             node.peers(), node.cluster().drained, view.instant());
    story.fact(fmt::format("{} may not own it: {}", name.str(),
                           why.empty() ? "other nodes are on its subnet, this one is not" : why));
  }
  if (entry.move_to) {
    story.fact(fmt::format("its owner is asked to pass it on to {}", entry.move_to->str()));
  }
}

// Which members may own the VIP, and why its owner is the one.
void tell_owner(const View& view, const IpAddress& ip, const coord::TableEntry& entry,
                Story& story) {
  const Node& node = view.node();
  const auto plan = place(view.policies(), {{ip, entry.services}}, node.peers(),
                          {node.cluster().drained, {}}, view.instant());
  const auto& candidates = plan.at(ip).candidates;
  std::vector<std::string> eligible;
  for (const coord::Candidate& c : *candidates) {
    eligible.push_back(c.preference == 0
                           ? c.node.str()
                           : fmt::format("{} (weight {})", c.node.str(), c.preference));
  }
  story.fact(fmt::format("nodes that may own it: {}", some(eligible)));
  story.set("eligible", strings(eligible));
  tell_others(view, ip, entry, candidates, story);
  if (!entry.owner) {
    story.set("why_owner", "");
    return;
  }
  auto counts = node.table().counts();
  if (auto own = counts.find(*entry.owner); own != counts.end() && own->second > 0) --own->second;
  const auto best = coord::choose_owner(ip, *candidates, counts);
  const bool may = std::any_of(candidates->begin(), candidates->end(),
                               [&](const auto& c) { return c.node == *entry.owner; });
  const bool kept = may && node.cluster().drained.contains(*entry.owner);
  const char* why = !may ? "leaving" : kept ? "kept" : best == *entry.owner ? "placed" : "sticky";
  story.set("why_owner", why);
  const LeaseView lease = lease_of(node, *entry.owner, view.instant());
  if (!view.looks_on()) story.fact(fmt::format("{}: {}", entry.owner->str(), lease.sentence()));
  story.set("lease", lease_word(lease.kind));
  story.set("guards", strings(lease.guards));
  const coord::MemberDocument* document = node.peers().find(*entry.owner);
  if (document == nullptr || document->inc < entry.inc) {
    // Only by its document can that life be shown to be over (T1).
    story.fact(
        fmt::format("{} owns it in incarnation {}, of which the store has no {}: nobody may "
                    "take it over",
                    entry.owner->str(), entry.inc.value, coord::member_key(*entry.owner).str()));
    story.advise(
        "documents were deleted, or an old copy of the store was put back: stop every heraldd, "
        "then put back a newer copy or empty the store");
  } else if (!may) {
    story.fact(
        fmt::format("{} owns it and may not any more: it will be handed over", entry.owner->str()));
  } else if (kept) {
    story.fact(fmt::format("{} is drained and keeps it: {}", entry.owner->str(),
                           candidates->size() > 1 ? "so are all other nodes that may own it"
                                                  : "no other node may own it"));
    story.advise(candidates->size() > 1
                     ? fmt::format("`heraldctl undrain` one of {}", join(eligible, ", "))
                     : fmt::format("bring up another node that may own it before {} is stopped, or "
                                   "`heraldctl undrain {}`",
                                   entry.owner->str(), entry.owner->str()));
  } else if (best == *entry.owner) {
    story.fact(
        fmt::format("{} owns it: by weight, then by the fewest IPs, it would be chosen again",
                    entry.owner->str()));
  } else {
    story.fact(
        fmt::format("{} owns it because it had it: an owner keeps its IPs while it may own them "
                    "(a new choice would fall on {})",
                    entry.owner->str(), best ? best->str() : "nobody"));
  }
}

// Pools with the address, in force or not.
void tell_pools(const View& view, const IpAddress& ip, Story& story) {
  std::vector<std::string> around;
  for (const Pool& pool : view.desired().pools) {
    const auto inside = std::find_if(pool.ranges.begin(), pool.ranges.end(), [&](const IpRange& r) {
      return r.family() == ip.family() && r.contains(ip);
    });
    if (inside == pool.ranges.end()) continue;
    around.push_back(pool.name.str());
    story.fact(fmt::format(
        "it is in {} of pool {} ({}){}", to_string(*inside), pool.name.str(), place_of(pool.source),
        pool.conflicts_with ? ", which " + conflict_of(pool) + " and gives nothing"
        : pool.disabled     ? ", which is disabled"
                            : ""));
    for (const IpRange& range : pool.avoided) {
      if (range.family() == ip.family() && range.contains(ip)) {
        story.fact(fmt::format("pool {} avoids it (spec.avoid)", pool.name.str()));
      }
    }
  }
  if (around.empty()) story.fact("it is in no pool");
  story.set("pools", strings(around));
}

// Why nobody gets an IP of the table that no service has.
void tell_rest(const View& view, const IpAddress& ip, const coord::TableEntry& entry,
               Story& story) {
  if (entry.quarantine) {
    story.verdict = "quarantined: another station uses it";
    story.fact(fmt::format("a probe was answered by {}", who_uses(*entry.quarantine)));
    story.fact("nobody asks for it: it is free again 10 minutes after the leader saw it so");
    story.advise(
        fmt::format("stop the station {} or give it another address, or take the address "
                    "out of the pool",
                    to_string(entry.quarantine->station)));
    return;
  }
  if (!entry.kept_for) return;
  const Pool* pool = view.policies().known() ? view.policies().pool_of(ip) : nullptr;
  story.verdict = "resting: kept for " + to_string(*entry.kept_for);
  story.fact(fmt::format(
      "{} released it, and gets it again if it comes back within {} (releaseHold "
      "of pool {})",
      to_string(*entry.kept_for), pool != nullptr ? to_string(pool->release_hold) : "0s",
      pool != nullptr ? pool->name.str() : "none"));
}

}  // namespace

Story explain_ip(const View& view, const IpAddress& ip) {
  const Node& node = view.node();
  Story story;
  story.object = "ip " + to_string(ip);
  story.set("ip", to_string(ip));
  const PoolName pool = view.policies().known() ? view.policies().pool_name_of(ip) : PoolName{};
  story.set("pool", pool.str());
  tell_pools(view, ip, story);
  tell_external_claims(view, ip, story);

  std::string refused;
  for (const Service& s : view.desired().services) {
    if (std::find(s.requested.begin(), s.requested.end(), ip) == s.requested.end()) continue;
    story.fact(fmt::format("service {} asks for it by {} ({})", to_string(s.name),
                           s.requested_by.value_or(""), place_of(source_of(s))));
    const auto status = node.statuses().find(s.name);
    if (status == node.statuses().end() || status->second.reason == "Allocated") continue;
    story.fact(fmt::format("service {} is refused: {}: {}", to_string(s.name),
                           status->second.reason, status->second.message));
    if (refused.empty()) refused = status->second.reason;
    story.advise(status->second.message);
  }

  const coord::TableEntry* entry = node.table().find(ip);
  std::vector<std::string> services;
  if (entry != nullptr) {
    for (const ObjectName& s : entry->services) services.push_back(to_string(s));
  }
  story.set("services", strings(services));
  story.set("owner", entry != nullptr && entry->owner ? entry->owner->str() : "");
  if (entry == nullptr) {
    story.in_force = false;
    story.verdict = !refused.empty() ? "held by no service: " + refused
                    : pool.empty()   ? "held by no service, and in no pool that gives it"
                                     : "free, in pool " + pool.str();
    return story;
  }
  story.set("epoch", entry->epoch.value);
  story.fact(fmt::format(
      "the IP table holds it for {}, owner {}, epoch {}", some(services),
      entry->owner ? fmt::format("{} (incarnation {})", entry->owner->str(), entry->inc.value)
                   : "nobody",
      entry->epoch.value));
  if (entry->services.empty()) {
    story.in_force = false;
    tell_rest(view, ip, *entry, story);
    return story;
  }
  if (view.policies().known()) tell_owner(view, ip, *entry, story);

  const std::string silent = view.why_silent(ip, *entry);
  const auto links = view.links_of(ip, *entry);
  std::vector<std::string> announced;
  if (silent.empty()) {
    announced.push_back(fmt::format("{} on {}", entry->owner->str(), join(links, ", ")));
    story.fact(
        fmt::format("{} answers ARP/NDP for it on {}", entry->owner->str(), join(links, ", ")));
  } else {
    story.fact(fmt::format("nobody answers ARP/NDP for it: {}", silent));
  }
  std::vector<std::string> told;
  for (const BgpPeer& peer : view.desired().peers) {
    const auto session = node.sessions().find(peer.name);
    if (session == node.sessions().end()) continue;
    bool advertised = false;
    story.fact(fmt::format("BGP to {} from {}: {}", peer.name.str(), node.config().name.str(),
                           view.over_bgp(peer, session->second, ip, advertised)));
    if (advertised) told.push_back(peer.name.str());
  }
  if (!told.empty()) announced.push_back("to BGP peers " + join(told, ", "));
  if (announced.empty()) story.advise(silent);
  story.verdict = announced.empty() ? "held for " + some(services) + "; nobody announces it"
                                    : "announced: " + join(announced, "; ");
  story.set("interfaces", strings(links));
  story.set("peers", strings(told));
  story.set("silent_because", silent);
  return story;
}

namespace {

std::vector<std::string> policy_names(const Desired& desired) {
  std::set<std::string> names;
  for (const L2Policy& p : desired.l2_policies) names.insert(p.name);
  for (const BgpAdvertisement& a : desired.advertisements) names.insert(a.name);
  return {names.begin(), names.end()};
}

std::string kind_of(std::string_view what) {
  return what == "service" ? "Service"
         : what == "node"  ? "Node"
         : what == "peer"  ? "BGPPeer"
                           : std::string(what);
}

// Not there. Perhaps it is, under a wrong kind, or in a file that cannot be read: say where to
// look.
std::string not_found(const View& view, std::string_view what, std::string_view name) {
  const bool node = what == "node";
  std::string out = fmt::format("there is no {} {} in {}{}", kind_of(what), name, where(view),
                                node ? ", nor among the members" : "");
  std::vector<std::string> likely, files;
  for (const Problem& p : view.desired().problems) {
    if (p.severity != Severity::Error) continue;
    if (p.name == name || p.kind.empty()) {
      likely.push_back(to_string(p));
    } else if (std::find(files.begin(), files.end(), p.source.file) == files.end()) {
      files.push_back(p.source.file);
    }
  }
  const char* many = view.from_api_server() ? "objects" : "files";
  if (!view.policies().known()) {
    out += fmt::format("; this node has not read {} yet",
                       view.from_api_server() ? "the cluster's objects" : "its manifests");
  } else if (!view.desired().complete) {
    out += fmt::format("; it may be all the same, as not all {} could be read", many);
  }
  for (std::size_t i = 0; i < likely.size() && i < 5; ++i) out += "; " + likely[i];
  if (!files.empty()) out += fmt::format("; other {} with problems: {}", many, some(files));
  if (what == "policy") return out + "; there are " + some(policy_names(view.desired()));
  return out + fmt::format("; `heraldctl get {}s` lists what there is", what);
}

}  // namespace

Result<json::object> explain(const View& view, std::string_view what, std::string_view name) {
  if (what == "ip") {
    const auto ip = IpAddress::parse(name);
    if (!ip) return error(fmt::format("'{}' is no IP address: give one as 192.0.2.1", name));
    return explain_ip(view, *ip).to_json();
  }
  std::optional<Story> story;
  std::string full(name);
  if (what == "service") {
    const auto slash = name.find('/');
    const ObjectName service =
        slash == std::string_view::npos
            ? ObjectName{"default", std::string(name)}
            : ObjectName{std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
    full = to_string(service);
    story = explain_service(view, service);
  } else if (what == "pool") {
    story = explain_pool(view, name);
  } else if (what == "policy") {
    story = explain_policy(view, name);
  } else if (what == "peer") {
    story = explain_peer(view, name);
  } else if (what == "node") {
    story = explain_node(view, name);
  } else {
    return error(
        fmt::format("'{}' cannot be explained: ask for service, ip, pool, peer, node or "
                    "policy",
                    what));
  }
  if (!story) return error(not_found(view, what, full));
  return story->to_json();
}

}  // namespace herald::daemon
