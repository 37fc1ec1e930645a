#include "daemon/view.h"

#include <fmt/core.h>

#include <algorithm>

namespace herald::daemon {
namespace {

// The node outlives the view; nothing is to be deleted.
std::shared_ptr<const Desired> shared(const Desired* desired) {
  return {std::shared_ptr<const Desired>(), desired};
}

}  // namespace

View::View(const Node& node, Instant now)
    : node_(node), now_(now), policies_(shared(node.desired()), node.config().cordoned) {}

const Desired& View::desired() const {
  static const Desired kNone;
  return node_.desired() == nullptr ? kNone : *node_.desired();
}

Labels View::self_labels() const {
  const NodeConfig& self = node_.config();
  return policies_.known() ? policies_.node_labels(self.name, self.labels) : self.labels;
}

std::vector<std::pair<IpAddress, const coord::TableEntry*>> View::held() const {
  std::vector<std::pair<IpAddress, const coord::TableEntry*>> out;
  for (unsigned i = 0; i < coord::kShards; ++i) {
    for (const auto& [vip, entry] : node_.table().shard(i).entries) out.emplace_back(vip, &entry);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::pair<IpAddress, const coord::TableEntry*>> View::held_by(
    const ObjectName& s) const {
  std::vector<std::pair<IpAddress, const coord::TableEntry*>> out;
  for (unsigned i = 0; i < coord::kShards; ++i) {
    for (const auto& [vip, entry] : node_.table().shard(i).entries) {
      if (std::find(entry.services.begin(), entry.services.end(), s) != entry.services.end()) {
        out.emplace_back(vip, &entry);
      }
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> View::links_of(const IpAddress& vip,
                                        const coord::TableEntry& entry) const {
  if (!entry.owner || !policies_.known()) return {};
  const coord::MemberDocument* owner = node_.peers().find(*entry.owner);
  if (owner == nullptr) return {};
  return policies_.l2_links(vip, entry.services,
                            policies_.node_labels(*entry.owner, owner->info.labels),
                            owner->info.links);
}

std::string View::why_silent(const IpAddress& vip, const coord::TableEntry& entry) const {
  if (!policies_.known()) return "the manifests have not been read yet";
  if (!entry.owner) {
    if (desired().l2_policies.empty()) {
      return "there is no L2AnnouncementPolicy: without one, nothing is announced by ARP or NDP";
    }
    std::string seen;
    for (const auto& [name, peer] : node_.peers().all()) {
      if (!node_.peers().heard(name, now_)) continue;
      const Labels labels = policies_.node_labels(name, peer.document.info.labels);
      if (Policies::excluded(labels)) {
        seen += fmt::format("; {}: its labels exclude it from load balancers", name.str());
      } else if (policies_.l2_policies(vip, entry.services, labels).empty()) {
        seen += fmt::format("; {}: no policy selects this service, pool and node", name.str());
      } else if (policies_.l2_links(vip, entry.services, labels, peer.document.info.links)
                     .empty()) {
        seen += fmt::format("; {}: no usable link fits the policy's interfaces", name.str());
      } else {
        seen += fmt::format("; {}: eligible", name.str());
      }
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
  if (links_of(vip, entry).empty()) {
    return fmt::format("its owner {} has no usable link that a policy selects", entry.owner->str());
  }
  return {};
}

std::vector<bgp::Route> View::routes(const BgpPeer& peer) const {
  if (!policies_.known()) return {};
  return policies_.routes(
      peer, self_labels(), node_.table(),
      substitutes(node_.config().name, policies_, node_.peers(), node_.cluster().drained, now_));
}

std::string View::why_not_taken(const BgpPeer& peer, const IpAddress& vip) const {
  if (Policies::excluded(self_labels())) return "the labels of this node exclude it";
  const auto all = policies_.routes(peer, self_labels(), node_.table());
  const bool left = std::any_of(
      all.begin(), all.end(), [&](const bgp::Route& r) { return r.prefix == IpPrefix::host(vip); });
  return left ? "this node is drained, and others announce it"
              : "no BGPAdvertisement selects it for this peer";
}

bool View::peer_takes(const BgpPeer& peer, const IpAddress& vip) const {
  const auto all = routes(peer);
  return std::any_of(all.begin(), all.end(),
                     [&](const bgp::Route& r) { return r.prefix == IpPrefix::host(vip); });
}

}  // namespace herald::daemon
