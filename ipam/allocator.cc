#include "ipam/allocator.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "base/text.h"
#include "ipam/families.h"
#include "ipam/matching.h"
#include "ipam/pool_space.h"
#include "ipam/refusal.h"

namespace herald::ipam {
namespace {

constexpr Uint128 kAll = ~Uint128{0};

Uint128 sum(Uint128 a, Uint128 b) {
  return a > kAll - b ? kAll : a + b;
}

bool has(const std::vector<IpAddress>& ips, const IpAddress& ip) {
  return std::find(ips.begin(), ips.end(), ip) != ips.end();
}
bool has_family(const std::vector<IpAddress>& ips, IpFamily family) {
  return std::any_of(ips.begin(), ips.end(),
                     [&](const IpAddress& ip) { return ip.family() == family; });
}

// A status comes with the manifests, so it may say anything.
bool may_adopt(const IpAddress& ip) {
  return !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast();
}

// What becomes of one service.
struct Case {
  const Service* service = nullptr;
  std::size_t index = 0;  // in Input::services
  std::vector<IpAddress> ips;
  std::vector<IpAddress> stale;  // held, but no longer what the service asks for
  std::optional<Refusal> refusal;
  std::string note;  // beside a success
};

class Planner {
 public:
  explicit Planner(const Input& in) : in_(in), namespace_labels_(in.namespaces) {
    for (const Pool& pool : in.pools) spaces_.emplace_back(pool);
    by_rank_.resize(in.pools.size());
    std::iota(by_rank_.begin(), by_rank_.end(), std::size_t{0});
    std::sort(by_rank_.begin(), by_rank_.end(),
              [&](std::size_t a, std::size_t b) { return better_pool(in.pools[a], in.pools[b]); });
    for (std::size_t i = 0; i < in.services.size(); ++i) {
      Case& c = cases_.emplace_back();
      c.service = &in.services[i];
      c.index = i;
    }
    std::sort(cases_.begin(), cases_.end(),
              [](const Case& a, const Case& b) { return older_service(*a.service, *b.service); });
    for (Case& c : cases_) by_name_.emplace(c.service->name, &c);
    for (const auto& [ip, mac] : in.quarantined) take(ip);
    for (const auto& [ip, service] : in.resting) {
      take(ip);
      resting_of_[service].push_back(ip);
    }
  }

  Plan run() {
    keep_what_the_table_says();
    for (Case& c : cases_) adopt_from_status(c);
    for (Case& c : cases_) {
      if (!c.service->requested.empty()) grant_requests(c);
    }
    for (Case& c : cases_) {
      if (c.service->requested.empty()) choose_missing(c);
    }
    return report();
  }

 private:
  bool permits(const Service& s, const IpAddress& ip) const {
    return (s.requested.empty() || has(s.requested, ip)) && permits_family(s, ip.family());
  }

  // An edit put the IP outside of its pool, and this pool wants it back.
  bool shrunk_away(const IpAddress& ip) const {
    const auto from = in_.came_from.find(ip);
    if (from == in_.came_from.end() || !pool_of(ip).empty()) return false;
    return std::any_of(in_.pools.begin(), in_.pools.end(), [&](const Pool& pool) {
      return pool.name == from->second && pool.release_on_shrink;
    });
  }
  bool rests_for_another(const Service& s, const IpAddress& ip) const {
    const auto resting = in_.resting.find(ip);
    return resting != in_.resting.end() && resting->second != s.name;
  }

  void keep_what_the_table_says() {
    for (const auto& [ip, holders] : in_.holdings) {
      if (holders.empty()) continue;
      take(ip);
      const bool lost = in_.quarantined.contains(ip) || shrunk_away(ip);
      for (const ObjectName& holder : holders) {
        const auto at = by_name_.find(holder);
        if (at == by_name_.end()) continue;
        Case& c = *at->second;
        if (lost) {
          dropped_.insert({ip, holder});
        } else {
          (permits(*c.service, ip) ? c.ips : c.stale).push_back(ip);
        }
      }
    }
  }

  bool in_a_pool(const IpAddress& ip) const {
    return std::any_of(spaces_.begin(), spaces_.end(),
                       [&](const PoolSpace& space) { return space.contains(ip); });
  }

  void adopt_from_status(Case& c) {
    const Service& s = *c.service;
    for (const IpAddress& ip : s.held) {
      if (!may_adopt(ip) || holder_of(ip) || in_.quarantined.contains(ip) ||
          rests_for_another(s, ip) || shrunk_away(ip)) {
        continue;
      }
      if (s.foreign_status && !in_a_pool(ip)) continue;
      if (permits(s, ip)) {
        add(c, ip, c.ips);
      } else if (!s.requested.empty()) {
        add(c, ip, c.stale);
      }
    }
  }

