#include "daemon/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include <boost/json.hpp>

#include "base/text.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

json::array names(const std::vector<ObjectName>& list) {
  json::array out;
  for (const ObjectName& n : list) out.emplace_back(to_string(n));
  return out;
}

json::array strings(const std::vector<std::string>& list) {
  return json::array(list.begin(), list.end());
}

// Counts over 2^63 as text: readers of JSON would lose their digits.
json::value count(Uint128 n) {
  if (n <= Uint128{INT64_MAX}) return static_cast<std::int64_t>(n);
  return json::value(to_string(n));
}

std::int64_t milliseconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

std::string_view text_of(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string_view(v->get_string()) : std::string_view{};
}

class Report {
 public:
  Report(const Node& node, const ShellFacts& facts, Instant now)
      : node_(node), facts_(facts), now_(now), policies_(shared(node.desired())) {}

  json::object status() const;
  json::array services() const;
  json::array ips() const;
  json::array nodes() const;
  json::array pools() const;
  json::array peers() const;
  // nullopt: there is no such service.
  std::optional<json::object> explain_service(const ObjectName& name) const;

 private:
  // The node outlives the report; nothing is to be deleted.
  static std::shared_ptr<const Desired> shared(const Desired* d) {
    return {std::shared_ptr<const Desired>(), d};
  }
  const Desired& desired() const {
    static const Desired kNone;
    return node_.desired() == nullptr ? kNone : *node_.desired();
  }
  std::vector<std::pair<IpAddress, const coord::TableEntry*>> held_by(const ObjectName& s) const;
  std::vector<std::string> links_of(const IpAddress& vip, const coord::TableEntry& entry) const;
  std::string why_silent(const IpAddress& vip, const coord::TableEntry& entry) const;
  json::array announcements(const IpAddress& vip, const coord::TableEntry& entry) const;
  bool peer_takes(const BgpPeer& peer, const IpAddress& vip) const;
  Labels self_labels() const {
    return policies_.node_labels(node_.config().name, node_.config().labels);
  }

  const Node& node_;
  const ShellFacts& facts_;
  Instant now_;
  Policies policies_;
};

