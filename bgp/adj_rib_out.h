// bgp/adj_rib_out.h: what a peer has been told and what it should be told (RFC 4271 §3.2).
//
// set() says what is wanted; the difference comes out as the fewest messages: withdrawals first,
// then announcements grouped by their attributes.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "bgp/update_wire.h"

namespace herald::bgp {

class AdjRibOut {
 public:
  // The wanted set of routes that this session can carry. Of two for one prefix, the last counts.
  void set(const std::vector<Route>& routes);
  // The peer knows nothing (a new session, or it asked for the family again).
  void forget();
  void forget(IpFamily family);

  // UPDATEs that bring the peer up to date. next_hop of a family: none holds its routes back.
  std::vector<Bytes> take_updates(const Negotiated& negotiated, Asn local_as,
                                  const std::optional<IpAddress>& next_hop_v4,
                                  const std::optional<IpAddress>& next_hop_v6);

  std::size_t advertised() const { return told_.size(); }

 private:
  struct Told {
    RouteAttributes attributes;
    IpAddress next_hop;
    bool operator==(const Told&) const = default;
  };
  std::map<IpPrefix, RouteAttributes> wanted_;
  std::map<IpPrefix, Told> told_;
};

}  // namespace herald::bgp
