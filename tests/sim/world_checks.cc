// What must hold after every event, and what after the calm.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "tests/sim/world_host.h"

namespace herald::sim {

// Which VIPs several hosts have a grant for: for these alone deadlines matter, and they are few.
void World::note_grants() {
  std::map<IpAddress, std::vector<std::size_t>> holders;
  for (const auto& host : hosts_) {
    for (const auto& [link, grant] : host->grants.links) {
      for (const IpAddress& vip : grant.vips) {
        holders[vip].push_back(host->index);
        if (strangers_.contains(vip)) {
          fail(fmt::format("{} may answer for {}, which another station uses", host->name.str(),
                           to_string(vip)));
        }
      }
    }
  }
  contested_.clear();
  for (auto& [vip, hosts] : holders) {
    const auto [was, first] = answering_.emplace(vip, hosts.front());
    if (std::find(hosts.begin(), hosts.end(), was->second) == hosts.end()) {
      was->second = hosts.front();
      ++verdict_.moves;
    }
    if (hosts.size() > 1) contested_.emplace_back(vip, std::move(hosts));
  }
}

void World::check() {
  if (std::exchange(grants_changed_, false)) note_grants();
  for (const auto& [vip, hosts] : contested_) {
    std::size_t speakers = 0;
    for (const std::size_t index : hosts) {
      const Host& host = *hosts_[index];
      // The wrong clock: a frozen host's stands still.
      if (options_.wrong == Wrong::ClockStopsInSuspend && host.frozen) continue;
      if (local(host, now_) < host.grants.deadline) ++speakers;
    }
    if (speakers > 1) fail(fmt::format("{} hosts may answer for {}", speakers, to_string(vip)));
  }
}

std::string World::settling_fault() const {
  const auto table = store_.table();
  std::set<NodeName> drained;
  if (const auto it = store_.documents().find(coord::cluster_key());
      it != store_.documents().end()) {
    drained = std::get<coord::ClusterDocument>(it->second).drained;
  }
  std::set<ObjectName> served;
  std::size_t held = 0;
  for (const auto& [vip, entry] : table) {
    if (entry.services.empty()) continue;  // it rests, or is in quarantine
    held += entry.services.size();
    std::size_t speakers = 0;
    for (const auto& host : hosts_) {
      if (host->grants.may_answer(LinkIndex(2), vip, local(*host, now_))) ++speakers;
    }
    if (drained.size() < hosts_.size() && entry.owner && drained.contains(*entry.owner)) {
      return fmt::format("{} stays on {}, which is drained", to_string(vip), entry.owner->str());
    }
    if (speakers != 1) {
      return fmt::format("{}: {} hosts answer after the calm", to_string(vip), speakers);
    }
    for (const ObjectName& s : entry.services) served.insert(s);
  }
  for (const ObjectName& s : services_) {
    if (!served.contains(s)) return to_string(s) + " has no IP after the calm";
  }
  if (held != services_.size()) {
    return fmt::format("{} IPs are held for {} services", held, services_.size());
  }
  if (objects_) {
    if (std::string fault = statuses_fault(); !fault.empty()) return fault;
  }
  std::size_t leaders = 0;
  for (const auto& host : hosts_) {
    if (host->node && host->node->election().leads(local(*host, now_))) ++leaders;
  }
  return leaders == 1 ? "" : fmt::format("{} leaders after the calm", leaders);
}

// Everything is as it should be, as it was a while ago, and nothing was written meanwhile.
void World::look_whether_settled(bool last) {
  std::string fault = settling_fault();
  if (std::exchange(quiet_writes_, store_.table_writes()) != store_.table_writes() &&
      fault.empty()) {
    fault = "the table is still written in the calm";
  }
  settled_ = fault.empty() && std::exchange(was_settled_, fault.empty());
  was_settled_ = fault.empty();
  if (last && !settled_) fail(fault.empty() ? "not settled for long enough after the calm" : fault);
}

}  // namespace herald::sim
