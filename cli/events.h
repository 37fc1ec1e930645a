// cli/events.h: `heraldctl events`: the daemon's last transitions, and those that follow.
#pragma once

#include <cstdint>
#include <string_view>

#include "cli/print.h"

namespace herald::cli {

// A line for each event of a reply to {"command":"events"} (JSON: one object a line), and the
// number after which the next request should ask: {"command":"events","since":N}. A daemon that
// was restarted counts anew; then that is 0.
struct Followed {
  Answer answer;
  std::uint64_t since = 0;
};
Followed follow(Format format, std::string_view reply, std::uint64_t since);

}  // namespace herald::cli
