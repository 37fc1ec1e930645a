// daemon/dialect_view.h: what the statuses of users' objects are made of, ready to be asked about
// each of many objects. For the functions of the dialects.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/json/fwd.hpp>

#include "base/names.h"
#include "coord/table.h"
#include "daemon/announcements.h"
#include "daemon/policies.h"
#include "ipam/allocator.h"
#include "kube/observed.h"

namespace herald::daemon {

// What was read from one object; null or empty: nothing.
struct ReadObject {
  const Pool* pool = nullptr;
  const ipam::PoolUsage* usage = nullptr;
  const L2Policy* l2 = nullptr;
  const BgpAdvertisement* advertisement = nullptr;
  const BgpPeer* peer = nullptr;
  const BfdProfile* bfd = nullptr;
  std::vector<const Problem*> problems;
  std::vector<const Finding*> findings;

  bool has(Severity severity) const;
  // Its problems of this severity, a line each: "spec.port: is ...".
  std::string in_words(Severity severity) const;
};

// What a policy or an advertisement comes to.
struct Reach {
  std::unordered_set<const Service*> services;  // that it selects, with an IP that it selects
  std::size_t ips = 0;
  std::size_t owned = 0;        // of these IPs, those that a node owns which it selects
  std::set<IpPrefix> prefixes;  // of an advertisement
};

// Every IP that the table holds for a service and that nobody else uses, sorted.
using HeldIps = std::vector<std::pair<IpAddress, const coord::TableEntry*>>;
HeldIps held_ips(const coord::Table& table);

// Members with what policies see of them, in their order.
std::vector<PlannedNode> planned_nodes(const std::vector<Eligible>& members,
                                       const Policies& policies, const std::set<NodeName>& drained);
// The one of this name; nullptr: there is none. `nodes` is sorted by name.
const PlannedNode* find_node(const std::vector<PlannedNode>& nodes, const NodeName& name);

class DialectView {
 public:
  struct Reached {  // in the order of Desired
    std::vector<Reach> l2, bgp;
  };
  // Of every policy, by every IP of `held`. Unless `all`, nothing of a list in which no object is
  // Herald's own: other dialects do not tell it.
  static Reached reached(const Policies& policies, const HeldIps& held,
                         const std::vector<PlannedNode>& nodes, bool all = false);

  struct Facts {
    const kube::Observed& observed;
    const Policies& policies;
    const std::vector<ipam::PoolUsage>* pools;  // see DialectInput
    const std::vector<PlannedNode>& nodes;      // the members, sorted by name
    // The peers with which each node that tells of itself has an established session. A node that
    // is missing has told nothing.
    const std::map<NodeName, std::set<PeerName>>& established;
    const Reached& reached;
  };
  explicit DialectView(const Facts& facts);

  const Facts& facts() const { return facts_; }
  const Desired& desired() const { return facts_.policies.desired(); }
  const ReadObject& read_from(const kube::ObjectRef& object) const;
  const Reach& reach(const L2Policy& policy) const;
  const Reach& reach(const BgpAdvertisement& advertisement) const;

 private:
  const Facts facts_;
  std::unordered_map<std::string, ReadObject> read_;
};

// A condition, as far as it is for a WantedObject; the message is made to fit one.
boost::json::object condition(const std::string& type, bool holds, const std::string& reason,
                              const std::string& message);

}  // namespace herald::daemon
