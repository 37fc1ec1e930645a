// Pools and policies: what users wrote, and what became of it.
#include <fmt/core.h>

#include <algorithm>

#include <boost/json.hpp>

#include "base/lists.h"
#include "base/text.h"
#include "config/interface_match.h"
#include "daemon/reply_wire.h"
#include "daemon/story.h"
#include "ipam/matching.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

template <typename T>
const T* find_named(const std::vector<T>& all, std::string_view name) {
  const auto it = std::find_if(all.begin(), all.end(), [&](const T& o) {
    if constexpr (std::is_same_v<decltype(o.name), std::string>) {
      return o.name == name;
    } else {
      return o.name.str() == name;
    }
  });
  return it == all.end() ? nullptr : &*it;
}

bool in_ranges(const Pool& pool, const IpAddress& ip) {
  return std::any_of(pool.ranges.begin(), pool.ranges.end(),
                     [&](const IpRange& r) { return r.family() == ip.family() && r.contains(ip); });
}

// What is left of an object whose new version is bad, or which never was good.
std::string bad_verdict(const Story& story) {
  if (story.keeps_old_version()) {
    return "in force as it was read before: its new version cannot be used";
  }
  return "not in force: it cannot be used as it is written";
}

void tell_usage(const View& view, const Pool& pool, Story& story) {
  const Node& node = view.node();
  const Allocation now = allocate(view.policies(), node.table(), {}, node.statuses());
  for (const ipam::PoolUsage& u : now.plan.pools) {
    if (u.name != pool.name) continue;
    story.fact(fmt::format("{} addresses, {} held, {} free", to_string(u.total()),
                           to_string(u.used()), to_string(u.available())));
    story.set("total", count(u.total()));
    story.set("used", count(u.used()));
    story.set("available", count(u.available()));
  }
  std::vector<std::string> users;
  json::array services;
  for (const auto& [vip, entry] : view.held()) {
    if (!in_ranges(pool, vip)) continue;
    for (const ObjectName& s : entry->services) {
      users.push_back(fmt::format("{} ({})", to_string(s), to_string(vip)));
      services.push_back(
          json::object{{"namespace", s.ns}, {"name", s.name}, {"ip", to_string(vip)}});
    }
  }
  story.fact(fmt::format("services with an IP of it: {}", some(users)));
  story.set("services", services);

  ipam::NamespaceLabels namespaces(view.desired().namespaces);
  json::array refused;
  for (std::size_t i = 0; i < now.plan.decisions.size(); ++i) {
    const ipam::Decision& d = now.plan.decisions[i];
    if (d.reason == ipam::Reason::Allocated) continue;
    const Service* s = view.policies().service(d.service);
    if (s == nullptr) continue;
    const bool asks = std::any_of(s->requested.begin(), s->requested.end(),
                                  [&](const IpAddress& ip) { return in_ranges(pool, ip); });
    const bool meant = s->requested.empty() && ipam::pool_selects(pool, ipam::selectable_labels(*s),
                                                                  namespaces.of(s->name.ns));
    if (!asks && !meant) continue;
    const char* reason = ipam::to_string(d.reason);
    if (refused.size() < 10) {
      story.fact(
          fmt::format("service {} is refused: {}: {}", to_string(d.service), reason, d.message));
    }
    refused.push_back(json::object{{"namespace", d.service.ns},
                                   {"name", d.service.name},
                                   {"reason", reason},
                                   {"message", d.message}});
    story.advise(d.message);
  }
  story.set("refused", refused);
}

