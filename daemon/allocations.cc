#include "daemon/allocations.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace herald::daemon {
namespace {
// An IP that no manifest wants is released after this: the manifests of several nodes do not change
// at the same moment.
constexpr Duration kReleaseAfter = 1s;
// Nobody has asked for an IP that another station used, and perhaps does not any more.
constexpr Duration kQuarantine = 10min;
}  // namespace

std::shared_ptr<const Allocation> Allocations::decide(const Policies& policies,
                                                      const coord::Table& table, const Told& told,
                                                      Instant now) {
  MadeOf made_of{policies.identity(), table.holdings_version(), told.version};
  if (made_of_ == made_of && !due(now)) return allocation_;
  made_of_ = std::move(made_of);
  ++version_;
  remember_pools(policies, table, told);
  Allocation out = allocate(policies, table, remembered_, told.statuses);
  if (told.untold != nullptr) forget_pools_of(out.plan);
  ipam::Holdings& pending = remembered_.pending;
  for (const ipam::Holding& added : out.plan.added) pending.try_emplace(added.ip);
  std::erase_if(pending, [&](const auto& given) {
    return table.find(given.first) != nullptr || !out.holdings.contains(given.first);
  });
  for (auto& [ip, services] : pending) services = out.holdings.at(ip);
  keep_for_now(out, told, now);
  out.staying = staying(policies, table, out.holdings, unowned_for_long(policies, table, now));
  allocation_ = std::make_shared<const Allocation>(std::move(out));
  return allocation_;
}

// What rests or is in quarantine without a service is looked after: that whose time is over.
std::set<IpAddress> Allocations::unowned_for_long(const Policies& policies,
                                                  const coord::Table& table, Instant now) {
  std::map<IpAddress, Stay> stays;
  std::set<IpAddress> over;
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : table.shard(s).entries) {
      if (!entry.services.empty()) continue;
      const auto known = stays_.find(vip);
      const Instant since = known == stays_.end() ? now : known->second.since;
      const Pool* pool = policies.pool_of(vip);
      const Duration length = entry.quarantine  ? kQuarantine
                              : pool != nullptr ? pool->release_hold
                                                : 0s;
      const bool ends = now >= since + length && policies.desired().complete;
      if (ends) over.insert(vip);
      stays[vip] = {since, ends ? std::nullopt : std::optional(since + length)};
    }
  }
  stays_ = std::move(stays);
  return over;
}

// The table does not say from which pool an IP is, and the status of a service that got another one
// does not tell of the one before.
void Allocations::remember_pools(const Policies& policies, const coord::Table& table,
                                 const Told& told) {
  auto& came_from = remembered_.came_from;
  if (told.untold != nullptr && allocation_) {  // an API server's statuses do not tell of pools
    for (const ipam::Decision& decision : allocation_->plan.decisions) {
      for (const ipam::GivenIp& given : decision.ips) {
        if (!given.pool.empty()) came_from[given.ip] = given.pool;
      }
    }
  }
  std::erase_if(came_from, [&](const auto& known) { return table.find(known.first) == nullptr; });
  for (auto& [ip, pool] : pools_told(policies, told.statuses)) came_from[ip] = pool;
}

// What the plan says itself, and will be asked for the next time.
void Allocations::forget_pools_of(const ipam::Plan& plan) {
  for (const ipam::Decision& decision : plan.decisions) {
    for (const ipam::GivenIp& given : decision.ips) {
      if (!given.pool.empty()) remembered_.came_from.erase(given.ip);
    }
  }
}

// A leader whose manifests are a moment behind the others' must not free what they have just given.
void Allocations::keep_for_now(Allocation& allocation, const Told& told, Instant now) {
  std::map<ipam::Holding, std::optional<Instant>> due;
  awaited_.clear();
  for (const ipam::Holding& holding : allocation.plan.released) {
    const auto it = release_due_.find(holding);
    std::optional<Instant> at = now + kReleaseAfter;
    if (it != release_due_.end()) at = it->second;
    if (at && now >= *at) {
      if (told.untold == nullptr || told.untold->contains(holding)) {
        at.reset();
      } else {
        awaited_.insert(holding);
      }
    }
    if (at) allocation.holdings[holding.ip].push_back(holding.service);
    due[holding] = at;
  }
  release_due_ = std::move(due);
}

void Allocations::forget() {
  release_due_.clear();
  awaited_.clear();
  remembered_ = {};
  stays_.clear();
  made_of_.reset();
  allocation_.reset();
}

bool Allocations::due(Instant now) const {
  const auto next = next_deadline();
  return next && now >= *next;
}

std::optional<Instant> Allocations::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [holding, due] : release_due_) {
    if (!awaited_.contains(holding)) next = earliest(next, due);
  }
  for (const auto& [vip, stay] : stays_) next = earliest(next, stay.until);
  return next;
}

