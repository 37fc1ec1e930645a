// daemon/lint.h: what is wrong with manifests, as `heraldctl lint` answers it. Pure.
#pragma once

#include <string>

#include <boost/json/fwd.hpp>

#include "model/desired.h"

namespace herald::daemon {

// {"severity":"error|warning","file","line","kind","namespace","name","field","message"} for each,
// by file and line.
boost::json::array problems_wire(std::vector<Problem> problems);

// {"ok":true,"data":{"problems":[...],"objects":N}}: an answer as from the admin socket.
std::string lint(const Desired& desired);

}  // namespace herald::daemon
