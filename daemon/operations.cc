#include "daemon/operations.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace herald::daemon {
namespace {

using What = OperatorRequest::What;

constexpr std::size_t kMostPending = 64;

OperatorAnswer refused(std::string why) {
  OperatorAnswer out;
  out.message = std::move(why);
  return out;
}

std::string list(const std::vector<IpAddress>& ips) {
  constexpr std::size_t kShown = 10;
  std::vector<std::string> out;
  for (const IpAddress& ip : ips) {
    if (out.size() == kShown) {
      return join(out, ", ") + fmt::format(" and {} more", ips.size() - kShown);
    }
    out.push_back(to_string(ip));
  }
  return join(out, ", ");
}

std::string known_nodes(const Operations::Parts& parts) {
  std::vector<std::string> out;
  for (const auto& [name, peer] : parts.peers.all()) out.push_back(name.str());
  return out.empty() ? "none yet" : join(out, ", ");
}

bool known(const NodeName& node, const Operations::Parts& parts) {
  const auto& declared = parts.policies.desired().nodes;
  return parts.peers.find(node) != nullptr || parts.cluster.document().drained.contains(node) ||
         std::any_of(declared.begin(), declared.end(),
                     [&](const NodeObject& n) { return n.name == node; });
}

// IPs that the table gives to the node, in any life of it or in this one.
std::set<IpAddress> held_by(const NodeName& node, const coord::Table& table,
                            std::optional<coord::Incarnation> inc = std::nullopt) {
  std::set<IpAddress> out;
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : table.shard(s).entries) {
      if (entry.owner == node && (!inc || entry.inc == *inc)) out.insert(vip);
    }
  }
  return out;
}

std::vector<IpAddress> without(const std::set<IpAddress>& all, const std::set<IpAddress>& gone) {
  std::vector<IpAddress> out;
  std::set_difference(all.begin(), all.end(), gone.begin(), gone.end(), std::back_inserter(out));
  return out;
}

bool is_candidate(const coord::VipPlan& plan, const NodeName& node) {
  return std::any_of(plan.candidates->begin(), plan.candidates->end(),
                     [&](const coord::Candidate& c) { return c.node == node; });
}

// It spoke just now: by a heartbeat, or by renewing its document.
bool speaks(const NodeName& node, const coord::Peers& peers, Instant now) {
  const auto said = peers.report().peers.find(node);
  if (said != peers.report().peers.end() && said->second.lively) return true;
  const coord::MemberDocument* document = peers.find(node);
  return document != nullptr && document->guards.empty() && peers.heard(node, now);
}

// That a node is dead: whether it is another one, or this one's name on another machine.
void take_back(const NodeName& node, const Operations::Parts& parts) {
  parts.peers.spare(node);
  if (node == parts.self) parts.membership.unclaim_name();
}

// In a ring, who is neither its guard nor its ward hears nothing of a node in guard mode. A guard
// of it that lives does; empty: there is none, or this node hears for itself.
NodeName who_hears(const coord::MemberDocument& document, const Operations::Parts& parts,
                   Instant now) {
  if (parts.peers.report().peers.contains(document.node)) return {};
  NodeName out;
  for (const coord::GuardRef& guard : document.guards) {
    if (guard.node == parts.self) return {};
    if (out.empty() && parts.peers.heard(guard.node, now)) out = guard.node;
  }
  return out;
}

std::string store_state(const Operations::Parts& parts) {
  return parts.store_trouble.empty() ? "others wrote at the same time"
                                     : "the store does not answer: " + parts.store_trouble;
}

}  // namespace

std::vector<IpAddress> kept_by(const NodeName& node, const Policies& policies,
                               const coord::Table& table, const coord::Peers& peers,
                               const std::set<NodeName>& drained, Instant now) {
  ipam::Holdings held;
  for (const IpAddress& vip : held_by(node, table)) held[vip] = table.find(vip)->services;
  std::vector<IpAddress> out;
  for (const auto& [vip, planned] : place(policies, held, peers, {drained, {}}, now)) {
    if (planned.candidates.empty() || is_candidate(planned, node)) out.push_back(vip);
  }
  return out;
}

