#include "daemon/dialect_statuses.h"

#include <string_view>

#include <boost/json.hpp>

#include "daemon/status_cilium.h"
#include "daemon/status_herald.h"
#include "daemon/status_metallb.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

std::string_view text_of(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string_view(v->get_string()) : std::string_view{};
}

// Of a NodeStatus: .sessions[] with .peer and .state.
std::set<PeerName> established_of(const std::string& status) {
  std::set<PeerName> out;
  boost::system::error_code bad;
  const json::value parsed = json::parse(status, bad);
  const json::object* root = bad ? nullptr : parsed.if_object();
  const json::value* sessions = root == nullptr ? nullptr : root->if_contains("sessions");
  if (sessions == nullptr || !sessions->is_array()) return out;
  for (const json::value& v : sessions->get_array()) {
    const json::object* session = v.if_object();
    if (session == nullptr || text_of(*session, "state") != "Established") continue;
    out.insert(PeerName(std::string(text_of(*session, "peer"))));
  }
  return out;
}

}  // namespace

void DialectStatuses::read_nodes(const kube::Observed& observed) {
  std::map<NodeName, Told> told;
  for (const auto& [ref, seen] : observed.objects) {
    if (ref.resource.kind != "NodeStatus" || seen.status.empty()) continue;
    const NodeName name(ref.name);
    const auto known = told_.find(name);
    if (known != told_.end() && known->second.object.get() == &seen) {
      told.insert(told_.extract(known));
    } else {
      told[name] = {observed.objects.find(ref), established_of(seen.status)};
    }
  }
  told_ = std::move(told);
}

void DialectStatuses::add(const DialectInput& in, WantedObjects& out) {
  MadeOf now{in.policies.identity(),
             {},
             eligible_members(in.peers, std::nullopt, in.now),
             in.drained,
             in.observed.kinds,
             in.most_service_statuses};
  for (unsigned s = 0; s < coord::kShards; ++s) now.table[s] = in.table.shard(s).rev;
  if (made_of_ != now) {
    made_of_ = std::move(now);
    nodes_ = planned_nodes(made_of_->members, in.policies, in.drained);
    const HeldIps held = held_ips(in.table);
    reached_ = DialectView::reached(in.policies, held, nodes_);
    service_statuses_.clear();
    want_service_statuses(in.observed, in.policies, held, nodes_, in.most_service_statuses,
                          service_statuses_);
  }
  read_nodes(in.observed);
  std::map<NodeName, std::set<PeerName>> established;
  for (const auto& [node, told] : told_) established[node] = told.established;
  const DialectView view({in.observed, in.policies, in.pools, nodes_, established, reached_});
  want_herald_statuses(view, out);
  want_cilium_statuses(view, out);
  want_metallb_statuses(view, out);
  out.insert(service_statuses_.begin(), service_statuses_.end());
}

}  // namespace herald::daemon
