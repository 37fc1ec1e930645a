// daemon/dead_nodes.h: nodes that Kubernetes knows to be gone for good (rule V4).
//
//   taint node.kubernetes.io/out-of-service, or the Node object was there and is deleted
//     -> nobody hears the member any more -> its document is revoked at once, as by force-dead
//
// Where enough guards of a dead node are left, they have revoked it long since (V1); this is for
// the case that too few are. Then somebody's word has to stand in for the guards that are dead
// themselves, and it is taken with care: every guard has fenced the member, or is not heard and
// Kubernetes does not find it well either. So a Node object that was deleted while the daemon on it
// lives changes nothing, whoever is cut off from whom, as long as the API server hears one side.
// A member in store mode is left to V2, which asks nobody.
//
// Unknown is not deleted: that counts in complete readings of an API server alone, of nodes that
// this process has seen there, and after a moment, as a kubelet may register its node anew. A node
// is told by its name: a new object of the same name is the node back.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/time.h"
#include "coord/peers.h"
#include "daemon/policies.h"

namespace herald::daemon {

class DeadNodes {
 public:
  // A new reading. `from_api`: of an API server; in a directory, a file that is not there says
  // nothing of a node.
  void on_desired(const Desired& desired, bool from_api, Instant now);
  // Tells `peers` which members are to be revoked, and takes it back when they are heard or the
  // word is. A sentence for each, subject first.
  std::vector<std::string> tick(const NodeName& self, const Policies& policies, coord::Peers& peers,
                                Instant now);
  std::optional<Instant> next_deadline() const;

  // By what word the member is being revoked: "its Node object is deleted"; empty: it is not.
  std::string why(const NodeName& node) const;

 private:
  struct Word {
    bool taint = false;  // else the deletion of the object
    Instant from;        // it counts from here on
  };

  std::map<NodeName, Word> words_;
  std::set<NodeName> seen_;                     // their objects
  std::map<NodeName, coord::Revision> marked_;  // in the peers, by us
  Instant looked_ = Instant::min();
};

// Whether nobody hears the member: each of its guards has promised never to acknowledge it again,
// or is silent itself and not well by Kubernetes' word.
bool unheard_by_all(const coord::MemberDocument& member, const Policies& policies,
                    const coord::Peers& peers, Instant now);

}  // namespace herald::daemon
