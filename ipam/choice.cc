#include "ipam/choice.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/lists.h"
#include "ipam/families.h"

namespace herald::ipam {
namespace {

std::vector<const PoolView*> that_give(const std::vector<PoolView>& pools, IpFamily family) {
  std::vector<const PoolView*> out;
  for (const PoolView& view : pools) {
    if (bar_of(view, family) == Bar::None) out.push_back(&view);
  }
  return out;
}

void look_at_asked_for(std::vector<PoolView>& pools) {
  std::vector<PoolView> asked_for;
  for (const PoolView& view : pools) {
    if (view.asked_for) asked_for.push_back(view);
  }
  pools.swap(asked_for);
}

// Pools that give all or none do not take part where IPs are put together from several.
void set_apart(std::vector<PoolView>& pools, bool one_pool) {
  for (PoolView& view : pools) view.apart = view.pool.one_pool == one_pool;
}

}  // namespace

Chooser::Chooser(const Input& in, Ledger& ledger, std::function<bool(const ObjectName&)> known)
    : in_(in), ledger_(ledger), known_(std::move(known)), namespace_labels_(in.namespaces) {
  by_rank_.resize(in.pools.size());
  std::iota(by_rank_.begin(), by_rank_.end(), std::size_t{0});
  std::sort(by_rank_.begin(), by_rank_.end(),
            [&](std::size_t a, std::size_t b) { return better_pool(in.pools[a], in.pools[b]); });
  for (const auto& [ip, service] : in.resting) resting_of_[service].push_back(ip);
}

std::vector<PoolView> Chooser::look(const Service& s) {
  std::vector<PoolView> out;
  out.reserve(by_rank_.size());
  const Labels labels = selectable_labels(s);
  const Labels& ns_labels = namespace_labels_.of(s.name.ns);
  for (const std::size_t i : by_rank_) {
    const Pool& pool = in_.pools[i];
    PoolView& view = out.emplace_back(PoolView{pool, ledger_.space(i), i});
    view.selects = pool_selects(pool, labels, ns_labels);
    view.families_fit = pool.family_check != FamilyCheck::Exact || families_fit(s);
    view.asked_for = s.requested_pool == pool.name;
  }
  return out;
}

const Pool* Chooser::pool_of(const IpAddress& ip, const Service* service) const {
  const Pool* found = nullptr;
  int found_rank = -1;
  const auto from = in_.came_from.find(ip);
  for (const std::size_t i : by_rank_) {
    if (!ledger_.space(i).contains(ip)) continue;
    const Pool& pool = in_.pools[i];
    int rank = pool.conflicts_with ? 0 : 1;
    if (from != in_.came_from.end() && from->second == pool.name) rank = 2;
    if (service != nullptr && service->requested_pool == pool.name) rank = 3;
    if (rank <= found_rank) continue;
    found = &pool;
    found_rank = rank;
  }
  return found;
}

bool Chooser::of_requested_pool(const Service& s, const IpAddress& ip) const {
  if (!s.requested_pool) return true;
  const auto from = in_.came_from.find(ip);
  if (from != in_.came_from.end() && from->second == *s.requested_pool) return true;
  const Pool* pool = pool_of(ip, &s);
  return pool == nullptr || pool->name == *s.requested_pool;
}

// --- requests ---------------------------------------------------------------------------------

std::vector<Refusal> Chooser::judge_requests(const Service& s, const std::vector<IpAddress>& held) {
  std::vector<Refusal> out;
  std::vector<IpAddress> granted;
  const Refusal* first = nullptr;
  for (const IpAddress& ip : s.requested) {
    out.push_back(contains(held, ip) ? Refusal{} : judge(s, ip));
    if (out.back().reason == Reason::Allocated && !contains(held, ip)) granted.push_back(ip);
  }
  for (const Refusal& r : out) {
    if (r.reason != Reason::Allocated && first == nullptr) first = &r;
  }
  // All or none, where a pool wants that.
  if (granted.empty() || s.requested.size() < 2) return out;
  const auto gives_all_or_none = [&](const IpAddress& ip) {
    const Pool* pool = pool_of(ip, &s);
    return pool != nullptr && pool->one_pool;
  };
  if (std::none_of(granted.begin(), granted.end(), gives_all_or_none)) return out;
  const bool together = std::any_of(by_rank_.begin(), by_rank_.end(), [&](std::size_t i) {
    return std::all_of(s.requested.begin(), s.requested.end(),
                       [&](const IpAddress& ip) { return ledger_.space(i).contains(ip); });
  });
  if (first == nullptr && together) return out;
  const Refusal why = first != nullptr ? *first : refuse_several_pools(s);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (contains(granted, s.requested[i])) out[i] = why;
  }
  return out;
}

