// coord/cluster.h: the cluster document: what operators said that holds for all nodes together.
//
// A wish is written until the document says so, whoever else writes at the same time. Placement
// goes by the document alone: every node sees the same one. So it is with the heartbeats' key: the
// first node that finds none writes the one that it was given at its start, and all use that.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.h"
#include "coord/store.h"

namespace herald::coord {

class Cluster {
 public:
  // By read, watch, list or own write. Older revs are dropped. True if it is new.
  bool on_seen(const ClusterDocument& document);
  void on_cas(const ClusterDocument& document, CasOutcome outcome, Instant now);

  // Wishes for a key if there is none: kHeartbeatKeyBytes octets, unguessable.
  void propose_key(Bytes key) { key_ = std::move(key); }
  // The store has told all that it holds: what is not known does not exist.
  void on_listed() { listed_ = true; }
  // Wishes that `node` were drained, or not.
  void set_drained(const NodeName& node, bool drained) { wishes_[node] = drained; }
  // Nobody waits for it any more.
  void forget(const NodeName& node) { wishes_.erase(node); }
  void tick(Instant now);

  const ClusterDocument& document() const { return document_; }

  std::optional<Instant> next_deadline() const;
  std::vector<StoreRequest> take_requests();

 private:
  bool wishes_key() const { return listed_ && !key_.empty() && document_.heartbeat_key.empty(); }

  ClusterDocument document_;         // the newest rev that this process has seen
  std::map<NodeName, bool> wishes_;  // that it does not show yet
  Bytes key_;
  bool listed_ = false;
  bool busy_ = false;
  Instant retry_at_ = Instant::min();
  std::vector<StoreRequest> requests_;
};

}  // namespace herald::coord
