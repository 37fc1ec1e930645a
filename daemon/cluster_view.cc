#include "daemon/cluster_view.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/json.hpp>

#include "base/text.h"
#include "daemon/announced_by.h"
#include "daemon/node.h"
#include "daemon/node_status.h"
#include "daemon/reply_wire.h"
#include "daemon/report.h"
#include "daemon/service_statuses.h"
#include "daemon/view.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

constexpr Instant kNow{1s};  // no clock of ours has anything to do with it
constexpr const char* kAnnounced = "herald.io/Announced";
// Of each IP, if all services are listed: thousands of IPs may each have a thousand.
constexpr std::size_t kMostSessions = 32;

json::value parsed(std::string_view text) {
  boost::system::error_code bad;
  json::value out = json::parse(text, bad);
  return bad ? json::value() : out;
}

const json::value* at(const json::value& value, std::string_view key) {
  const json::object* object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(key);
}
std::string text_at(const json::value& value, std::string_view key) {
  const json::value* found = at(value, key);
  return found != nullptr && found->is_string() ? std::string(found->get_string().c_str()) : "";
}
std::int64_t number_at(const json::value& value, std::string_view key) {
  const json::value* found = at(value, key);
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}
// The members of a list that are objects; none if there is no list.
std::vector<json::value> list_at(const json::value& value, std::string_view key) {
  std::vector<json::value> out;
  const json::value* found = at(value, key);
  if (found == nullptr || !found->is_array()) return out;
  for (const json::value& one : found->get_array()) {
    if (one.is_object()) out.push_back(one);
  }
  return out;
}

// A session, as the node at this end of it says.
struct Session {
  NodeName node;
  json::value said;
  std::string written;
  bool up() const { return text_at(said, "state") == "Established"; }
};

// What its NodeStatus says. What a node said last stays there when it is gone: then it is not
// ready, whether a leader has said so yet or not.
struct Ready {
  std::string status, reason, message;
};
Ready ready_of(const json::value& status, bool gone) {
  Ready out{"Unknown", "NotSaid", ""};
  for (const json::value& one : list_at(status, "conditions")) {
    if (text_at(one, "type") != "Ready") continue;
    out = {text_at(one, "status"), text_at(one, "reason"), text_at(one, "message")};
  }
  if (gone && out.reason != kNodeStopped) {
    out.status = "Unknown";
    out.reason = kNodeNotHeard;
  }
  return out;
}

class ClusterView {
 public:
  explicit ClusterView(const ClusterFacts& facts) : facts_(facts), node_(config(), kNow) {
    std::vector<coord::Document> documents = facts.documents;
    for (const auto& [service, status] : facts.service_status) {
      if (auto said = told_in(service, status)) {
        said->rev = coord::Revision(1);
        documents.emplace_back(std::move(*said));
      }
    }
    // Who is drained stands in a Secret, which is not for everybody; each node tells it of itself.
    coord::ClusterDocument cluster;
    cluster.rev = coord::Revision(1);
    for (const auto& [name, said] : facts.nodes) {
      const json::value status = parsed(said.status);
      const json::value* drained = at(status, "drained");
      if (drained != nullptr && drained->is_bool() && drained->get_bool()) {
        cluster.drained.insert(name);
      }
    }
    documents.emplace_back(std::move(cluster));
    std::vector<Event> events;
    events.emplace_back(
        DesiredRead{facts.desired ? facts.desired : std::make_shared<const Desired>()});
    for (const Effect& effect : node_.step(events, kNow)) {
      const auto* asked = std::get_if<AskStore>(&effect);
      if (asked != nullptr && std::holds_alternative<coord::ListDocuments>(asked->request)) {
        node_.step(StoreAnswered{asked->id, coord::ListReply{documents}}, kNow);
      }
    }
    for (const auto& [name, said] : facts.nodes) {
      // What a node said last stays there when it is gone.
      const coord::MemberDocument* document = node_.peers().find(name);
      if (document != nullptr && document->revoked) continue;
      for (json::value& session : list_at(parsed(said.status), "sessions")) {
        auto& of_peer = sessions_[text_at(session, "peer")];
        of_peer.push_back({name, std::move(session), said.written});
      }
    }
  }

  std::string answer(std::string_view request) const;

