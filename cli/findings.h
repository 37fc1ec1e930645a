// cli/findings.h: `lint` and `plan` for people: problems as a compiler prints them, services, pools
// and peers as tables.
#pragma once

#include <string>

#include <boost/json/fwd.hpp>

namespace herald::cli {

// "lan.yaml:7: error: LoadBalancerIPPool lan: spec.addresses[1]: ..." for each, and a last line
// that counts them. `data`: {"problems":[...],"objects":N}.
std::string lint_text(const boost::json::object& data);

// Tables of what would be, what would change, and the problems. `data`: as plan answers.
std::string plan_text(const boost::json::object& data, bool wide);

// Whether one of the problems is an error.
bool any_error(const boost::json::object& data);

}  // namespace herald::cli
