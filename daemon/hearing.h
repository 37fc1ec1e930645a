// daemon/hearing.h: whom this node should hear and does not, in words for who looks at night. Such
// a node still works, by leases from the store, and nothing else shows that a firewall or another
// key stands between the nodes until the store is away.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"

namespace herald::daemon {

class Node;
struct HeartbeatFacts;

// Each a sentence with what to look at; empty: all is well, or this node is alone.
std::vector<std::string> hearing_warnings(const Node& node, const HeartbeatFacts& facts,
                                          Instant now);

}  // namespace herald::daemon
