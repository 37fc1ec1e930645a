// cli/request.h: what heraldctl asks the daemon: one JSON object on one line of the admin socket.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace herald::cli {

struct Request {
  std::string command = {};  // "status", "get", "explain", "lint", "plan", "events", "drain", ...
  std::string what = {};     // "services", "service", ...; empty: not sent
  std::string name = {};     // of one object; empty: all

  std::uint64_t since = 0;  // events: those after this number

  struct File {
    std::string path, text;
  };
  std::vector<File> files = {};  // plan: manifests

  // For those that change something.
  std::string node = {};   // empty: not sent
  std::string ip = {};     // empty: not sent
  bool wait = true;        // for all to have happened
  Duration timeout = 10s;  // then it is answered anyway
};
// Whether the request changes something.
bool is_order(const Request& request);

// {"command":"get","what":"services","name":""} and a line feed.
std::string to_line(const Request& request);

}  // namespace herald::cli
