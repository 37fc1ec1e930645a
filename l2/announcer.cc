#include "l2/announcer.h"

#include <algorithm>
#include <iterator>

#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"

namespace herald::l2 {

Announcer::Announcer(LinkIndex link, MacAddress mac, AnnounceTiming timing)
    : link_(link), mac_(mac), timing_(timing) {}

void Announcer::set(const std::set<IpAddress>& owned, Instant now) {
  std::vector<IpAddress> gone;
  std::set_difference(owned_.begin(), owned_.end(), owned.begin(), owned.end(),
                      std::back_inserter(gone));
  for (const IpAddress& vip : gone) disown(vip);
  std::vector<IpAddress> gained;
  std::set_difference(owned.begin(), owned.end(), owned_.begin(), owned_.end(),
                      std::back_inserter(gained));
  for (const IpAddress& vip : gained) begin(vip, now);
  tick(now);
}

void Announcer::own(const IpAddress& vip, Instant now) {
  if (!owned_.contains(vip)) begin(vip, now);
  tick(now);
}

void Announcer::disown(const IpAddress& vip) {
  const auto it = plans_.find(vip);
  if (it == plans_.end()) return;
  schedule(vip, it->second, kNever);
  plans_.erase(it);
  owned_.erase(vip);
}

void Announcer::restart(MacAddress mac, Instant now) {
  mac_ = mac;
  out_.clear();
  const std::set<IpAddress> vips = owned_;
  for (const IpAddress& vip : vips) begin(vip, now);
  tick(now);
}

bool Announcer::defend(const IpAddress& vip, Instant now) {
  const auto it = plans_.find(vip);
  if (it == plans_.end()) return false;
  Plan& plan = it->second;
  if (plan.defended && now - *plan.defended < kDefendInterval) return false;
  plan.defended = now;
  emit(vip);
  return true;
}

void Announcer::begin(const IpAddress& vip, Instant now) {
  owned_.insert(vip);
  Plan& plan = plans_[vip];
  plan.left = timing_.count;
  schedule(vip, plan, timing_.count > 0 ? now : kNever);
}

void Announcer::schedule(const IpAddress& vip, Plan& plan, Instant due) {
  if (plan.due != kNever) queue_.erase({plan.due, vip});
  plan.due = due;
  if (due != kNever) queue_.emplace(due, vip);
}

void Announcer::tick(Instant now) {
  while (!queue_.empty() && queue_.begin()->first <= now) {
    if (batch_frames_ >= kBatchFrames) {
      if (now < batch_from_ + kBatchGap) return;
      batch_frames_ = 0;
    }
    if (batch_frames_ == 0) batch_from_ = now;
    const IpAddress vip = queue_.begin()->second;
    Plan& plan = plans_.at(vip);
    if (plan.left > 0) --plan.left;
    emit(vip);
    schedule(vip, plan,
             plan.left > 0                   ? now + timing_.interval
             : timing_.refresh > Duration{0} ? now + timing_.refresh
                                             : kNever);
  }
}

std::optional<Instant> Announcer::next_deadline() const {
  if (queue_.empty()) return std::nullopt;
  const Instant due = queue_.begin()->first;
  return batch_frames_ >= kBatchFrames ? std::max(due, batch_from_ + kBatchGap) : due;
}

std::vector<Frame> Announcer::take_frames() {
  std::vector<Frame> out;
  out.swap(out_);
  std::erase_if(out, [this](const Frame& frame) { return !owned_.contains(frame.vip); });
  return out;
}

void Announcer::emit(const IpAddress& vip) {
  const std::size_t before = out_.size();
  if (vip.is_v4()) {
    out_.push_back(arp_announcement_request(vip, mac_));
    out_.push_back(arp_announcement_reply(vip, mac_));
  } else {
    out_.push_back(ndp_announcement(vip, mac_));
  }
  batch_frames_ += static_cast<unsigned>(out_.size() - before);
}

}  // namespace herald::l2
