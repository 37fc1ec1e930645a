// coord/peers.h: the other members, and how a silent one is revoked.
//
// A member in store mode renews its document; a rev that has been shown to me for L' is a member
// that has been silent since before its right ended (V2). A member in guard mode is over when so
// many of its guards have fenced that rev that no majority is left to acknowledge it (V1). Then:
// read, and CAS {revoked} on that very rev (V3). Whoever sees a member revoked, or at a higher
// incarnation, may take what it owned (T1).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/time.h"
#include "coord/guard.h"
#include "coord/store.h"
#include "coord/timing.h"

namespace herald::coord {

class Peers {
 public:
  struct Peer {
    MemberDocument document;             // the newest rev that this process has seen
    Instant since;                       // when that rev was first shown to me (t1)
    Instant read_sent = Instant::min();  // of the newest quorum read that showed this rev
    // H2: since when the guard has wanted a read, as it hears nothing; none: it hears.
    std::optional<Instant> silent_since;
  };
  // Which of the V rules this node may follow now. It must have the right to answer itself; and
  // for V2, where the store's outage makes all members look silent alike, for a while already.
  struct MayRevoke {
    bool fenced = false;  // V1, and V4
    bool silent = false;  // V2
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
  // The same of one rev: whatever the member writes itself shows that it lives.
  void declare_dead(const NodeName& node, Revision rev) { declared_dead_[node] = rev; }
  // The words are taken back. A write that is under way may still be carried out.
  void spare(const NodeName& node);
  bool is_forced_dead(const NodeName& node, Incarnation inc) const {
    return forced_dead_.contains({node, inc});
  }
  // True if a peer's being heard has changed.
  bool on_report(const GuardReport& report, Instant now);
  void tick(MayRevoke may, Instant now);

  // T1(b): (node, inc) is over, so that its entries may be changed by anybody.
  bool gone(const NodeName& node, Incarnation inc) const;
  // T2: unrevoked, and heard lately enough that it may own new IPs.
  bool heard(const NodeName& node, Instant now) const;
  // I revoked it myself, so I rewrite its shards at once (T3).
  bool revoked_by_me(const NodeName& node, Incarnation inc) const;
  // No other member is there: each was revoked, or has left.
  bool alone() const;
  // The position of this node among the live members by name: who acts first when any may.
  unsigned rank(Instant now) const;

  // The members that should guard this one, in the lives they have now; sorted by name.
  std::vector<GuardRef> wished_guards() const;
  // What the guard must know of the others, put into `orders`.
  void describe(GuardOrders& orders) const;
  // Rises whenever describe(), gone() or revoked_by_me() may have something new to say.
  std::uint64_t version() const { return version_; }
  // The guard's newest report.
  const GuardReport& report() const { return report_; }

  const std::map<NodeName, Peer>& all() const { return peers_; }
  const MemberDocument* find(const NodeName& node) const;

  std::optional<Instant> next_deadline(MayRevoke may) const;
  std::vector<StoreRequest> take_requests();

 private:
  struct Pursuit {  // of a silent peer
    bool busy = false;
    Instant next_try = Instant::min();
  };
  std::optional<Instant> revocable_at(const Peer& peer) const;
  bool fenced(const MemberDocument& document) const;
  bool forced_dead(const MemberDocument& document) const;
  bool may_revoke(const Peer& peer, Instant now) const;
  std::optional<Instant> read_wanted_at(const Peer& peer) const;
  void revoke(const Peer& peer);

  NodeName self_;
  LeaseTiming timing_;
  std::map<NodeName, Peer> peers_;
  GuardReport report_;
  MayRevoke may_;
  std::uint64_t version_ = 0;
  std::map<NodeName, Pursuit> pursuits_;
  std::set<std::pair<NodeName, Incarnation>> revoked_by_me_;
  std::set<std::pair<NodeName, Incarnation>> forced_dead_;
  std::map<NodeName, Revision> declared_dead_;
  std::vector<StoreRequest> requests_;
};

}  // namespace herald::coord
