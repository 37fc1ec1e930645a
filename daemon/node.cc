#include "daemon/node.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace herald::daemon {
namespace {

template <typename... F>
struct Cases : F... {
  using F::operator()...;
};
template <typename... F>
Cases(F...) -> Cases<F...>;

// A store that does not answer a list keeps it in flight no longer than this many time-outs.
constexpr int kListTimeouts = 10;

// An IP that no manifest wants is released after this: the manifests of several nodes do not change
// at the same moment.
constexpr Duration kReleaseAfter = 1s;

bgp::PeerConfig session_config(const BgpPeer& peer, const IpAddress& router_id) {
  bgp::PeerConfig c;
  c.name = peer.name;
  c.address = peer.address;
  c.port = peer.port;
  c.local_as = peer.local_asn;
  c.expected.kind = static_cast<decltype(c.expected.kind)>(peer.peer_asn.kind);
  c.expected.number = peer.peer_asn.number;
  c.router_id = peer.router_id.value_or(router_id);
  c.hold_time = peer.hold_time;
  c.keepalive_time = peer.keepalive_time;
  c.connect_retry = peer.connect_retry_time;
  c.multihop = peer.multihop;
  c.source_address = peer.source_address;
  c.ipv4 = peer.ipv4;
  c.ipv6 = peer.ipv6;
  return c;
}

}  // namespace

Node::Node(NodeConfig config, Instant now)
    : config_(std::move(config)),
      membership_(config_.name, {config_.machine_id, config_.version, config_.labels, {}, false},
                  config_.timing, Rng(config_.seed)),
      peers_(config_.name, config_.timing),
      election_(config_.name, config_.timing, Rng(config_.seed + 1)),
      router_id_(config_.router_id),
      rng_(config_.seed + 2),
      next_list_(now) {
  HERALD_CHECK(config_.timing.lease <= config_.timing.revoke_after);
}

std::vector<Effect> Node::step(const Event& event, Instant now) {
  std::visit([&](const auto& e) { on(e, now); }, event);
  expire_requests(now);
  run_machines(now);
  emit_rest(now);
  return std::exchange(effects_, {});
}

// ---- events
// ---------------------------------------------------------------------------------------

void Node::on(const DesiredRead& e, Instant) {
  desired_ = e.desired;
  policies_ = Policies(desired_);
  dirty_ = true;
}

void Node::on(const LinksRead& e, Instant now) {
  for (const Link& link : e.links) {
    const auto before = std::find_if(links_.begin(), links_.end(),
                                     [&](const Link& l) { return l.index == link.index; });
    if (link.loopback || (before != links_.end() && before->usable() == link.usable())) continue;
    log(fmt::format("link {} {}", link.name, link.usable() ? "usable" : "not usable"));
    const auto announcer = announcers_.find(link.index);
    if (link.usable() && announcer != announcers_.end()) announcer->second.restart(link.mac, now);
  }
  links_ = e.links;
  links_known_ = true;
  membership_.set_info(member_info(), now);
  dirty_ = true;
}

void Node::on(const StoreAnswered& e, Instant now) {
  const auto it = asked_.find(e.id);
  if (it == asked_.end())
    return;  // too late: it was given up as unknown, a watch or list settles it
  const Asked asked = std::move(it->second);
  asked_.erase(it);
  answer(asked, e.reply, now);
}

void Node::on(const StoreChanged& e, Instant now) {
  for (const coord::Document& d : e.documents) see(d, now);
}

void Node::on(const BgpConnected& e, Instant now) {
  if (const auto it = sessions_.find(e.peer); it != sessions_.end()) {
    it->second.connected(e.local, now);
  }
}
void Node::on(const BgpConnectFailed& e, Instant now) {
  if (const auto it = sessions_.find(e.peer); it != sessions_.end()) {
    it->second.connect_failed(e.why, now);
  }
}
void Node::on(const BgpReceived& e, Instant now) {
  if (const auto it = sessions_.find(e.peer); it != sessions_.end()) {
    it->second.received(e.bytes, now);
  }
}
void Node::on(const BgpClosed& e, Instant now) {
  if (const auto it = sessions_.find(e.peer); it != sessions_.end()) {
    it->second.closed(e.why, now);
  }
}