// Services whose labels and pools an object selects, and how many of them have an IP.
template <typename Policy>
std::vector<std::string> tell_services(const View& view, const Policy& policy, Story& story) {
  std::vector<std::string> selected, ips;
  for (const Service& s : view.desired().services) {
    if (!selects(policy.service_selectors, s.labels)) continue;
    const auto& held = view.held_by(s.name);
    bool any = held.empty();
    for (const auto& [vip, entry] : held) {
      if (!policy.pools.chooses(view.policies().pool_of(vip))) continue;
      any = true;
      ips.push_back(to_string(vip));
    }
    if (any) selected.push_back(to_string(s.name));
  }
  story.fact(fmt::format("services selected (serviceSelector {}): {}",
                         to_string(policy.service_selectors), some(selected)));
  sort_unique(ips);
  story.fact(
      fmt::format("their IPs{}: {}", policy.pools.all() ? "" : " in the pools named", some(ips)));
  story.set("services", strings(selected));
  story.set("ips", strings(ips));
  if (selected.empty()) {
    story.advise("it selects no service: compare spec.serviceSelector with the services' labels");
  }
  if (std::find(policy.addresses.begin(), policy.addresses.end(), AddressKind::LoadBalancerIP) ==
      policy.addresses.end()) {
    story.advise("spec.addresses lacks LoadBalancerIP: no IP of a pool is announced by it");
  }
  return ips;
}

Story explain_l2(const View& view, const L2Policy& policy) {
  Story story;
  story.fact(fmt::format("L2AnnouncementPolicy read from {}", place_of(policy.source)));
  const auto ips = tell_services(view, policy, story);
  const config::InterfaceMatcher matcher(policy.interfaces);
  std::vector<std::string> nodes, ready;
  json::array listed;
  for (const auto& [name, peer] : view.node().peers().all()) {
    const coord::MemberDocument& d = peer.document;
    const Labels labels = view.policies().node(name, d.info.labels).labels;
    if (!selects(policy.node_selectors, labels)) continue;
    std::vector<std::string> links;
    for (const coord::MemberLink& l : d.info.links) {
      if (matcher.matches(l.name)) links.push_back(l.name);
    }
    const bool member = view.node().peers().heard(name, view.instant());
    story.fact(fmt::format("node {} is selected: {}; interfaces matched: {}", name.str(),
                           member ? "a member" : "no member now", some(links)));
    nodes.push_back(name.str());
    if (member && !links.empty()) ready.push_back(name.str());
    listed.push_back(
        json::object{{"name", name.str()}, {"member", member}, {"interfaces", strings(links)}});
  }
  if (nodes.empty()) {
    story.fact(
        fmt::format("no node is selected (nodeSelector {})", to_string(policy.node_selectors)));
    story.advise("it selects no node: compare spec.nodeSelector with the nodes' labels");
  } else if (ready.empty()) {
    story.advise(
        fmt::format("no usable link of a selected member matches spec.interfaces ({}): "
                    "correct the pattern, or bring the link up",
                    join(policy.interfaces, ", ")));
  }
  story.verdict = ready.empty() ? "no node can announce by it"
                                : fmt::format("{} IPs by ARP/NDP, from one of {} each", ips.size(),
                                              some(ready));
  story.set("nodes", listed);
  return story;
}

Story explain_bgp(const View& view, const BgpAdvertisement& ad) {
  Story story;
  story.fact(fmt::format("BGPAdvertisement read from {}", place_of(ad.source)));
  const auto ips = tell_services(view, ad, story);
  const bool here = selects(ad.node_selectors, view.self().labels);
  if (!view.looks_on()) {
    story.fact(fmt::format("this node is {} (nodeSelector {})", here ? "selected" : "not selected",
                           to_string(ad.node_selectors)));
  }
  std::vector<std::string> peers, up;
  for (const BgpPeer& peer : view.desired().peers) {
    if (!ad.peers.empty() &&
        std::find(ad.peers.begin(), ad.peers.end(), peer.name) == ad.peers.end()) {
      continue;
    }
    peers.push_back(peer.name.str());
    if (view.looks_on()) continue;
    const auto session = view.node().sessions().find(peer.name);
    const bool established = session != view.node().sessions().end() &&
                             session->second.state() == bgp::SessionState::Established;
    if (established) up.push_back(peer.name.str());
    story.fact(fmt::format("peer {}: {}", peer.name.str(),
                           session == view.node().sessions().end()
                               ? "no session from this node"
                               : bgp::to_string(session->second.state())));
  }
  if (peers.empty()) story.advise("it selects no BGPPeer: add one, or correct spec.peers");
  story.verdict = fmt::format("{} IPs to {}; established from this node: {}", ips.size(),
                              some(peers), some(up));
  if (view.looks_on()) story.verdict = fmt::format("{} IPs to {}", ips.size(), some(peers));
  story.set("selects_this_node", here);
  story.set("peers", strings(peers));
  story.set("established", strings(up));
  return story;
}

}  // namespace

