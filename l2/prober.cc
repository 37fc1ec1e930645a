#include "l2/prober.h"

#include <algorithm>

#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"

namespace herald::l2 {

void Prober::set(const Wanted& wanted, Instant now) {
  for (auto it = probes_.begin(); it != probes_.end();) {
    const auto& vip = it->first;
    const auto still = wanted.find(vip);
    if (still != wanted.end() && !still->second.empty()) {
      ++it;
      continue;
    }
    schedule(vip, it->second, kNever);
    it = probes_.erase(it);
  }
  for (const auto& [vip, from] : wanted) {
    if (from.empty()) continue;
    const auto [it, first] = probes_.try_emplace(vip);
    Probe& probe = it->second;
    if (!first && (probe.from == from || probe.state == State::Free)) continue;
    probe.from = from;
    begin(vip, probe, now);
  }
  tick(now);
}

void Prober::forget(const IpAddress& vip) {
  const auto it = probes_.find(vip);
  if (it == probes_.end()) return;
  schedule(vip, it->second, kNever);
  probes_.erase(it);
}

bool Prober::taken(const IpAddress& vip, Instant now) {
  const auto it = probes_.find(vip);
  if (it == probes_.end() || it->second.state == State::Free) return false;
  it->second.state = State::Taken;
  schedule(vip, it->second, now + timing_.again);
  return true;
}

void Prober::begin(const IpAddress& vip, Probe& probe, Instant now) {
  probe.state = State::Probing;
  probe.left = std::max(timing_.count, 1u);
  schedule(vip, probe, now);
}

void Prober::schedule(const IpAddress& vip, Probe& probe, Instant due) {
  if (probe.due != kNever) queue_.erase({probe.due, vip});
  probe.due = due;
  if (due != kNever) queue_.emplace(due, vip);
}

void Prober::tick(Instant now) {
  while (!queue_.empty() && queue_.begin()->first <= now) {
    if (batch_frames_ >= kBatchFrames) {
      if (now < batch_from_ + kBatchGap) return;
      batch_frames_ = 0;
    }
    if (batch_frames_ == 0) batch_from_ = now;
    const IpAddress vip = queue_.begin()->second;
    Probe& probe = probes_.at(vip);
    if (probe.state == State::Taken) {
      begin(vip, probe, now);
      ++version_;
    } else if (probe.left > 0) {
      --probe.left;
      emit(vip, probe);
      schedule(vip, probe, now + (probe.left > 0 ? timing_.interval : timing_.quiet));
    } else if (now > probe.due + timing_.quiet) {
      // A late thread: what has answered may still wait to be heard.
      schedule(vip, probe, now + timing_.quiet);
    } else {
      probe.state = State::Free;
      schedule(vip, probe, kNever);
      free_.push_back(vip);
      ++version_;
    }
  }
}

std::optional<Instant> Prober::next_deadline() const {
  if (queue_.empty()) return std::nullopt;
  const Instant due = queue_.begin()->first;
  return batch_frames_ >= kBatchFrames ? std::max(due, batch_from_ + kBatchGap) : due;
}

Prober::State Prober::state(const IpAddress& vip) const {
  const auto it = probes_.find(vip);
  return it == probes_.end() ? State::Unknown : it->second.state;
}

std::vector<std::pair<LinkIndex, Frame>> Prober::take_frames() {
  std::vector<std::pair<LinkIndex, Frame>> out;
  out.swap(out_);
  std::erase_if(out, [&](const auto& sent) { return state(sent.second.vip) != State::Probing; });
  return out;
}

std::vector<IpAddress> Prober::take_free() {
  std::vector<IpAddress> out;
  out.swap(free_);
  std::erase_if(out, [&](const IpAddress& vip) { return state(vip) != State::Free; });
  return out;
}

void Prober::emit(const IpAddress& vip, const Probe& probe) {
  for (const From& from : probe.from) {
    out_.emplace_back(from.link, vip.is_v4() ? arp_probe(vip, from.mac) : ndp_probe(vip, from.mac));
    ++batch_frames_;
  }
}

}  // namespace herald::l2
