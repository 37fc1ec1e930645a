#include "daemon/rebalance.h"

#include <algorithm>

namespace herald::daemon {
namespace {

const coord::Candidate* find(const coord::VipPlan& plan, const NodeName& node) {
  const auto it = std::find_if(plan.candidates->begin(), plan.candidates->end(),
                               [&](const coord::Candidate& c) { return c.node == node; });
  return it == plan.candidates->end() ? nullptr : &*it;
}

}  // namespace

void Rebalance::forget() {
  leads_ = false;
  settled_.clear();
  newcomers_.clear();
  batch_.clear();
  kept_back_.clear();
}

// A leader that begins does not know who came lately: whoever has nothing counts as new.
void Rebalance::see(const coord::TablePlan& plan, const coord::Table& table, Instant now) {
  std::set<NodeName> eligible;
  for (const auto& [vip, planned] : plan) {
    for (const coord::Candidate& c : *planned.candidates) eligible.insert(c.node);
  }
  if (!leads_) {
    const auto counts = table.counts();
    for (const NodeName& node : eligible) {
      if (counts.contains(node)) settled_.insert(node);
    }
    leads_ = true;
  }
  const auto left = [&](const NodeName& node) { return !eligible.contains(node); };
  std::erase_if(settled_, left);
  std::erase_if(newcomers_, [&](const auto& newcomer) { return left(newcomer.first); });
  std::erase_if(kept_back_, [&](const auto& kept) { return left(kept.second); });
  for (const NodeName& node : eligible) {
    if (!settled_.contains(node)) newcomers_.emplace(node, now);
  }
}

bool Rebalance::batch_done(const coord::Table& table, Instant now) {
  if (batch_.empty()) return true;
  std::erase_if(batch_, [&](const auto& wished) {
    const coord::TableEntry* entry = table.find(wished.first);
    return entry == nullptr || entry->epoch != wished.second;
  });
  if (!batch_.empty() && now < batch_limit_) return false;
  for (const auto& [vip, epoch] : batch_) kept_back_.emplace(vip, batch_to_);
  batch_.clear();
  next_batch_ = now + timing_.pause;
  return true;
}

std::vector<Rebalance::Move> Rebalance::step(const coord::TablePlan& plan,
                                             std::uint64_t plan_version, const Policies& policies,
                                             const coord::Table& table, const coord::Peers& peers,
                                             Instant now) {
  if (!leads_ || plan_version != seen_plan_) see(plan, table, now);
  seen_plan_ = plan_version;
  if (!batch_done(table, now) || now < next_batch_) return {};
  for (auto it = newcomers_.begin(); it != newcomers_.end();) {
    const auto here = it++;
    const NodeName node = here->first;
    if (now < here->second + timing_.settle) continue;
    auto batch = batch_for(node, plan, policies, table, peers);
    if (batch.empty()) {
      newcomers_.erase(here);
      settled_.insert(node);
      continue;
    }
    for (const Move& move : batch) batch_[move.vip] = table.find(move.vip)->epoch;
    batch_to_ = node;
    batch_limit_ = now + timing_.limit;
    return batch;
  }
  return {};
}

// Of the first shard that has any: IPs of which the newcomer is preferred to the owner, and each
// owner's share of those that have to move until no owner has two more than the newcomer.
std::vector<Rebalance::Move> Rebalance::batch_for(const NodeName& newcomer,
                                                  const coord::TablePlan& plan,
                                                  const Policies& policies,
                                                  const coord::Table& table,
                                                  const coord::Peers& peers) const {
  const coord::MemberDocument* document = peers.find(newcomer);
  if (document == nullptr) return {};
  const Labels labels = policies.node(newcomer, document->info.labels).labels;
  struct Movable {
    IpAddress vip;
    NodeName owner;
    bool preferred;
  };
  std::map<unsigned, std::vector<Movable>> shards;
  auto counts = table.counts();
  std::map<NodeName, std::size_t> donors;  // and how many they could give
  for (const auto& [vip, planned] : plan) {
    const coord::TableEntry* entry = table.find(vip);
    if (entry == nullptr || !entry->owner || entry->owner == newcomer ||
        entry->wish != coord::TableEntry::Wish::Keep || kept_back_.contains({vip, newcomer})) {
      continue;
    }
    const coord::Candidate *to = find(planned, newcomer), *from = find(planned, *entry->owner);
    if (to == nullptr || from == nullptr || to->preference < from->preference) continue;
    const auto selecting = policies.l2_policies(vip, entry->services, labels);
    if (!std::all_of(selecting.begin(), selecting.end(),
                     [](const L2Policy* p) { return p->rebalance; })) {
      continue;
    }
    const bool preferred = to->preference > from->preference;
    shards[coord::shard_of(vip)].push_back({vip, *entry->owner, preferred});
    if (preferred) {
      --counts[*entry->owner];
      ++counts[newcomer];
    } else {
      ++donors[*entry->owner];
    }
  }

  std::map<NodeName, std::size_t> shares;
  while (!donors.empty()) {
    const auto most = std::max_element(
        donors.begin(), donors.end(),
        [&](const auto& a, const auto& b) { return counts[a.first] < counts[b.first]; });
    if (counts[most->first] < counts[newcomer] + 2) break;
    --counts[most->first];
    ++counts[newcomer];
    ++shares[most->first];
    if (--most->second == 0) donors.erase(most);
  }

  std::vector<Move> out;
  for (const auto& [shard, movables] : shards) {
    for (const Movable& m : movables) {
      if (!m.preferred) {
        const auto share = shares.find(m.owner);
        if (share == shares.end() || share->second == 0) continue;
        --share->second;
      }
      out.push_back({m.vip, newcomer});
    }
    if (!out.empty()) break;
  }
  return out;
}

std::optional<Instant> Rebalance::next_deadline() const {
  if (!batch_.empty()) return batch_limit_;
  std::optional<Instant> next;
  for (const auto& [node, since] : newcomers_) {
    next = earliest(next, std::max(since + timing_.settle, next_batch_));
  }
  return next;
}

}  // namespace herald::daemon