 private:
  static NodeConfig config() {
    return {};  // without a name: nobody's node
  }
  json::object asked(const std::string& request) const;
  json::array nodes(json::array members) const;
  json::array peers() const;
  const char* over_session(const NodeName& node, const PeerName& peer) const;
  void add_bgp(json::array& services, std::size_t most) const;
  json::object status(json::object data) const;
  std::string explain_peer(const std::string& name) const;
  void add_sessions(json::object& story) const;
  void add_ready(const NodeName& node, json::object& story) const;
  void add_announced(json::object& story, const std::vector<ObjectName>& services) const;

  const ClusterFacts& facts_;
  Node node_;
  std::map<std::string, std::vector<Session>> sessions_;  // by peer
};

// Of the members: what the documents say, and nothing that takes a heartbeat to know.
json::array ClusterView::nodes(json::array members) const {
  for (json::value& one : members) {
    json::object& member = one.as_object();
    const NodeName name(text_at(one, "name"));
    const coord::MemberDocument* document = node_.peers().find(name);
    if (document == nullptr) continue;
    json::array guards;
    for (const coord::GuardRef& guard : document->guards) guards.emplace_back(guard.node.str());
    member["state"] = document->revoked ? "Gone" : "Member";
    member["lease"] = document->revoked ? "over" : guards.empty() ? "store" : "guards";
    member["guards"] = document->revoked ? json::array() : std::move(guards);
    for (const char* unknown : {"lease_remaining_ms", "heard_ms"}) member[unknown] = nullptr;
    member["fenced_by"] = json::array();
    const auto said = facts_.nodes.find(name);
    if (said == facts_.nodes.end()) continue;
    const json::value status = parsed(said->second.status);
    const Ready ready = ready_of(status, document->revoked);
    member["right"] = document->revoked ? "none" : text_at(status, "right");
    member["ready"] = ready.status;
    member["ready_reason"] = ready.reason;
    member["ready_message"] = ready.message;
    member["said_at"] = said->second.written;
  }
  return members;
}

json::array ClusterView::peers() const {
  json::array out;
  for (const BgpPeer& peer : node_.desired()->peers) {
    const auto it = sessions_.find(peer.name.str());
    json::object row{{"name", peer.name.str()}, {"address", to_string(peer.address)}};
    if (peer.peer_asn.kind == PeerAsn::Kind::Number) row["asn"] = peer.peer_asn.number.value;
    std::size_t up = 0, all = 0;
    std::int64_t routes = 0;
    std::string trouble;
    json::array sessions;
    for (const Session& s : it == sessions_.end() ? std::vector<Session>() : it->second) {
      ++all;
      up += s.up() ? 1 : 0;
      routes += number_at(s.said, "routes");
      const std::string message = text_at(s.said, "message");
      if (trouble.empty() && !message.empty()) trouble = s.node.str() + ": " + message;
      json::object session = s.said.as_object();
      session["node"] = s.node.str();
      sessions.push_back(std::move(session));
    }
    row["state"] = all == 0 ? "Absent" : fmt::format("{}/{} Established", up, all);
    row["uptime_s"] = nullptr;
    row["prefixes"] = routes;
    row["last_error"] = all == 0 ? "no node says that it has a session with it" : trouble;
    row["sessions"] = std::move(sessions);
    out.push_back(std::move(row));
  }
  return out;
}

// What the node itself says of its session.
const char* ClusterView::over_session(const NodeName& node, const PeerName& peer) const {
  if (!facts_.nodes.contains(node)) return "SessionUnknown";
  const auto of_peer = sessions_.find(peer.str());
  if (of_peer == sessions_.end()) return "SessionDown";
  const bool up = std::any_of(of_peer->second.begin(), of_peer->second.end(),
                              [&](const Session& s) { return s.node == node && s.up(); });
  return up ? "Announced" : "SessionDown";
}