std::vector<std::pair<IpAddress, const coord::TableEntry*>> Report::held_by(
    const ObjectName& s) const {
  std::vector<std::pair<IpAddress, const coord::TableEntry*>> out;
  for (unsigned i = 0; i < coord::kShards; ++i) {
    for (const auto& [vip, entry] : node_.table().shard(i).entries) {
      if (std::find(entry.services.begin(), entry.services.end(), s) != entry.services.end()) {
        out.emplace_back(vip, &entry);
      }
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> Report::links_of(const IpAddress& vip,
                                          const coord::TableEntry& entry) const {
  if (!entry.owner || !policies_.known()) return {};
  const coord::MemberDocument* owner = node_.peers().find(*entry.owner);
  if (owner == nullptr) return {};
  return policies_.l2_links(vip, entry.services,
                            policies_.node_labels(*entry.owner, owner->info.labels),
                            owner->info.links);
}

// Why nobody answers for the VIP on L2; empty if somebody does.
std::string Report::why_silent(const IpAddress& vip, const coord::TableEntry& entry) const {
  if (!policies_.known()) return "the manifests have not been read yet";
  if (!entry.owner) {
    if (desired().l2_policies.empty()) {
      return "there is no L2AnnouncementPolicy: without one, nothing is announced by ARP or NDP";
    }
    std::string seen;
    for (const auto& [name, peer] : node_.peers().all()) {
      if (!node_.peers().heard(name, now_)) continue;
      const Labels labels = policies_.node_labels(name, peer.document.info.labels);
      if (policies_.l2_policies(vip, entry.services, labels).empty()) {
        seen += fmt::format("; {}: no policy selects this service, pool and node", name.str());
      } else if (policies_.l2_links(vip, entry.services, labels, peer.document.info.links)
                     .empty()) {
        seen += fmt::format("; {}: no usable link fits the policy's interfaces", name.str());
      } else {
        seen += fmt::format("; {}: eligible", name.str());
      }
    }
    return "no node may own it" + (seen.empty() ? ": no member is heard" : seen);
  }
  if (node_.peers().gone(*entry.owner, entry.inc)) {
    return fmt::format("its owner {} is gone and nobody has taken over yet", entry.owner->str());
  }
  if (!node_.peers().heard(*entry.owner, now_)) {
    return fmt::format("its owner {} has not been heard of for longer than its lease",
                       entry.owner->str());
  }
  if (*entry.owner == node_.config().name && !node_.membership().has_right(now_)) {
    return "this node's lease has run out: " + node_.membership().waiting_for();
  }
  if (links_of(vip, entry).empty()) {
    return fmt::format("its owner {} has no usable link that a policy selects", entry.owner->str());
  }
  return {};
}

bool Report::peer_takes(const BgpPeer& peer, const IpAddress& vip) const {
  const auto routes = policies_.routes(peer, self_labels(), node_.table());
  return std::any_of(routes.begin(), routes.end(),
                     [&](const bgp::Route& r) { return r.prefix == IpPrefix::host(vip); });
}

json::array Report::announcements(const IpAddress& vip, const coord::TableEntry& entry) const {
  json::array out;
  const auto links = links_of(vip, entry);
  if (entry.owner && !links.empty()) {
    out.push_back(
        json::object{{"ip", to_string(vip)},
                     {"via", "l2"},
                     {"nodes", json::array{json::value(entry.owner->str())}},
                     {"interfaces", strings(links)},
                     {"reason", why_silent(vip, entry).empty() ? "Announced" : "Silent"}});
  }
  if (!policies_.known()) return out;
  for (const BgpPeer& peer : desired().peers) {
    const auto session = node_.sessions().find(peer.name);
    if (session == node_.sessions().end() || !peer_takes(peer, vip)) continue;
    const bool up = session->second.state() == bgp::SessionState::Established;
    out.push_back(json::object{{"ip", to_string(vip)},
                               {"via", "bgp"},
                               {"node", node_.config().name.str()},
                               {"peer", peer.name.str()},
                               {"prefix", to_string(IpPrefix::host(vip))},
                               {"reason", up ? "Announced" : "SessionDown"}});
  }
  return out;
}

json::array Report::services() const {
  json::array out;
  for (const Service& s : desired().services) {
    json::array ips, spoken;
    std::string pool;
    for (const auto& [vip, entry] : held_by(s.name)) {
      ips.emplace_back(to_string(vip));
      const PoolName in = policies_.pool_of(vip);
      if (!in.empty() && pool.find(in.str()) == std::string::npos) {
        pool += (pool.empty() ? "" : ",") + in.str();
      }
      for (auto& a : announcements(vip, *entry)) spoken.push_back(std::move(a));
    }
    const auto status = node_.statuses().find(s.name);
    const bool known = status != node_.statuses().end();
    out.push_back(json::object{
        {"namespace", s.name.ns},
        {"name", s.name.name},
        {"ips", std::move(ips)},
        {"pool", pool},
        {"reason", known ? status->second.reason : "Pending"},
        {"message", known ? status->second.message : "no leader has decided about it yet"},
        {"announcements", std::move(spoken)}});
  }
  return out;
}

json::array Report::ips() const {
  json::array out;
  for (const auto& [vip, services] : holdings_of(node_.table())) {
    const coord::TableEntry& entry = *node_.table().find(vip);
    const std::string silent = why_silent(vip, entry);
    out.push_back(json::object{{"ip", to_string(vip)},
                               {"services", names(services)},
                               {"pool", policies_.known() ? policies_.pool_of(vip).str() : ""},
                               {"owner", entry.owner ? entry.owner->str() : ""},
                               {"epoch", entry.epoch.value},
                               {"interfaces", strings(links_of(vip, entry))},
                               {"reason", silent.empty() ? "Announced" : silent}});
  }
  return out;
}

json::array Report::nodes() const {
  const auto counts = node_.table().counts();
  json::array out;
  for (const auto& [name, peer] : node_.peers().all()) {
    const coord::MemberDocument& d = peer.document;
    const bool self = name == node_.config().name;
    const char* state = d.revoked ? "Gone" : node_.peers().heard(name, now_) ? "Member" : "Silent";
    const Instant until =
        self ? node_.membership().deadline() : peer.since + node_.config().timing.lease;
    const auto owned = counts.find(name);
    json::array links;
    for (const auto& l : d.info.links) links.emplace_back(l.name);
    out.push_back(json::object{
        {"name", name.str()},
        {"state", state},
        {"incarnation", d.inc.value},
        {"revision", d.rev.value},
        {"lease_remaining_ms", d.revoked || until <= now_ ? 0 : milliseconds(until - now_)},
        {"leader",
         node_.election().current() && node_.election().current()->holder == name && !d.revoked},
        {"draining", d.info.draining},
        {"version", d.info.version},
        {"ips", owned == counts.end() ? 0 : owned->second},
        {"interfaces", std::move(links)}});
  }
  return out;
}

json::array Report::pools() const {
  json::array out;
  if (!policies_.known()) return out;
  const Allocation allocation = allocate(policies_, node_.table(), {}, node_.statuses());
  for (std::size_t i = 0; i < allocation.plan.pools.size(); ++i) {
    const ipam::PoolUsage& u = allocation.plan.pools[i];
    const Pool& pool = desired().pools[i];
    out.push_back(json::object{
        {"name", u.name.str()},
        {"total", count(u.total())},
        {"used", count(u.used())},
        {"available", count(u.available())},
        {"total_v4", count(u.total_v4)},
        {"total_v6", count(u.total_v6)},
        {"used_v4", count(u.used_v4)},
        {"used_v6", count(u.used_v6)},
        {"available_v4", count(u.available_v4)},
        {"available_v6", count(u.available_v6)},
        {"disabled", pool.disabled},
        {"conflicting", pool.conflicts_with.has_value()},
        {"reason", pool.conflicts_with ? "overlaps the older pool " + pool.conflicts_with->str()
                   : pool.disabled     ? "PoolDisabled"
                                       : ""}});
  }
  return out;
}

json::array Report::peers() const {
  json::array out;
  for (const BgpPeer& peer : desired().peers) {
    const auto it = node_.sessions().find(peer.name);
    json::object o{
        {"name", peer.name.str()},
        {"address", to_string(peer.address)},
        {"asn", peer.peer_asn.kind == PeerAsn::Kind::Number
                    ? json::value(peer.peer_asn.number.value)
                    : json::value(peer.peer_asn.kind == PeerAsn::Kind::Internal ? "internal"
                                                                                : "external")}};
    if (it == node_.sessions().end()) {
      o["state"] = "Absent";
      o["last_error"] = "this node is not selected by spec.nodeSelector, or has no router id";
    } else {
      const auto& stats = it->second.stats();
      o["state"] = bgp::to_string(it->second.state());
      o["uptime_s"] =
          stats.established_since ? milliseconds(now_ - *stats.established_since) / 1000 : 0;
      o["prefixes"] = stats.prefixes_advertised;
      o["last_error"] = stats.last_error;
    }
    out.push_back(std::move(o));
  }
  return out;
}

json::object Report::status() const {
  json::array warnings;
  for (const Problem& p : desired().problems) warnings.emplace_back(to_string(p));
  for (const std::string& w : facts_.warnings) warnings.emplace_back(w);
  if (!desired().complete) {
    warnings.emplace_back(
        "not all manifests could be read: nothing is released until they can, see the errors "
        "above");
  }
  const auto& leader = node_.election().current();
  std::size_t established = 0;
  for (const auto& [name, s] : node_.sessions()) {
    if (s.state() == bgp::SessionState::Established) ++established;
  }
  const auto& m = node_.membership();
  return {{"node", node_.config().name.str()},
          {"version", node_.config().version},
          {"state", node_.stopping() ? "Stopping" : coord::to_string(m.state())},
          {"lease_remaining_ms", m.has_right(now_) ? milliseconds(m.deadline() - now_) : 0},
          {"waiting_for", m.waiting_for()},
          {"leader", leader ? leader->holder.str() : ""},
          {"members", nodes()},
          {"store", json::object{{"uri", facts_.store_uri},
                                 {"healthy", node_.store_trouble().empty()},
                                 {"last_error", node_.store_trouble()}}},
          {"counts", json::object{{"services", desired().services.size()},
                                  {"ips", node_.table().size()},
                                  {"pools", desired().pools.size()},
                                  {"peers", desired().peers.size()},
                                  {"sessions_established", established},
                                  {"objects", desired().objects_read}}},
          {"responder", facts_.responder},
          {"warnings", std::move(warnings)}};
}

std::optional<json::object> Report::explain_service(const ObjectName& name) const {
  const Service* service = policies_.known() ? policies_.service(name) : nullptr;
  std::vector<std::string> chain;
  std::string remedy;
  bool mentioned = false;
  for (const Problem& p : desired().problems) {
    if (p.kind == "Service" && p.name == name.name && (p.ns == name.ns || p.ns.empty())) {
      chain.push_back(to_string(p));
      mentioned = true;
    }
  }
  const auto held = held_by(name);
  if (service == nullptr && held.empty() && !mentioned) return std::nullopt;
  if (service != nullptr) {
    chain.push_back(fmt::format("read from {}:{}", service->source.file, service->source.line));
    for (const IpAddress& ip : service->requested) {
      chain.push_back(fmt::format("asks for {} by {}", to_string(ip), service->requested_by));
    }
  } else {
    chain.push_back("it is not in the manifests");
  }
  const auto status = node_.statuses().find(name);
  std::string reason = "Pending";
  if (status != node_.statuses().end()) {
    reason = status->second.reason;
    chain.push_back(fmt::format("the leader says {}: {}", reason, status->second.message));
    if (reason != "Allocated") remedy = status->second.message;
  } else {
    chain.push_back(node_.election().current() ? "the leader has not decided about it yet"
                                               : "there is no leader yet");
  }
  std::vector<std::string> said;
  for (const auto& [vip, entry] : held) {
    const PoolName pool = policies_.known() ? policies_.pool_of(vip) : PoolName{};
    chain.push_back(
        fmt::format("{} is held for it in the IP table ({}), epoch {}", to_string(vip),
                    pool.empty() ? "in no pool any more, kept all the same" : "pool " + pool.str(),
                    entry->epoch.value));
    const std::string silent = why_silent(vip, *entry);
    if (silent.empty()) {
      const std::string links = join(links_of(vip, *entry), ", ");
      said.push_back(fmt::format("{} from {} on {}", to_string(vip), entry->owner->str(), links));
      chain.push_back(fmt::format("{} answers ARP/NDP for {} on {}", entry->owner->str(),
                                  to_string(vip), links));
    } else {
      chain.push_back(fmt::format("nobody answers ARP/NDP for {}: {}", to_string(vip), silent));
      if (remedy.empty()) remedy = silent;
    }
    for (const auto& [peer_name, session] : node_.sessions()) {
      const auto peer =
          std::find_if(desired().peers.begin(), desired().peers.end(),
                       [&, &wanted = peer_name](const BgpPeer& p) { return p.name == wanted; });
      if (peer == desired().peers.end()) continue;
      const bool takes = peer_takes(*peer, vip);
      const bool up = session.state() == bgp::SessionState::Established;
      chain.push_back(fmt::format(
          "BGP to {} from {}: {}", peer_name.str(), node_.config().name.str(),
          !takes ? "no BGPAdvertisement selects it for this peer"
          : up   ? "advertised"
                 : fmt::format("to be advertised, but the session is {}: {}",
                               bgp::to_string(session.state()), session.stats().last_error)));
    }
  }
  return json::object{
      {"object", "service " + to_string(name)},
      {"verdict", said.empty() ? (held.empty() ? "no IP: " + reason : "has an IP; nobody answers")
                               : "announced: " + join(said, "; ")},
      {"chain", strings(chain)},
      {"remedy", remedy}};
}

std::string refuse(const std::string& why) {
  return json::serialize(json::object{{"ok", false}, {"error", why}});
}

std::string accept(json::object data) {
  return json::serialize(json::object{{"ok", true}, {"data", std::move(data)}});
}

// All of a list, or the one of this name ("ns/name" or name).
std::string listed(const std::string& what, json::array all, std::string_view name) {
  if (!name.empty()) {
    json::array matching;
    for (auto& v : all) {
      const json::object& o = v.get_object();
      std::string full(text_of(o, "ip").empty() ? text_of(o, "name") : text_of(o, "ip"));
      const bool same = full == name || std::string(text_of(o, "namespace")) + "/" + full == name;
      if (same) matching.push_back(v);
    }
    if (matching.empty()) {
      return refuse(fmt::format("there is no '{}' among the {}; `heraldctl get {}` lists them",
                                name, what, what));
    }
    all = std::move(matching);
  }
  return accept({{what, std::move(all)}});
}

}  // namespace

std::string answer(const Node& node, const ShellFacts& facts, std::string_view request,
                   Instant now) {
  boost::system::error_code bad;
  const json::value parsed = json::parse(request, bad);
  if (bad || !parsed.is_object()) return refuse("the request is no JSON object");
  const json::object& o = parsed.get_object();
  const std::string_view command = text_of(o, "command");
  const std::string what(text_of(o, "what"));
  const std::string_view name = text_of(o, "name");
  const Report report(node, facts, now);
  if (command == "status") return accept(report.status());
  if (command == "get") {
    if (what == "services") return listed(what, report.services(), name);
    if (what == "ips") return listed(what, report.ips(), name);
    if (what == "nodes") return listed(what, report.nodes(), name);
    if (what == "pools") return listed(what, report.pools(), name);
    if (what == "peers") return listed(what, report.peers(), name);
    return refuse("there is nothing called '" + what +
                  "': ask for services, ips, nodes, pools or peers");
  }
  if (command == "explain" && what == "service") {
    const auto slash = name.find('/');
    const ObjectName service =
        slash == std::string_view::npos
            ? ObjectName{"default", std::string(name)}
            : ObjectName{std::string(name.substr(0, slash)), std::string(name.substr(slash + 1))};
    auto explained = report.explain_service(service);
    if (!explained) {
      return refuse("there is no service " + to_string(service) +
                    " of type LoadBalancer in the manifests; `heraldctl get services` lists them");
    }
    return accept(std::move(*explained));
  }
  return refuse("unknown command '" + std::string(command) + "': status, get or explain service");
}

}  // namespace herald::daemon
