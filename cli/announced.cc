#include "cli/announced.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <vector>

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/reply.h"

namespace herald::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kNamed = 2;  // of nodes and peers, in a table

std::string some(const std::vector<std::string>& names, const char* word, bool all) {
  if (all || names.size() <= kNamed) return join(names, ",");
  return fmt::format("{} {}", names.size(), word);
}

void add(std::vector<std::string>& list, std::string text) {
  if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

// "bgp n1,n2>tor": the peers that hear of it from the same nodes stand together.
struct Sessions {
  std::map<std::string, std::vector<std::string>> nodes_of;  // by peer

  void write(std::vector<std::string>& parts, bool all) const {
    std::map<std::vector<std::string>, std::vector<std::string>> peers_of;
    for (const auto& [peer, nodes] : nodes_of) peers_of[nodes].push_back(peer);
    for (const auto& [nodes, peers] : peers_of) {
      add(parts, fmt::format("bgp {}>{}", some(nodes, "nodes", all), some(peers, "peers", all)));
    }
  }
};

}  // namespace

std::string announced(const json::object& object, std::string_view key, bool all) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array()) return cell(value);
  std::vector<std::string> parts, silent;
  Sessions sessions;
  for (const json::value& element : value->get_array()) {
    const json::object* a = element.if_object();
    if (a == nullptr) continue;
    if (field(*a, "via") == "bgp") {
      add(sessions.nodes_of[field(*a, "peer")], field(*a, "node"));
    } else if (field(*a, "via") == "none") {
      add(silent, fmt::format("{} no: {}", field(*a, "ip"), field(*a, "reason")));
    } else {
      const std::string links = field(*a, "interfaces");
      add(parts, fmt::format("{} {}{}{}", field(*a, "via"), field(*a, "nodes"),
                             links.empty() ? "" : "/", links));
    }
  }
  sessions.write(parts, all);
  if (parts.empty() && silent.size() == 1) {
    // Then it is clear which IP is meant.
    return silent[0].substr(silent[0].find(' ') + 1);
  }
  parts.insert(parts.end(), silent.begin(), silent.end());
  return join(parts, "; ");
}

}  // namespace herald::cli
