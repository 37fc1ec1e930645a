#include "daemon/report.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include <boost/json.hpp>

#include "daemon/explain.h"
#include "daemon/explain_wishes.h"
#include "daemon/hearing.h"
#include "daemon/lease_view.h"
#include "daemon/lint.h"
#include "daemon/policy_wire.h"
#include "daemon/pool_wire.h"
#include "daemon/reply_wire.h"
#include "daemon/view.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;

json::array names(const std::vector<ObjectName>& list) {
  json::array out;
  for (const ObjectName& n : list) out.emplace_back(to_string(n));
  return out;
}

// "2026-11-21T08:00:00.123Z" (RFC 3339).
std::string rfc3339(std::chrono::system_clock::time_point t) {
  const auto second = std::chrono::floor<std::chrono::seconds>(t);
  const auto rest = std::chrono::floor<std::chrono::milliseconds>(t - second);
  return fmt::format("{:%FT%T}.{:03}Z", second, rest.count());
}

std::int64_t milliseconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

json::value asn_of(const BgpPeer& peer) {
  switch (peer.peer_asn.kind) {
    case PeerAsn::Kind::Internal:
      return "internal";
    case PeerAsn::Kind::External:
      return "external";
    case PeerAsn::Kind::Any:
      return "any";
    case PeerAsn::Kind::Number:
      break;
  }
  return peer.peer_asn.number.value;
}

std::string_view text_of(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_string() ? std::string_view(v->get_string()) : std::string_view{};
}

class Report {
 public:
  Report(const View& view, const ShellFacts& facts)
      : view_(view),
        node_(view.node()),
        facts_(facts),
        now_(view.instant()),
        policies_(view.policies()) {}

  json::object status() const;
  std::string not_ready() const;  // a sentence, or nothing
  json::array services() const;
  json::array ips() const;
  json::array nodes() const;
  json::array pools() const;
  json::array peers() const;
  json::object events(std::uint64_t since) const;

 private:
  const Desired& desired() const { return view_.desired(); }
  json::array announcements(const IpAddress& vip, const coord::TableEntry& entry) const;

  const View& view_;
  const Node& node_;
  const ShellFacts& facts_;
  Instant now_;
  const Policies& policies_;
};

json::array Report::announcements(const IpAddress& vip, const coord::TableEntry& entry) const {
  json::array out;
  const auto links = view_.links_of(vip, entry);
  if (entry.owner && !links.empty()) {
    out.push_back(
        json::object{{"ip", to_string(vip)},
                     {"via", "l2"},
                     {"nodes", json::array{json::value(entry.owner->str())}},
                     {"interfaces", strings(links)},
                     {"reason", view_.why_silent(vip, entry).empty() ? "Announced" : "Silent"}});
  }
  if (!policies_.known()) return out;
  for (const BgpPeer& peer : desired().peers) {
    const auto session = node_.sessions().find(peer.name);
    if (session == node_.sessions().end()) continue;
    const bool up = session->second.state() == bgp::SessionState::Established;
    for (const IpPrefix& prefix : view_.taken(peer, vip).prefixes) {
      out.push_back(json::object{{"ip", to_string(vip)},
                                 {"via", "bgp"},
                                 {"node", node_.config().name.str()},
                                 {"peer", peer.name.str()},
                                 {"prefix", to_string(prefix)},
                                 {"reason", up ? "Announced" : "SessionDown"}});
    }
  }
  return out;
}

// The newest transitions after number `since`.
json::object Report::events(std::uint64_t since) const {
  json::array out;
  const auto& entries = node_.history().entries();
  for (const History::Entry& e : entries) {
    if (e.seq <= since) continue;
    const Duration ago = now_ - e.at;
    const char* severity = e.said.level == Log::Level::Info      ? "info"
                           : e.said.level == Log::Level::Warning ? "warning"
                                                                 : "error";
    const auto wall =
        facts_.wall_clock - std::chrono::floor<std::chrono::system_clock::duration>(ago);
    out.push_back(json::object{{"seq", e.seq},
                               {"time", rfc3339(wall)},
                               {"age_ms", milliseconds(ago)},
                               {"severity", severity},
                               {"message", e.said.text}});
  }
  return {{"events", std::move(out)}, {"last", entries.empty() ? 0 : entries.back().seq}};
}