  void grant_requests(Case& c) {
    const Service& s = *c.service;
    std::set<IpAddress> refused;
    for (const IpAddress& ip : s.requested) {
      if (has(c.ips, ip)) continue;
      Refusal refusal = try_request(c, ip);
      if (refusal.reason == Reason::Allocated) continue;
      refused.insert(ip);
      if (!c.refusal) c.refusal = std::move(refusal);
    }
    // In the order of the request.
    std::stable_sort(c.ips.begin(), c.ips.end(), [&](const IpAddress& a, const IpAddress& b) {
      return std::find(s.requested.begin(), s.requested.end(), a) <
             std::find(s.requested.begin(), s.requested.end(), b);
    });
    // What is announced is not withdrawn for a request that cannot be had.
    std::vector<IpAddress> dropped;
    for (const IpAddress& ip : std::exchange(c.stale, {})) {
      const bool still_needed =
          !has_family(c.ips, ip.family()) &&
          std::any_of(refused.begin(), refused.end(),
                      [&](const IpAddress& r) { return r.family() == ip.family(); });
      (still_needed ? c.stale : dropped).push_back(ip);
    }
    for (const IpAddress& ip : dropped) drop(c, ip);
    if (!c.stale.empty()) {
      c.refusal->message += fmt::format(" (until then it keeps {})", to_string(c.stale.front()));
      c.ips.insert(c.ips.end(), c.stale.begin(), c.stale.end());
    }
  }

  Refusal try_request(Case& c, const IpAddress& ip) {
    const Service& s = *c.service;
    if (Refusal r = check_request(s, ip); r.reason != Reason::Allocated) return r;
    if (const auto own = std::find(c.stale.begin(), c.stale.end(), ip); own != c.stale.end()) {
      c.stale.erase(own);
      c.ips.push_back(ip);
      return {};
    }
    const std::vector<PoolView> containing =
        views(s, [&](std::size_t i) { return spaces_[i].contains(ip); });
    if (Refusal r = refuse_by_pools(s, ip, containing, in_.pools); r.reason != Reason::Allocated) {
      return r;
    }
    if (const auto user = in_.quarantined.find(ip); user != in_.quarantined.end()) {
      return refuse_quarantined(s, ip, user->second);
    }
    if (const auto holder = holder_of(ip)) {
      return refuse_held(ip, *holder, !by_name_.contains(*holder));
    }
    if (rests_for_another(s, ip)) return refuse_resting(s, ip, in_.resting.at(ip));
    add(c, ip, c.ips);
    return {};
  }

  void choose_missing(Case& c) {
    const Service& s = *c.service;
    for (const IpAddress& ip : std::exchange(c.stale, {})) drop(c, ip);
    if (!c.ips.empty() && s.family_policy == IpFamilyPolicy::SingleStack) return;

    const FamilyWish wish = wanted_families(s);
    for (const IpFamily family : wish.families) {
      if (has_family(c.ips, family)) continue;
      std::optional<Refusal> refusal = choose(c, family);
      if (refusal && refusal->reason == Reason::NoMatchingPool && wish.or_ipv6) {
        auto of_ipv6 = choose(c, IpFamily::IPv6);
        if (!of_ipv6 || of_ipv6->reason != Reason::NoMatchingPool) refusal = std::move(of_ipv6);
      }
      if (refusal && !c.refusal) c.refusal = std::move(refusal);
    }
    if (c.refusal && wish.one_is_enough && !c.ips.empty()) {
      c.note = std::move(c.refusal->message);
      c.refusal.reset();
    }
    std::stable_sort(c.ips.begin(), c.ips.end(), [&](const IpAddress& a, const IpAddress& b) {
      return std::find(wish.families.begin(), wish.families.end(), a.family()) <
             std::find(wish.families.begin(), wish.families.end(), b.family());
    });
  }

  // What the service had a moment ago, else the lowest free address of the best pool; a refusal if
  // there is none.
  std::optional<Refusal> choose(Case& c, IpFamily family) {
    const Service& s = *c.service;
    bool exhausted = false;
    const Labels labels = selectable_labels(s);
    const Labels& ns_labels = namespace_labels_.of(s.name.ns);
    std::vector<std::size_t> usable;
    for (const std::size_t i : by_rank_) {
      const Pool& pool = in_.pools[i];
      if (pool.auto_assign && !pool.disabled && !pool.conflicts_with &&
          spaces_[i].has_family(family) && pool_selects(pool, labels, ns_labels)) {
        usable.push_back(i);
      }
    }
    if (const auto resting = resting_of_.find(s.name); resting != resting_of_.end()) {
      for (const IpAddress& ip : resting->second) {
        const bool in_a_pool =
            ip.family() == family && std::any_of(usable.begin(), usable.end(), [&](std::size_t i) {
              return spaces_[i].contains(ip) && !spaces_[i].avoids(ip);
            });
        if (!in_a_pool || in_.quarantined.contains(ip) || holder_of(ip)) continue;
        add(c, ip, c.ips);
        return std::nullopt;
      }
    }
    for (const std::size_t i : usable) {
      if (const auto ip = spaces_[i].lowest_free(family)) {
        add(c, *ip, c.ips);
        return std::nullopt;
      }
      exhausted = true;
    }
    return refuse_choice(s, family, views(s, [](std::size_t) { return true; }), exhausted);
  }

