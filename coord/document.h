// coord/document.h: what the nodes share through the store, as plain values.
//
// Every document carries `rev`, a counter: each write sets rev+1, and a write succeeds only on the
// rev that was read (compare-and-swap). Documents are never deleted.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/names.h"
#include "base/rare.h"
#include "base/time.h"
#include "model/labels.h"
#include "net/ip.h"
#include "net/mac.h"

namespace herald::coord {

using Revision = Number<struct RevisionTag, std::uint64_t>;        // 0: the document does not exist
using Incarnation = Number<struct IncarnationTag, std::uint64_t>;  // one life of a node's daemon
using Epoch = Number<struct EpochTag, std::uint64_t>;              // of an IP's ownership

// A usable link of a member, for placement: who can speak for which IP.
struct MemberLink {
  std::string name;
  std::vector<IpPrefix> subnets;
  MacAddress mac{};  // zero: of a version that did not tell. To know members from strangers
  std::vector<IpAddress> addresses{};  // its own, of those subnets: nobody may announce them
  bool operator==(const MemberLink&) const = default;
};

// Where a member hears heartbeats (UDP).
struct HeartbeatAddress {
  IpAddress address;
  std::uint16_t port = 0;
  bool operator==(const HeartbeatAddress&) const = default;
};

// What a member tells about itself. Information only: safety never rests on it.
struct MemberInfo {
  std::string machine_id;  // /etc/machine-id: is the old process under this name on this machine?
  std::string version;
  Labels labels;
  std::vector<MemberLink> links;            // selected, up and with carrier; sorted by name
  bool draining = false;                    // wants to own nothing
  std::vector<HeartbeatAddress> heartbeat;  // none: it takes no part in guard mode
  bool operator==(const MemberInfo&) const = default;
};

// A peer that acknowledges heartbeats. Without guards, a member leases from the store.
struct GuardRef {
  NodeName node;
  Incarnation inc;
  bool operator==(const GuardRef&) const = default;
};

// For how long, by its own clock, this life of a member may go on after the last proof of its
// right. Whoever takes it for dead waits that out even if its own settings say less, so that nodes
// with different settings (an update on its way through the cluster) are safe together.
struct LeaseTerms {
  Duration lease = Duration::zero();         // D: after a renewal was sent
  Duration patience = Duration::zero();      // G: after an acknowledged heartbeat was sent
  std::optional<Duration> store_loss_limit;  // T: after any write; none: without limit
  bool operator==(const LeaseTerms&) const = default;
};
inline constexpr Duration kLongestTerm = std::chrono::hours(24);

// member/<node>
struct MemberDocument {
  NodeName node;
  Revision rev;
  Incarnation inc;
  std::uint64_t nonce = 0;  // new for each write: tells my own write after a lost reply
  bool revoked = false;
  std::vector<GuardRef> guards;
  LeaseTerms terms;
  MemberInfo info;
  bool operator==(const MemberDocument&) const = default;
};

// A station that is no member uses the VIP: nobody announces it.
struct Quarantine {
  MacAddress station;
  NodeName node;     // who saw it, probing
  std::string link;  // where
  bool operator==(const Quarantine&) const = default;
};

// Who may speak for one VIP, and for which services it is held.
struct TableEntry {
  // What the leader would like the owner to do. Advice: only the owner gives up (rule T4).
  enum class Wish : std::uint8_t { Keep, Release, Move };

  std::vector<ObjectName> services;  // sorted
  std::optional<NodeName> owner;
  Incarnation inc;  // of the owner
  Epoch epoch;      // rises with every change of owner
  Wish wish = Wish::Keep;
  Rare<NodeName> move_to;  // set if and only if the wish is Move
  // It rests: no service has it, and none but this one gets it until the leader takes it away.
  Rare<ObjectName> kept_for = std::nullopt;
  // It has never been announced: its owner looks first whether somebody else uses it.
  bool unproven = false;
  Rare<Quarantine> quarantine = std::nullopt;  // somebody does, as far as is known

  bool must_probe() const { return unproven || quarantine.has_value(); }
  bool operator==(const TableEntry&) const = default;
};

inline constexpr unsigned kShards = 16;

// table/<shard>
struct TableDocument {
  unsigned shard = 0;
  Revision rev;
  Epoch highest;  // ever given in this shard: an IP that returns gets a higher one than it had
  std::map<IpAddress, TableEntry> entries;
  bool operator==(const TableDocument&) const = default;
};

// leader: who allocates, places and writes status. For order and quiet, never for safety.
struct LeaderDocument {
  Revision rev;
  NodeName holder;
  Incarnation inc;
  std::uint64_t nonce = 0;
  bool operator==(const LeaderDocument&) const = default;
};

// status/<namespace>/<name>: what the leader has to say about a service.
struct StatusDocument {
  ObjectName service;
  Revision rev;
  std::vector<IpAddress> ips;
  std::vector<PoolName> pools;  // that each IP was given from; empty name: none
  std::string reason;           // "Allocated", or why not
  std::string message;
  bool operator==(const StatusDocument&) const = default;
};

// cluster: what holds for all nodes together, by an operator's word.
struct ClusterDocument {
  Revision rev;
  Bytes heartbeat_key;         // that authenticates heartbeats: kHeartbeatKeyBytes, or empty
  std::set<NodeName> drained;  // are to own nothing as long as another node can
  bool operator==(const ClusterDocument&) const = default;
};
inline constexpr std::size_t kHeartbeatKeyBytes = 32;

using Document =
    std::variant<MemberDocument, TableDocument, LeaderDocument, StatusDocument, ClusterDocument>;
using DocumentKey = Name<struct DocumentKeyTag>;  // "member/n1"

DocumentKey member_key(const NodeName& node);
DocumentKey table_key(unsigned shard);
DocumentKey leader_key();
DocumentKey status_key(const ObjectName& service);
DocumentKey cluster_key();
DocumentKey key_of(const Document& document);
Revision revision_of(const Document& document);

// The shard of a VIP: a fixed hash (FNV-1a of its 16 octets), the same in every build.
unsigned shard_of(const IpAddress& vip);

}  // namespace herald::coord