const coord::TablePlan& Placing::plan(const Policies& policies, const Allocations* allocations,
                                      const Allocation* allocation, const coord::Table& table,
                                      const coord::Peers& peers, const Unwilling& unwilling,
                                      Instant now) {
  const bool allocated = allocation != nullptr;
  MadeOf made_of{policies.identity(),
                 allocated,
                 allocated ? allocations->version() : table.holdings_version(),
                 eligible_members(peers, unwilling.leaving, now),
                 homes(peers),
                 unwilling.drained};
  if (made_of_ == made_of) return plan_;
  made_of_ = std::move(made_of);
  ++version_;
  plan_ = place(policies, allocated ? allocation->holdings : holdings_of(table), made_of_->members,
                unwilling.drained, made_of_->homes);
  if (!allocated) return plan_;
  for (const auto& [vip, kept_for] : allocation->staying) {
    coord::VipPlan& planned = plan_[vip];
    planned.stays = true;
    planned.kept_for = kept_for;
  }
  return plan_;
}

void StatusWriter::on_seen(const coord::StatusDocument& document) {
  coord::StatusDocument& known = statuses_[document.service];
  if (document.rev <= known.rev) return;
  known = document;
  const auto mine = under_way_.find(document.service);
  if (mine == under_way_.end() || mine->second != document) ++version_;
}

std::optional<coord::StoreRequest> StatusWriter::on_cas(const coord::StatusDocument& document,
                                                        coord::CasOutcome outcome, Duration retry,
                                                        Instant now) {
  if (outcome == coord::CasOutcome::Won) on_seen(document);
  under_way_.erase(document.service);
  if (again_.erase(document.service) > 0) due_ = true;
  if (outcome == coord::CasOutcome::Won) return std::nullopt;
  retry_[document.service] = now + retry;
  return coord::ReadDocument{coord::status_key(document.service)};
}

// The pool of which a status has told; it stays the one that an IP was given from.
PoolName StatusWriter::given_from(const ObjectName& service, const IpAddress& ip) const {
  const auto known = statuses_.find(service);
  if (known == statuses_.end()) return {};
  const coord::StatusDocument& status = known->second;
  const auto at = std::find(status.ips.begin(), status.ips.end(), ip);
  const auto i = static_cast<std::size_t>(at - status.ips.begin());
  return i < status.pools.size() ? status.pools[i] : PoolName{};
}

void StatusWriter::set(const Allocations& allocations, const Allocation& allocation,
                       const coord::Table& table, Instant now) {
  if (set_for_ == allocations.version()) return;
  set_for_ = allocations.version();
  queue_.clear();
  again_.clear();
  for (const ipam::Decision& decision : allocation.plan.decisions) {
    coord::StatusDocument wanted;
    wanted.service = decision.service;
    wanted.reason = ipam::to_string(decision.reason);
    wanted.message = decision.message;
    bool recorded = true;
    for (const ipam::GivenIp& given : decision.ips) {
      wanted.ips.push_back(given.ip);
      wanted.pools.push_back(given.pool.empty() ? given_from(decision.service, given.ip)
                                                : given.pool);
      const coord::TableEntry* entry = table.find(given.ip);
      recorded = recorded && entry != nullptr &&
                 std::find(entry->services.begin(), entry->services.end(), decision.service) !=
                     entry->services.end();
    }
    const auto known = statuses_.find(decision.service);
    const coord::Revision base = known == statuses_.end() ? coord::Revision{} : known->second.rev;
    wanted.rev = base;
    if (known != statuses_.end() && wanted == known->second) continue;
    const auto retry = retry_.find(decision.service);
    if (!recorded || (retry != retry_.end() && now < retry->second)) continue;
    wanted.rev = base.next();
    if (const auto mine = under_way_.find(decision.service); mine != under_way_.end()) {
      if (mine->second != wanted) again_.insert(decision.service);
      continue;
    }
    const bool given = decision.reason == ipam::Reason::Allocated;
    queue_[decision.service] = {Log{given ? Log::Level::Info : Log::Level::Warning,
                                    fmt::format("service {} {}: {}", to_string(decision.service),
                                                wanted.reason, wanted.message)},
                                coord::CasDocument{base, wanted}};
  }
}

void StatusWriter::forget() {
  set_for_ = 0;
  queue_.clear();
  again_.clear();
}

std::vector<StatusWriter::Write> StatusWriter::take_writes() {
  std::vector<Write> out;
  while (!queue_.empty() && under_way_.size() < kMostAtOnce) {
    auto next = queue_.extract(queue_.begin());
    under_way_[next.key()] = std::get<coord::StatusDocument>(next.mapped().write.document);
    out.push_back(std::move(next.mapped()));
  }
  return out;
}

bool StatusWriter::take_due(Instant now) {
  const auto retries =
      std::erase_if(retry_, [&](const auto& retry) { return now >= retry.second; });
  if (retries == 0 && !due_) return false;
  due_ = false;
  set_for_ = 0;
  return true;
}

std::optional<Instant> StatusWriter::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [service, at] : retry_) next = earliest(next, at);
  return next;
}

}  // namespace herald::daemon
