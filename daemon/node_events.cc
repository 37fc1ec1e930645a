// What the node learns, one function for each event; and what it makes of the store's answers.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "daemon/node.h"

namespace herald::daemon {
namespace {

// For longer than a leader waits between its writes.
constexpr Duration kWriteTroubleLasts = 3s;

template <typename... F>
struct Cases : F... {
  using F::operator()...;
};
template <typename... F>
Cases(F...) -> Cases<F...>;

}  // namespace

void Node::on(const DesiredRead& e, Instant now) {
  desired_ = e.desired;
  policies_ = Policies(desired_, config_.policies);
  dead_nodes_.on_desired(*desired_, config_.objects, now);
  dirty_ = true;
}

void Node::on(const LinksRead& e, Instant now) {
  for (const Link& link : e.links) {
    const auto before = std::find_if(links_.begin(), links_.end(),
                                     [&](const Link& l) { return l.index == link.index; });
    if (link.loopback || (before != links_.end() && before->usable() == link.usable())) continue;
    log(fmt::format("link {} {}", link.name, link.usable() ? "usable" : "not usable"));
    if (link.usable()) l2_.restart(link, now);
  }
  links_ = e.links;
  links_known_ = true;
  membership_.set_info(member_info(), now);
  dirty_ = true;
}

void Node::on(const StoreAnswered& e, Instant now) {
  // Too late: it was given up as unknown, a watch or list settles it.
  if (const auto asked = store_.answered(e.id)) answer(*asked, e.reply, now);
}

void Node::on(const StoreChanged& e, Instant now) {
  for (const coord::Document& d : e.documents) see(d, now);
}

void Node::on(const GuardReported& e, Instant now) {
  membership_.on_report(e.report, now);
  if (peers_.on_report(e.report, now)) dirty_ = true;
  tell(transitions_.of_members(peers_));
}

void Node::on(const BgpConnected& e, Instant now) {
  if (bgp::Session* session = bgp_.session(e.peer)) session->connected(e.local, now);
}
void Node::on(const BgpConnectFailed& e, Instant now) {
  if (bgp::Session* session = bgp_.session(e.peer)) session->connect_failed(e.why, now);
}
void Node::on(const BgpReceived& e, Instant now) {
  if (bgp::Session* session = bgp_.session(e.peer)) session->received(e.bytes, now);
}
void Node::on(const BgpClosed& e, Instant now) {
  if (bgp::Session* session = bgp_.session(e.peer)) session->closed(e.why, now);
}

void Node::on(const ConflictSeen& e, Instant now) {
  if (l2_.taken(e.link, e.vip, now)) {
    const auto link = std::find_if(links_.begin(), links_.end(),
                                   [&](const Link& l) { return l.index == e.link; });
    table_.found(
        e.vip, coord::Quarantine{e.station, config_.name, link == links_.end() ? "" : link->name});
    dirty_ = true;
    return;
  }
  if (!l2_.defend(e.link, e.vip, now)) return;
  log(fmt::format(
          "l2 vip={} conflict: {} uses it too; find that station and give it another address",
          to_string(e.vip), to_string(e.station)),
      Log::Level::Warning);
}

void Node::on(const OperatorAsked& e, Instant now) {
  if (stop_by_ || exit_sent_) {
    effects_.push_back(OperatorAnswered{
        e.id, {false, false, "this node is stopping: ask another", {}, {}, {}, {}}});
    return;
  }
  operations_.ask(e.id, e.request, for_operations(now), now);
  dirty_ = true;
}

Operations::Parts Node::for_operations(Instant now) {
  return {config_.name,           policies_,     cluster_, table_, peers_, membership_,
          may_revoke(now).fenced, store_trouble_};
}

void Node::on(const ObjectsSeen& e, Instant) {
  objects_.on_seen(e.observed);
  dirty_ = true;
}

void Node::on(const KubeAnswered& e, Instant now) {
  if (!objects_.on_answer(e.id, e.answer, now)) node_status_.on_answer(e.id, e.answer, now);
}

void Node::on(const WallClockRead& e, Instant now) {
  wall_clock_ = std::chrono::seconds(e.seconds) - now.time_since_epoch();
  objects_.set_wall_clock(*wall_clock_);
}

void Node::on(const StopRequested&, Instant now) {
  if (stop_by_) return;
  operations_.stop();
  stop_by_ = now + config_.drain_timeout;
  log("stopping: handing over");
  dirty_ = true;
}

// ---- what the store answers ---------------------------------------------------------------------

void Node::ask(coord::StoreRequest request, Instant now) {
  effects_.push_back(store_.ask(std::move(request), now));
}

void Node::see(const coord::Document& document, Instant now) {
  std::visit(Cases{[&](const coord::MemberDocument& d) {
                     if (peers_.on_seen(d, now)) dirty_ = true;
                     if (d.node == config_.name) membership_.on_seen(d, now);
                   },
                   [&](const coord::TableDocument& d) {
                     const auto before = table_.on_seen(d, now);
                     if (!before) return;
                     tell(Transitions::of_shard(*before, d, peers_));
                     dirty_ = true;
                   },
                   [&](const coord::LeaderDocument& d) {
                     const auto& before = election_.current();
                     if (!before || before->holder != d.holder) dirty_ = true;
                     election_.on_seen(d, now);
                   },
                   [&](const coord::StatusDocument& d) { statuses_.on_seen(d); },
                   [&](const coord::ClusterDocument& d) {
                     if (cluster_.on_seen(d)) on_cluster(now);
                   }},
             document);
}

// The key may have become known, and with it where this node hears heartbeats.
void Node::on_cluster(Instant now) {
  if (links_known_) membership_.set_info(member_info(), now);
  dirty_ = true;
}

void Node::answer(const StoreRequests::Asked& asked, const coord::StoreReply& reply, Instant now) {
  const auto* failed = std::get_if<coord::StoreFailed>(&reply);
  std::string trouble = failed != nullptr ? failed->why : "";
  if (const auto* cas = std::get_if<coord::CasReply>(&reply)) {
    if (cas->outcome == coord::CasOutcome::Unknown || cas->outcome == coord::CasOutcome::NotSent) {
      trouble = cas->why.empty() ? "a write failed" : cas->why;
    }
  }
  // A full disk answers reads: what a write said stands until one succeeds, or none is tried.
  if (std::holds_alternative<coord::CasDocument>(asked.request)) {
    write_failed_ = trouble.empty() ? Instant::min() : now;
  } else if (trouble.empty() && write_failed_ != Instant::min() &&
             now < write_failed_ + kWriteTroubleLasts) {
    trouble = store_trouble_;
  }
  if (trouble.empty() != store_trouble_.empty()) {
    log(trouble.empty() ? "store answers again" : "store trouble: " + trouble,
        trouble.empty() ? Log::Level::Info : Log::Level::Warning);
  }
  store_trouble_ = trouble;

  if (std::holds_alternative<coord::ListDocuments>(asked.request)) {
    const auto* list = std::get_if<coord::ListReply>(&reply);
    store_.on_list(list != nullptr, now);
    if (list == nullptr) return;
    for (const coord::Document& d : list->documents) see(d, now);
    if (!table_.listed()) dirty_ = true;
    table_.on_listed();
    cluster_.on_listed();
    election_.on_listed(now);
    return;
  }

  if (const auto* read = std::get_if<coord::ReadDocument>(&asked.request)) {
    const auto* result = std::get_if<coord::ReadReply>(&reply);
    std::optional<coord::MemberDocument> member;
    if (result != nullptr && result->document) {
      if (const auto* d = std::get_if<coord::MemberDocument>(&*result->document)) member = *d;
    }
    if (read->key == coord::member_key(config_.name)) {
      if (member && peers_.on_seen(*member, now)) dirty_ = true;
      if (result != nullptr) {
        membership_.on_read(member, asked.sent, now);
      } else {
        membership_.on_read_failed(now);
      }
      return;
    }
    for (const auto& [name, peer] : peers_.all()) {
      if (read->key != coord::member_key(name)) continue;
      const NodeName node = name;
      dirty_ = true;
      if (result != nullptr) {
        peers_.on_read(node, member, asked.sent, now);
      } else {
        peers_.on_read_failed(node, now);
      }
      return;
    }
    if (result != nullptr && result->document) see(*result->document, now);
    return;
  }

  const auto& cas = std::get<coord::CasDocument>(asked.request);
  const auto* result = std::get_if<coord::CasReply>(&reply);
  const auto outcome = result != nullptr ? result->outcome : coord::CasOutcome::Unknown;
  std::visit(
      Cases{[&](const coord::MemberDocument& d) {
              if (d.node == config_.name) {
                membership_.on_cas(d, outcome, now);
                if (outcome == coord::CasOutcome::Won && peers_.on_seen(d, now)) {
                  dirty_ = true;
                }
              } else {
                peers_.on_cas(d, outcome, now);
                if (outcome == coord::CasOutcome::Won) {
                  log(fmt::format(
                          "member {} revoked: {}", d.node.str(),
                          !dead_nodes_.why(d.node).empty()       ? dead_nodes_.why(d.node)
                          : peers_.is_forced_dead(d.node, d.inc) ? "by an operator's word"
                          : d.guards.empty()
                              ? "silent for " +
                                    to_string(std::max(config_.timing.revoke_after, d.terms.lease))
                              : "its guards have not heard it for " +
                                    to_string(config_.guard_timing.patience)),
                      Log::Level::Warning);
                }
                dirty_ = true;
              }
            },
            [&](const coord::TableDocument& d) {
              const auto before = table_.on_cas(d, outcome, now);
              if (before) tell(Transitions::of_shard(*before, d, peers_));
              dirty_ = true;
            },
            [&](const coord::LeaderDocument& d) { election_.on_cas(d, outcome, now); },
            [&](const coord::ClusterDocument& d) {
              cluster_.on_cas(d, outcome, now);
              on_cluster(now);
            },
            [&](const coord::StatusDocument& d) {
              if (auto read = statuses_.on_cas(d, outcome, config_.timing.request_timeout, now)) {
                ask(std::move(*read), now);
              }
            }},
      cas.document);
}

// After a store outage all members in store mode are silent alike: whoever gets through first lets
// the others renew, rather than revoke them. Fences are evidence of another kind.
coord::Peers::MayRevoke Node::may_revoke(Instant now) const {
  const bool right = had_right_ && membership_.has_right(now);
  return {right, right && now >= right_since_ + config_.timing.lease / 2};
}

}  // namespace herald::daemon
