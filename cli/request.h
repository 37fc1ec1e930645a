// cli/request.h: what heraldctl asks the daemon: one JSON object on one line of the admin socket.
#pragma once

#include <string>

namespace herald::cli {

struct Request {
  std::string command;  // "status", "get", "explain"
  std::string what;     // "services", "service", ...; empty: not sent
  std::string name;     // of one object; empty: all
};

// {"command":"get","what":"services","name":""} and a line feed.
std::string to_line(const Request& request);

}  // namespace herald::cli
