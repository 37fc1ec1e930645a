// daemon/policies.h: what the manifests wish to be announced, made ready to be asked often:
// services by name, patterns compiled, endpoints counted.
//
// A policy (L2AnnouncementPolicy or BGPAdvertisement) picks a VIP for those of its services that it
// selects; L2Scope is one node's view of all that. docs/announcing.md has every rule in its order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/interface_match.h"
#include "coord/document.h"
#include "daemon/backends.h"
#include "daemon/hold.h"
#include "l2/announcer.h"
#include "model/desired.h"

namespace herald::daemon {

// A node, as selectors see it.
struct NodeFacts {
  NodeName name;
  Labels labels;
  bool operator==(const NodeFacts&) const = default;
};

// The part of a VIP's services that one policy selects.
template <typename Policy>
struct Pick {
  const Policy* policy = nullptr;
  std::size_t index = 0;               // in the list that it is from
  bool anywhere = false;               // for one of them, it does not matter where its pods are
  std::vector<const Backends*> local;  // of each with externalTrafficPolicy Local
  bool on(const NodeName& node) const;
};

// What the policies say of a VIP on whatever node; good as long as the Policies are.
template <typename Policy>
struct Picks {
  std::vector<Pick<Policy>> picks;
  Hold why = Hold::NoPolicy;  // there are no picks; else None
};

struct PolicyOptions {
  // What becomes of the IPs of a node whose Node object says unschedulable.
  enum class Cordoned : std::uint8_t { Keep, Yield };
  Cordoned cordoned = Cordoned::Keep;
  bool ignore_exclude_label = false;
  bool operator==(const PolicyOptions&) const = default;
};

class Policies {
 public:
  using Options = PolicyOptions;
  using Cordoned = PolicyOptions::Cordoned;

  Policies() = default;
  explicit Policies(std::shared_ptr<const Desired> desired, Options options = {});

  bool known() const { return desired_ != nullptr; }
  const Desired& desired() const { return *desired_; }
  // Tells one reading of the manifests from the next.
  const std::shared_ptr<const Desired>& identity() const { return desired_; }
  // nullptr: the manifests have no such service.
  const Service* service(const ObjectName& name) const;
  // For its IPs of this family; nullptr: it has no EndpointSlice.
  const Backends* backends(const ObjectName& name, IpFamily family) const;
  // Labels as selectors see them; those of the namespace and name alone if it is not known.
  Labels service_labels(const ObjectName& name) const;
  // A member: what its Node object says, what it says itself, its host name.
  NodeFacts node(const NodeName& name, const Labels& own) const;
  // These labels say that the node is to announce nothing.
  bool excluded(const Labels& node) const;
  // The node is cordoned, and such nodes own only what no other may.
  bool yields(const NodeName& node) const { return yielding_.contains(node); }
  // Its Node object says NotReady, NetworkUnavailable or out of service: so does such a node.
  bool unwell(const NodeName& node) const { return unwell_.contains(node); }
  // The pool that `vip` is in; nullptr: none.
  const Pool* pool_of(const IpAddress& vip) const;
  // Its name; empty: none.
  PoolName pool_name_of(const IpAddress& vip) const;
  // The service lists the IP in spec.externalIPs, and some policy announces such.
  bool wants_external(const Service& service, const IpAddress& ip) const;

  Picks<L2Policy> l2_picks(const IpAddress& vip, const std::vector<ObjectName>& services) const;
  Picks<BgpAdvertisement> bgp_picks(const IpAddress& vip,
                                    const std::vector<ObjectName>& services) const;

  // L2 policies that select this VIP on this node.
  std::vector<const L2Policy*> l2_policies(const IpAddress& vip,
                                           const std::vector<ObjectName>& services,
                                           const Labels& node) const;
  // How VIPs are announced on this link: of several policies, the most and the closest together.
  l2::AnnounceTiming announce_timing(const std::string& link, const Labels& node) const;

 private:
  friend class L2Scope;
  template <typename Policy>
  Picks<Policy> picks(const std::vector<Policy>& policies, const IpAddress& vip,
                      const std::vector<ObjectName>& services) const;

  std::shared_ptr<const Desired> desired_;
  Options options_;
  // Asked for every VIP; nothing goes through it in order. Its keys and all that it points to are
  // of `desired_`. Shared by copies, as Picks point into it.
  struct Known {
    const Service* service = nullptr;
    ServiceBackends backends;
  };
  struct Hash {
    std::size_t operator()(const ObjectName* name) const {
      return std::hash<std::string>{}(name->name) * 31 + std::hash<std::string>{}(name->ns);
    }
  };
  struct Same {
    bool operator()(const ObjectName* a, const ObjectName* b) const { return *a == *b; }
  };
  using KnownServices = std::unordered_map<const ObjectName*, Known, Hash, Same>;
  const Known* known(const ObjectName& name) const;
  static const Backends* backends(const Known* service, IpFamily family);
  std::shared_ptr<const KnownServices> known_;
  std::set<NodeName> yielding_, unwell_;
  std::vector<config::InterfaceMatcher> interfaces_;  // of each L2 policy
};

// What the policies say of one node, made ready to be asked about each of many VIPs. Lives no
// longer than what it was made of.
class L2Scope {
 public:
  // links: those of the node that may announce; nullptr: not known, any would do.
  L2Scope(const Policies& policies, NodeFacts node, const std::vector<coord::MemberLink>* links);

  // Whether the node may speak for a VIP, as far as it alone goes, and from which links: selected
  // by a policy, and with the VIP's subnet if any of them has it (an IP is announced where it
  // belongs; links without any fitting address still serve VIPs that belong nowhere).
  struct Seat {
    Hold why = Hold::NoPolicy;  // None: it may
    std::vector<const coord::MemberLink*> links;
    bool on_subnet = false;   // these links have the VIP's subnet
    bool serves_all = false;  // its endpoints do for every service that is selected
    int preference = 0;       // the weights of preferred nodes
    bool may() const { return why == Hold::None; }
  };
  Seat seat(const IpAddress& vip, const Picks<L2Policy>& picks) const;
  Seat seat(const IpAddress& vip, const std::vector<ObjectName>& services) const {
    return seat(vip, policies_.l2_picks(vip, services));
  }
  const NodeFacts& node() const { return node_; }

 private:
  struct Selected {  // what a policy says of the node
    bool selects = false;
    std::vector<bool> links;  // of *links_, by position
    int preference = 0;
  };
  const Policies& policies_;
  NodeFacts node_;
  bool excluded_;
  const std::vector<coord::MemberLink>* links_;
  std::vector<Selected> selected_;  // by every policy
};

// Whether a node with these labels has a session with the peer. Unnumbered ones and those in a VRF
// are not in force yet.
bool peers_with(const BgpPeer& peer, const Labels& node);

// Whether `links` has an address of the VIP's subnet.
bool covers(const coord::MemberLink& link, const IpAddress& vip);

template <typename Policy>
bool Pick<Policy>::on(const NodeName& node) const {
  if (anywhere) return true;
  for (const Backends* backends : local) {
    if (backends->on(node)) return true;
  }
  return false;
}

}  // namespace herald::daemon
