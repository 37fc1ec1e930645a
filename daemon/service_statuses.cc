#include "daemon/service_statuses.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include <boost/json.hpp>

#include "base/lists.h"
#include "base/text.h"
#include "daemon/release_checks.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

constexpr const char* kAllocated = "herald.io/IPAllocated";
constexpr const char* kAnnounced = "herald.io/Announced";

json::object condition(const char* type, bool is, std::string_view reason,
                       const std::string& message) {
  return {{"type", type},
          {"status", is ? "True" : "False"},
          {"reason", json::string_view(reason.data(), reason.size())},
          {"message", message}};
}

bool asks_cilium(const Service& service) {
  const std::string ips = service.requested_by.value_or("");
  return ips.starts_with("lbipam.cilium.io/") || ips.starts_with("io.cilium/") ||
         service.requested_pool_by.value_or("").starts_with("lbipam.cilium.io/");
}

// In the order of the service's families; requested ones of a family as requested.
std::vector<IpAddress> in_order(const Service& service, const ipam::Decision& decision) {
  std::vector<IpAddress> out;
  for (const ipam::GivenIp& given : decision.ips) out.push_back(given.ip);
  const auto rank = [&](const IpAddress& ip) {
    const auto& families = service.families;
    const auto at = std::find(families.begin(), families.end(), ip.family());
    if (families.empty()) return ip.is_v4() ? 0 : 1;
    return static_cast<int>(at - families.begin());
  };
  std::stable_sort(out.begin(), out.end(),
                   [&](const IpAddress& a, const IpAddress& b) { return rank(a) < rank(b); });
  return out;
}

json::object announced(const std::vector<IpAddress>& ips,
                       const std::vector<const coord::TableEntry*>& entries, AnnouncedBy& by) {
  if (ips.empty()) return condition(kAnnounced, false, "NoIP", "the service has no IP");
  std::string reason;
  std::vector<std::string> messages;
  for (std::size_t i = 0; i < ips.size(); ++i) {
    AnnouncedBy::Answer answer = by.of(ips[i], *entries[i]);
    if (!answer.announced && reason.empty()) reason = answer.reason;
    messages.push_back(std::move(answer.message));
  }
  return condition(kAnnounced, reason.empty(), reason.empty() ? "Announced" : reason,
                   join(messages, "; "));
}

}  // namespace

CiliumVerdict cilium_verdict(const Service& service, const ipam::Decision& decision) {
  using ipam::Reason;
  std::string ip;
  for (const IpAddress& asked : service.requested) {
    const bool given = std::any_of(decision.ips.begin(), decision.ips.end(),
                                   [&](const ipam::GivenIp& g) { return g.ip == asked; });
    if (!given && ip.empty()) ip = to_string(asked);
  }
  switch (decision.reason) {
    case Reason::Allocated:
      return {"satisfied", ""};
    case Reason::PoolExhausted:
      return {"out_of_ips",
              "All enabled CiliumLoadBalancerIPPools that match this service ran out of "
              "allocatable IPs"};
    case Reason::RequestedIPNotInPool:
      return {"no_pool", fmt::format("No pool exists with a CIDR containing '{}'", ip)};
    case Reason::PoolSelectorMismatch:
      return {
          "pool_selector_mismatch",
          fmt::format("The pool with the CIDR containing '{}', doesn't select this service", ip)};
    case Reason::AlreadyAllocated:
      return {"already_allocated",
              fmt::format("The IP '{}' is already allocated to another service", ip)};
    case Reason::SharingKeyMismatch:
    case Reason::SharingPortConflict:
    case Reason::SharingPolicyMismatch:
    case Reason::SharingBackendMismatch:
    case Reason::SharingNamespaceNotPermitted:
      return {"already_allocated_incompatible_service",
              fmt::format("The IP '{}' is already allocated to an incompatible service. Reason: {}",
                          ip, decision.message)};
    case Reason::NoMatchingPool:
      return {"no_pool", "There are no enabled CiliumLoadBalancerIPPools that match this service"};
    default:
      return {"no_pool", decision.message};
  }
}

namespace {

struct Condition {
  std::string status, reason, message;
};

std::optional<Condition> condition_in(const std::string& status, std::string_view type) {
  boost::system::error_code failed;
  const json::value root = json::parse(status, failed);
  if (failed) return std::nullopt;
  const json::value* list = root.find_pointer("/conditions", failed);
  if (list == nullptr || !list->is_array()) return std::nullopt;
  for (const json::value& one : list->get_array()) {
    const json::object* said = one.if_object();
    const auto text = [&](const char* key) {
      const json::value* value = said == nullptr ? nullptr : said->if_contains(key);
      return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : "";
    };
    if (text("type") == type) return Condition{text("status"), text("reason"), text("message")};
  }
  return std::nullopt;
}

// What has changed against what the object's status says, for kubectl describe.
void note(const Service& service, const std::vector<IpAddress>& ips, const WantedObject& wanted,
          const kube::ObservedObject& seen, Instant at, ObjectEvents& events) {
  const auto add = [&](bool warning, std::string reason, const char* action, std::string note) {
    events.add(
        {service_ref(service.name), seen.uid, warning, std::move(reason), action, std::move(note)},
        at);
  };
  const auto is = condition_in(*wanted.status, kAllocated),
             was = condition_in(seen.status, kAllocated);
  if (is && (!was || was->reason != is->reason || was->message != is->message)) {
    add(is->status != "True", is->reason, "Allocate", is->message);
    if (service.foreign_status) {
      add(true, "ForeignStatus", "WriteStatus",
          "status.loadBalancer lists a hostname, so another controller writes it: Herald leaves "
          "that list alone; let one of the two have the service, by spec.loadBalancerClass");
    }
  }
  for (const IpAddress& ip : ingress_of(seen.status)) {
    if (contains(ips, ip) || service.foreign_status) continue;
    add(false, "Released", "Release", to_string(ip) + " is not the service's any more");
  }
  const auto now = condition_in(*wanted.status, kAnnounced),
             before = condition_in(seen.status, kAnnounced);
  if (!now || now->reason == "Probing" || now->reason == "NoIP") return;
  if (before && before->reason == now->reason && before->message == now->message) return;
  const bool told = before && before->status == "True";
  add(now->status != "True", now->reason, "Announce",
      told ? fmt::format("{} (was: {})", now->message, before->message) : now->message);
}

// What was decided and in the table when statuses were made last.
class Former {
 public:
  using Shards = std::array<coord::Table::Shard, coord::kShards>;
  Former(const Allocation* then, const Allocation& now, const Shards& shards,
         const coord::Table& table)
      : same_decisions_(then == &now), shards_(shards), table_(table) {
    if (then == nullptr || same_decisions_) return;
    for (const ipam::Decision& d : then->plan.decisions) decisions_.emplace(d.service, &d);
  }

