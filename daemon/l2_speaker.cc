#include "daemon/l2_speaker.h"

#include <algorithm>
#include <set>
#include <utility>

namespace herald::daemon {

void L2Speaker::set(const std::optional<Right>& right, const std::vector<Link>& links,
                    const Policies& policies, const coord::Table& table, Instant now) {
  std::map<LinkIndex, std::set<IpAddress>> owned;
  std::map<LinkIndex, l2::AnnounceTiming> timings;
  if (right) {
    for (const Link& link : links) {
      timings[link.index] = policies.announce_timing(link.name, right->node.labels);
    }
    const L2Scope scope(policies, right->node, &right->usable);
    for (const IpAddress& vip : right->vips) {
      for (const coord::MemberLink* chosen : scope.seat(vip, table.find(vip)->services).links) {
        for (const Link& link : links) {
          if (link.name != chosen->name) continue;
          auto& vips = owned[link.index];
          vips.insert(vips.end(), vip);  // they come sorted
        }
      }
    }
  }
  grants_.clear();
  for (const Link& link : links) {
    const auto mine = owned.find(link.index);
    const bool any = mine != owned.end();
    if (any) {
      grants_[link.index] = {link.mac,
                             std::vector<IpAddress>(mine->second.begin(), mine->second.end())};
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
  for (auto& [link, announcing] : announcers_) {
    for (auto& frame : announcing.announcer.take_frames()) {
      out.push_back(SendFrame{link, std::move(frame)});
    }
  }
  return out;
}

std::optional<Instant> L2Speaker::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [link, announcing] : announcers_) {
    next = earliest(next, announcing.announcer.next_deadline());
  }
  return next;
}

}  // namespace herald::daemon