// A daemon knows its own sessions; here are those of all nodes: which there should be by the rules,
// and which are up by the nodes' word.
void ClusterView::add_bgp(json::array& services, std::size_t most) const {
  const View view(node_, kNow);
  if (!view.policies().known()) return;
  const AnnouncedBy by(view.policies(), eligible_members(node_.peers(), std::nullopt, kNow),
                       node_.cluster().drained);
  for (json::value& one : services) {
    json::array all;
    bool cut = false;
    const json::array by_l2 = one.at("announcements").as_array();
    for (const auto& [vip, entry] :
         view.held_by({text_at(one, "namespace"), text_at(one, "name")})) {
      const std::string ip = to_string(vip);
      for (const json::value& l2 : by_l2) {
        if (text_at(l2, "ip") == ip) all.push_back(l2);
      }
      const auto sessions = by.sessions_for(vip, *entry, most + 1);
      cut = cut || sessions.size() > most;
      for (std::size_t i = 0; i < std::min(sessions.size(), most); ++i) {
        const AnnouncedBy::Session& s = sessions[i];
        for (const IpPrefix& prefix : s.prefixes) {
          all.push_back(json::object{{"ip", ip},
                                     {"via", "bgp"},
                                     {"node", s.node.str()},
                                     {"peer", s.peer.str()},
                                     {"prefix", to_string(prefix)},
                                     {"reason", over_session(s.node, s.peer)}});
        }
      }
    }
    one.as_object()["announcements"] = std::move(all);
    if (cut) one.as_object()["announcements_cut"] = true;
  }
}

json::object ClusterView::status(json::object data) const {
  json::object out{{"as_shown_by", facts_.server}, {"read_at", facts_.read_at}};
  out["leader"] = data.at("leader");
  std::size_t established = 0;
  for (const auto& [peer, sessions] : sessions_) {
    for (const Session& s : sessions) established += s.up() ? 1 : 0;
  }
  out["counts"] = data.at("counts");
  out["counts"].as_object()["sessions_established"] = established;
  out["members"] = nodes(data.at("members").as_array());
  json::array warnings = data.at("warnings").as_array();
  for (const std::string& w : facts_.warnings) warnings.emplace_back(w);
  for (const auto& [name, said] : facts_.nodes) {
    const coord::MemberDocument* document = node_.peers().find(name);
    if (document != nullptr && document->revoked) continue;  // it was said by who is gone
    const json::value status = parsed(said.status);
    const json::value* list = at(status, "warnings");
    if (list == nullptr || !list->is_array()) continue;
    for (const json::value& one : list->get_array()) {
      if (one.is_string()) warnings.emplace_back(name.str() + ": " + one.get_string().c_str());
    }
  }
  out["warnings"] = std::move(warnings);
  return out;
}

std::string ClusterView::explain_peer(const std::string& name) const {
  const auto& all = node_.desired()->peers;
  const auto peer =
      std::find_if(all.begin(), all.end(), [&](const BgpPeer& p) { return p.name.str() == name; });
  if (peer == all.end()) {
    std::vector<std::string> names;
    for (const BgpPeer& p : all) names.push_back(p.name.str());
    return refused(fmt::format("there is no BGPPeer {} in the cluster; there are {}", name,
                               names.empty() ? "none" : join(names, ", ")));
  }
  json::array facts;
  std::string remedy;
  const auto said = sessions_.find(name);
  std::size_t up = 0, count = 0;
  for (const Session& s : said == sessions_.end() ? std::vector<Session>() : said->second) {
    ++count;
    up += s.up() ? 1 : 0;
    const std::string since = text_at(s.said, "since"), message = text_at(s.said, "message");
    facts.emplace_back(
        fmt::format("{}: {}{}, {} routes announced{}{}", s.node.str(), text_at(s.said, "state"),
                    since.empty() ? "" : " since " + since, number_at(s.said, "routes"),
                    message.empty() ? "" : "; " + message,
                    s.written.empty() ? "" : fmt::format(" (as it said at {})", s.written)));
    if (!s.up() && remedy.empty()) {
      remedy = message.empty()
                   ? fmt::format("`heraldctl explain peer {}` on {} says more", name, s.node.str())
                   : message;
    }
  }
  if (count == 0) {
    facts.emplace_back("no NodeStatus tells of a session with it");
    remedy = "compare its nodeSelector with the nodes' labels, and see that heraldd runs there";
  }
  json::object out{
      {"object", "peer " + name},
      {"verdict", count == 0 ? std::string("no session")
                             : fmt::format("{} of {} sessions Established", up, count)},
      {"facts", std::move(facts)},
      {"remedy", remedy}};
  return accepted(std::move(out));
}

// Of the peers of a policy.
void ClusterView::add_sessions(json::object& story) const {
  json::value* bgp = story.if_contains("bgp");
  json::value* facts = story.if_contains("facts");
  if (bgp == nullptr || !bgp->is_object() || facts == nullptr || !facts->is_array()) return;
  for (const char* own : {"selects_this_node", "established"}) bgp->as_object().erase(own);
  const json::value* named = at(*bgp, "peers");
  if (named == nullptr || !named->is_array()) return;
  for (const json::value& peer : peers()) {
    const json::array& list = named->get_array();
    if (std::find(list.begin(), list.end(), peer.at("name")) == list.end()) continue;
    facts->as_array().emplace_back(
        fmt::format("peer {}: {}", text_at(peer, "name"), text_at(peer, "state")));
  }
}