  template <typename Wanted>
  std::vector<PoolView> views(const Service& s, Wanted wanted) {
    std::vector<PoolView> out;
    const Labels labels = selectable_labels(s);
    const Labels& ns_labels = namespace_labels_.of(s.name.ns);
    for (const std::size_t i : by_rank_) {
      const Pool& pool = in_.pools[i];
      if (wanted(i)) out.push_back({pool, spaces_[i], pool_selects(pool, labels, ns_labels)});
    }
    return out;
  }

  std::optional<ObjectName> holder_of(const IpAddress& ip) const {
    const auto held = in_.holdings.find(ip);
    if (held != in_.holdings.end() && !held->second.empty()) return held->second.front();
    const auto added = added_.find(ip);
    if (added != added_.end()) return added->second;
    return std::nullopt;
  }

  void take(const IpAddress& ip) {
    for (PoolSpace& space : spaces_) space.take(ip);
  }

  void add(Case& c, const IpAddress& ip, std::vector<IpAddress>& to) {
    take(ip);
    added_.emplace(ip, c.service->name);
    to.push_back(ip);
  }

  // An IP that was adopted a moment ago is free at once; one in the table has an owner to stop.
  void drop(Case& c, const IpAddress& ip) {
    if (added_.erase(ip) == 0) {
      dropped_.insert({ip, c.service->name});
      return;
    }
    if (in_.resting.contains(ip)) return;
    for (PoolSpace& space : spaces_) space.give_back(ip);
  }

  // The pool to name beside an IP: the best of those that contain it, one in use before others.
  PoolName pool_of(const IpAddress& ip) const {
    PoolName found;
    for (const std::size_t i : by_rank_) {
      if (!spaces_[i].contains(ip)) continue;
      if (!in_.pools[i].conflicts_with) return in_.pools[i].name;
      if (found.empty()) found = in_.pools[i].name;
    }
    return found;
  }

  Decision decision_of(const Case& c) const {
    Decision d;
    d.service = c.service->name;
    std::vector<std::string> sentences;
    if (c.refusal) {
      d.reason = c.refusal->reason;
      sentences.push_back(c.refusal->message);
    }
    for (const IpAddress& ip : c.ips) {
      d.ips.push_back({ip, pool_of(ip)});
      const PoolName& pool = d.ips.back().pool;
      sentences.push_back(
          pool.empty() ? fmt::format("{} is in no pool and kept for {}: put a pool over it, or "
                                     "delete the service to free it",
                                     to_string(ip), to_string(c.service->name))
                       : fmt::format("{} of pool {}", to_string(ip), pool.str()));
    }
    if (!c.note.empty()) sentences.push_back(c.note);
    d.message = join(sentences, "; ");
    return d;
  }

  Plan report() const {
    Plan plan;
    plan.decisions.resize(cases_.size());
    for (const Case& c : cases_) plan.decisions[c.index] = decision_of(c);
    for (const auto& [ip, service] : added_) plan.added.push_back({ip, service});
    if (in_.complete) {
      for (const auto& [ip, holders] : in_.holdings) {
        for (const ObjectName& holder : holders) {
          if (!by_name_.contains(holder) || dropped_.contains({ip, holder})) {
            plan.released.push_back({ip, holder});
          }
        }
      }
      std::sort(plan.released.begin(), plan.released.end());
    }
    for (std::size_t i = 0; i < spaces_.size(); ++i) {
      const PoolSpace& space = spaces_[i];
      constexpr auto v4 = IpFamily::IPv4, v6 = IpFamily::IPv6;
      plan.pools.push_back({.name = in_.pools[i].name,
                            .total_v4 = space.total(v4),
                            .total_v6 = space.total(v6),
                            .used_v4 = space.used(v4),
                            .used_v6 = space.used(v6),
                            .available_v4 = space.available(v4),
                            .available_v6 = space.available(v6)});
    }
    return plan;
  }

  const Input& in_;
  NamespaceLabels namespace_labels_;
  std::vector<PoolSpace> spaces_;     // as Input::pools
  std::vector<std::size_t> by_rank_;  // indices into it, best first
  std::vector<Case> cases_;           // oldest first
  std::map<ObjectName, Case*> by_name_;
  std::map<IpAddress, ObjectName> added_;
  std::set<Holding> dropped_;
  std::map<ObjectName, std::vector<IpAddress>> resting_of_;
};

}  // namespace

Uint128 PoolUsage::total() const {
  return sum(total_v4, total_v6);
}
Uint128 PoolUsage::used() const {
  return sum(used_v4, used_v6);
}
Uint128 PoolUsage::available() const {
  return sum(available_v4, available_v6);
}

Plan plan(const Input& input) {
  return Planner(input).run();
}

Holdings carry_out(const Plan& plan, Holdings holdings) {
  for (const Holding& h : plan.released) {
    const auto at = holdings.find(h.ip);
    if (at == holdings.end()) continue;
    std::erase(at->second, h.service);
    if (at->second.empty()) holdings.erase(at);
  }
  for (const Holding& h : plan.added) {
    auto& holders = holdings[h.ip];
    holders.insert(std::lower_bound(holders.begin(), holders.end(), h.service), h.service);
  }
  return holdings;
}

}  // namespace herald::ipam
