// daemon/report.h: what heraldctl asks and what a node answers, as JSON text. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/time.h"
#include "coord/delay_histogram.h"
#include "daemon/node.h"

namespace herald::daemon {

// What the core cannot know about the process around it.
struct HeartbeatFacts {
  std::uint16_t port = 0;     // where this node listens; 0: nowhere
  std::string scheduling;     // of the thread: "SCHED_RR", "nice -10", "normal"
  coord::DelaySummary delay;  // how late it was woken, over the last minute
  std::uint64_t received = 0, sent = 0, refused = 0, send_errors = 0;
  std::string last_error, last_refused;
};

struct ShellFacts {
  std::string store_uri;
  std::string responder;              // "packet"
  std::vector<std::string> warnings;  // links that cannot be served, unreadable documents
  HeartbeatFacts heartbeats = {};
  std::chrono::system_clock::time_point wall_clock = {};  // now, for people
};

// One line of JSON (no line feed) for one request line: {"ok":true,"data":{...}} or
// {"ok":false,"error":"..."}. Requests: {"command":"status"},
// {"command":"get","what":"services|ips|nodes|pools|peers","name":""},
// {"command":"explain","what":"service|ip|pool|peer|node|policy","name":"ns/name"},
// {"command":"events","since":0}, {"command":"lint"}.
std::string answer(const Node& node, const ShellFacts& facts, std::string_view request,
                   Instant now);

}  // namespace herald::daemon
