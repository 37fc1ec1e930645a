#include "daemon/explain_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include <boost/json.hpp>

#include "base/text.h"
#include "daemon/reply_wire.h"
#include "daemon/story.h"
#include "ipam/reason.h"

namespace herald::daemon {
namespace {

std::string how(const Announcement& a) {
  if (a.via == Announcement::Via::L2) {
    return fmt::format("by ARP/NDP from {}{}{}", a.node.str(), a.interfaces.empty() ? "" : " on ",
                       join(a.interfaces, ", "));
  }
  return fmt::format("by BGP as {} from {} to {}", to_string(a.prefix), a.node.str(), a.peer.str());
}

// True if it would be announced in some way.
bool tell_announcements(const ManifestPlan& plan, const IpAddress& ip, Story& story) {
  for (const IpAnnouncements& here : plan.announced) {
    if (here.ip != ip) continue;
    for (const Announcement& a : here.announced) {
      story.fact(fmt::format("{} is announced {}", to_string(ip), how(a)));
    }
    if (here.why() == Hold::None) return true;
    const std::string why = why_not(here, plan.no_node);
    story.fact(fmt::format("{} is not announced: {}: {}", to_string(ip), code(here.why()), why));
    story.advise(why);
  }
  return false;
}

std::optional<Story> service_story(const Policies& wanted, const ManifestPlan& plan,
                                   const ObjectName& name) {
  const Desired& desired = wanted.desired();
  const Service* service = wanted.service(name);
  const auto source = service != nullptr ? std::optional(source_of(*service)) : std::nullopt;
  Story story;
  story.object = "service " + to_string(name);
  story.take_problems(
      problems_of(desired, {"Service"}, name.ns, name.name, source ? &*source : nullptr));
  for (const UnmanagedService& other : desired.unmanaged) {
    if (other.name != name) continue;
    story.fact(fmt::format("read from {}", place_of(source_of(other))));
    story.verdict = "not served: " + other.why;
    return story;
  }
  if (service == nullptr && story.problems.empty()) return std::nullopt;
  story.in_force = service != nullptr;
  if (service == nullptr) {
    story.verdict = "not in force: it cannot be used as it is written";
    return story;
  }
  story.fact(fmt::format("read from {}", place_of(source_of(*service))));
  for (const IpAddress& ip : service->held) {
    story.fact(fmt::format("its status names {}", to_string(ip)));
  }
  for (const IpAddress& ip : service->requested) {
    story.fact(fmt::format("asks for {} by {}", to_string(ip), service->requested_by.value_or("")));
  }
  if (service->requested_pool) {
    story.fact(fmt::format("asks for pool {} by {}", service->requested_pool->str(),
                           service->requested_pool_by.value_or("")));
  }
  const auto& decisions = plan.allocation.plan.decisions;
  const auto decision = std::find_if(decisions.begin(), decisions.end(),
                                     [&](const ipam::Decision& d) { return d.service == name; });
  const bool all = decision->reason == ipam::Reason::Allocated;
  story.fact(fmt::format("{}: {}", ipam::to_string(decision->reason), decision->message));
  if (!all) story.advise(decision->message);
  std::vector<std::string> ips, silent;
  for (const ipam::GivenIp& given : decision->ips) {
    ips.push_back(to_string(given.ip));
    if (!tell_announcements(plan, given.ip, story)) silent.push_back(ips.back());
  }
  story.verdict = ips.empty()
                      ? fmt::format("no IP: {}", ipam::to_string(decision->reason))
                      : fmt::format("would have {}{}", join(ips, ", "),
                                    silent.empty() ? "" : ", not announced: " + join(silent, ", "));
  story.set("reason", ipam::to_string(decision->reason));
  story.set("ips", strings(ips));
  return story;
}

Story ip_story(const Policies& wanted, const ManifestPlan& plan, const IpAddress& ip) {
  Story story;
  story.object = "ip " + to_string(ip);
  const PoolName pool = wanted.pool_name_of(ip);
  story.fact(pool.empty() ? "it is in no pool" : fmt::format("it is in pool {}", pool.str()));
  const auto held = plan.allocation.holdings.find(ip);
  if (held == plan.allocation.holdings.end() || held->second.empty()) {
    story.verdict = "free";
    return story;
  }
  std::vector<std::string> services;
  for (const ObjectName& s : held->second) services.push_back(to_string(s));
  tell_announcements(plan, ip, story);
  story.verdict = "would be held by " + join(services, ", ");
  story.set("services", strings(services));
  return story;
}

std::optional<Story> pool_story(const Policies& wanted, const ManifestPlan& plan,
                                std::string_view name) {
  const Desired& desired = wanted.desired();
  const auto pool = std::find_if(desired.pools.begin(), desired.pools.end(),
                                 [&](const Pool& p) { return p.name.str() == name; });
  Story story;
  story.object = fmt::format("pool {}", name);
  story.take_problems(
      problems_of(desired, {"LoadBalancerIPPool", "CiliumLoadBalancerIPPool", "IPAddressPool"}, "",
                  name, pool != desired.pools.end() ? &pool->source : nullptr));
  if (pool == desired.pools.end()) {
    if (story.problems.empty()) return std::nullopt;
    story.in_force = false;
    story.verdict = "not in force: it cannot be used as it is written";
    return story;
  }
  std::vector<std::string> ranges, holders;
  for (const IpRange& r : pool->ranges) ranges.push_back(to_string(r));
  story.fact(fmt::format("read from {}", place_of(pool->source)));
  story.fact("addresses: " + some(ranges));
  story.fact(fmt::format("for services {}, in namespaces {}", to_string(pool->service_selectors),
                         to_string(pool->namespace_selectors)));
  const auto& usage =
      plan.allocation.plan.pools[static_cast<std::size_t>(pool - desired.pools.begin())];
  story.fact(fmt::format("{} addresses, {} would be held, {} free", to_string(usage.total()),
                         to_string(usage.used()), to_string(usage.available())));
  for (const ipam::Decision& d : plan.allocation.plan.decisions) {
    for (const ipam::GivenIp& given : d.ips) {
      if (given.pool == pool->name) {
        holders.push_back(fmt::format("{} ({})", to_string(d.service), to_string(given.ip)));
      }
    }
  }
  story.fact("services with an IP of it: " + some(holders));
  story.verdict = pool->conflicts_with
                      ? "gives nothing: it overlaps pool " + pool->conflicts_with->str()
                  : pool->disabled ? "disabled"
                                   : "in use";
  return story;
}

std::optional<Story> peer_story(const Policies& wanted, const ManifestPlan& plan,
                                std::string_view name) {
  const Desired& desired = wanted.desired();
  const auto peer = std::find_if(desired.peers.begin(), desired.peers.end(),
                                 [&](const BgpPeer& p) { return p.name.str() == name; });
  Story story;
  story.object = fmt::format("peer {}", name);
  story.take_problems(problems_of(desired, {"BGPPeer", "CiliumBGPClusterConfig"}, "", name,
                                  peer != desired.peers.end() ? &peer->source : nullptr));
  if (peer == desired.peers.end()) {
    if (story.problems.empty()) return std::nullopt;
    story.in_force = false;
    story.verdict = "not in force: it cannot be used as it is written";
    return story;
  }
  story.fact(fmt::format("read from {}", place_of(peer->source)));
  std::vector<std::string> nodes;
  for (const PlannedPeer& planned : plan.peers) {
    if (planned.name != peer->name) continue;
    for (const NodeName& node : planned.nodes) nodes.push_back(node.str());
    if (nodes.empty()) story.fact("no node would have a session with it: " + planned.reason);
  }
  for (const IpAnnouncements& ip : plan.announced) {
    for (const Announcement& a : ip.announced) {
      if (a.via == Announcement::Via::Bgp && a.peer == peer->name) {
        story.fact(fmt::format("{} is announced {}", to_string(ip.ip), how(a)));
      }
    }
  }
  story.verdict = "sessions from " + some(nodes);
  story.set("nodes", strings(nodes));
  return story;
}

}  // namespace

std::string explain_plan(const Policies& wanted, const ManifestPlan& plan, std::string_view what,
                         std::string_view name) {
  std::optional<Story> story;
  if (what == "service") {
    const auto slash = name.find('/');
    if (slash == std::string_view::npos) return refused("a service is NAMESPACE/NAME");
    story = service_story(
        wanted, plan, {std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))});
  } else if (what == "ip") {
    const auto ip = IpAddress::parse(name);
    if (!ip) return refused(fmt::format("'{}' is no IP address", name));
    story = ip_story(wanted, plan, *ip);
  } else if (what == "pool") {
    story = pool_story(wanted, plan, name);
  } else if (what == "peer") {
    story = peer_story(wanted, plan, name);
  } else {
    return refused(fmt::format("a {} is explained by a running daemon alone: leave -f out", what));
  }
  if (!story) {
    return refused(
        fmt::format("the manifests have no {} '{}'; `heraldctl lint` has what is wrong "
                    "with them",
                    what, name));
  }
  return accepted(story->to_json());
}

}  // namespace herald::daemon
