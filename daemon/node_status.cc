#include "daemon/node_status.h"

#include <fmt/core.h>

#include <algorithm>

#include <boost/json.hpp>

#include "base/back_off.h"
#include "base/text.h"
#include "daemon/node.h"
#include "daemon/status_diff.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;
using Verb = kube::Write::Verb;

constexpr Duration kBetween = 5s;
constexpr Duration kAgain = 10min;
constexpr Duration kFirstRetry = 1s, kLastRetry = 60s;
constexpr Duration kRefusedOnce = 10s, kRefused = 5min;
constexpr std::size_t kMostSessions = 256;
constexpr std::size_t kLongestManager = 128;  // a server refuses longer ones

// By what it has its right to answer, without times that pass.
std::string right_of(const Node& node, Instant now) {
  const coord::Membership& m = node.membership();
  if (!m.has_right(now)) {
    return m.waiting_for().empty() ? "none" : "none: waiting for " + m.waiting_for();
  }
  if (m.guards().empty()) return "leased from the store";
  std::vector<std::string> names;
  for (const coord::GuardRef& guard : m.guards()) names.push_back(guard.node.str());
  return "guarded by " + join(names, ", ");
}

json::array sessions_of(const Node& node, Duration wall_clock, std::size_t& established) {
  json::array out;
  for (const auto& [name, session] : node.sessions()) {
    const auto& stats = session.stats();
    const bool up = session.state() == bgp::SessionState::Established;
    established += up;
    if (out.size() == kMostSessions) continue;
    json::object one{{"peer", name.str()},
                     {"state", bgp::to_string(session.state())},
                     {"routes", up ? stats.prefixes_advertised : 0}};
    for (const BgpPeer& peer :
         node.desired() == nullptr ? std::vector<BgpPeer>{} : node.desired()->peers) {
      if (peer.name == name) one["address"] = to_string(peer.address);
    }
    if (up && stats.established_since) {
      const auto at = wall_clock + stats.established_since->time_since_epoch();
      one["since"] = kube_time(std::chrono::floor<std::chrono::seconds>(at).count());
    }
    const std::string& why = stats.last_error.empty() ? stats.held_back_why : stats.last_error;
    if (!up && !why.empty()) one["message"] = why;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

kube::ObjectRef node_status_ref(const NodeName& node) {
  static const kube::Resource kStatuses{"herald.io", "v1alpha1", "nodestatuses", "NodeStatus",
                                        false};
  return {kStatuses, "", node.str()};
}

kube::ObjectRef node_ref(const NodeName& node) {
  static const kube::Resource kNodes{"", "v1", "nodes", "Node", false};
  return {kNodes, "", node.str()};
}

NodeStatusText node_status_of(const Node& node, Duration wall_clock, std::int64_t ready_since,
                              Instant now) {
  const NodeName& self = node.config().name;
  const bool right = node.membership().has_right(now);
  std::size_t established = 0;
  json::array sessions = sessions_of(node, wall_clock, established);
  json::array links;
  for (const Link& link : node.links()) {
    const auto grant = node.grants().find(link.index);
    if (grant == node.grants().end() || grant->second.vips.empty()) continue;
    links.push_back(json::object{{"name", link.name}, {"ips", grant->second.vips.size()}});
  }
  json::array warnings;
  if (!node.store_trouble().empty()) warnings.emplace_back("store: " + node.store_trouble());
  if (node.desired() != nullptr && !node.desired()->complete) {
    warnings.emplace_back(
        "not all objects could be read: nothing is released until they can; see heraldctl status");
  }
  const char* reason = !right                          ? "NoRight"
                       : !node.store_trouble().empty() ? "StoreTrouble"
                                                       : "Ready";
  const bool ready = right && node.store_trouble().empty();
  json::object condition{{"type", "Ready"},
                         {"status", ready ? "True" : "False"},
                         {"reason", reason},
                         {"message", ready   ? ""
                                     : right ? node.store_trouble()
                                             : right_of(node, now)},
                         {"lastTransitionTime", kube_time(ready_since)}};
  const auto& leader = node.election().current();
  const std::string up = fmt::format("{}/{}", established, node.sessions().size());
  json::object status{{"version", node.config().version},
                      {"right", right_of(node, now)},
                      {"leader", leader.has_value() && leader->holder == self},
                      {"drained", node.cluster().drained.contains(self)},
                      {"ips", node.table().owned(self, node.membership().incarnation()).size()},
                      {"links", std::move(links)},
                      {"sessionsEstablished", up},
                      {"sessions", std::move(sessions)},
                      {"warnings", std::move(warnings)},
                      {"conditions", json::array{std::move(condition)}}};
  return {json::serialize(status), ready};
}

std::string last_word_of(const Node& node, Duration wall_clock, Instant now) {
  const auto at = std::chrono::floor<std::chrono::seconds>(wall_clock + now.time_since_epoch());
  json::value said = json::parse(node_status_of(node, wall_clock, at.count(), now).status);
  json::object& status = said.as_object();
  status["right"] = "none: stopped";
  status["leader"] = false;
  status["ips"] = 0;
  status["links"] = json::array();
  status["sessions"] = json::array();
  status["sessionsEstablished"] = "0/0";
  status["warnings"] = json::array();
  json::object& condition = status["conditions"].as_array().at(0).as_object();
  condition["status"] = "False";
  condition["reason"] = kNodeStopped;
  condition["message"] = "heraldd was stopped on this node, and has handed over what it owned";
  return json::serialize(said);
}

void NodeStatusWriter::close(std::string status, Instant now) {
  if (!made_) return;
  status_ = std::move(status);
  closing_ = under_way_ == 0 ? Closing::Asked : Closing::Waits;
  if (under_way_ == 0) ask(Verb::ApplyStatus, now);
}

void NodeStatusWriter::set(std::string status, const std::string& node_uid, Instant now) {
  if (!due(now)) return;
  look_at_ = now + kBetween;
  status_ = std::move(status);
  uid_ = node_uid;
  if (told_ == status_ && undone()) told_.clear();
  const bool old = told_at_ == Instant::min() || now >= told_at_ + kAgain;
  if (!made_ || told_uid_ != uid_) {
    ask(Verb::Apply, now);
  } else if (told_ != status_ || old) {
    ask(Verb::ApplyStatus, now);
  }
}

// Looked at once for each thing seen: what a server does not keep is not written for ever.
bool NodeStatusWriter::undone() {
  if (seen_ == nullptr || seen_ == compared_) return false;
  compared_ = seen_;
  WantedObject wanted;
  wanted.status = told_;
  wanted.generation = WantedObject::Generation::Nowhere;
  kube::ObservedObject is = *seen_;
  is.managed = {};  // what the leader has in it does not matter here
  return !compare(wanted, is, "").what.empty();
}

void NodeStatusWriter::ask(Verb verb, Instant now) {
  kube::Write write;
  write.verb = verb_ = verb;
  write.object = node_status_ref(self_);
  write.field_manager = ("heraldd-" + self_.str()).substr(0, kLongestManager);
  write.force = true;  // nobody else has anything to say here
  json::object meta{{"name", self_.str()}};
  json::object body{{"apiVersion", "herald.io/v1alpha1"}, {"kind", "NodeStatus"}};
  if (verb == Verb::Apply) {
    meta["labels"] = json::object{{"app.kubernetes.io/managed-by", "herald"}};
    if (!uid_.empty()) {
      meta["ownerReferences"] = json::array{json::object{
          {"apiVersion", "v1"}, {"kind", "Node"}, {"name", self_.str()}, {"uid", uid_}}};
    }
  } else {
    body["status"] = json::parse(status_);
  }
  body["metadata"] = std::move(meta);
  write.body = json::serialize(body);
  under_way_ = next_id_++;
  sent_ = now;
  requests_.push_back({under_way_, std::move(write)});
}

bool NodeStatusWriter::on_answer(std::uint64_t id, const kube::WriteAnswer& answer, Instant now) {
  if (id < first_id_ || id >= next_id_) return false;
  if (id != under_way_) return true;
  under_way_ = 0;
  if (closing_ != Closing::No) {
    // Whatever the answer: there is no time to try again.
    const bool waited = closing_ == Closing::Waits;
    closing_ = waited ? Closing::Asked : Closing::No;
    if (waited) ask(Verb::ApplyStatus, now);
    return true;
  }
  using Outcome = kube::WriteAnswer::Outcome;
  if (answer.outcome == Outcome::Done) {
    failures_ = 0;
    refused_ = false;
    if (verb_ == Verb::Apply) {
      made_ = true;
      told_uid_ = uid_;
      ask(Verb::ApplyStatus, now);
    } else {
      told_ = status_;
      told_at_ = now;
    }
    return true;
  }
  made_ = made_ && answer.outcome != Outcome::Gone;  // somebody has deleted it
  const Duration longest = back_off(kFirstRetry, failures_++, kLastRetry);
  Duration wait = rng_.between(longest / 2, longest);
  if (answer.outcome == Outcome::Refused) {
    // The first time, soon: a server that has just started has yet to read the roles.
    wait = refused_ ? kRefused : kRefusedOnce;
    wait = rng_.between(wait, wait + wait / 2);
    if (!std::exchange(refused_, true)) {
      logs_.push_back(Log{Log::Level::Warning,
                          fmt::format("status of {}: the API server refuses it ({}): {}; it is "
                                      "tried again every 5 minutes",
                                      to_string(node_status_ref(self_)), answer.status,
                                      answer.message.substr(0, 300))});
    }
  }
  look_at_ = now + wait;
  return true;
}

}  // namespace herald::daemon
