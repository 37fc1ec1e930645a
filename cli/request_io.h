// cli/request_io.h: one request over the daemon's admin socket (a Unix stream socket), one reply.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace herald::cli {

// Sends `line` (with its line feed) and returns the reply up to its own, without it. The error is a
// sentence with the socket's path and what to do. `limit` bounds the whole exchange.
Result<std::string> ask(const std::string& socket_path, const std::string& line,
                        Duration limit = 5s);

}  // namespace herald::cli
