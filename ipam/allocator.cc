#include "ipam/allocator.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/lists.h"
#include "base/text.h"
#include "ipam/choice.h"
#include "ipam/families.h"
#include "ipam/ledger.h"
#include "ipam/matching.h"
#include "ipam/refusal.h"

namespace herald::ipam {
namespace {

constexpr Uint128 kAll = ~Uint128{0};

Uint128 sum(Uint128 a, Uint128 b) {
  return a > kAll - b ? kAll : a + b;
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
  std::string note;     // beside a success
  bool served = false;  // had its turn
};

// What a service does with an IP that it holds.
enum class Stay { Keeps, UntilReplaced, GivesUp };

class Planner {
 public:
  explicit Planner(const Input& in)
      : in_(in),
        ledger_(in.pools),
        chooser_(in, ledger_, [this](const ObjectName& name) { return by_name_.contains(name); }) {
    for (std::size_t i = 0; i < in.services.size(); ++i) {
      Case& c = cases_.emplace_back();
      c.service = &in.services[i];
      c.index = i;
    }
    std::sort(cases_.begin(), cases_.end(),
              [](const Case& a, const Case& b) { return older_service(*a.service, *b.service); });
    for (Case& c : cases_) by_name_.emplace(c.service->name, &c);
    for (const auto& [ip, mac] : in.quarantined) ledger_.close(ip);
    for (const auto& [ip, service] : in.resting) ledger_.close(ip);
  }

  Plan run() {
    keep_what_the_table_says();
    for (Case& c : cases_) adopt_from_status(c);
    do {
      do {
        for (Case& c : cases_) {
          if (wants(c) && !c.service->requested.empty() && may_get_more(c)) grant_requests(c);
        }
      } while (let_go());
      for (Case& c : cases_) {
        if (wants(c) && c.service->requested.empty() && may_get_more(c)) choose_missing(c);
      }
    } while (let_go());
    for (Case& c : cases_) finish(c);
    return report();
  }

 private:
  static bool wants(const Case& c) { return !c.service->headless && !c.service->invalid_request; }

  // Everybody once; after that, who was refused what has come free since: a request only for an IP
  // that it names, for a long chain of requests would be judged again and again.
  bool may_get_more(const Case& c) const {
    if (!c.served) return true;
    const auto& requested = c.service->requested;
    return c.refusal &&
           (requested.empty() || std::any_of(requested.begin(), requested.end(),
                                             [&](auto& ip) { return freed_.contains(ip); }));
  }

  // What services gave up of their statuses comes free when all had their turn: the first of those
  // who want it is to have it, not who happens to be next. Returns whether there is any.
  bool let_go() {
    freed_.clear();
    for (const auto& [ip, service] : std::exchange(leaving_, {})) {
      ledger_.remove(ip, service);
      freed_.insert(ip);
    }
    return !freed_.empty();
  }

  Stay stay(const Service& s, const IpAddress& ip) const {
    if (s.headless) return Stay::GivesUp;
    if (s.invalid_request) return Stay::Keeps;
    if (!s.requested.empty()) {
      const Pool* pool = chooser_.pool_of(ip, &s);
      const bool of_family = pool == nullptr || pool->family_check == FamilyCheck::Any ||
                             permits_family(s, ip.family());
      return contains(s.requested, ip) && of_family && chooser_.of_requested_pool(s, ip)
                 ? Stay::Keeps
                 : Stay::UntilReplaced;
    }
    if (!permits_family(s, ip.family())) return Stay::GivesUp;
    return chooser_.of_requested_pool(s, ip) ? Stay::Keeps : Stay::UntilReplaced;
  }

  // An edit put the IP outside of its pool, and this pool wants it back.
  bool shrunk_away(const IpAddress& ip) const {
    const auto from = in_.came_from.find(ip);
    if (from == in_.came_from.end() || chooser_.pool_of(ip, nullptr) != nullptr) return false;
    return std::any_of(in_.pools.begin(), in_.pools.end(), [&](const Pool& pool) {
      return pool.name == from->second && pool.release_on_shrink;
    });
  }

  void keep_what_the_table_says() {
    for (const auto& [ip, holders] : in_.holdings) {
      const bool lost = in_.quarantined.contains(ip) || shrunk_away(ip);
      std::vector<Case*> known;
      for (const ObjectName& holder : holders) {
        const auto at = by_name_.find(holder);
        if (at != by_name_.end()) known.push_back(at->second);
      }
      // Oldest first: of those who can no longer share it, the older keeps it.
      std::sort(known.begin(), known.end());
      std::vector<const Service*> leaving;
      for (Case* c : known) {
        const Service& s = *c->service;
        const Stay what = lost ? Stay::GivesUp : stay(s, ip);
        if (what == Stay::GivesUp || ledger_.obstacle(ip, s)) {
          dropped_.insert({ip, s.name});
          leaving.push_back(&s);
          continue;
        }
        (what == Stay::Keeps ? c->ips : c->stale).push_back(ip);
        ledger_.add(ip, &s);
      }
      // Until they have stopped, those who leave are in the way of others.
      for (const Service* s : leaving) ledger_.add(ip, s);
      if (known.size() < holders.size()) ledger_.add(ip, nullptr);
    }
  }