Refusal Chooser::judge(const Service& s, const IpAddress& ip) {
  if (Refusal r = check_usable(s, ip); r.reason != Reason::Allocated) return r;
  std::vector<PoolView> pools = look(s);
  if (s.requested_pool) {
    look_at_asked_for(pools);
    if (pools.empty()) return refuse_unknown_pool(s, in_.pools);
  }
  std::vector<PoolView> containing;
  for (const PoolView& view : pools) {
    if (view.space.contains(ip)) containing.push_back(view);
  }
  const FamilyCheck check =
      containing.empty() ? FamilyCheck::Named : containing.front().pool.family_check;
  if (!request_fits(s, ip, check)) return refuse_family(s, ip);
  if (Refusal r = refuse_by_pools(s, ip, containing, pools); r.reason != Reason::Allocated) {
    return r;
  }
  if (const auto user = in_.quarantined.find(ip); user != in_.quarantined.end()) {
    return refuse_quarantined(s, ip, user->second);
  }
  const auto resting = in_.resting.find(ip);
  if (resting != in_.resting.end() && resting->second != s.name && !ledger_.held(ip)) {
    return refuse_resting(s, ip, resting->second);
  }
  return refuse_holder(s, ip);
}

Refusal Chooser::refuse_holder(const Service& s, const IpAddress& ip) {
  const auto obstacle = ledger_.obstacle(ip, s);
  if (!obstacle) return {};
  if (obstacle->holder == nullptr) {
    const auto table = in_.holdings.find(ip);
    const auto gone = std::find_if(table->second.begin(), table->second.end(),
                                   [&](const ObjectName& name) { return !known_(name); });
    return refuse_gone(ip, *gone);
  }
  if (!s.sharing) return refuse_held(ip, obstacle->holder->name);
  return refuse_sharing(s, *obstacle->holder, ip, obstacle->reason);
}

// --- free choice ------------------------------------------------------------------------------

Choice Chooser::choose(const Service& s, const std::vector<IpAddress>& had) {
  const FamilyWish wish = wanted_families(s);
  std::vector<IpFamily> missing;
  for (const IpFamily family : wish.families) {
    if (!has_family(had, family)) missing.push_back(family);
  }
  if (missing.empty() || (!had.empty() && s.family_policy == IpFamilyPolicy::SingleStack)) {
    return {};
  }
  std::vector<PoolView> pools = look(s);
  if (s.requested_pool) {
    look_at_asked_for(pools);
    if (pools.empty()) return {{}, refuse_unknown_pool(s, in_.pools)};
  }
  if (wish.families.size() == 1) return one_by_one(s, missing, wish.or_ipv6, pools);

  if (!had.empty()) {
    // The second family comes from where the first is from.
    const Pool* home = pool_of(had.front(), &s);
    if (home != nullptr) {
      for (PoolView& view : pools)
        view.apart = home->one_pool ? &view.pool != home : view.pool.one_pool;
    }
    return one_by_one(s, missing, false, pools);
  }

  const auto best = std::find_if(pools.begin(), pools.end(), [&](const PoolView& view) {
    return bar_of(view, IpFamily::IPv4) == Bar::None || bar_of(view, IpFamily::IPv6) == Bar::None;
  });
  bool one_pool = best != pools.end() && best->pool.one_pool;
  Choice choice;
  for (int attempt = 0; attempt < 2; ++attempt, one_pool = !one_pool) {
    set_apart(pools, !one_pool);
    const bool any = std::any_of(pools.begin(), pools.end(), [](auto& v) { return !v.apart; });
    if (!any && attempt > 0) break;
    Choice next = one_pool ? from_one_pool(s, missing, wish.one_is_enough, pools)
                           : one_by_one(s, missing, false, pools);
    if (!next.ips.empty()) return next;
    if (attempt == 0 || choice.refusal->reason == Reason::NoMatchingPool) choice = std::move(next);
  }
  return choice;
}

