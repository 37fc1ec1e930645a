// daemon/dead_node_statuses.h: what a leader says in the NodeStatus of a node that can say nothing
// any more.
//
// A node that crashed left an object that says that it is ready. Once its life is over by the
// store's word, the leader sets its condition Ready to Unknown, NodeNotHeard. It never takes that
// back: the node does, by whatever it says next. A node that stopped in an orderly way has said so
// itself, and is left alone.
#pragma once

#include <optional>

#include "coord/peers.h"
#include "daemon/object_status.h"
#include "kube/observed.h"

namespace herald::daemon {

// To `out`. The result is when to ask again; nullopt: not before something has changed.
std::optional<Instant> want_dead_nodes(const coord::Peers& peers, const kube::Observed& observed,
                                       Instant now, WantedObjects& out);

}  // namespace herald::daemon
