// tests/ipam/plan_world.h: short words for pools, services and what is planned for them.
#pragma once

#include <string>
#include <vector>

#include "ipam/allocator.h"

namespace herald::ipam {

inline IpAddress ip(const std::string& text) {
  return IpAddress::parse(text).value();
}

// "10.0.0.0/24", "10.0.0.1-10.0.0.9" or "10.0.0.1".
inline IpRange addresses(const std::string& text) {
  if (const auto prefix = IpPrefix::parse(text)) return IpRange::of(*prefix);
  const auto dash = text.find('-');
  if (dash == std::string::npos) return IpRange::single(ip(text));
  return {ip(text.substr(0, dash)), ip(text.substr(dash + 1))};
}

inline Pool pool(const std::string& name, const std::vector<std::string>& ranges) {
  Pool p;
  p.name = PoolName(name);
  for (const auto& text : ranges) p.ranges.push_back(addresses(text));
  return p;
}

inline LabelSelector select(Labels labels) {
  LabelSelector selector;
  selector.match_labels = std::move(labels);
  return selector;
}

// In namespace default; `age` orders creation, 0 the oldest.
inline Service service(const std::string& name, std::int64_t age = 0,
                       const std::vector<std::string>& requested = {}) {
  Service s;
  s.name = {"default", name};
  s.created = age;
  for (const auto& text : requested) s.requested.push_back(ip(text));
  if (!requested.empty()) s.requested_by = "annotation lbipam.cilium.io/ips";
  return s;
}

struct World {
  std::vector<Pool> pools;
  std::vector<NamespaceObject> namespaces;
  SharedList<Service> services;
  Holdings holdings;
  bool complete = true;
  std::map<IpAddress, ObjectName> resting = {};
  std::map<IpAddress, std::string> quarantined = {};
  std::map<IpAddress, PoolName> came_from = {};

  Plan look() const {
    return plan({pools, namespaces, services, holdings, complete, resting, quarantined, came_from});
  }
  // Plans and carries out, until nothing changes.
  Plan settle() {
    for (int round = 0; round < 10; ++round) {
      Plan p = look();
      if (p.added.empty() && p.released.empty()) return p;
      holdings = carry_out(p, std::move(holdings));
    }
    return look();
  }
};

// "10.0.0.1 fd00::1" or, without any, the reason.
inline std::string said(const Decision& d) {
  std::string out;
  for (const GivenIp& g : d.ips) out += (out.empty() ? "" : " ") + to_string(g.ip);
  if (d.reason != Reason::Allocated)
    out += (out.empty() ? "" : " ") + std::string(to_string(d.reason));
  return out;
}

}  // namespace herald::ipam
