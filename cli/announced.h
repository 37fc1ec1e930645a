// cli/announced.h: from where the IPs of a service are announced, in one cell: "l2 n1/eth0; bgp
// n1,n2>tor-1"; where they should be and are not: "bgp n3>tor-1 (SessionDown)"; or why not at all:
// "no: NoPolicy".
#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

namespace herald::cli {

// Of the list of announcements under `key`. all: every node and peer by its name, else only few.
std::string announced(const boost::json::object& object, std::string_view key, bool all);

}  // namespace herald::cli