void Node::on(const ConflictSeen& e, Instant now) {
  const auto it = announcers_.find(e.link);
  if (it == announcers_.end() || !it->second.owned().contains(e.vip)) return;
  log(fmt::format(
          "l2 vip={} conflict: {} uses it too; find that station and give it another address",
          to_string(e.vip), to_string(e.station)),
      Log::Level::Warning);
  it->second.defend(e.vip, now);
}

void Node::on(const StopRequested&, Instant now) {
  if (stop_by_) return;
  stop_by_ = now + config_.drain_timeout;
  log("stopping: handing over");
  dirty_ = true;
}

// ---- the store
// --------------------------------------------------------------------------------------

void Node::ask(coord::StoreRequest request, Instant now) {
  const std::uint64_t id = next_id_++;
  asked_[id] = {request, now};
  effects_.push_back(AskStore{id, std::move(request)});
}

void Node::expire_requests(Instant now) {
  std::vector<Asked> late;
  for (auto it = asked_.begin(); it != asked_.end();) {
    const bool list = std::holds_alternative<coord::ListDocuments>(it->second.request);
    const Duration limit = config_.timing.request_timeout * (list ? kListTimeouts : 1);
    if (now < it->second.sent + limit) {
      ++it;
      continue;
    }
    late.push_back(std::move(it->second));
    it = asked_.erase(it);
  }
  for (const Asked& asked : late) {
    answer(asked, coord::StoreFailed{"no answer in time"}, now);
  }
}

void Node::see(const coord::Document& document, Instant now) {
  std::visit(Cases{[&](const coord::MemberDocument& d) {
                     if (peers_.on_seen(d, now)) dirty_ = true;
                     if (d.node == config_.name) membership_.on_seen(d, now);
                   },
                   [&](const coord::TableDocument& d) {
                     if (table_.on_seen(d, now)) dirty_ = true;
                   },
                   [&](const coord::LeaderDocument& d) {
                     const auto& before = election_.current();
                     if (!before || before->holder != d.holder) dirty_ = true;
                     election_.on_seen(d, now);
                   },
                   [&](const coord::StatusDocument& d) {
                     coord::StatusDocument& known = statuses_[d.service];
                     if (d.rev > known.rev) known = d;
                   }},
             document);
}