json::array Report::services() const {
  json::array out;
  for (const Service& s : desired().services) {
    json::array ips, spoken;
    std::string pool;
    for (const auto& [vip, entry] : view_.held_by(s.name)) {
      ips.emplace_back(to_string(vip));
      const PoolName in = policies_.pool_name_of(vip);
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
    const std::string silent = view_.why_silent(vip, entry);
    json::object ip{{"ip", to_string(vip)},
                    {"services", names(services)},
                    {"pool", policies_.known() ? policies_.pool_name_of(vip).str() : ""},
                    {"owner", entry.owner ? entry.owner->str() : ""},
                    {"epoch", entry.epoch.value},
                    {"interfaces", strings(view_.links_of(vip, entry))},
                    {"reason", silent.empty() ? "Announced" : silent}};
    if (entry.kept_for) ip["kept_for"] = to_string(*entry.kept_for);
    if (entry.quarantine) {
      ip["quarantine"] = json::object{{"station", to_string(entry.quarantine->station)},
                                      {"node", entry.quarantine->node.str()},
                                      {"link", entry.quarantine->link}};
    }
    out.push_back(std::move(ip));
  }
  return out;
}

json::array Report::nodes() const {
  const auto counts = node_.table().counts();
  json::array out;
  for (const auto& [name, peer] : node_.peers().all()) {
    const coord::MemberDocument& d = peer.document;
    const char* state = d.revoked ? "Gone" : node_.peers().heard(name, now_) ? "Member" : "Silent";
    const LeaseView lease = lease_of(node_, name, now_);
    const auto owned = counts.find(name);
    json::array links;
    for (const auto& l : d.info.links) links.emplace_back(l.name);
    out.push_back(json::object{
        {"name", name.str()},
        {"state", state},
        {"incarnation", d.inc.value},
        {"revision", d.rev.value},
        {"lease_remaining_ms", milliseconds(lease.left)},
        {"lease", lease_word(lease.kind)},
        {"guards", strings(lease.guards)},
        {"heard_ms", lease.heard ? json::value(milliseconds(*lease.heard)) : nullptr},
        {"fenced_by", strings(lease.fenced_by)},
        {"leader",
         node_.election().current() && node_.election().current()->holder == name && !d.revoked},
        {"draining", d.info.draining},
        {"drained", node_.cluster().drained.contains(name)},
        {"version", d.info.version},
        {"ips", owned == counts.end() ? 0 : owned->second},
        {"interfaces", std::move(links)}});
  }
  return out;
}

json::array Report::pools() const {
  json::array out;
  if (!policies_.known()) return out;
  const Allocation allocation = allocate(
      policies_, node_.table(), {{}, pools_told(policies_, node_.statuses())}, node_.statuses());
  for (std::size_t i = 0; i < allocation.plan.pools.size(); ++i) {
    out.push_back(pool_wire(desired().pools[i], allocation.plan.pools[i]));
  }
  return out;
}

json::array Report::peers() const {
  json::array out;
  for (const BgpPeer& peer : desired().peers) {
    const auto it = node_.sessions().find(peer.name);
    json::object o{
        {"name", peer.name.str()}, {"address", to_string(peer.address)}, {"asn", asn_of(peer)}};
    if (it == node_.sessions().end()) {
      o["state"] = "Absent";
      o["last_error"] = "this node is not selected by spec.nodeSelector, or has no router id";
    } else {
      const auto& stats = it->second.stats();
      o["state"] = bgp::to_string(it->second.state());
      o["uptime_s"] =
          stats.established_since ? milliseconds(now_ - *stats.established_since) / 1000 : 0;
      o["prefixes"] = stats.prefixes_advertised;
      o["last_error"] = stats.last_error.empty() ? stats.held_back_why : stats.last_error;
    }
    out.push_back(std::move(o));
  }
  return out;
}

// Late wake-ups are the machine's: a node that is woken later than its guards wait loses its right.
json::object heartbeats(const HeartbeatFacts& facts) {
  const auto us = [](Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  };
  return {{"port", facts.port},
          {"scheduling", facts.scheduling},
          {"delay_p50_us", us(facts.delay.p50)},
          {"delay_p99_us", us(facts.delay.p99)},
          {"delay_worst_us", us(facts.delay.worst)},
          {"received", facts.received},
          {"sent", facts.sent},
          {"refused", facts.refused},
          {"send_errors", facts.send_errors},
          {"last_error", facts.last_error},
          {"last_refused", facts.last_refused}};
}

json::object Report::status() const {
  json::array warnings;
  for (const Problem& p : desired().problems) warnings.emplace_back(to_string(p));
  for (const std::string& w : facts_.warnings) {
    if (std::find(warnings.begin(), warnings.end(), json::value(w)) == warnings.end()) {
      warnings.emplace_back(w);
    }
  }
  // Who only looks on hears nobody, and need not.
  if (!view_.looks_on()) {
    for (std::string& w : hearing_warnings(node_, facts_.heartbeats, now_)) {
      warnings.emplace_back(std::move(w));
    }
  }
  for (std::string& w : view_.preference_conflicts()) warnings.emplace_back(std::move(w));
  for (const RefusedExternal& refused : refused_external_ips(view_)) {
    warnings.emplace_back(sentence(refused));
  }
  if (!desired().complete) {
    warnings.emplace_back(
        fmt::format("not all {} could be read: nothing is released until they can, see the errors "
                    "above",
                    view_.from_api_server() ? "objects" : "manifests"));
  }
  if (policies_.known()) {
    for (const NodeName& drained : node_.cluster().drained) {
      for (const IpAddress& ip : kept_by(drained, policies_, node_.table(), node_.peers(),
                                         node_.cluster().drained, now_)) {
        warnings.emplace_back(
            fmt::format("{} is drained and keeps {}: no other node may own it, see `heraldctl "
                        "explain ip {}`",
                        drained.str(), to_string(ip), to_string(ip)));
      }
    }
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
          {"heartbeats", heartbeats(facts_.heartbeats)},
          {"responder", facts_.responder},
          {"warnings", std::move(warnings)}};
}

// What an update of all nodes, one by one, has to wait for before it goes on to the next.
std::string Report::not_ready() const {
  const auto& m = node_.membership();
  const std::string& name = node_.config().name.str();
  if (node_.stopping()) return name + " is stopping";
  if (!m.has_right(now_)) {
    return fmt::format("{} may not answer for IPs yet{}", name,
                       m.waiting_for().empty() ? "" : ": it waits for " + m.waiting_for());
  }
  if (!policies_.known()) return name + " has not read yet what is wanted";
  return {};
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
      return refused(fmt::format("there is no '{}' among the {}; `heraldctl get {}` lists them",
                                 name, what, what));
    }
    all = std::move(matching);
  }
  return accepted({{what, std::move(all)}});
}

}  // namespace

