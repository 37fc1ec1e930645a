#include "daemon/view.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

namespace herald::daemon {
namespace {

// The node outlives the view; nothing is to be deleted.
std::shared_ptr<const Desired> shared(const Desired* desired) {
  return {std::shared_ptr<const Desired>(), desired};
}

}  // namespace

View::View(const Node& node, Instant now)
    : node_(node), now_(now), policies_(shared(node.desired()), node.config().policies) {}

const Desired& View::desired() const {
  static const Desired kNone;
  return node_.desired() == nullptr ? kNone : *node_.desired();
}

NodeFacts View::self() const {
  const NodeConfig& self = node_.config();
  return policies_.known() ? policies_.node(self.name, self.labels)
                           : NodeFacts{self.name, self.labels};
}

View::Held View::held() const {
  Held out;
  for (unsigned i = 0; i < coord::kShards; ++i) {
    for (const auto& [vip, entry] : node_.table().shard(i).entries) out.emplace_back(vip, &entry);
  }
  std::sort(out.begin(), out.end());
  return out;
}

const View::Held& View::held_by(const ObjectName& s) const {
  static const Held kNone;
  if (!held_by_) {
    held_by_.emplace();
    for (const auto& [vip, entry] : held()) {
      for (const ObjectName& service : entry->services) {
        Held& its = (*held_by_)[service];
        if (its.empty() || its.back().second != entry) its.emplace_back(vip, entry);
      }
    }
  }
  const auto it = held_by_->find(s);
  return it == held_by_->end() ? kNone : it->second;
}

L2Scope::Seat View::seat(const NodeName& member, const IpAddress& vip,
                         const std::vector<ObjectName>& services) const {
  const coord::MemberDocument* document = node_.peers().find(member);
  if (document == nullptr || !policies_.known()) return {};
  const L2Scope scope(policies_, policies_.node(member, document->info.labels),
                      &document->info.links);
  return scope.seat(vip, services);
}

std::vector<std::string> View::links_of(const IpAddress& vip,
                                        const coord::TableEntry& entry) const {
  std::vector<std::string> out;
  if (!entry.owner) return out;
  for (const coord::MemberLink* link : seat(*entry.owner, vip, entry.services).links) {
    out.push_back(link->name);
  }
  return out;
}

std::string View::why_silent(const IpAddress& vip, const coord::TableEntry& entry) const {
  if (!policies_.known()) {
    return from_api_server() ? "the objects of the API server have not been read yet"
                             : "the manifests have not been read yet";
  }
  if (entry.quarantine) {
    return fmt::format(
        "quarantined: another station uses it ({}); stop that one or give it another "
        "address, or ask for another IP",
        who_uses(*entry.quarantine));
  }
  if (entry.kept_for) {
    return fmt::format("resting: it is kept for {}, which released it", to_string(*entry.kept_for));
  }
  const Hold wish = policies_.l2_picks(vip, entry.services).why;
  if (!entry.owner) {
    if (desired().l2_policies.empty()) {
      return "there is no L2AnnouncementPolicy: without one, nothing is announced by ARP or NDP";
    }
    if (wish != Hold::None && wish != Hold::NoPolicy) return sentence(wish);
    std::string seen;
    for (const auto& [name, peer] : node_.peers().all()) {
      if (!node_.peers().heard(name, now_)) continue;
      const Hold why = seat(name, vip, entry.services).why;
      seen += fmt::format("; {}: {}", name.str(),
                          why == Hold::None       ? "eligible"
                          : why == Hold::NoPolicy ? sentence(Hold::NoEligibleNode)
                                                  : sentence(why));
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
  const Hold why = seat(*entry.owner, vip, entry.services).why;
  if (why == Hold::None && entry.unproven) {
    return fmt::format("its owner {} looks whether another station uses it", entry.owner->str());
  }
  if (why == Hold::None) return {};
  if (wish != Hold::None) return sentence(why);
  return fmt::format("its owner is {}: {}", entry.owner->str(), sentence(why));
}

const std::vector<bgp::Route>& View::routes(const BgpPeer& peer) const {
  const auto [it, first] = routes_.try_emplace(peer.name);
  if (first && policies_.known()) {
    it->second = daemon::routes(
        policies_, peer, self(), node_.table(),
        substitutes(node_.config().name, policies_, node_.peers(), node_.cluster().drained, now_));
  }
  return it->second;
}

std::vector<std::string> View::preference_conflicts() const {
  std::set<std::string> out;
  for (const auto& [name, session] : node_.sessions()) {
    for (const BgpPeer& peer : desired().peers) {
      if (peer.name != name) continue;
      const auto shares = shares_of(policies_, peer, self(), node_.table());
      for (const auto& c : daemon::preference_conflicts(shares)) out.insert(sentence(c));
    }
  }
  return {out.begin(), out.end()};
}

View::Taken View::taken(const BgpPeer& peer, const IpAddress& vip) const {
  const coord::TableEntry* entry = node_.table().find(vip);
  if (!policies_.known() || entry == nullptr) return {{}, "the IP table does not hold it"};
  const RouteScope scope(policies_, self(), peer);
  const auto offer = scope.offer(vip, policies_.bgp_picks(vip, entry->services), entry->owner);
  if (offer.why == Hold::NodesExcluded) return {{}, "the labels of this node exclude it"};
  if (offer.why == Hold::NoPolicy || offer.why == Hold::NoEligibleNode ||
      offer.why == Hold::NoPeer) {
    return {{}, "no BGPAdvertisement selects it for this peer"};
  }
  if (offer.why != Hold::None) return {{}, sentence(offer.why)};
  const auto& all = routes(peer);  // sorted
  Taken out;
  for (const RouteScope::Share& share : offer.shares) {
    const auto at = std::lower_bound(
        all.begin(), all.end(), share.prefix,
        [](const bgp::Route& r, const IpPrefix& prefix) { return r.prefix < prefix; });
    const bool there = at != all.end() && at->prefix == share.prefix;
    const bool twice =
        std::find(out.prefixes.begin(), out.prefixes.end(), share.prefix) != out.prefixes.end();
    if (there && !twice) out.prefixes.push_back(share.prefix);
  }
  if (out.prefixes.empty()) {
    out.why_not = node_.cluster().drained.contains(node_.config().name)
                      ? "this node is drained, and others announce it"
                      : "Kubernetes finds this node unwell, and others announce it";
  }
  return out;
}

std::string View::over_bgp(const BgpPeer& peer, const bgp::Session& session, const IpAddress& vip,
                           bool& told) const {
  const Taken takes = taken(peer, vip);
  told = false;
  if (takes.prefixes.empty()) return takes.why_not;
  std::string aggregates;
  for (const IpPrefix& prefix : takes.prefixes) {
    told = told || session.advertised(prefix);
    if (prefix != IpPrefix::host(vip)) aggregates += ", in " + to_string(prefix);
  }
  if (told) return "advertised" + aggregates;
  if (session.state() == bgp::SessionState::Established) {
    return "not advertised: " + session.stats().held_back_why;
  }
  return fmt::format("to be advertised, but the session is {}: {}", bgp::to_string(session.state()),
                     session.stats().last_error);
}

}  // namespace herald::daemon
