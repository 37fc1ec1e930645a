// daemon/logging_io.h: where the log goes: standard error, one line per entry, as text or as JSON.
//
// What a peer or a file says may be in a message, so control characters are written as escapes: no
// entry can pass for two.
#pragma once

#include <string>

#include "config/settings.h"

namespace herald::daemon {

// Sets spdlog's default logger. `level`: trace, debug, info, warn or error.
void start_logging(config::LogFormat format, const std::string& level);

}  // namespace herald::daemon