std::string answer(const Node& node, const ShellFacts& facts, std::string_view request,
                   Instant now) {
  boost::system::error_code bad;
  const json::value parsed = json::parse(request, bad);
  if (bad || !parsed.is_object()) return refused("the request is no JSON object");
  const json::object& o = parsed.get_object();
  const std::string_view command = text_of(o, "command");
  const std::string what(text_of(o, "what"));
  const std::string_view name = text_of(o, "name");
  const View view(node, now);
  const Report report(view, facts);
  if (command == "status") return accepted(report.status());
  if (command == "ready") {
    const std::string why_not = report.not_ready();
    return why_not.empty() ? accepted({{"ready", true}}) : refused(why_not);
  }
  if (command == "lint") return lint(view.desired());
  if (command == "get") {
    if (what == "services") return listed(what, report.services(), name);
    if (what == "ips") return listed(what, report.ips(), name);
    if (what == "nodes") return listed(what, report.nodes(), name);
    if (what == "pools") return listed(what, report.pools(), name);
    if (what == "policies") return listed(what, policies_wire(view), name);
    if (what == "peers") return listed(what, report.peers(), name);
    return refused("there is nothing called '" + what +
                   "': ask for services, ips, nodes, pools, policies or peers");
  }
  if (command == "events") {
    const json::value* since = o.if_contains("since");
    boost::system::error_code no_number;
    const auto after = since == nullptr ? 0 : since->to_number<std::uint64_t>(no_number);
    if (no_number)
      return refused("'since' must be a whole number, the \"last\" of an earlier reply");
    return accepted(report.events(after));
  }
  if (command == "explain") {
    auto explained = explain(view, what, name);
    return explained ? accepted(std::move(*explained)) : refused(explained.error());
  }
  return refused(
      "unknown command '" + std::string(command) +
      "': status, ready, get, explain, lint, plan, events, drain, undrain, move or force-dead");
}

}  // namespace herald::daemon
