#include "daemon/reply_wire.h"

#include <cstdint>

#include <boost/json.hpp>

namespace herald::daemon {

namespace json = boost::json;

std::string accepted(json::object data) {
  return json::serialize(json::object{{"ok", true}, {"data", std::move(data)}});
}

std::string refused(const std::string& why) {
  return json::serialize(json::object{{"ok", false}, {"error", why}});
}

json::value count(Uint128 n) {
  if (n <= Uint128{INT64_MAX}) return static_cast<std::int64_t>(n);
  return json::value(to_string(n));
}

json::array strings(const std::vector<std::string>& list) {
  return json::array(list.begin(), list.end());
}

json::array strings(const std::vector<IpAddress>& ips) {
  json::array out;
  for (const IpAddress& ip : ips) out.emplace_back(to_string(ip));
  return out;
}

}  // namespace herald::daemon