std::optional<Story> explain_pool(const View& view, std::string_view name) {
  const Pool* pool = find_named(view.desired().pools, name);
  Story story;
  story.object = fmt::format("pool {}", name);
  story.set("name", name);
  story.take_problems(problems_of(
      view.desired(), {"LoadBalancerIPPool", "CiliumLoadBalancerIPPool", "IPAddressPool"}, "", name,
      pool != nullptr ? &pool->source : nullptr));
  if (pool == nullptr && story.problems.empty()) return std::nullopt;
  if (pool == nullptr) {
    story.in_force = false;
    story.verdict = bad_verdict(story);
    return story;
  }
  std::vector<std::string> addresses, overlapped;
  for (const IpRange& r : pool->ranges) addresses.push_back(to_string(r));
  for (const Pool& other : view.desired().pools) {
    if (other.conflicts_with == pool->name && &other != pool)
      overlapped.push_back(other.name.str());
  }
  story.fact(fmt::format("read from {}", place_of(pool->source)));
  story.fact(fmt::format("addresses: {}", some(addresses)));
  story.fact(fmt::format("for services {}, in namespaces {}", to_string(pool->service_selectors),
                         to_string(pool->namespace_selectors)));
  if (!pool->auto_assign) story.fact("given on request alone (spec.autoAssign is false)");
  if (pool->conflicts_with) {
    story.fact(fmt::format("it {}: nothing is allocated from it", conflict_of(*pool)));
  }
  if (!overlapped.empty()) {
    story.fact(fmt::format("younger pools that overlap it and give nothing: {}", some(overlapped)));
  }
  if (pool->disabled) story.fact("disabled: what is held stays, nothing new is allocated");
  story.set("addresses", strings(addresses));
  story.set("disabled", pool->disabled);
  story.set("conflicting", pool->conflicts_with.has_value());
  story.set("conflicts_with", pool->conflicts_with ? pool->conflicts_with->str() : "");
  story.set("overlapped_by", strings(overlapped));
  tell_usage(view, *pool, story);
  story.verdict = pool->conflicts_with        ? "gives nothing: " + conflict_of(*pool)
                  : story.keeps_old_version() ? bad_verdict(story)
                  : pool->disabled            ? "disabled"
                                              : "in use";
  return story;
}

std::optional<Story> explain_policy(const View& view, std::string_view name) {
  const L2Policy* l2 = find_named(view.desired().l2_policies, name);
  const BgpAdvertisement* bgp = find_named(view.desired().advertisements, name);
  Story story;
  story.object = fmt::format("policy {}", name);
  story.set("name", name);
  const auto found = [&](const std::vector<std::string_view>& kinds, const Source* source) {
    return problems_of(view.desired(), kinds, "", name, source);
  };
  auto problems = found({"L2AnnouncementPolicy", "CiliumL2AnnouncementPolicy", "L2Advertisement"},
                        l2 != nullptr ? &l2->source : nullptr);
  for (Problem& p : found({"BGPAdvertisement", "CiliumBGPAdvertisement"},
                          bgp != nullptr ? &bgp->source : nullptr)) {
    if (std::find(problems.begin(), problems.end(), p) == problems.end()) {
      problems.push_back(std::move(p));
    }
  }
  story.take_problems(std::move(problems));
  if (l2 == nullptr && bgp == nullptr && story.problems.empty()) return std::nullopt;
  story.in_force = l2 != nullptr || bgp != nullptr;
  if (!story.in_force || story.keeps_old_version()) story.verdict = bad_verdict(story);
  const auto add = [&](const char* key, Story part) {
    story.verdict += (story.verdict.empty() ? "" : "; ") + part.verdict;
    story.facts.insert(story.facts.end(), part.facts.begin(), part.facts.end());
    story.advise(part.remedy);
    story.set(key, *part.fields);
  };
  if (l2 != nullptr) add("l2", explain_l2(view, *l2));
  if (bgp != nullptr) add("bgp", explain_bgp(view, *bgp));
  return story;
}

}  // namespace herald::daemon
