#include "daemon/node.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>

#include "base/check.h"

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

Node::Node(NodeConfig config, Instant now)
    : config_(std::move(config)),
      membership_(config_.name,
                  {config_.machine_id, config_.version, config_.labels, {}, false, {}},
                  config_.timing, config_.guard_timing, Rng(config_.seed)),
      peers_(config_.name, config_.timing),
      election_(config_.name, config_.timing, Rng(config_.seed + 1)),
      bgp_(config_.router_id, Rng(config_.seed + 2)),
      rebalance_(config_.rebalance),
      transitions_(config_.name),
      store_(config_.timing, now) {
  if (config_.heartbeat_key.empty() && config_.heartbeat_port != 0) {
    cluster_.propose_key(config_.new_heartbeat_key);
  }
  HERALD_CHECK(config_.timing.lease <= config_.timing.revoke_after);
}

std::vector<Effect> Node::step(std::span<const Event> events, Instant now) {
  for (const Event& event : events) {
    std::visit([&](const auto& e) { on(e, now); }, event);
  }
  for (const auto& asked : store_.expired(now)) {
    answer(asked, coord::StoreFailed{"no answer in time"}, now);
  }
  run_machines(now);
  operations_.tick(for_operations(now), now);
  emit_rest(now);
  for (const Effect& effect : effects_) {
    if (const auto* said = std::get_if<Log>(&effect)) history_.add(*said, now);
  }
  return std::exchange(effects_, {});
}

// ---- events
// ---------------------------------------------------------------------------------------

