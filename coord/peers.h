// coord/peers.h: the other members, and how a silent one is revoked.
//
// A member in store mode renews its document; a rev that has been shown to me for L' is a member
// that has been silent since before its right ended (V2). Then: read, and CAS {revoked} on that
// very rev (V3). Whoever sees a member revoked, or at a higher incarnation, may take what it owned
// (T1).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/time.h"
#include "coord/store.h"

namespace herald::coord {

class Peers {
 public:
  struct Peer {
    MemberDocument document;  // the newest rev that this process has seen
    Instant since;            // when that rev was first shown to me (t1)
  };

  Peers(NodeName self, LeaseTiming timing);

  // A member document, own or foreign, by read, watch, list or own write. Older revs are dropped.
  // True if anything but the renewal itself is new: a member, its incarnation, revocation, info.
  bool on_seen(const MemberDocument& document, Instant now);
  void on_read(const NodeName& node, const std::optional<MemberDocument>& current, Instant sent,
               Instant now);
  void on_read_failed(const NodeName& node, Instant now);
  void on_cas(const MemberDocument& document, CasOutcome outcome, Instant now);
  // V4: an operator knows that this life of the node is over. Revoked as by V3, but at once.
  void force_dead(const NodeName& node);
  // have_right: this node may answer itself; others are only revoked by one that may (V).
  void tick(bool have_right, Instant now);

  // T1(b): (node, inc) is over, so that its entries may be changed by anybody.
  bool gone(const NodeName& node, Incarnation inc) const;
  // T2: unrevoked, and heard lately enough that it may own new IPs.
  bool heard(const NodeName& node, Instant now) const;
  // I revoked it myself, so I rewrite its shards at once (T3).
  bool revoked_by_me(const NodeName& node, Incarnation inc) const;
  // The position of this node among the live members by name: who acts first when any may.
  unsigned rank(Instant now) const;

  const std::map<NodeName, Peer>& all() const { return peers_; }
  const MemberDocument* find(const NodeName& node) const;

  std::optional<Instant> next_deadline(bool have_right) const;
  std::vector<StoreRequest> take_requests();

 private:
  struct Pursuit {  // of a silent peer
    bool busy = false;
    Instant next_try = Instant::min();
  };
  bool revocable(const Peer& peer, Instant now) const;
  bool forced_dead(const MemberDocument& document) const;

  NodeName self_;
  LeaseTiming timing_;
  std::map<NodeName, Peer> peers_;
  std::map<NodeName, Pursuit> pursuits_;
  std::set<std::pair<NodeName, Incarnation>> revoked_by_me_;
  std::set<std::pair<NodeName, Incarnation>> forced_dead_;
  std::vector<StoreRequest> requests_;
};

}  // namespace herald::coord