  // This is what the service was told of then, and its IPs were in the table as they are now.
  bool had(const ipam::Decision& decision) const {
    if (!same_decisions_) {
      const auto it = decisions_.find(decision.service);
      if (it == decisions_.end() || *it->second != decision) return false;
    }
    return std::all_of(decision.ips.begin(), decision.ips.end(),
                       [&](const ipam::GivenIp& given) { return same_entry(given.ip); });
  }

 private:
  bool same_entry(const IpAddress& ip) const {
    const unsigned s = coord::shard_of(ip);
    if (shards_[s] == table_.shards()[s]) return true;
    const coord::TableEntry* was = coord::find(*shards_[s], ip);
    const coord::TableEntry* is = table_.find(ip);
    return was != nullptr && is != nullptr && *was == *is;
  }

  bool same_decisions_;
  std::map<ObjectName, const ipam::Decision*> decisions_;
  const Shards& shards_;
  const coord::Table& table_;
};

}  // namespace

std::optional<coord::StatusDocument> told_in(const ObjectName& service, const std::string& status) {
  auto said = condition_in(status, kAllocated);
  if (!said) return std::nullopt;
  coord::StatusDocument out;
  out.service = service;
  out.ips = ingress_of(status);
  out.reason = std::move(said->reason);
  out.message = std::move(said->message);
  return out;
}

void ServiceStatuses::add(const Facts& facts, const WantedObjects& before, bool all, Instant now,
                          WantedObjects& out, ObjectEvents& events) {
  const auto& [policies, allocation, table, peers, drained, observed] = facts;
  const bool cilium = observed.kinds.contains("ciliumloadbalancerippools.cilium.io");
  MadeOf made_of{policies.identity(), eligible_members(peers, std::nullopt, now), drained, cilium};
  const bool same = made_of_ && (!all || made_of_ == made_of);
  if (!same) made_of_ = made_of;
  const Former former(allocation_.get(), *allocation, shards_, table);
  std::optional<AnnouncedBy> by;  // costs something, and is mostly not asked
  for (const ipam::Decision& decision : allocation->plan.decisions) {
    const Service* service = policies.service(decision.service);
    if (service == nullptr) continue;
    const std::vector<IpAddress> ips = in_order(*service, decision);
    std::vector<const coord::TableEntry*> entries;
    bool recorded = true;
    for (const IpAddress& ip : ips) {
      const coord::TableEntry* entry = table.find(ip);
      recorded = recorded && entry != nullptr && contains(entry->services, decision.service);
      if (recorded) entries.push_back(entry);
    }
    const kube::ObjectRef object = service_ref(decision.service);
    if (!recorded) {
      WantedObject wait;
      wait.wait = true;
      out[object] = std::move(wait);
      continue;
    }
    if (same && former.had(decision)) {
      if (const auto said = before.find(object); said != before.end() && !said->second.wait) {
        out.insert(*said);
        continue;
      }
    }
    if (!by) by.emplace(policies, made_of.members, drained);
    json::array conditions;
    conditions.push_back(condition(kAllocated, decision.reason == ipam::Reason::Allocated,
                                   ipam::to_string(decision.reason), decision.message));
    conditions.push_back(announced(ips, entries, *by));
    if (cilium || asks_cilium(*service)) {
      const CiliumVerdict verdict = cilium_verdict(*service, decision);
      conditions.push_back(condition("cilium.io/IPAMRequestSatisfied",
                                     decision.reason == ipam::Reason::Allocated, verdict.reason,
                                     verdict.message));
    }
    json::object status{{"conditions", std::move(conditions)}};
    // With a hostname in it, the list is another controller's.
    if (!service->foreign_status) {
      json::array ingress;
      for (const IpAddress& ip : ips) {
        ingress.push_back(json::object{{"ip", to_string(ip)}, {"ipMode", "VIP"}});
      }
      status["loadBalancer"] = json::object{{"ingress", std::move(ingress)}};
    }
    WantedObject& wanted = out[object];
    std::string text = json::serialize(status);
    text.shrink_to_fit();  // it grew by doubling, and there are thousands
    wanted.status = std::move(text);
    wanted.first = service->held != ips;
    if (const auto seen = observed.objects.find(object)) {
      note(*service, ips, wanted, *seen, now, events);
    }
  }
  allocation_ = allocation;
  shards_ = table.shards();
}

}  // namespace herald::daemon
