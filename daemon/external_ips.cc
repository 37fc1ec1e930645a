#include "daemon/external_ips.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/lists.h"

namespace herald::daemon {
std::string sentence(const RefusedExternal& refused) {
  return fmt::format(
      "externalIPs: {} is the load balancer IP of service {} and stays with it: service {} can "
      "have "
      "it only if that one frees it",
      to_string(refused.ip), to_string(refused.holder), to_string(refused.service));
}

ExternalIps take_external_ips(const Policies& policies, const Statuses& statuses,
                              ipam::Holdings& holdings) {
  ExternalIps out;
  // Whether the service has or wants the IP as its load balancer's.
  const auto has = [&](const ObjectName& name, const IpAddress& ip) {
    const Service* s = policies.service(name);
    const auto told = statuses.find(name);
    return (s != nullptr && (contains(s->requested, ip) || contains(s->held, ip))) ||
           (told != statuses.end() && contains(told->second.ips, ip));
  };
  ipam::Holdings listed;
  for (const Service& s : policies.desired().services) {
    for (const IpAddress& ip : s.external_ips) {
      if (!has(s.name, ip)) listed[ip].push_back(s.name);
    }
  }
  if (listed.empty()) return out;
  // What other controllers have told of, and is not in the table yet, is taken as well.
  ipam::Holdings imported;
  for (const Service& s : policies.desired().services) {
    for (const IpAddress& ip : s.held) {
      if (listed.contains(ip)) imported[ip].push_back(s.name);
    }
  }
  for (auto& [ip, services] : listed) {
    sort_unique(services);
    std::vector<ObjectName> had;      // as their external IP
    std::vector<ObjectName> missing;  // who have it, and may be in a file that cannot be read
    std::vector<ObjectName>* holders = nullptr;
    if (const auto held = holdings.find(ip); held != holdings.end()) {
      const auto external = [&, &names = services](const ObjectName& s) {
        return contains(names, s);
      };
      std::copy_if(held->second.begin(), held->second.end(), std::back_inserter(had), external);
      std::erase_if(held->second, external);
      // Beside external ones there is no allocation: the rest have dropped it from their lists.
      if (!had.empty()) {
        for (const ObjectName& s : held->second) {
          const bool lost = !policies.desired().complete && policies.service(s) == nullptr;
          if (lost && !has(s, ip)) missing.push_back(s);
        }
        std::erase_if(held->second, [&, &vip = ip](const ObjectName& s) { return !has(s, vip); });
      }
      holders = &held->second;
      if (holders->empty()) {
        holdings.erase(held);
        holders = nullptr;
      }
    }
    if (holders == nullptr) {
      if (const auto import = imported.find(ip); import != imported.end()) {
        holders = &import->second;
      }
    }
    for (const ObjectName& name : services) {
      const bool wanted = policies.wants_external(*policies.service(name), ip);
      if (wanted && holders != nullptr) {
        out.refused.push_back({ip, name, holders->front()});
      } else if (wanted) {
        out.wanted[ip].push_back(name);
      } else if (contains(had, name)) {
        out.dropped.push_back({ip, name});
      }
    }
    if (missing.empty()) continue;
    const auto wanted = out.wanted.find(ip);
    auto& with = wanted != out.wanted.end() ? wanted->second : holdings[ip];
    with.insert(with.end(), missing.begin(), missing.end());
    std::sort(with.begin(), with.end());
  }
  return out;
}

}  // namespace herald::daemon
