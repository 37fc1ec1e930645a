// daemon/decide.h: the decisions, as pure functions: the leader's half (who gets which IP, who may
// own it) and every node's half (from which links, to which peers).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bgp/route.h"
#include "config/interface_match.h"
#include "coord/peers.h"
#include "coord/table.h"
#include "ipam/allocator.h"
#include "l2/announcer.h"
#include "model/desired.h"
#include "net/link.h"

namespace herald::daemon {

// A manifest's wishes, made ready to be asked often: services by name, patterns compiled.
class Policies {
 public:
  // What becomes of the IPs of a node whose Node object says unschedulable.
  enum class Cordoned : std::uint8_t { Keep, Yield };

  Policies() = default;
  explicit Policies(std::shared_ptr<const Desired> desired, Cordoned cordoned = Cordoned::Keep);

  bool known() const { return desired_ != nullptr; }
  const Desired& desired() const { return *desired_; }
  // Tells one reading of the manifests from the next.
  const std::shared_ptr<const Desired>& identity() const { return desired_; }
  // nullptr: the manifests have no such service.
  const Service* service(const ObjectName& name) const;
  // Labels as selectors see them; those of the namespace and name alone if it is not known.
  Labels service_labels(const ObjectName& name) const;
  // The labels of a member: what its Node object says, what it says itself, its host name.
  Labels node_labels(const NodeName& node, const Labels& own) const;
  // These labels say that the node is to announce nothing.
  static bool excluded(const Labels& node);
  // The node is cordoned, and such nodes own only what no other may.
  bool yields(const NodeName& node) const { return yielding_.contains(node); }
  // The pool that `vip` is in; nullptr: none.
  const Pool* pool_of(const IpAddress& vip) const;
  // Its name; empty: none.
  PoolName pool_name_of(const IpAddress& vip) const;

  // L2 policies that select this VIP on this node.
  std::vector<const L2Policy*> l2_policies(const IpAddress& vip,
                                           const std::vector<ObjectName>& services,
                                           const Labels& node) const;
  // Of `links`, those from which the node may speak for the VIP: selected by a policy, and with the
  // VIP's subnet if any of them has it (an IP is announced where it belongs; links without any
  // fitting address still serve VIPs that belong nowhere).
  std::vector<std::string> l2_links(const IpAddress& vip, const std::vector<ObjectName>& services,
                                    const Labels& node,
                                    const std::vector<coord::MemberLink>& links) const;
  // How VIPs are announced on this link: of several policies, the most and the closest together.
  l2::AnnounceTiming announce_timing(const std::string& link, const Labels& node) const;
  // Routes for one peer from one node: every VIP of the table that an advertisement selects.
  // `others`: what a drained node leaves to these nodes, as they announce it to this peer as well.
  std::vector<bgp::Route> routes(const BgpPeer& peer, const Labels& node, const coord::Table& table,
                                 const std::vector<Labels>& others = {}) const;

 private:
  friend class L2Scope;
  struct Compiled {
    const L2Policy* policy;
    config::InterfaceMatcher interfaces;
  };
  // Whether the policy selects the VIP of these services, on whatever node.
  bool selects_vip(const L2Policy& policy, const IpAddress& vip,
                   const std::vector<ObjectName>& services) const;

  std::shared_ptr<const Desired> desired_;
  std::map<ObjectName, const Service*> services_;
  std::set<NodeName> yielding_;
  std::vector<Compiled> l2_;
};

// What the policies say of one node, made ready to be asked about each of many VIPs. Lives no
// longer than what it was made of.
class L2Scope {
 public:
  L2Scope(const Policies& policies, const Labels& node,
          const std::vector<coord::MemberLink>& links);

  struct Seat {
    std::vector<const coord::MemberLink*> links;  // see Policies::l2_links; none: it may not speak
    bool on_subnet = false;                       // these links have the VIP's subnet
    int preference = 0;                           // the weights of preferred nodes
  };
  Seat seat(const IpAddress& vip, const std::vector<ObjectName>& services) const;

 private:
  struct Selected {  // a policy that selects the node
    const L2Policy* policy;
    std::vector<bool> links;  // of links_, by position
    int preference;
  };
  const Policies& policies_;
  const std::vector<coord::MemberLink>& links_;
  std::vector<Selected> selected_;
};

// Whether `links` has an address of the VIP's subnet.
bool covers(const coord::MemberLink& link, const IpAddress& vip);

// The leader's allocation: a decision for every service, and what the table should hold.
struct Allocation {
  ipam::Plan plan;
  ipam::Holdings holdings;  // after the plan
};
using Statuses = std::map<ObjectName, coord::StatusDocument>;
// `pending`: what this leader has decided and the table does not show yet; a choice is made once.
// `statuses`: which IP a service was told that it has. Two leaders one after the other may have
// given it two, in two shards; then the one that was told is kept and the other is released.
Allocation allocate(const Policies& policies, const coord::Table& table,
                    const ipam::Holdings& pending, const Statuses& statuses);

// Who is not to own IPs: drained members only if nobody else may (the last one is never drained
// away), the one that is leaving in no case.
struct Unwilling {
  const std::set<NodeName>& drained;
  std::optional<NodeName> leaving;
};
// A member that may own VIPs, as far as the members' documents and heartbeats say.
struct Eligible {
  NodeName node;
  coord::MemberInfo info;
  bool operator==(const Eligible&) const = default;
};
std::vector<Eligible> eligible_members(const coord::Peers& peers,
                                       const std::optional<NodeName>& leaving, Instant now);

// For every VIP of `holdings`: its services and the members that may own it, for the table.
coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const std::vector<Eligible>& members, const std::set<NodeName>& drained);
coord::TablePlan place(const Policies& policies, const ipam::Holdings& holdings,
                       const coord::Peers& peers, const Unwilling& unwilling, Instant now);

// To whom `self` leaves its BGP routes: if it is drained, the labels of the members that are not.
std::vector<Labels> substitutes(const NodeName& self, const Policies& policies,
                                const coord::Peers& peers, const std::set<NodeName>& drained,
                                Instant now);

// What the table says is held by whom.
ipam::Holdings holdings_of(const coord::Table& table);

}  // namespace herald::daemon