std::string why_not_eligible(const NodeName& node, const IpAddress& vip,
                             const std::vector<ObjectName>& services, const Policies& policies,
                             const coord::Peers& peers, const std::set<NodeName>& drained,
                             Instant now) {
  const coord::MemberDocument* document = peers.find(node);
  if (document == nullptr) return "no heraldd has ever run there";
  if (document->revoked) return "it is gone: start heraldd there";
  if (!peers.heard(node, now)) return "it is not heard";
  if (document->info.draining) return "it is stopping";
  if (drained.contains(node)) {
    return fmt::format("it is drained: `heraldctl undrain {}` first", node.str());
  }
  if (policies.yields(node)) {
    return fmt::format("it is cordoned: `kubectl uncordon {}` first", node.str());
  }
  if (policies.unwell(node)) return "Kubernetes says that it is not ready, or has no network";
  const L2Scope scope(policies, policies.node(node, document->info.labels), &document->info.links);
  const Hold why = scope.seat(vip, services).why;
  return why == Hold::None ? std::string() : sentence(why);
}

// ---- the word
// ------------------------------------------------------------------------------------

void Operations::ask(std::uint64_t id, const OperatorRequest& request, const Parts& parts,
                     Instant now) {
  Pending p;
  p.id = id;
  p.request = request;
  p.deadline = now + request.timeout;
  if (auto answer = begin(p, parts, now)) {
    answers_.push_back({id, std::move(*answer)});
  } else {
    pending_.push_back(std::move(p));
  }
}

Operations::Verdict Operations::begin(Pending& p, const Parts& parts, Instant now) {
  if (pending_.size() >= kMostPending) {
    return refused("too many requests wait for their end already: try again in a moment");
  }
  if (!parts.policies.known() || !parts.table.listed()) {
    return refused(
        "this node has not read what is wanted and the store yet: try again in a moment");
  }
  NodeName& node = p.request.node;
  if (node.empty()) node = parts.self;
  if (!known(node, parts)) {
    return refused(
        fmt::format("there is no node '{}': known are {}", node.str(), known_nodes(parts)));
  }
  switch (p.request.what) {
    case What::Drain:
    case What::Undrain:
      p.held = held_by(node, parts.table);
      parts.cluster.set_drained(node, p.request.what == What::Drain);
      return std::nullopt;
    case What::Move:
      return begin_move(p, parts, now);
    case What::ForceDead:
      return begin_force_dead(p, parts, now);
  }
  return std::nullopt;
}

Operations::Verdict Operations::begin_move(Pending& p, const Parts& parts, Instant now) {
  const IpAddress vip = *p.request.ip;
  const NodeName& to = p.request.node;
  const std::string name = to_string(vip);
  const coord::TableEntry* entry = parts.table.find(vip);
  if (entry == nullptr) {
    return refused(
        fmt::format("{} is held by no service: `heraldctl get ips` lists those that are", name));
  }
  if (!entry->owner) {
    return refused(
        fmt::format("{} has no owner that could pass it on: `heraldctl explain ip {}` "
                    "says why",
                    name, name));
  }
  if (entry->wish == coord::TableEntry::Wish::Release) {
    return refused(fmt::format("{} is being released: no service wants it any more", name));
  }
  if (entry->owner == to) {
    OperatorAnswer out{true, true, fmt::format("{} is on {} already", name, to.str()), to, {},
                       {},   {}};
    return out;
  }
  const auto& drained = parts.cluster.document().drained;
  const auto plan =
      place(parts.policies, {{vip, entry->services}}, parts.peers, {drained, {}}, now);
  if (!is_candidate(plan.at(vip), to)) {
    std::string why =
        why_not_eligible(to, vip, entry->services, parts.policies, parts.peers, drained, now);
    if (why.empty()) why = "other nodes are on its subnet, this one is not";
    return refused(fmt::format("{} may not own {}: {}", to.str(), name, why));
  }
  p.held = {vip};
  p.epoch = entry->epoch;
  parts.table.wish_move(vip, to);
  return std::nullopt;
}