void Node::answer(const Asked& asked, const coord::StoreReply& reply, Instant now) {
  const auto* failed = std::get_if<coord::StoreFailed>(&reply);
  std::string trouble = failed != nullptr ? failed->why : "";
  if (const auto* cas = std::get_if<coord::CasReply>(&reply)) {
    if (cas->outcome == coord::CasOutcome::Unknown || cas->outcome == coord::CasOutcome::NotSent) {
      trouble = cas->why.empty() ? "a write failed" : cas->why;
    }
  }
  if (trouble.empty() != store_trouble_.empty()) {
    log(trouble.empty() ? "store answers again" : "store trouble: " + trouble,
        trouble.empty() ? Log::Level::Info : Log::Level::Warning);
  }
  store_trouble_ = trouble;

  if (std::holds_alternative<coord::ListDocuments>(asked.request)) {
    list_in_flight_ = false;
    const auto* list = std::get_if<coord::ListReply>(&reply);
    if (list == nullptr) {
      next_list_ = now + config_.timing.request_timeout;
      return;
    }
    next_list_ = now + config_.timing.relist;
    for (const coord::Document& d : list->documents) see(d, now);
    if (!table_.listed()) dirty_ = true;
    table_.on_listed();
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
  std::visit(Cases{[&](const coord::MemberDocument& d) {
                     if (d.node == config_.name) {
                       membership_.on_cas(d, outcome, now);
                       if (outcome == coord::CasOutcome::Won && peers_.on_seen(d, now)) {
                         dirty_ = true;
                       }
                     } else {
                       peers_.on_cas(d, outcome, now);
                       if (outcome == coord::CasOutcome::Won) {
                         log(fmt::format("member {} revoked: silent for {}", d.node.str(),
                                         to_string(config_.timing.revoke_after)),
                             Log::Level::Warning);
                       }
                       dirty_ = true;
                     }
                   },
                   [&](const coord::TableDocument& d) {
                     table_.on_cas(d, outcome, now);
                     dirty_ = true;
                   },
                   [&](const coord::LeaderDocument& d) { election_.on_cas(d, outcome, now); },
                   [&](const coord::StatusDocument& d) {
                     status_retry_.erase(d.service);
                     if (outcome == coord::CasOutcome::Won) {
                       see(d, now);
                     } else {
                       status_retry_[d.service] = now + config_.timing.request_timeout;
                       ask(coord::ReadDocument{coord::status_key(d.service)}, now);
                     }
                     dirty_ = true;
                   }},
             cas.document);
}

// After a store outage all members are silent alike: whoever gets through first lets the others
// renew, rather than revoke them.
bool Node::may_revoke(Instant now) const {
  return had_right_ && membership_.has_right(now) && now >= right_since_ + config_.timing.lease / 2;
}

// ---- what should be, and the steps to it
// --------------------------------------------------------------

void Node::run_machines(Instant now) {
  if (now >= next_list_ && !list_in_flight_) {
    list_in_flight_ = true;
    ask(coord::ListDocuments{}, now);
  }
  // Without its links it would join as a member that can own nothing, and lose what it had.
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
  if (membership_.waiting_for() != said_waiting_) {
    said_waiting_ = membership_.waiting_for();
    if (!right && !said_waiting_.empty()) log("waiting for " + said_waiting_);
  }
  if (election_.leads(now) != led_) {
    led_ = !led_;
    dirty_ = true;
    log(fmt::format("leader {}", led_ ? "is this node" : "is not this node any more"));
  }
  for (const auto& [holding, due] : release_due_) {
    if (due && now >= *due) dirty_ = true;
  }
  const auto table_due = table_.next_deadline();
  if (table_due && now >= *table_due) dirty_ = true;
  std::erase_if(status_retry_, [&](const auto& retry) {
    const bool due = now >= retry.second;
    if (due) dirty_ = true;
    return due;
  });
  if (std::exchange(dirty_, false)) reconcile(now);

  for (auto& [link, announcer] : announcers_) announcer.tick(now);
  for (auto& [name, session] : sessions_) session.tick(now);
  if (stop_by_) finish_stop(now);
}

void Node::reconcile(Instant now) {
  coord::Editor editor;
  editor.self = config_.name;
  editor.inc = membership_.incarnation();
  editor.has_right = membership_.has_right(now);
  editor.leads = election_.leads(now) && membership_.has_right(now) && !stop_by_;
  editor.leaving = stop_by_.has_value();
  editor.plan_known = policies_.known();
  editor.may_release = policies_.known() && desired_->complete;

  coord::TablePlan plan;
  std::optional<Allocation> allocation;
  if (policies_.known()) {
    if (editor.leads && table_.listed()) {
      allocation = allocate(policies_, table_, pending_, statuses_);
      for (const ipam::Holding& added : allocation->plan.added) {
        pending_[added.ip] = {added.service};
      }
      std::erase_if(pending_, [&](const auto& given) {
        return table_.find(given.first) != nullptr || !allocation->holdings.contains(given.first);
      });
      keep_for_now(*allocation, now);
    } else {
      release_due_.clear();
      pending_.clear();
    }
    plan = place(policies_, allocation ? allocation->holdings : holdings_of(table_), peers_, now);
  }
  if (membership_.joined()) table_.edit(plan, editor, peers_, now);

  // Silence first: the floors are set, the writes that pass VIPs on have not been sent yet.
  set_announcers(now);
  emit_grants(now);
  for (auto& request : table_.take_requests()) ask(std::move(request), now);
  if (allocation) write_statuses(*allocation, now);
  set_sessions(now);
}

// A leader whose manifests are a moment behind the others' must not free what they have just given.
void Node::keep_for_now(Allocation& allocation, Instant now) {
  std::map<ipam::Holding, std::optional<Instant>> due;
  for (const ipam::Holding& holding : allocation.plan.released) {
    const auto it = release_due_.find(holding);
    std::optional<Instant> at = now + kReleaseAfter;
    if (it != release_due_.end()) at = it->second;
    if (at && now >= *at) at.reset();
    if (at) allocation.holdings[holding.ip].push_back(holding.service);
    due[holding] = at;
  }
  release_due_ = std::move(due);
}

void Node::write_statuses(const Allocation& allocation, Instant now) {
  for (const ipam::Decision& decision : allocation.plan.decisions) {
    coord::StatusDocument wanted;
    wanted.service = decision.service;
    wanted.reason = ipam::to_string(decision.reason);
    wanted.message = decision.message;
    bool recorded = true;  // the table is written before a status names an IP
    for (const ipam::GivenIp& given : decision.ips) {
      wanted.ips.push_back(given.ip);
      wanted.pools.push_back(given.pool);
      const coord::TableEntry* entry = table_.find(given.ip);
      recorded = recorded && entry != nullptr &&
                 std::find(entry->services.begin(), entry->services.end(), decision.service) !=
                     entry->services.end();
    }
    const auto known = statuses_.find(decision.service);
    const coord::Revision base = known == statuses_.end() ? coord::Revision{} : known->second.rev;
    if (known != statuses_.end()) {
      wanted.rev = known->second.rev;
      if (wanted == known->second) continue;
    }
    const auto retry = status_retry_.find(decision.service);
    if (!recorded || (retry != status_retry_.end() && now < retry->second)) continue;
    status_retry_[decision.service] = kNever;  // under way
    wanted.rev = base.next();
    log(fmt::format("service {} {}: {}", to_string(decision.service), wanted.reason,
                    wanted.message),
        decision.reason == ipam::Reason::Allocated ? Log::Level::Info : Log::Level::Warning);
    ask(coord::CasDocument{base, wanted}, now);
  }
}

// From the table and the policies: which VIP from which link.
void Node::set_announcers(Instant now) {
  std::map<LinkIndex, std::set<IpAddress>> owned;
  std::map<LinkIndex, l2::AnnounceTiming> timings;
  if (policies_.known() && links_known_ && membership_.joined()) {
    const coord::MemberInfo info = member_info();
    const Labels labels = policies_.node_labels(config_.name, info.labels);
    for (const Link& link : links_) {
      timings[link.index] = policies_.announce_timing(link.name, labels);
    }
    for (const IpAddress& vip : table_.owned(config_.name, membership_.incarnation())) {
      const auto names = policies_.l2_links(vip, table_.find(vip)->services, labels, info.links);
      for (const Link& link : links_) {
        if (std::find(names.begin(), names.end(), link.name) != names.end()) {
          owned[link.index].insert(vip);
        }
      }
    }
  }
  grants_.links.clear();
  for (const Link& link : links_) {
    const auto mine = owned.find(link.index);
    const bool any = mine != owned.end();
    if (any) {
      grants_.links[link.index] = {
          link.mac, std::vector<IpAddress>(mine->second.begin(), mine->second.end())};
    }
    auto announcer = announcers_.find(link.index);
    if (announcer != announcers_.end() && any &&
        announce_timings_[link.index] != timings[link.index]) {
      announcers_.erase(announcer);  // a policy wants it otherwise: begin anew
      announcer = announcers_.end();
    }
    if (announcer == announcers_.end()) {
      if (!any) continue;
      announcer =
          announcers_.emplace(link.index, l2::Announcer(link.index, link.mac, timings[link.index]))
              .first;
      announce_timings_[link.index] = timings[link.index];
    }
    if (announcer->second.mac() != link.mac) announcer->second.restart(link.mac, now);
    announcer->second.set(any && membership_.has_right(now) ? mine->second : std::set<IpAddress>{},
                          now);
  }
}

void Node::set_sessions(Instant now) {
  if (!policies_.known() || !links_known_) return;
  const coord::MemberInfo info = member_info();
  const Labels labels = policies_.node_labels(config_.name, info.labels);
  // Once chosen it stays: another router id would be another OPEN, and reset every session.
  for (const coord::MemberLink& l : info.links) {
    if (router_id_) break;
    for (const Link& link : links_) {
      if (link.name != l.name) continue;
      for (const LinkAddress& a : link.addresses) {
        if (a.address.is_v4() && !router_id_) router_id_ = a.address;
      }
    }
  }

  std::map<PeerName, bgp::PeerConfig> wanted;
  for (const BgpPeer& peer : desired_->peers) {
    if (stop_by_ || !router_id_ || (peer.node_selector && !peer.node_selector->matches(labels))) {
      continue;
    }
    const bgp::PeerConfig config = session_config(peer, *router_id_);
    wanted[peer.name] = config;
    auto it = sessions_.find(peer.name);
    if (it != sessions_.end() && session_configs_.at(peer.name) != config) {
      it->second.stop(now);  // its OPEN would be another one: say goodbye, begin anew
      for (auto& action : it->second.take_actions()) effects_.push_back(ActBgp{peer.name, action});
      sessions_.erase(it);
      it = sessions_.end();
    }
    if (it == sessions_.end()) {
      it = sessions_.emplace(peer.name, bgp::Session(config, Rng(rng_.next()))).first;
      session_configs_[peer.name] = config;
      it->second.start(now);
    }
    // An IPv6 route's next hop: our global address on the link towards the peer.
    std::optional<IpAddress> next_hop_v6;
    for (const Link& link : links_) {
      const bool towards =
          std::any_of(link.addresses.begin(), link.addresses.end(),
                      [&](const LinkAddress& a) { return a.subnet().contains(peer.address); });
      if (!towards || link.loopback) continue;
      for (const LinkAddress& a : link.addresses) {
        if (a.address.is_v6() && !a.address.is_link_local() && !next_hop_v6) {
          next_hop_v6 = a.address;
        }
      }
    }
    it->second.set_next_hop_v6(next_hop_v6, now);
    if (table_.listed()) it->second.set_routes(policies_.routes(peer, labels, table_), now);
  }
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    it->second.stop(now);
    for (auto& action : it->second.take_actions()) effects_.push_back(ActBgp{it->first, action});
    log(fmt::format("bgp peer={} removed", it->first.str()));
    session_configs_.erase(it->first);
    it = sessions_.erase(it);
  }
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
  grants_.links.clear();
  exit_sent_ = true;
}

