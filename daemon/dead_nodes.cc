#include "daemon/dead_nodes.h"

#include <fmt/core.h>

#include <algorithm>

namespace herald::daemon {
namespace {

constexpr Duration kSettled = 2s;  // an object that was deleted may come back at once

// Kubernetes hears the node: there is a Node object, and nothing is wrong with it.
bool well(const NodeName& node, const Policies& policies) {
  const auto& nodes = policies.desired().nodes;
  return !policies.unwell(node) &&
         std::any_of(nodes.begin(), nodes.end(), [&](const auto& n) { return n.name == node; });
}

}  // namespace

bool unheard_by_all(const coord::MemberDocument& member, const Policies& policies,
                    const coord::Peers& peers, Instant now) {
  const auto said = peers.report().peers.find(member.node);
  const bool known = said != peers.report().peers.end();
  if (known && said->second.lively) return false;
  return std::all_of(member.guards.begin(), member.guards.end(), [&](const coord::GuardRef& guard) {
    if (known) {
      const auto fence = said->second.fences.find(guard.node);
      if (fence != said->second.fences.end() && fence->second.first >= guard.inc &&
          fence->second.second == member.rev) {
        return true;
      }
    }
    return !peers.heard(guard.node, now) && !well(guard.node, policies);
  });
}

void DeadNodes::on_desired(const Desired& desired, bool from_api, Instant now) {
  std::set<NodeName> there;
  for (const NodeObject& node : desired.nodes) {
    there.insert(node.name);
    if (!node.out_of_service) {
      words_.erase(node.name);
    } else if (const auto it = words_.find(node.name); it == words_.end() || !it->second.taint) {
      words_[node.name] = {true, now};
    }
  }
  if (!from_api) return;
  // A cluster without any node is a fault of the reading.
  const bool whole = desired.complete && !there.empty();
  for (const NodeName& node : seen_) {
    if (whole && !there.contains(node)) words_.try_emplace(node, Word{false, now + kSettled});
  }
  // The word of a taint that went with its object stands.
  seen_.insert(there.begin(), there.end());
}

std::vector<std::string> DeadNodes::tick(const NodeName& self, const Policies& policies,
                                         coord::Peers& peers, Instant now) {
  std::vector<std::string> out;
  looked_ = now;
  if (!policies.known()) return out;
  const auto dead = [&](const NodeName& node) {
    const auto word = words_.find(node);
    const coord::MemberDocument* member = peers.find(node);
    return word != words_.end() && now >= word->second.from && node != self && member != nullptr &&
           !member->revoked && !member->guards.empty() &&
           unheard_by_all(*member, policies, peers, now);
  };
  std::erase_if(marked_, [&](const auto& mark) {
    const auto& [node, rev] = mark;
    const coord::MemberDocument* member = peers.find(node);
    if (member != nullptr && member->rev == rev && dead(node)) return false;
    peers.spare(node);
    if (member == nullptr || member->revoked) return true;
    out.push_back(fmt::format("member {} is not dead after all: it is not revoked", node.str()));
    return true;
  });
  for (const auto& [node, word] : words_) {
    if (marked_.contains(node) || !dead(node)) continue;
    marked_[node] = peers.find(node)->rev;
    peers.declare_dead(node, marked_[node]);
    out.push_back(fmt::format("member {} is dead: {}, and nobody hears it", node.str(), why(node)));
  }
  return out;
}

std::optional<Instant> DeadNodes::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [node, word] : words_) {
    if (word.from > looked_) next = earliest(next, word.from);
  }
  return next;
}

std::string DeadNodes::why(const NodeName& node) const {
  const auto it = words_.find(node);
  if (it == words_.end() || !marked_.contains(node)) return {};
  return it->second.taint ? "its taint node.kubernetes.io/out-of-service says that it is off"
                          : "its Node object is deleted";
}

}  // namespace herald::daemon
