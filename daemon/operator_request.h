// daemon/operator_request.h: what an operator asks of the cluster through one of its nodes, and
// what the node answers. Plain values; daemon/operations does it, daemon/operator_wire reads and
// writes them as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/names.h"
#include "base/time.h"
#include "net/ip.h"

namespace herald::daemon {

struct OperatorRequest {
  enum class What : std::uint8_t { Drain, Undrain, Move, ForceDead } what = What::Drain;
  NodeName node;                // Move: to; else whom. Drain and Undrain: empty: the node asked
  std::optional<IpAddress> ip;  // Move
  bool wait = true;             // answer when all has happened; else when it is written
  Duration timeout = 10s;       // then it is answered anyway
};

struct OperatorAnswer {
  bool accepted = false;  // false: nothing was done, or it is not known whether it will be
  bool complete = false;  // and all that was asked for has happened
  std::string message;    // what was done; or why not, and what to do
  NodeName node;
  std::vector<IpAddress> handed_over;  // by that node, since it was asked for
  std::vector<IpAddress> kept;         // by a drained node: no other may own them
  std::vector<std::string> warnings;
};

}  // namespace herald::daemon
