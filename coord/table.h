// coord/table.h: this process's view of the IP table, and what it has given up for good.
//
// The right to answer for a VIP (A1) is: the newest table rev ever seen names (me, my incarnation,
// epoch), and that epoch is above the floor that was set when I last gave the VIP up. The floor is
// set *before* the write that passes the VIP on (T4), so a late or lost reply cannot make two
// owners.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.h"
#include "coord/document.h"
#include "coord/placement.h"
#include "coord/store.h"

namespace herald::coord {

class Peers;

// The entry of `vip`; null: there is none.
const TableEntry* find(const TableDocument& shard, const IpAddress& vip);

// What should become of a VIP, as decided from manifests and members.
struct VipPlan {
  std::vector<ObjectName> services;  // sorted; empty: no service wants it
  Candidates candidates;             // who may own it: eligible, unrevoked, heard
  // No service wants it, and it is not free yet: it rests for this one, or is in quarantine. Its
  // owner gives it up, and the entry stays as long as the plan says so.
  bool stays = false;
  Rare<ObjectName> kept_for = std::nullopt;
  bool probe = false;   // before it is announced first
  bool in_use = false;  // somebody announces it already and hands it over: a new entry is proven
  bool routed = false;  // it serves by BGP alone: no reason to probe it later, when it serves
};
using TablePlan = std::map<IpAddress, VipPlan>;

// Who is looking at the table, and what it may do there.
struct Editor {
  NodeName self;
  Incarnation inc;
  bool has_right = false;    // else its view of who is eligible may be old
  bool leads = false;        // may add, place, mark and remove
  bool leaving = false;      // gives everything up
  bool plan_known = false;   // manifests were read; else only what is already held is served
  bool may_release = false;  // the manifests are complete: what they lack is not wanted
  // Another one whenever the plan is another one; 0: not known, so that every shard is looked at.
  std::uint64_t plan_version = 0;
  bool operator==(const Editor&) const = default;
};

// A wish to move, on its way into the table.
struct AskedMove {
  NodeName to;
  Epoch epoch;  // the owner that it was meant for had it under this one
};
// What an owner has found out about a VIP that it had to probe, on its way into the table.
struct Finding {
  Epoch epoch;                  // it is the owner under this one
  Rare<Quarantine> quarantine;  // none: nobody else uses it
};
// A wish that the owner did not fulfil: `to` may not own the VIP, or not any more.
struct RefusedMove {
  IpAddress vip;
  NodeName to;
};

class Table {
 public:
  // A shard, to be kept: it does not change, but another one takes its place.
  using Shard = std::shared_ptr<const TableDocument>;

  // A2: older revs are dropped. What was there before; null: the view has not changed.
  Shard on_seen(const TableDocument& document, Instant now);
  void on_listed() { listed_ = true; }
  Shard on_cas(const TableDocument& document, CasOutcome outcome, Instant now);

  bool listed() const { return listed_; }
  const TableDocument& shard(unsigned s) const { return *shards_.at(s); }
  const std::array<Shard, kShards>& shards() const { return shards_; }
  const TableEntry* find(const IpAddress& vip) const;
  std::size_t size() const;

  // A1's second half.
  bool owns(const NodeName& self, Incarnation inc, const IpAddress& vip) const;
  // Every VIP for which that holds, sorted.
  std::vector<IpAddress> owned(const NodeName& self, Incarnation inc) const;
  // IPs per owner, for placement.
  std::map<NodeName, std::size_t> counts() const;
  // Rises when another IP is held, or by other services: whoever owns it.
  std::uint64_t holdings_version() const { return holdings_version_; }
  // Rises with everything that is another thing than before.
  std::uint64_t version() const { return version_; }

  // Writes what should change: own entries that are wished away or that this node is no longer to
  // own (T4), orphans (T3), and what a leader adds. Sets the floors of what it gives up. At most
  // one write per shard is under way. A shard in which there was nothing to do is not looked at
  // again until it, or something that it is judged by, has changed: then this costs nothing.
  void edit(const TablePlan& plan, const Editor& editor, const Peers& peers, Instant now);

  // The owner is wished to pass `vip` on to `to`: edit() writes it into the shard, whoever owns it.
  // Forgotten when the owner has changed since.
  void wish_move(const IpAddress& vip, const NodeName& to);
  // Nobody waits for it any more: it is not written if it has not been yet.
  void forget_move(const IpAddress& vip) { asked_moves_.erase(vip); }

  // This node owns `vip` and has probed it: edit() writes into the shard what it found.
  void found(const IpAddress& vip, Rare<Quarantine> quarantine);

  // When edit() would have something to do that it has not now (orphans that wait for their turn).
  std::optional<Instant> next_deadline() const { return orphans_due_; }
  std::vector<StoreRequest> take_requests();
  std::vector<RefusedMove> take_refused_moves();

 private:
  void forget_moves();
  void forget_findings();
  bool given_up(const IpAddress& vip, Epoch epoch) const;

  std::array<Shard, kShards> shards_ = initial();
  std::array<std::map<NodeName, std::size_t>, kShards> counts_;  // of each shard
  // The same of what is being written, in shards that are busy.
  std::array<std::map<NodeName, std::size_t>, kShards> counts_written_;
  std::uint64_t holdings_version_ = 0, version_ = 0;
  std::array<std::vector<IpAddress>, kShards> planned_;  // the VIPs of a leader's plan
  // The revs in which there was nothing to do for this editor, with peers of this version.
  std::array<std::optional<Revision>, kShards> settled_;
  Editor settled_for_;
  std::uint64_t settled_peers_ = 0;
  std::array<bool, kShards> busy_{};
  std::array<std::optional<Instant>, kShards> retry_at_{};
  std::array<std::optional<Instant>, kShards> orphans_since_{};
  std::optional<Instant> orphans_due_;
  std::map<IpAddress, Epoch> floors_;  // givenUp: never lowered
  // What I passed on, and under which epoch: if nobody lives there, I take it back.
  std::map<IpAddress, Epoch> passed_on_;
  std::map<IpAddress, AskedMove> asked_moves_;  // not in the table yet
  std::map<IpAddress, Finding> findings_;       // nor these
  std::vector<RefusedMove> refused_moves_;
  bool listed_ = false;
  std::vector<StoreRequest> requests_;

  static std::array<Shard, kShards> initial();
};

}  // namespace herald::coord
