// cli/announced.h: from where an IP is announced, in one cell: "l2 n1/eth0; bgp n1>tor-1"; or
// why it is not: "no: NoPolicy".
#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

namespace herald::cli {

// Of the list of announcements under `key`.
std::string announced(const boost::json::object& object, std::string_view key);

}  // namespace herald::cli