Operations::Verdict Operations::begin_force_dead(Pending& p, const Parts& parts, Instant now) {
  const NodeName& node = p.request.node;
  if (node == parts.self && !speaks(node, parts.peers, now) && parts.membership.claim_name(now)) {
    p.inc = parts.peers.find(node) != nullptr ? parts.peers.find(node)->inc : coord::Incarnation();
    p.held = held_by(node, parts.table, p.inc);
    return std::nullopt;
  }
  if (node == parts.self) {
    return refused(
        fmt::format("{} is the node that was asked: stop heraldd there, or ask another "
                    "node",
                    node.str()));
  }
  const coord::MemberDocument* document = parts.peers.find(node);
  if (document == nullptr) {
    return refused(fmt::format("no heraldd has ever run on {}", node.str()));
  }
  p.inc = document->inc;
  p.held = held_by(node, parts.table, p.inc);
  if (document->revoked) return std::nullopt;
  if (speaks(node, parts.peers, now)) {
    return refused(
        fmt::format("{} is alive: it was heard just now. Drain it (`heraldctl drain {}`), "
                    "or stop it",
                    node.str(), node.str()));
  }
  if (const NodeName guard = who_hears(*document, parts, now); !guard.empty()) {
    return refused(
        fmt::format("{0} may be alive: it sends no heartbeats to the node that was asked. Ask one "
                    "that it sends "
                    "them to, say {1}; if {1} is dead too, begin with that",
                    node.str(), guard.str()));
  }
  if (!parts.may_revoke) {
    return refused("this node has no right to answer itself now: ask another node");
  }
  parts.peers.force_dead(node);
  return std::nullopt;
}

// ---- its end
// -------------------------------------------------------------------------------------

void Operations::tick(const Parts& parts, Instant now) {
  std::erase_if(pending_, [&](Pending& p) {
    auto answer = look(p, parts, now);
    if (!answer && now >= p.deadline) answer = give_up(p, parts, now);
    if (!answer) return false;
    answers_.push_back({p.id, std::move(*answer)});
    return true;
  });
}

Operations::Verdict Operations::look(Pending& p, const Parts& parts, Instant now) {
  const NodeName& node = p.request.node;
  switch (p.request.what) {
    case What::Drain:
      return look_at_drain(p, parts, now);
    case What::Undrain:
      if (parts.cluster.document().drained.contains(node)) return std::nullopt;
      return OperatorAnswer{true, true, node.str() + " may own IPs", node, {}, {}, {}};
    case What::Move:
      return look_at_move(p, parts);
    case What::ForceDead:
      return look_at_force_dead(p, parts, now);
  }
  return std::nullopt;
}

namespace {

// `held`: when it was asked for.
OperatorAnswer drained(const NodeName& node, const std::set<IpAddress>& held,
                       const Operations::Parts& parts, Instant now) {
  const auto still = held_by(node, parts.table);
  OperatorAnswer out;
  out.accepted = true;
  out.node = node;
  out.kept = kept_by(node, parts.policies, parts.table, parts.peers,
                     parts.cluster.document().drained, now);
  out.handed_over = without(held, still);
  out.complete = still.empty();
  out.message = node.str() + " is drained";
  if (held.empty()) out.message += "; it held no IP";
  if (!out.handed_over.empty()) out.message += "; handed over: " + list(out.handed_over);
  if (!out.kept.empty()) {
    out.warnings.push_back(fmt::format(
        "{} keeps {}: no other node may own {}. They are lost when it stops: bring up another node "
        "for them first (`heraldctl explain ip {}` says what is missing)",
        node.str(), list(out.kept), out.kept.size() == 1 ? "it" : "them",
        to_string(out.kept.front())));
  }
  const auto under_way = without(still, {out.kept.begin(), out.kept.end()});
  if (!under_way.empty()) out.message += "; not handed over yet: " + list(under_way);
  return out;
}

}  // namespace

Operations::Verdict Operations::look_at_drain(const Pending& p, const Parts& parts, Instant now) {
  const NodeName& node = p.request.node;
  if (!parts.cluster.document().drained.contains(node)) return std::nullopt;
  OperatorAnswer out = drained(node, p.held, parts, now);
  const bool settled = held_by(node, parts.table).size() == out.kept.size();
  if (p.request.wait && !settled) return std::nullopt;
  return out;
}