  void adopt_from_status(Case& c) {
    const Service& s = *c.service;
    for (const IpAddress& ip : s.held) {
      if (!may_adopt(ip) || contains(c.ips, ip) || contains(c.stale, ip) ||
          dropped_.contains({ip, s.name}) || in_.quarantined.contains(ip) || shrunk_away(ip)) {
        continue;
      }
      const auto resting = in_.resting.find(ip);
      if (resting != in_.resting.end() && resting->second != s.name) continue;
      if (s.foreign_status && chooser_.pool_of(ip, nullptr) == nullptr) continue;
      const Stay what = stay(s, ip);
      if (what == Stay::GivesUp || ledger_.obstacle(ip, s)) continue;
      add(c, ip, what == Stay::Keeps ? c.ips : c.stale);
    }
  }

  void grant_requests(Case& c) {
    const Service& s = *c.service;
    c.served = true;
    c.refusal.reset();
    const std::vector<Refusal> verdicts = chooser_.judge_requests(s, c.ips);
    std::vector<IpFamily> refused;
    for (std::size_t i = 0; i < s.requested.size(); ++i) {
      const IpAddress& ip = s.requested[i];
      if (contains(c.ips, ip)) continue;
      if (verdicts[i].reason != Reason::Allocated) {
        refused.push_back(ip.family());
        if (!c.refusal) c.refusal = verdicts[i];
      } else if (std::erase(c.stale, ip) > 0) {
        c.ips.push_back(ip);
      } else {
        add(c, ip, c.ips);
      }
    }
    // In the order of the request.
    std::stable_sort(c.ips.begin(), c.ips.end(), [&](const IpAddress& a, const IpAddress& b) {
      return std::find(s.requested.begin(), s.requested.end(), a) <
             std::find(s.requested.begin(), s.requested.end(), b);
    });
    settle_stale(c, refused);
  }

  void choose_missing(Case& c) {
    const Service& s = *c.service;
    c.served = true;
    Choice choice = chooser_.choose(s, c.ips);
    for (const IpAddress& ip : choice.ips) add(c, ip, c.ips);
    c.refusal = std::move(choice.refusal);
    std::vector<IpFamily> refused;
    if (c.refusal) refused = {IpFamily::IPv4, IpFamily::IPv6};
    std::stable_sort(c.ips.begin(), c.ips.end(), [](const IpAddress& a, const IpAddress& b) {
      return a.family() < b.family();
    });
    settle_stale(c, refused);
  }

  // What is announced is not withdrawn for a request that cannot be had, unless its pool wants
  // that.
  void settle_stale(Case& c, const std::vector<IpFamily>& refused) {
    std::vector<IpAddress> kept;
    for (const IpAddress& ip : std::exchange(c.stale, {})) {
      const bool still_needed = !has_family(c.ips, ip.family()) && contains(refused, ip.family());
      const Pool* pool = chooser_.pool_of(ip, nullptr);
      if (still_needed && (pool == nullptr || !pool->release_on_refusal)) {
        kept.push_back(ip);
      } else {
        drop(c, ip);
      }
    }
    c.stale = std::move(kept);
  }

  void finish(Case& c) {
    const Service& s = *c.service;
    if (s.headless) {
      c.refusal = refuse_headless(s);
    } else if (s.invalid_request) {
      c.refusal = refuse_invalid(s);
    } else if (!c.stale.empty()) {
      c.refusal->message += fmt::format(" (until then it keeps {})", to_string(c.stale.front()));
      c.ips.insert(c.ips.end(), c.stale.begin(), c.stale.end());
    } else if (c.refusal && s.requested.empty() && wanted_families(s).one_is_enough &&
               !c.ips.empty()) {
      c.note = std::move(c.refusal->message);
      c.refusal.reset();
    }
  }

  void add(Case& c, const IpAddress& ip, std::vector<IpAddress>& to) {
    ledger_.add(ip, c.service);
    added_.insert({ip, c.service->name});
    to.push_back(ip);
  }

  // An IP that was adopted a moment ago comes free in this plan; one in the table has an owner to
  // stop.
  void drop(Case& c, const IpAddress& ip) {
    const Holding holding{ip, c.service->name};
    if (added_.erase(holding) == 0) {
      dropped_.insert(holding);
    } else {
      leaving_.emplace_back(ip, c.service);
    }
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
      const Pool* pool = chooser_.pool_of(ip, c.service);
      d.ips.push_back({ip, pool == nullptr ? PoolName() : pool->name});
      sentences.push_back(pool == nullptr
                              ? outside_of_pools(*c.service, ip)
                              : fmt::format("{} of pool {}", to_string(ip), pool->name.str()));
    }
    if (!c.note.empty()) sentences.push_back(c.note);
    d.message = join(sentences, "; ");
    return d;
  }

  Plan report() const {
    Plan plan;
    plan.decisions.resize(cases_.size());
    for (const Case& c : cases_) plan.decisions[c.index] = decision_of(c);
    plan.added.assign(added_.begin(), added_.end());
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
    for (std::size_t i = 0; i < in_.pools.size(); ++i) {
      const PoolSpace& space = ledger_.space(i);
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
  Ledger ledger_;
  Chooser chooser_;
  std::vector<Case> cases_;  // oldest first
  std::map<ObjectName, Case*> by_name_;
  std::set<Holding> added_;
  std::set<Holding> dropped_;                                  // in the table, and no longer wanted
  std::vector<std::pair<IpAddress, const Service*>> leaving_;  // adopted, and given up again
  std::set<IpAddress> freed_;                                  // by the last let_go()
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