void ClusterView::add_ready(const NodeName& node, json::object& story) const {
  const auto said = facts_.nodes.find(node);
  json::value* facts = story.if_contains("facts");
  if (said == facts_.nodes.end() || facts == nullptr || !facts->is_array()) return;
  const coord::MemberDocument* document = node_.peers().find(node);
  const Ready ready =
      ready_of(parsed(said->second.status), document != nullptr && document->revoked);
  facts->as_array().emplace_back(fmt::format(
      "Ready is {}, {}{}{}", ready.status, ready.reason,
      ready.message.empty() ? "" : ": " + ready.message,
      said->second.written.empty() ? ""
                                   : fmt::format(" (as was written at {})", said->second.written)));
}

// What the leader said last of who announces the services' IPs. By BGP, that is known only so.
void ClusterView::add_announced(json::object& story,
                                const std::vector<ObjectName>& services) const {
  json::value* facts = story.if_contains("facts");
  if (facts == nullptr || !facts->is_array()) return;
  for (const ObjectName& service : services) {
    const auto status = facts_.service_status.find(service);
    if (status == facts_.service_status.end()) continue;
    for (const json::value& one : list_at(parsed(status->second), "conditions")) {
      const std::string type = text_at(one, "type");
      if (type.rfind("herald.io/", 0) != 0) continue;
      const std::string message = text_at(one, "message");
      facts->as_array().emplace_back(fmt::format(
          "condition {} of {} is {}, {}{}", type, to_string(service), text_at(one, "status"),
          text_at(one, "reason"), message.empty() ? "" : ": " + message));
      if (type == kAnnounced && text_at(one, "status") == "True" &&
          text_at(story, "verdict").find("nobody announces it") != std::string::npos) {
        story["verdict"] = "announced, as the leader last said: " + message;
        story["remedy"] = "";
      }
    }
  }
}

json::object ClusterView::asked(const std::string& request) const {
  ShellFacts shell;
  json::value reply = parsed(daemon::answer(node_, shell, request, kNow));
  return std::move(reply.as_object());
}

std::string ClusterView::answer(std::string_view request) const {
  const json::value line = parsed(request);
  const std::string command = text_at(line, "command"), what = text_at(line, "what"),
                    name = text_at(line, "name");
  if (command != "status" && command != "get" && command != "explain" && command != "lint") {
    return refused("`" + command + "` needs a daemon: ask heraldctl on a node");
  }
  if (command == "explain" && what == "peer") return explain_peer(name);
  // A name is looked for once the list is complete.
  json::object reply = asked(std::string(request));
  const json::value* data = reply.if_contains("data");
  if (data == nullptr) return json::serialize(reply);
  json::object out = data->as_object();
  if (command == "status") return accepted(status(std::move(out)));
  if (command == "get" && what == "nodes") out[what] = nodes(out.at(what).as_array());
  if (command == "get" && what == "services") {
    add_bgp(out.at(what).as_array(), name.empty() ? kMostSessions : std::size_t{100'000});
  }
  if (command == "get" && what == "peers") {
    json::array some;
    for (json::value& peer : peers()) {
      if (name.empty() || text_at(peer, "name") == name) some.push_back(std::move(peer));
    }
    out[what] = std::move(some);
  }
  if (command == "explain" && what == "policy") add_sessions(out);
  if (command == "explain" && what == "node") {
    for (const char* unknown : {"lease_remaining_ms", "fenced_by"}) out.erase(unknown);
    add_ready(NodeName(name), out);
  }
  if (command == "explain" && what == "service") {
    const auto slash = name.find('/');
    if (slash != std::string::npos) {
      add_announced(out, {{name.substr(0, slash), name.substr(slash + 1)}});
    }
  }
  if (command == "explain" && what == "ip") {
    const auto ip = IpAddress::parse(name);
    const coord::TableEntry* entry = ip ? node_.table().find(*ip) : nullptr;
    if (entry != nullptr) add_announced(out, entry->services);
  }
  return accepted(std::move(out));
}

}  // namespace

std::string answer(const ClusterFacts& facts, std::string_view request) {
  return ClusterView(facts).answer(request);
}

}  // namespace herald::daemon