void Node::on(const DesiredRead& e, Instant) {
  desired_ = e.desired;
  policies_ = Policies(desired_, config_.cordoned);
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

void Node::on(const StopRequested&, Instant now) {
  if (stop_by_) return;
  operations_.stop();
  stop_by_ = now + config_.drain_timeout;
  log("stopping: handing over");
  dirty_ = true;
}

// ---- the store
// --------------------------------------------------------------------------------------

void Node::ask(coord::StoreRequest request, Instant now) {
  effects_.push_back(store_.ask(std::move(request), now));
}

void Node::see(const coord::Document& document, Instant now) {
  std::visit(Cases{[&](const coord::MemberDocument& d) {
                     if (peers_.on_seen(d, now)) dirty_ = true;
                     if (d.node == config_.name) membership_.on_seen(d, now);
                   },
                   [&](const coord::TableDocument& d) {
                     if (!table_.on_seen(d, now)) return;
                     tell(transitions_.of_shard(table_, d.shard, peers_));
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
                          peers_.is_forced_dead(d.node, d.inc) ? "by an operator's word"
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
              table_.on_cas(d, outcome, now);
              tell(transitions_.of_shard(table_, d.shard, peers_));
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

// ---- what should be, and the steps to it
// --------------------------------------------------------------

void Node::run_machines(Instant now) {
  if (store_.begin_list(now)) ask(coord::ListDocuments{}, now);
  // Without its links it would join as a member that can own nothing, and lose what it had.
  membership_.set_wished_guards(peers_.wished_guards(), now);
  const bool lone = table_.listed() && peers_.alone();  // unknown is not alone
  membership_.set_lone(lone, now);
  election_.set_lone(lone);
  if (links_known_) membership_.tick(now);
  const bool right = membership_.has_right(now);
  peers_.tick(may_revoke(now), now);
  election_.tick(membership_.incarnation(), right && !stop_by_, peers_, now);

  if (right != had_right_) {
    dirty_ = true;
    log(right ? fmt::format("member {} has the right to answer (incarnation {})",
                            config_.name.str(), membership_.incarnation().value)
              : fmt::format("member {} is silent: {}", config_.name.str(),
                            stop_by_                            ? "stopping"
                            : membership_.waiting_for().empty() ? "its lease could not be renewed"
                                                                : membership_.waiting_for()),
        right || stop_by_ ? Log::Level::Info : Log::Level::Warning);
    had_right_ = right;
    right_since_ = now;
  }
  tell(transitions_.of_lease(membership_));
  cluster_.tick(now);
  if (membership_.waiting_for() != said_waiting_) {
    said_waiting_ = membership_.waiting_for();
    if (!right && !said_waiting_.empty()) log("waiting for " + said_waiting_);
  }
  if (election_.leads(now) != led_) {
    led_ = !led_;
    dirty_ = true;
    log(fmt::format("leader {}", led_ ? "is this node" : "is not this node any more"));
  }
  const auto table_due = table_.next_deadline();
  if (table_due && now >= *table_due) dirty_ = true;
  if (allocations_.due(now)) dirty_ = true;
  const auto rebalance_due = rebalance_.next_deadline();
  if (rebalance_due && now >= *rebalance_due) dirty_ = true;
  if (statuses_.take_due(now)) dirty_ = true;
  if (std::exchange(dirty_, false)) reconcile(now);

  l2_.tick(now);
  bgp_.tick(now);
  if (stop_by_) finish_stop(now);
}

void Node::reconcile(Instant now) {
  tell(transitions_.of_members(peers_));
  coord::Editor editor;
  editor.self = config_.name;
  editor.inc = membership_.incarnation();
  editor.has_right = membership_.has_right(now);
  editor.leads = election_.leads(now) && membership_.has_right(now) && !stop_by_;
  editor.leaving = stop_by_.has_value();
  editor.plan_known = policies_.known();
  editor.may_release = policies_.known() && desired_->complete;

  const coord::TablePlan* plan = nullptr;
  const Allocation* allocation = nullptr;
  if (policies_.known()) {
    if (editor.leads && table_.listed()) {
      allocation = &allocations_.decide(policies_, table_, statuses_, now);
    }
    plan = &placing_.plan(
        policies_, &allocations_, allocation, table_, peers_,
        {cluster_.document().drained, stop_by_ ? std::optional(config_.name) : std::nullopt}, now);
    editor.plan_version = placing_.version();
  }
  if (allocation != nullptr) {
    const auto moves = rebalance_.step(*plan, editor.plan_version, policies_, table_, peers_, now);
    for (const Rebalance::Move& move : moves) table_.wish_move(move.vip, move.to);
    if (!moves.empty()) {
      log(fmt::format("rebalance {} came: it is to get {} IPs", moves.front().to.str(),
                      moves.size()));
    }
  } else {
    allocations_.forget();
    statuses_.forget();
    rebalance_.forget();
  }
  static const coord::TablePlan kNoPlan;
  if (membership_.joined()) table_.edit(plan != nullptr ? *plan : kNoPlan, editor, peers_, now);
  for (const coord::RefusedMove& refused : table_.take_refused_moves()) {
    log(fmt::format("ip {} stays: {} may not own it now", to_string(refused.vip), refused.to.str()),
        Log::Level::Warning);
  }

  // Silence first: the floors are set, the writes that pass VIPs on have not been sent yet.
  set_l2(now);
  emit_rights();
  for (auto& request : table_.take_requests()) ask(std::move(request), now);
  if (allocation != nullptr) statuses_.set(allocations_, *allocation, table_, now);
  if (policies_.known() && links_known_) {
    const coord::MemberInfo info = member_info();
    bgp_.set(policies_, policies_.node_labels(config_.name, info.labels), links_, info.links,
             table_, substitutes(config_.name, policies_, peers_, cluster_.document().drained, now),
             stop_by_.has_value(), now);
  }
}

// Who may speak for what from here, by the table.
void Node::set_l2(Instant now) {
  std::optional<L2Speaker::Right> right;
  if (policies_.known() && links_known_ && membership_.joined()) {
    coord::MemberInfo info = member_info();
    right = L2Speaker::Right{
        table_.owned(config_.name, membership_.incarnation()), std::move(info.links),
        policies_.node_labels(config_.name, info.labels), membership_.has_right(now)};
  }
  l2_.set(right, links_, policies_, table_, now);
}

// Everything handed over, then the member document says so, then out.
void Node::finish_stop(Instant now) {
  if (exit_sent_) return;
  bool holds = false;
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : table_.shard(s).entries) {
      holds = holds || (entry.owner == config_.name && entry.inc == membership_.incarnation());
    }
  }
  if (!holds || !membership_.joined()) membership_.leave(now);
  membership_.tick(now);
  if (!membership_.left() && now < *stop_by_) return;
  if (!membership_.left()) log("stopped before everything was handed over", Log::Level::Warning);
  l2_.fall_silent();
  exit_sent_ = true;
}

std::string Node::heartbeat_key() const {
  if (!config_.heartbeat_key.empty()) return config_.heartbeat_key;
  const Bytes& shared = cluster_.document().heartbeat_key;
  return std::string(shared.begin(), shared.end());
}

// One address of each link that it announces on (of any usable link if those have none), the first
// of IPv4 before IPv6: heartbeats go to all of them.
std::vector<coord::HeartbeatAddress> Node::heartbeat_addresses() const {
  constexpr std::size_t kMost = 4;
  std::vector<coord::HeartbeatAddress> out;
  if (config_.heartbeat_port == 0 || heartbeat_key().empty()) return out;
  for (const IpAddress& a : config_.heartbeat_addresses) {
    out.push_back({a, config_.heartbeat_port});
  }
  const config::InterfaceMatcher selected(config_.interfaces);
  for (const bool any_link : {false, true}) {
    if (!out.empty()) break;
    for (const Link& link : links_) {
      if (!link.usable() || link.loopback || link.master != 0 || out.size() == kMost) continue;
      if (!any_link && !selected.matches(link.name)) continue;
      const LinkAddress* best = nullptr;
      for (const LinkAddress& a : link.addresses) {
        if (a.address.is_link_local()) continue;
        if (best == nullptr || (best->address.is_v6() && a.address.is_v4())) best = &a;
      }
      if (best != nullptr) out.push_back({best->address, config_.heartbeat_port});
    }
  }
  return out;
}

coord::MemberInfo Node::member_info() const {
  coord::MemberInfo info{config_.machine_id,   config_.version,      config_.labels, {},
                         stop_by_.has_value(), heartbeat_addresses()};
  const config::InterfaceMatcher selected(config_.interfaces);
  for (const Link& link : links_) {
    if (!link.usable() || link.master != 0 || !selected.matches(link.name)) continue;
    coord::MemberLink l{link.name, {}};
    for (const LinkAddress& a : link.addresses) {
      if (!a.address.is_link_local() && a.prefix_length < a.address.bits()) {
        l.subnets.push_back(a.subnet());
      }
    }
    info.links.push_back(std::move(l));
  }
  std::sort(info.links.begin(), info.links.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return info;
}

// ---- effects
// ------------------------------------------------------------------------------------------

void Node::emit_rights() {
  if (auto grants = l2_.take_grants()) effects_.push_back(std::move(*grants));
  emit_orders();
}

void Node::emit_orders() {
  coord::GuardOrders orders;
  membership_.describe(orders);
  orders.key = heartbeat_key();
  const bool same_self = orders_ && orders_->inc == orders.inc && orders_->rev == orders.rev &&
                         orders_->guards == orders.guards && orders_->base == orders.base &&
                         orders_->limit == orders.limit && orders_->key == orders.key;
  if (same_self && told_version_ == peers_.version()) return;
  peers_.describe(orders);
  told_version_ = peers_.version();
  orders_ = std::make_shared<const coord::GuardOrders>(std::move(orders));
  effects_.push_back(ApplyGuard{orders_});
}

void Node::emit_rest(Instant now) {
  emit_rights();
  for (auto& request : membership_.take_requests()) ask(std::move(request), now);
  for (auto& request : peers_.take_requests()) ask(std::move(request), now);
  for (auto& request : election_.take_requests()) ask(std::move(request), now);
  for (auto& request : table_.take_requests()) ask(std::move(request), now);
  for (auto& request : cluster_.take_requests()) ask(std::move(request), now);
  for (auto& status : statuses_.take_writes()) {
    effects_.push_back(std::move(status.log));
    ask(std::move(status.write), now);
  }
  for (auto& frame : l2_.take_frames()) effects_.push_back(std::move(frame));
  for (auto& effect : bgp_.take_effects()) effects_.push_back(std::move(effect));
  for (auto& answered : operations_.take_answers()) {
    const OperatorAnswer& a = answered.answer;
    log("operator: " + (a.accepted ? a.message : "refused: " + a.message));
    for (const std::string& warning : a.warnings) log("operator: " + warning, Log::Level::Warning);
    effects_.push_back(OperatorAnswered{answered.id, std::move(answered.answer)});
  }
  if (exit_sent_ && stop_by_) {
    effects_.push_back(Exit{});
    stop_by_.reset();
  }
}

void Node::tell(std::vector<Log> transitions) {
  for (Log& said : transitions) effects_.push_back(std::move(said));
}

void Node::log(std::string text, Log::Level level) {
  effects_.push_back(Log{level, std::move(text)});
}

std::optional<Instant> Node::next_deadline() const {
  if (exit_sent_) return std::nullopt;
  const bool right = had_right_;
  std::optional<Instant> next;
  if (links_known_) next = membership_.next_deadline();
  next = earliest(next, peers_.next_deadline({right, false}));
  if (const auto silent = peers_.next_deadline({false, right})) {
    next = earliest(next, std::max(*silent, right_since_ + config_.timing.lease / 2));
  }
  next = earliest(next, election_.next_deadline(right && !stop_by_));
  if (membership_.joined()) next = earliest(next, table_.next_deadline());
  next = earliest(next, store_.next_deadline());
  next = earliest(next, cluster_.next_deadline());
  next = earliest(next, operations_.next_deadline());
  if (right && membership_.joined()) next = earliest(next, membership_.deadline());
  next = earliest(next, allocations_.next_deadline());
  next = earliest(next, rebalance_.next_deadline());
  next = earliest(next, statuses_.next_deadline());
  if (stop_by_) next = earliest(next, *stop_by_);
  next = earliest(next, l2_.next_deadline());
  next = earliest(next, bgp_.next_deadline());
  return next;
}

}  // namespace herald::daemon
