#include "daemon/announced_by.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "base/lists.h"
#include "base/text.h"

namespace herald::daemon {
namespace {

constexpr std::size_t kNamed = 3;

std::string few(const std::set<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    if (out.size() == kNamed && names.size() > kNamed + 1) {
      return fmt::format("{} and {} more", join(out, ", "), names.size() - kNamed);
    }
    out.push_back(name);
  }
  return join(out, ", ");
}

// sentence() speaks of one node.
std::string why_nobody(Hold why) {
  switch (why) {
    case Hold::NoPolicy:
      return "no L2AnnouncementPolicy or BGPAdvertisement selects this service, pool and kind of "
             "address";
    case Hold::NoEligibleNode:
      return "the policies that select it select no node that lives: compare their nodeSelectors "
             "with the labels of the nodes";
    case Hold::NoLocalEndpoints:
      return "externalTrafficPolicy is Local and no endpoint of the service is on a selected node";
    case Hold::NoInterface:
      return "no node has a usable link that the policy's interfaces select";
    default:
      return sentence(why);
  }
}

}  // namespace

AnnouncedBy::AnnouncedBy(const Policies& policies, std::vector<Eligible> members,
                         const std::set<NodeName>& drained)
    : policies_(policies), members_(std::move(members)) {
  for (const Eligible& member : members_) {
    const NodeFacts facts = policies_.node(member.node, member.info.labels);
    for (const BgpPeer& peer : policies_.desired().peers) {
      RouteScope scope(policies_, facts, peer);
      if (scope.silent()) continue;
      speakers_.push_back({member.node, peer.name, std::move(scope),
                           drained.contains(member.node) || policies_.unwell(member.node)});
    }
  }
}

const L2Scope* AnnouncedBy::scope_of(const NodeName& node) {
  if (const auto it = scopes_.find(node); it != scopes_.end()) return &it->second;
  const auto member = std::find_if(members_.begin(), members_.end(),
                                   [&](const Eligible& m) { return m.node == node; });
  if (member == members_.end()) return nullptr;
  return &scopes_
              .emplace(node, L2Scope(policies_, policies_.node(node, member->info.labels),
                                     &member->info.links))
              .first->second;
}

AnnouncedBy::ByBgp AnnouncedBy::ask_all(const IpAddress& vip, const Picks<BgpAdvertisement>& picks,
                                        const std::optional<NodeName>& owner) const {
  ByBgp out;
  out.why = members_.empty() ? Hold::NoEligibleNode : Hold::NoPeer;
  std::set<std::string> nodes, peers;
  for (const bool back : {false, true}) {
    if (!nodes.empty()) break;
    for (const Speaker& speaker : speakers_) {
      if (speaker.steps_back != back) continue;
      const RouteScope::Offer offer = speaker.scope.offer(vip, picks, owner);
      out.why = std::max(out.why, offer.why);
      if (offer.shares.empty()) continue;
      nodes.insert(speaker.node.str());
      peers.insert(speaker.peer.str());
    }
  }
  if (nodes.empty()) return out;
  out.why = Hold::None;
  out.text = fmt::format("by BGP from {} to {}", few(nodes), few(peers));
  return out;
}

AnnouncedBy::ByBgp AnnouncedBy::by_bgp(const IpAddress& vip, const coord::TableEntry& entry,
                                       const Picks<BgpAdvertisement>& picks) {
  if (picks.picks.empty()) return {"", picks.why};
  bool alike = true;
  std::vector<std::size_t> by;
  for (const auto& pick : picks.picks) {
    by.push_back(pick.index);
    alike = alike && pick.anywhere && !pick.policy->exclusive;
  }
  if (!alike) return ask_all(vip, picks, entry.owner);
  const auto [it, first] = alike_.try_emplace({std::move(by), vip.family()});
  if (first) it->second = ask_all(vip, picks, entry.owner);
  return it->second;
}

// A node that steps back leaves to a peer's other nodes what they announce to it.
std::vector<AnnouncedBy::Session> AnnouncedBy::sessions_for(const IpAddress& vip,
                                                            const coord::TableEntry& entry,
                                                            std::size_t most) const {
  std::vector<Session> out;
  const auto picks = policies_.bgp_picks(vip, entry.services);
  if (picks.picks.empty() || entry.quarantine) return out;
  std::set<std::pair<PeerName, IpPrefix>> given;
  for (const bool back : {false, true}) {
    for (const Speaker& speaker : speakers_) {
      if (out.size() == most) break;
      if (speaker.steps_back != back) continue;
      Session session{speaker.node, speaker.peer, {}};
      for (const auto& share : speaker.scope.offer(vip, picks, entry.owner).shares) {
        if (contains(session.prefixes, share.prefix)) continue;
        if (back && given.contains({speaker.peer, share.prefix})) continue;
        session.prefixes.push_back(share.prefix);
      }
      if (session.prefixes.empty()) continue;
      if (!back) {
        for (const IpPrefix& prefix : session.prefixes) given.emplace(speaker.peer, prefix);
      }
      out.push_back(std::move(session));
    }
  }
  std::sort(out.begin(), out.end(), [](const Session& a, const Session& b) {
    return std::tie(a.node, a.peer) < std::tie(b.node, b.peer);
  });
  return out;
}

AnnouncedBy::Answer AnnouncedBy::of(const IpAddress& vip, const coord::TableEntry& entry) {
  const std::string ip = to_string(vip);
  if (entry.quarantine) {
    return {false, "Quarantined",
            fmt::format("{}: {} uses it; stop that station or give it another address", ip,
                        who_uses(*entry.quarantine))};
  }
  std::vector<std::string> ways;
  const auto l2 = policies_.l2_picks(vip, entry.services);
  Hold why = l2.why;
  bool probing = false;
  if (!l2.picks.empty()) {
    why = Hold::NoEligibleNode;
    const L2Scope* scope = entry.owner ? scope_of(*entry.owner) : nullptr;
    if (scope != nullptr) {
      const L2Scope::Seat seat = scope->seat(vip, l2);
      why = seat.why;
      probing = seat.may() && entry.must_probe();
      if (seat.may() && !probing) {
        std::vector<std::string> links;
        for (const coord::MemberLink* link : seat.links) links.push_back(link->name);
        ways.push_back(fmt::format("by L2 from {} on {}", entry.owner->str(), join(links, ", ")));
      }
    } else {
      for (const Eligible& member : members_) {
        if (const L2Scope* other = scope_of(member.node)) {
          why = std::max(why, other->seat(vip, l2).why);
        }
      }
    }
  }
  const ByBgp bgp = by_bgp(vip, entry, policies_.bgp_picks(vip, entry.services));
  if (!bgp.text.empty()) ways.push_back(bgp.text);
  if (!ways.empty()) return {true, "Announced", fmt::format("{} {}", ip, join(ways, ", "))};
  if (probing) {
    return {false, "Probing",
            fmt::format("{}: {} looks whether another station uses it", ip, entry.owner->str())};
  }
  why = std::max(why, bgp.why);
  if (why == Hold::None) why = Hold::NoEligibleNode;
  return {false, code(why), fmt::format("{}: {}", ip, why_nobody(why))};
}

}  // namespace herald::daemon
