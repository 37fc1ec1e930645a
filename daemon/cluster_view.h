// daemon/cluster_view.h: the answers of heraldctl from what an API server shows, without a daemon.
//
// The objects of users, the documents of the store and the statuses that Herald has written are
// given to a Node that only looks on: it never joins, asks for nothing, and what it would do is
// dropped. So the same reports answer by the same rules. What only a daemon knows of itself (its
// sessions, its links' trouble) comes from the NodeStatus that it writes, and is as old as that;
// what nobody writes (how long a lease goes on, who was heard when) is left out.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/names.h"
#include "coord/document.h"
#include "model/desired.h"

namespace herald::daemon {

struct ClusterFacts {
  std::string server;   // where all this was read: for people
  std::string read_at;  // RFC 3339
  std::shared_ptr<const Desired> desired;
  std::vector<coord::Document> documents;            // members, leader, table
  std::map<ObjectName, std::string> service_status;  // .status as JSON
  struct NodeSaid {
    std::string status;   // .status of its NodeStatus, as JSON
    std::string written;  // when, as it stands in the object; may be empty
  };
  std::map<NodeName, NodeSaid> nodes;
  std::vector<std::string> warnings;  // what could not be read
};

// The same replies to the same requests as those of a daemon (daemon/report.h): "status", "get",
// "explain" and "lint". Any other is refused.
std::string answer(const ClusterFacts& facts, std::string_view request);

}  // namespace herald::daemon