Operations::Verdict Operations::look_at_move(Pending& p, const Parts& parts) {
  const NodeName& to = p.request.node;
  const std::string name = to_string(*p.request.ip);
  const coord::TableEntry* entry = parts.table.find(*p.request.ip);
  if (entry == nullptr || !entry->owner) {
    return refused(fmt::format("{} has no owner any more", name));
  }
  const std::string owner = entry->owner->str();
  if (entry->epoch != p.epoch) {
    if (entry->owner != to) {
      return refused(
          fmt::format("{} went to {} instead, as its owner gave it up meanwhile", name, owner));
    }
    OperatorAnswer out{true, true, fmt::format("{} is on {}", name, to.str()), to, {}, {}, {}};
    out.handed_over = {*p.request.ip};
    return out;
  }
  const bool wished = entry->wish == coord::TableEntry::Wish::Move && entry->move_to == to;
  if (p.wish_shown && !wished) {
    return refused(
        entry->move_to
            ? fmt::format("{} is to go to {} instead, by a later word", name, entry->move_to->str())
            : fmt::format("{} stays on {}, which refused: as it sees it, {} may not own "
                          "the IP now",
                          name, owner, to.str()));
  }
  p.wish_shown = wished;
  if (p.request.wait || !wished) return std::nullopt;
  return OperatorAnswer{
      true, false, fmt::format("{} is asked to pass {} on to {}", owner, name, to.str()), to, {},
      {},   {}};
}

Operations::Verdict Operations::look_at_force_dead(const Pending& p, const Parts& parts,
                                                   Instant now) {
  const NodeName& node = p.request.node;
  if (!parts.peers.gone(node, p.inc)) {
    if (!speaks(node, parts.peers, now)) return std::nullopt;
    take_back(node, parts);
    return refused(node.str() + " is alive: it was heard just now");
  }
  const auto still = held_by(node, parts.table, p.inc);
  if (p.request.wait && !still.empty()) return std::nullopt;
  OperatorAnswer out;
  out.accepted = true;
  out.node = node;
  out.complete = still.empty();
  out.handed_over = without(p.held, still);
  out.message = node.str() + " counts as dead until heraldd starts there again";
  if (!out.handed_over.empty()) out.message += "; taken over: " + list(out.handed_over);
  return out;
}

OperatorAnswer Operations::give_up(const Pending& p, const Parts& parts, Instant now) {
  const NodeName& node = p.request.node;
  const std::string within = "within " + to_string(p.request.timeout);
  switch (p.request.what) {
    case What::Drain:
      if (parts.cluster.document().drained.contains(node)) {
        return drained(node, p.held, parts, now);
      }
      [[fallthrough]];
    case What::Undrain:
      parts.cluster.forget(node);
      return refused(
          fmt::format("could not be written {} ({}); `heraldctl get nodes` shows which "
                      "nodes are drained",
                      within, store_state(parts)));
    case What::Move:
      if (p.wish_shown) {
        return {true,
                false,
                fmt::format("{} has not passed {} on to {} {}; the wish stands in the table",
                            parts.table.find(*p.request.ip)->owner->str(), to_string(*p.request.ip),
                            node.str(), within),
                node,
                {},
                {},
                {}};
      }
      parts.table.forget_move(*p.request.ip);
      return refused(fmt::format("could not be written {} ({})", within, store_state(parts)));
    case What::ForceDead:
      break;
  }
  if (!parts.peers.gone(node, p.inc)) {
    take_back(node, parts);
    return refused(
        fmt::format("{} could not be revoked {} ({}); `heraldctl get nodes` shows "
                    "whether it is gone",
                    node.str(), within, store_state(parts)));
  }
  OperatorAnswer out;
  out.accepted = true;
  out.node = node;
  out.message =
      fmt::format("{} counts as dead; not all of its IPs were taken over {}", node.str(), within);
  return out;
}

void Operations::stop() {
  for (const Pending& p : std::exchange(pending_, {})) {
    answers_.push_back({p.id, refused("this node is stopping: ask another")});
  }
}

std::optional<Instant> Operations::next_deadline() const {
  std::optional<Instant> next;
  for (const Pending& p : pending_) next = earliest(next, p.deadline);
  return next;
}

std::vector<Operations::Answered> Operations::take_answers() {
  return std::exchange(answers_, {});
}

}  // namespace herald::daemon