Choice Chooser::one_by_one(const Service& s, const std::vector<IpFamily>& families, bool or_ipv6,
                           const std::vector<PoolView>& pools) {
  Choice choice;
  for (const IpFamily wanted : families) {
    IpFamily family = wanted;
    auto from = that_give(pools, family);
    if (from.empty() && or_ipv6) {
      auto of_ipv6 = that_give(pools, IpFamily::IPv6);
      if (!of_ipv6.empty()) {
        from = std::move(of_ipv6);
        family = IpFamily::IPv6;
      }
    }
    if (const auto ip = pick(s, family, from)) {
      choice.ips.push_back(*ip);
    } else if (!choice.refusal) {
      choice.refusal = refuse_choice(s, family, pools);
    }
  }
  return choice;
}

Choice Chooser::from_one_pool(const Service& s, const std::vector<IpFamily>& families,
                              bool one_is_enough, const std::vector<PoolView>& pools) {
  std::optional<IpFamily> short_of;  // in a pool that has all families
  // With a preference only, the pools for some (they have a priority) come first as a whole.
  const std::vector<bool> rounds =
      one_is_enough ? std::vector<bool>{true, false} : std::vector<bool>{true};
  for (const bool with_priority : rounds) {
    std::vector<const PoolView*> round;
    for (const PoolView& view : pools) {
      if (!one_is_enough || view.pool.priority.has_value() == with_priority) {
        round.push_back(&view);
      }
    }
    for (const PoolView* view : round) {
      if (std::any_of(families.begin(), families.end(),
                      [&](IpFamily family) { return bar_of(*view, family) != Bar::None; })) {
        continue;
      }
      Choice choice;
      for (const IpFamily family : families) {
        if (const auto ip = pick(s, family, {view})) {
          choice.ips.push_back(*ip);
        } else if (!short_of) {
          short_of = family;
        }
      }
      if (choice.ips.size() == families.size()) return choice;
    }
    if (!one_is_enough) continue;
    for (const IpFamily family : families) {
      for (const PoolView* view : round) {
        if (bar_of(*view, family) != Bar::None) continue;
        const auto ip = pick(s, family, {view});
        if (!ip) continue;
        const IpFamily other = family == families[0] ? families[1] : families[0];
        return {{*ip}, refuse_second(s, other, view->pool)};
      }
    }
  }
  if (short_of) return {{}, refuse_choice(s, *short_of, pools)};
  for (const IpFamily family : families) {
    if (that_give(pools, family).empty()) return {{}, refuse_choice(s, family, pools)};
  }
  if (one_is_enough) return {{}, refuse_choice(s, families[0], pools)};
  return {{}, refuse_both(s)};
}

std::optional<IpAddress> Chooser::pick(const Service& s, IpFamily family,
                                       const std::vector<const PoolView*>& from) {
  if (const auto resting = resting_of_.find(s.name); resting != resting_of_.end()) {
    for (const IpAddress& ip : resting->second) {
      const bool given = ip.family() == family && !ledger_.held(ip) &&
                         !in_.quarantined.contains(ip) &&
                         std::any_of(from.begin(), from.end(), [&](const PoolView* view) {
                           return view->space.contains(ip) && !view->space.avoids(ip);
                         });
      if (given) return ip;
    }
  }
  if (s.sharing) {
    if (const auto ip = lowest_shared(s, family, from)) return ip;
  }
  for (const PoolView* view : from) {
    if (const auto ip = lowest(s, family, *view)) return ip;
  }
  return std::nullopt;
}

std::optional<IpAddress> Chooser::lowest_shared(const Service& s, IpFamily family,
                                                const std::vector<const PoolView*>& from) {
  std::optional<IpAddress> best;
  for (const PoolView* view : from) {
    if (!view->pool.prefer_shared) continue;
    for (const IpRange& range : view->pool.ranges) {
      if (range.family() != family) continue;
      const auto ip = ledger_.lowest_shareable(s, range);
      if (ip && !view->space.avoids(*ip) && (!best || *ip < *best)) best = ip;
    }
  }
  return best;
}

std::optional<IpAddress> Chooser::lowest(const Service& s, IpFamily family, const PoolView& from) {
  const auto free = ledger_.space(from.index).lowest_free(family);
  if (!s.sharing || from.pool.prefer_shared) return free;
  for (const IpRange& range : from.pool.ranges) {
    if (range.family() != family) continue;
    auto ip = ledger_.lowest_shareable(s, range);
    if (ip && from.space.avoids(*ip)) ip.reset();
    const bool free_here = free && range.contains(*free);
    if (free_here && (!ip || *free < *ip)) return free;
    if (ip) return ip;
  }
  return free;
}

}  // namespace herald::ipam
