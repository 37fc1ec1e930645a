#include "cli/announced.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/reply.h"

namespace herald::cli {

namespace json = boost::json;

std::string announced(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array()) return cell(value);
  std::vector<std::string> parts;
  for (const json::value& element : value->get_array()) {
    const json::object* a = element.if_object();
    if (a == nullptr) continue;
    std::string part;
    if (field(*a, "via") == "bgp") {
      part = fmt::format("bgp {}>{}", field(*a, "node"), field(*a, "peer"));
    } else if (field(*a, "via") == "none") {
      part = fmt::format("no: {}", field(*a, "reason"));
    } else {
      const std::string links = field(*a, "interfaces");
      part = fmt::format("{} {}{}{}", field(*a, "via"), field(*a, "nodes"),
                         links.empty() ? "" : "/", links);
    }
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
  }
  return join(parts, "; ");
}

}  // namespace herald::cli
