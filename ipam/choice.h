// ipam/choice.h: which IPs one service may have next: those that it asks for, or the best there
// are.
//
// Looks only: what is chosen here is held when the planner says so. The pools come best first:
// priority 1 first and none last, then the older, then by name. From them, in this order:
//   1. what the service had until a moment ago and rests for it,
//   2. if it shares and the pool prefers that: the lowest IP that it may share,
//   3. the lowest free address of the first range that has one; if it shares and the pool does not
//      prefer that, the lowest that is free or may be shared.
// Pools with one_pool give a dual-stack service all of its IPs, or none.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ipam/allocator.h"
#include "ipam/ledger.h"
#include "ipam/matching.h"
#include "ipam/refusal.h"
#include "model/objects.h"

namespace herald::ipam {

struct Choice {
  std::vector<IpAddress> ips;
  std::optional<Refusal> refusal;  // why one is missing
};

class Chooser {
 public:
  // `known`: whether the manifests have a service of this name.
  Chooser(const Input& in, Ledger& ledger, std::function<bool(const ObjectName&)> known);

  // For each of Service::requested that is not among `held`: Reason::Allocated if the service may
  // have it.
  std::vector<Refusal> judge_requests(const Service& service, const std::vector<IpAddress>& held);

  // For every family that the service wants and has no IP of, the best there is. Nobody asked for
  // an IP by name.
  Choice choose(const Service& service, const std::vector<IpAddress>& has);

  // The pool to name beside an IP: the one asked for, else the one it came from, else the best that
  // contains it, one in use before others; null if none contains it.
  const Pool* pool_of(const IpAddress& ip, const Service* service) const;

  // Whether the IP is of the pool that the service asks for, or was until that pool was edited.
  bool of_requested_pool(const Service& service, const IpAddress& ip) const;

 private:
  // All pools, best first, as the service sees them.
  std::vector<PoolView> look(const Service& service);
  Refusal judge(const Service& service, const IpAddress& ip);
  Refusal refuse_holder(const Service& service, const IpAddress& ip);
  std::optional<IpAddress> pick(const Service& service, IpFamily family,
                                const std::vector<const PoolView*>& from);
  std::optional<IpAddress> lowest(const Service& service, IpFamily family, const PoolView& from);
  std::optional<IpAddress> lowest_shared(const Service& service, IpFamily family,
                                         const std::vector<const PoolView*>& from);

  Choice one_by_one(const Service& service, const std::vector<IpFamily>& families, bool or_ipv6,
                    const std::vector<PoolView>& pools);
  Choice from_one_pool(const Service& service, const std::vector<IpFamily>& families,
                       bool one_is_enough, const std::vector<PoolView>& pools);

  const Input& in_;
  Ledger& ledger_;
  std::function<bool(const ObjectName&)> known_;
  NamespaceLabels namespace_labels_;
  std::vector<std::size_t> by_rank_;  // indices into Input::pools, best first
  std::map<ObjectName, std::vector<IpAddress>> resting_of_;
};

}  // namespace herald::ipam
