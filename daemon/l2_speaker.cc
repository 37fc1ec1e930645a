#include "daemon/l2_speaker.h"

#include <algorithm>
#include <set>
#include <utility>

namespace herald::daemon {

// By link, the VIPs that this node may speak for; those that it has to probe first become
// unproven_.
L2Speaker::Vips L2Speaker::choose(const Right& right, const std::vector<Link>& links,
                                  const Policies& policies, const coord::Table& table) {
  Vips out;
  std::map<IpAddress, coord::Epoch> epochs;
  const L2Scope scope(policies, right.node, &right.usable);
  for (const IpAddress& vip : right.vips) {
    const coord::TableEntry& entry = *table.find(vip);
    if (entry.must_probe()) {
      epochs[vip] = entry.epoch;
      const auto before = epochs_.find(vip);
      if (before == epochs_.end() || before->second != entry.epoch) prober_.forget(vip);
      if (right.homes.contains(vip)) continue;
    }
    for (const coord::MemberLink* chosen : scope.seat(vip, entry.services).links) {
      for (const Link& link : links) {
        if (link.name != chosen->name) continue;
        if (entry.must_probe()) {
          unproven_[vip].push_back({link.index, link.mac});
        } else {
          auto& vips = out[link.index];
          vips.insert(vips.end(), vip);  // they come sorted
        }
      }
    }
  }
  epochs_ = std::move(epochs);
  return out;
}

// Probes what is unproven; what has turned out to be free is owned like the rest. Without the right
// no probe would leave, so that silence would mean nothing.
void L2Speaker::probe(const Right* right, Vips& owned, Instant now) {
  const auto is_free = [&](const auto& unproven) {
    return prober_.state(unproven.first) == l2::Prober::State::Free;
  };
  if (right == nullptr || !right->has_right) {
    std::erase_if(unproven_, [&](const auto& unproven) { return !is_free(unproven); });
  }
  prober_.set(unproven_, now);
  for (const auto& unproven : unproven_) {
    if (!is_free(unproven)) continue;
    for (const auto& from : unproven.second) owned[from.link].insert(unproven.first);
  }
}

void L2Speaker::set(const std::optional<Right>& right, const std::vector<Link>& links,
                    const Policies& policies, const coord::Table& table, Instant now) {
  Vips owned;
  std::map<LinkIndex, l2::AnnounceTiming> timings;
  unproven_.clear();
  if (right) {
    for (const Link& link : links) {
      timings[link.index] = policies.announce_timing(link.name, right->node.labels);
    }
    owned = choose(*right, links, policies, table);
  } else {
    epochs_.clear();
  }
  probe(right ? &*right : nullptr, owned, now);
  grants_.clear();
  for (const Link& link : links) {
    const auto mine = owned.find(link.index);
    const bool any = mine != owned.end();
    if (any) {
      grants_[link.index] = {
          link.mac, std::vector<IpAddress>(mine->second.begin(), mine->second.end()), {}, {}};
    }
    auto it = announcers_.find(link.index);
    if (it != announcers_.end() && any && it->second.timing != timings[link.index]) {
      announcers_.erase(it);  // a policy wants it otherwise: begin anew
      it = announcers_.end();
    }
    if (it == announcers_.end()) {
      if (!any) continue;
      const l2::AnnounceTiming timing = timings[link.index];
      it = announcers_
               .emplace(link.index, Announcing{l2::Announcer(link.index, link.mac, timing), timing})
               .first;
    }
    l2::Announcer& announcer = it->second.announcer;
    if (announcer.mac() != link.mac) announcer.restart(link.mac, now);
    announcer.set(any && right->has_right ? mine->second : std::set<IpAddress>{}, now);
  }
  for (const auto& [vip, from] : unproven_) {
    if (prober_.state(vip) != l2::Prober::State::Probing) continue;
    for (const auto& at : from) {
      l2::LinkGrant& grant = grants_[at.link];
      grant.mac = at.mac;
      grant.probing.push_back(vip);  // they come sorted
      if (grant.members.empty()) grant.members.assign(right->members.begin(), right->members.end());
    }
  }
}

void L2Speaker::restart(const Link& link, Instant now) {
  if (const auto it = announcers_.find(link.index); it != announcers_.end()) {
    it->second.announcer.restart(link.mac, now);
  }
}

bool L2Speaker::defend(LinkIndex link, const IpAddress& vip, Instant now) {
  const auto it = announcers_.find(link);
  if (it == announcers_.end() || !it->second.announcer.owned().contains(vip)) return false;
  it->second.announcer.defend(vip, now);
  return true;
}

bool L2Speaker::taken(LinkIndex link, const IpAddress& vip, Instant now) {
  const auto it = unproven_.find(vip);
  if (it == unproven_.end() ||
      std::none_of(it->second.begin(), it->second.end(),
                   [&](const l2::Prober::From& from) { return from.link == link; })) {
    return false;
  }
  return prober_.taken(vip, now);
}

bool L2Speaker::look(Instant now) {
  const std::uint64_t before = prober_.version();
  prober_.tick(now);
  return prober_.version() != before;
}

void L2Speaker::tick(Instant now) {
  for (auto& [link, announcing] : announcers_) announcing.announcer.tick(now);
}

std::optional<SetGrants> L2Speaker::take_grants() {
  if (grants_ == sent_grants_) return std::nullopt;
  sent_grants_ = grants_;
  return SetGrants{grants_};
}

std::vector<SendFrame> L2Speaker::take_frames() {
  std::vector<SendFrame> out;
  for (auto& [link, frame] : prober_.take_frames()) out.push_back({link, std::move(frame)});
  for (auto& [link, announcing] : announcers_) {
    for (auto& frame : announcing.announcer.take_frames()) {
      out.push_back(SendFrame{link, std::move(frame)});
    }
  }
  return out;
}

std::optional<Instant> L2Speaker::next_deadline() const {
  std::optional<Instant> next = prober_.next_deadline();
  for (const auto& [link, announcing] : announcers_) {
    next = earliest(next, announcing.announcer.next_deadline());
  }
  return next;
}

}  // namespace herald::daemon