coord::MemberInfo Node::member_info() const {
  coord::MemberInfo info{
      config_.machine_id, config_.version, config_.labels, {}, stop_by_.has_value()};
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

void Node::emit_grants(Instant) {
  grants_.deadline = membership_.deadline();
  if (grants_.links == sent_grants_.links) {
    if (grants_.deadline == sent_grants_.deadline) return;
    effects_.push_back(SetDeadline{grants_.deadline});
  } else {
    effects_.push_back(SetGrants{grants_});
  }
  sent_grants_ = grants_;
}

void Node::emit_rest(Instant now) {
  emit_grants(now);
  for (auto& request : membership_.take_requests()) ask(std::move(request), now);
  for (auto& request : peers_.take_requests()) ask(std::move(request), now);
  for (auto& request : election_.take_requests()) ask(std::move(request), now);
  for (auto& request : table_.take_requests()) ask(std::move(request), now);
  for (auto& [link, announcer] : announcers_) {
    for (auto& frame : announcer.take_frames())
      effects_.push_back(SendFrame{link, std::move(frame)});
  }
  for (auto& [name, session] : sessions_) {
    for (const auto& t : session.take_transitions()) {
      log(fmt::format("bgp peer={} {}->{} {}", name.str(), bgp::to_string(t.from),
                      bgp::to_string(t.to), t.cause));
    }
    for (auto& action : session.take_actions()) effects_.push_back(ActBgp{name, std::move(action)});
  }
  if (exit_sent_ && stop_by_) {
    effects_.push_back(Exit{});
    stop_by_.reset();
  }
}

void Node::log(std::string text, Log::Level level) {
  effects_.push_back(Log{level, std::move(text)});
}

std::optional<Instant> Node::next_deadline() const {
  if (exit_sent_) return std::nullopt;
  const bool right = had_right_;
  std::optional<Instant> next;
  if (links_known_) next = membership_.next_deadline();
  if (const auto revoke = peers_.next_deadline(right)) {
    next = earliest(next, std::max(*revoke, right_since_ + config_.timing.lease / 2));
  }
  next = earliest(next, election_.next_deadline(right && !stop_by_));
  if (membership_.joined()) next = earliest(next, table_.next_deadline());
  if (!list_in_flight_) next = earliest(next, next_list_);
  if (right && membership_.joined()) next = earliest(next, membership_.deadline());
  for (const auto& [holding, due] : release_due_) next = earliest(next, due);
  if (stop_by_) next = earliest(next, *stop_by_);
  for (const auto& [id, asked] : asked_) {
    const bool list = std::holds_alternative<coord::ListDocuments>(asked.request);
    next = earliest(next, asked.sent + config_.timing.request_timeout * (list ? kListTimeouts : 1));
  }
  for (const auto& [service, at] : status_retry_) {
    if (at != kNever) next = earliest(next, at);
  }
  for (const auto& [link, announcer] : announcers_)
    next = earliest(next, announcer.next_deadline());
  for (const auto& [name, session] : sessions_) next = earliest(next, session.next_deadline());
  return next;
}

}  // namespace herald::daemon
