// daemon/report.h: what heraldctl asks and what a node answers, as JSON text. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "daemon/node.h"

namespace herald::daemon {

// What the core cannot know about the process around it.
struct ShellFacts {
  std::string store_uri;
  std::string responder;              // "packet"
  std::vector<std::string> warnings;  // links that cannot be served, unreadable documents
};

// One line of JSON (no line feed) for one request line: {"ok":true,"data":{...}} or
// {"ok":false,"error":"..."}. Requests: {"command":"status"},
// {"command":"get","what":"services|ips|nodes|pools|peers","name":""},
// {"command":"explain","what":"service|ip|pool|peer|node|policy","name":"ns/name"}.
std::string answer(const Node& node, const ShellFacts& facts, std::string_view request,
                   Instant now);

}  // namespace herald::daemon
