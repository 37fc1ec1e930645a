#include "daemon/node.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace herald::daemon {
namespace {

constexpr std::uint64_t kFirstNodeStatus = std::uint64_t{3} << 56;  // of its requests
constexpr Duration kLastWord = 1s;  // how long an exit waits for the API server at most

}  // namespace

Node::Node(NodeConfig config, Instant now)
    : config_(std::move(config)),
      membership_(config_.name,
                  {config_.machine_id, config_.version, config_.labels, {}, false, {}},
                  config_.timing, config_.guard_timing, Rng(config_.seed)),
      peers_(config_.name, config_.timing),
      election_(config_.name, config_.timing, Rng(config_.seed + 1)),
      l2_(config_.probes),
      bgp_(config_.router_id, Rng(config_.seed + 2)),
      objects_(config_.field_manager, config_.name, config_.service_status_limit, config_.seed + 3),
      node_status_(kFirstNodeStatus, config_.name, Rng(config_.seed + 5)),
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
  for (std::string& said : dead_nodes_.tick(config_.name, policies_, peers_, now)) {
    log(std::move(said), Log::Level::Warning);
  }
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
  objects_.tick(now);
  if (objects_.due(now)) dirty_ = true;
  if (l2_.look(now)) dirty_ = true;
  for (const IpAddress& vip : l2_.take_free()) table_.found(vip, std::nullopt);
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
  std::shared_ptr<const Allocation> allocation;  // as the leader
  if (policies_.known()) {
    if (editor.leads && table_.listed()) {
      allocation = allocations_.decide(policies_, table_, told(), now);
    }
    plan = &placing_.plan(
        policies_, &allocations_, allocation.get(), table_, peers_,
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
    objects_.forget();
    rebalance_.forget();
  }
  note_addresses_of_members();
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
  if (allocation != nullptr && config_.objects) {
    objects_.set({policies_, allocations_, allocation, table_, peers_, cluster_.document().drained},
                 now);
  } else if (allocation != nullptr) {
    statuses_.set(allocations_, *allocation, table_, now);
  }
  if (policies_.known() && links_known_) {
    const coord::MemberInfo info = member_info();
    bgp_.set(policies_, policies_.node(config_.name, info.labels), links_, info.links, table_,
             substitutes(config_.name, policies_, peers_, cluster_.document().drained, now),
             stop_by_.has_value(), now);
  }
}

// What this node says of itself; looked at on the way, as it steps often enough.
void Node::tell_node_status(Instant now) {
  if (wall_clock_ && node_status_.due(now) && !exit_sent_ && !last_word_by_) {
    NodeStatusText text = node_status_of(*this, *wall_clock_, ready_since_, now);
    if (said_ready_ != text.ready) {
      said_ready_ = text.ready;
      const auto wall =
          std::chrono::floor<std::chrono::seconds>(*wall_clock_ + now.time_since_epoch());
      ready_since_ = wall.count();
      text = node_status_of(*this, *wall_clock_, ready_since_, now);
    }
    node_status_.see(objects_.observed(node_status_ref(config_.name)));
    node_status_.set(std::move(text.status), objects_.uid_of(node_ref(config_.name)), now);
  }
  for (auto& ask : node_status_.take_requests()) effects_.push_back(std::move(ask));
  tell(node_status_.take_logs());
}

// Nobody is to take its NodeStatus for that of a node that runs.
void Node::say_last_word(Instant now) {
  if (!config_.objects || !wall_clock_) return;
  node_status_.close(last_word_of(*this, *wall_clock_, now), now);
  if (node_status_.closing()) last_word_by_ = now + kLastWord;
}

Told Node::told() {
  if (config_.objects) return objects_.told();
  return {statuses_.statuses(), statuses_.version()};
}

const Statuses& Node::statuses() const {
  return config_.objects ? objects_.statuses() : statuses_.statuses();
}

// Who may speak for what from here, by the table.
void Node::set_l2(Instant now) {
  std::optional<L2Speaker::Right> right;
  if (policies_.known() && links_known_ && membership_.joined()) {
    coord::MemberInfo info = member_info();
    right = L2Speaker::Right{table_.owned(config_.name, membership_.incarnation()),
                             std::move(info.links),
                             policies_.node(config_.name, info.labels),
                             member_macs(),
                             homes(peers_),
                             membership_.has_right(now)};
  }
  l2_.set(right, links_, policies_, table_, now);
}

// Of this node and all others, whether they live or not: a link that is up may answer for long.
std::set<MacAddress> Node::member_macs() const {
  std::set<MacAddress> out;
  for (const Link& link : links_) out.insert(link.mac);
  for (const auto& [name, peer] : peers_.all()) {
    for (const coord::MemberLink& link : peer.document.info.links) out.insert(link.mac);
  }
  return out;
}

// What a member has itself needs no probe, which would not heed its answer either.
void Node::note_addresses_of_members() {
  if (!membership_.joined()) return;
  for (const auto& [ip, home] : homes(peers_)) {
    const coord::TableEntry* entry = table_.find(ip);
    if (entry == nullptr || !entry->must_probe() || entry->quarantine == home ||
        !table_.owns(config_.name, membership_.incarnation(), ip)) {
      continue;
    }
    table_.found(ip, home);
  }
}

// Everything handed over, then the member document says so, then the NodeStatus, then out.
void Node::finish_stop(Instant now) {
  if (exit_sent_) return;
  if (last_word_by_) {
    exit_sent_ = !node_status_.closing() || now >= *last_word_by_;
    return;
  }
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
  if (membership_.left()) say_last_word(now);
  exit_sent_ = !last_word_by_;
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
    coord::MemberLink l{link.name, {}, link.mac};
    for (const LinkAddress& a : link.addresses) {
      if (!a.address.is_link_local() && a.prefix_length < a.address.bits()) {
        l.subnets.push_back(a.subnet());
        l.addresses.push_back(a.address);
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
  for (auto& ask : objects_.take_requests(now)) effects_.push_back(std::move(ask));
  tell(objects_.take_logs());
  if (config_.objects) tell_node_status(now);
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
  next = earliest(next, dead_nodes_.next_deadline());
  if (right && membership_.joined()) next = earliest(next, membership_.deadline());
  next = earliest(next, allocations_.next_deadline());
  next = earliest(next, rebalance_.next_deadline());
  next = earliest(next, statuses_.next_deadline());
  next = earliest(next, objects_.next_deadline());
  if (stop_by_) next = earliest(next, last_word_by_.value_or(*stop_by_));
  next = earliest(next, l2_.next_deadline());
  next = earliest(next, bgp_.next_deadline());
  return next;
}

}  // namespace herald::daemon
