#include "cli/announced.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>
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

// Where it is not announced although it should be: " (SessionDown)".
std::string unless_announced(const std::string& reason) {
  return reason.empty() || reason == "Announced" ? "" : " (" + reason + ")";
}

// "bgp n1,n2>tor": the peers that hear of it from the same nodes stand together.
struct Sessions {
  // By peer and reason.
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> nodes_of;

  void write(std::vector<std::string>& parts, bool all) const {
    std::map<std::pair<std::string, std::vector<std::string>>, std::vector<std::string>> peers_of;
    for (const auto& [by, nodes] : nodes_of) {
      const auto& [peer, reason] = by;
      peers_of[{unless_announced(reason), nodes}].push_back(peer);
    }
    for (const auto& [by, peers] : peers_of) {
      const auto& [reason, nodes] = by;
      add(parts,
          fmt::format("bgp {}>{}{}", some(nodes, "nodes", all), some(peers, "peers", all), reason));
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
      add(sessions.nodes_of[{field(*a, "peer"), field(*a, "reason")}], field(*a, "node"));
    } else if (field(*a, "via") == "none") {
      add(silent, fmt::format("{} no: {}", field(*a, "ip"), field(*a, "reason")));
    } else {
      const std::string links = field(*a, "interfaces");
      add(parts,
          fmt::format("{} {}{}{}{}", field(*a, "via"), field(*a, "nodes"), links.empty() ? "" : "/",
                      links, unless_announced(field(*a, "reason"))));
    }
  }
  sessions.write(parts, all);
  const json::value* cut = object.if_contains("announcements_cut");
  if (cut != nullptr && *cut == json::value(true)) parts.emplace_back("and more");
  if (parts.empty() && silent.size() == 1) {
    // Then it is clear which IP is meant.
    return silent[0].substr(silent[0].find(' ') + 1);
  }
  parts.insert(parts.end(), silent.begin(), silent.end());
  return join(parts, "; ");
}

}  // namespace herald::cli
