// daemon/bgp_speaker.h: this node's BGP sessions: one for each BGPPeer whose selector picks the
// node, with the routes that its advertisements give it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "bgp/session.h"
#include "coord/table.h"
#include "daemon/events.h"
#include "daemon/routes.h"
#include "net/link.h"

namespace herald::daemon {

class BgpSpeaker {
 public:
  // router_id: none: the lowest IPv4 address of a usable link, chosen once.
  BgpSpeaker(std::optional<IpAddress> router_id, Rng rng);

  // Begins, changes and ends sessions. self: this node; usable: its links that may announce;
  // others: who announces instead of this node (see substitutes()); leaving: every session ends.
  void set(const Policies& policies, const NodeFacts& self, const std::vector<Link>& links,
           const std::vector<coord::MemberLink>& usable, const coord::Table& table,
           const std::vector<NodeFacts>& others, bool leaving, Instant now);
  // nullptr: there is no such session, or not any more.
  bgp::Session* session(const PeerName& peer);
  void tick(Instant now);

  const std::map<PeerName, bgp::Session>& sessions() const { return sessions_; }
  std::vector<Effect> take_effects();
  std::optional<Instant> next_deadline() const;

 private:
  void choose_router_id(const std::vector<Link>& links,
                        const std::vector<coord::MemberLink>& usable);
  void end(std::map<PeerName, bgp::Session>::iterator it, Instant now);

  std::optional<IpAddress> router_id_;
  Rng rng_;
  std::map<PeerName, bgp::Session> sessions_;
  std::map<PeerName, bgp::PeerConfig> configs_;
  std::vector<Effect> effects_;
};

}  // namespace herald::daemon
