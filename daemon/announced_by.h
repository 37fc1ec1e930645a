// daemon/announced_by.h: who announces an IP, or why nobody does, as the leader knows it of all
// nodes: for the conditions of services. Of sessions it knows those that should be, not their
// state: each node tells that of its own.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/decide.h"
#include "daemon/routes.h"

namespace herald::daemon {

class AnnouncedBy {
 public:
  // Lives no longer than the policies.
  AnnouncedBy(const Policies& policies, std::vector<Eligible> members,
              const std::set<NodeName>& drained);

  struct Answer {
    bool announced = false;
    std::string reason;   // "Announced", "Probing", "Quarantined", or why not: code(Hold)
    std::string message;  // "10.0.0.1 by L2 from n2 on eth0, by BGP from n1, n2 to tor-1"
  };
  Answer of(const IpAddress& vip, const coord::TableEntry& entry);

  // The sessions over which it is to be announced, at most so many; by node, then by peer.
  struct Session {
    NodeName node;
    PeerName peer;
    std::vector<IpPrefix> prefixes;
  };
  std::vector<Session> sessions_for(const IpAddress& vip, const coord::TableEntry& entry,
                                    std::size_t most) const;

 private:
  struct ByBgp {
    std::string text;  // empty: nobody
    Hold why = Hold::NoPolicy;
  };
  const L2Scope* scope_of(const NodeName& node);
  ByBgp by_bgp(const IpAddress& vip, const coord::TableEntry& entry,
               const Picks<BgpAdvertisement>& picks);
  ByBgp ask_all(const IpAddress& vip, const Picks<BgpAdvertisement>& picks,
                const std::optional<NodeName>& owner) const;

  const Policies& policies_;
  std::vector<Eligible> members_;
  std::map<NodeName, L2Scope> scopes_;  // of owners, as they are asked for
  struct Speaker {
    NodeName node;
    PeerName peer;
    RouteScope scope;
    bool steps_back;  // drained or unwell: others announce instead, if they can
  };
  std::vector<Speaker> speakers_;
  // By the advertisements that pick an IP, and its family: the same for most services.
  std::map<std::pair<std::vector<std::size_t>, IpFamily>, ByBgp> alike_;
};

}  // namespace herald::daemon
