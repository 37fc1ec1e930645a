// daemon/reply_wire.h: the envelope of every answer to heraldctl, one line of JSON:
// {"ok":true,"data":{...}} or {"ok":false,"error":"..."}. heraldctl makes the same for what it
// finds out by itself, so that there is one printer.
#pragma once

#include <string>
#include <vector>

#include <boost/json/fwd.hpp>

#include "net/ip.h"

namespace herald::daemon {

std::string accepted(boost::json::object data);
std::string refused(const std::string& why);

// A number; over 2^63 text, as readers of JSON would lose its digits.
boost::json::value count(Uint128 n);
boost::json::array strings(const std::vector<std::string>& list);
boost::json::array strings(const std::vector<IpAddress>& ips);

}  // namespace herald::daemon
