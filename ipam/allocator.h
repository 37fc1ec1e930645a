// ipam/allocator.h: which service has which IPs, and why one has none.
//
// plan() is pure: pools, services and what is held go in; a decision for every service comes out,
// with what is to be written to the IP table (the truth) and what nobody wants any more.
//
//   1. A service keeps every IP it holds: by the table, or by its status if the table does not give
//      that IP to somebody it cannot share with. No edit of pools moves it; only a request, the
//      families or the sharing of the service itself that no longer permit it do. An IP that a
//      request gives up stays until the request is granted (unless Pool::release_on_refusal).
//   2. Then requests are granted, then whatever is still missing is chosen (ipam/choice.h).
//   3. In each step the older service goes first (creation, then namespace/name).
//
// What was released here is free only when it has left the table: its owner has to stop first.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ipam/reason.h"
#include "model/objects.h"
#include "model/shared_list.h"
#include "net/ip.h"

namespace herald::ipam {

// The IP table, as far as allocation is concerned: who holds an IP. Several services: it is shared.
using Holdings = std::map<IpAddress, std::vector<ObjectName>>;

struct Input {
  const std::vector<Pool>& pools;
  const std::vector<NamespaceObject>& namespaces;
  const SharedList<Service>& services;
  const Holdings& holdings;  // a holder without a name: no service has the IP from a pool
  bool complete = false;     // Desired::complete: a service that is missing is surely not wanted
  // Released IPs that are kept for the service that had them (Pool::release_hold): nobody else gets
  // them, and it gets them rather than others.
  std::map<IpAddress, ObjectName> resting = {};
  // IPs that a probe found in use by another station, and which and where ("02:.., seen by n1 on
  // eth0"): nobody gets them, and who holds one gets another. Never one that was announced already:
  // what serves is not taken away.
  std::map<IpAddress, std::string> quarantined = {};
  // The pool that an IP was given from, for Pool::release_on_shrink. To be said of an IP as long as
  // the table or a status names it; without this an IP that is in no pool any more is kept.
  std::map<IpAddress, PoolName> came_from = {};
};

// One IP for one service.
struct Holding {
  IpAddress ip;
  ObjectName service;
  auto operator<=>(const Holding&) const = default;
};

struct GivenIp {
  IpAddress ip;
  PoolName pool;  // empty: in no pool any more, or never; kept all the same
  bool operator==(const GivenIp&) const = default;
};

struct Decision {
  ObjectName service;
  std::vector<GivenIp> ips;           // requested ones as requested, else IPv4 before IPv6
  Reason reason = Reason::Allocated;  // Allocated alone means that nothing is missing
  std::string message;                // the object, the values and the way out
  bool operator==(const Decision&) const = default;
};

// How full a pool is. Counts saturate at 2^128 - 1.
struct PoolUsage {
  PoolName name;
  Uint128 total_v4 = 0, total_v6 = 0;  // without what the pool avoids
  Uint128 used_v4 = 0, used_v6 = 0;    // held by whomever, resting or quarantined
  Uint128 available_v4 = 0, available_v6 = 0;
  Uint128 total() const;
  Uint128 used() const;
  Uint128 available() const;
  bool operator==(const PoolUsage&) const = default;
};

struct Plan {
  std::vector<Decision> decisions;  // one per service, in the order of Input::services
  std::vector<Holding> added;       // sorted; to be in the table before any status names them
  std::vector<Holding> released;    // sorted; may leave the table. Empty unless Input::complete
  std::vector<PoolUsage> pools;     // in the order of Input::pools, with `added`
};

Plan plan(const Input& input);

// The holdings after a plan was carried out.
Holdings carry_out(const Plan& plan, Holdings holdings);

}  // namespace herald::ipam
