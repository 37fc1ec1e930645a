#include "daemon/dead_node_statuses.h"

#include <fmt/core.h>

#include <string>

#include <boost/json.hpp>

#include "daemon/node_status.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

// A node that leaves says so within a second of its member document.
constexpr Duration kLastWordIsDue = 3s;

bool says_stopped(const std::string& status) {
  boost::system::error_code bad;
  const json::value said = json::parse(status, bad);
  const json::value* list = bad ? nullptr : said.find_pointer("/conditions", bad);
  if (list == nullptr || !list->is_array()) return false;
  for (const json::value& one : list->get_array()) {
    const json::value* type = one.find_pointer("/type", bad);
    const json::value* reason = one.find_pointer("/reason", bad);
    if (type != nullptr && *type == "Ready") return reason != nullptr && *reason == kNodeStopped;
  }
  return false;
}

// Of each life by itself: the node may have been back in between.
std::string mark(const coord::MemberDocument& document) {
  return json::serialize(json::object{
      {"conditions",
       json::array{json::object{
           {"type", "Ready"},
           {"status", "Unknown"},
           {"reason", kNodeNotHeard},
           {"message",
            fmt::format("{} was not heard of any more, and its incarnation {} was ended: its IPs "
                        "are others' to take; see whether the node and heraldd on it run",
                        document.node.str(), document.inc.value)}}}}});
}

}  // namespace

std::optional<Instant> want_dead_nodes(const coord::Peers& peers, const kube::Observed& observed,
                                       Instant now, WantedObjects& out) {
  std::optional<Instant> again;
  const kube::ObjectRef first = node_status_ref({});
  for (auto it = observed.objects.at_or_after(first);
       it != observed.objects.end() && it->first.resource == first.resource; ++it) {
    const kube::ObservedObject& seen = it->second;
    // What is ours in it is not ours to take back, nor what was just written and is not seen yet.
    WantedObject wanted;
    wanted.wait = true;
    const auto member = peers.all().find(NodeName(it->first.name));
    if (member != peers.all().end() && member->second.document.revoked &&
        !says_stopped(seen.status)) {
      const Instant due = member->second.since + kLastWordIsDue;
      if (now >= due) {
        wanted = {mark(member->second.document), WantedObject::Generation::Nowhere, {}, false};
      } else {
        again = earliest(again, due);
      }
    }
    out[it->first] = std::move(wanted);
  }
  return again;
}

}  // namespace herald::daemon
