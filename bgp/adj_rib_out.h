// bgp/adj_rib_out.h: what a peer has been told and what it should be told (RFC 4271 §3.2).
//
// set() says what is wanted; the difference comes out as the fewest messages: withdrawals first,
// then announcements grouped by their attributes. What cannot be said counts as not told.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "bgp/update_wire.h"

namespace herald::bgp {

// By family; none holds the routes of that family back.
struct NextHops {
  std::optional<IpAddress> v4;
  std::optional<IpAddress> v6;             // global or unique local
  std::optional<IpAddress> v6_link_local;  // beside v6 (RFC 2545 §3)
};

class AdjRibOut {
 public:
  // The wanted set of routes that this session can carry. Of two for one prefix, the last counts.
  void set(const std::vector<Route>& routes);
  // The peer knows nothing (a new session, or it asked for the family again).
  void forget();
  void forget(IpFamily family);

  // UPDATEs that bring the peer up to date.
  std::vector<Bytes> take_updates(const Negotiated& negotiated, Asn local_as,
                                  const NextHops& next_hops);

  std::size_t advertised() const { return told_.size(); }
  bool advertised(const IpPrefix& prefix) const { return told_.contains(prefix); }
  const std::map<IpPrefix, RouteAttributes>& wanted() const { return wanted_; }
  // Wanted routes whose attributes do not fit one message, as of the last take_updates(). The peer
  // is not left with an older version of them: RFC 4271 §9.2 forbids to advertise such a route.
  const std::vector<IpPrefix>& too_large() const { return too_large_; }

 private:
  struct Told {
    RouteAttributes attributes;
    IpAddress next_hop;
    std::optional<IpAddress> link_local;
    bool operator==(const Told&) const = default;
  };
  std::map<IpPrefix, RouteAttributes> wanted_;
  std::map<IpPrefix, Told> told_;
  std::vector<IpPrefix> too_large_;
};

}  // namespace herald::bgp
