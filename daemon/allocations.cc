#include "daemon/allocations.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace herald::daemon {
namespace {
// An IP that no manifest wants is released after this: the manifests of several nodes do not change
// at the same moment.
constexpr Duration kReleaseAfter = 1s;
}  // namespace

const Allocation& Allocations::decide(const Policies& policies, const coord::Table& table,
                                      const StatusWriter& statuses, Instant now) {
  MadeOf made_of{policies.identity(), table.holdings_version(), statuses.version()};
  if (made_of_ == made_of && !due(now)) return allocation_;
  made_of_ = std::move(made_of);
  ++version_;
  allocation_ = allocate(policies, table, pending_, statuses.statuses());
  for (const ipam::Holding& added : allocation_.plan.added) {
    pending_[added.ip] = {added.service};
  }
  std::erase_if(pending_, [&](const auto& given) {
    return table.find(given.first) != nullptr || !allocation_.holdings.contains(given.first);
  });
  keep_for_now(allocation_, now);
  return allocation_;
}

// A leader whose manifests are a moment behind the others' must not free what they have just given.
void Allocations::keep_for_now(Allocation& allocation, Instant now) {
  std::map<ipam::Holding, std::optional<Instant>> due;
  for (const ipam::Holding& holding : allocation.plan.released) {
    const auto it = release_due_.find(holding);
    std::optional<Instant> at = now + kReleaseAfter;
    if (it != release_due_.end()) at = it->second;
    if (at && now >= *at) at.reset();
    if (at) allocation.holdings[holding.ip].push_back(holding.service);
    due[holding] = at;
  }
  release_due_ = std::move(due);
}

void Allocations::forget() {
  release_due_.clear();
  pending_.clear();
  made_of_.reset();
  allocation_ = {};
}

bool Allocations::due(Instant now) const {
  return std::any_of(release_due_.begin(), release_due_.end(),
                     [&](const auto& held) { return held.second && now >= *held.second; });
}

std::optional<Instant> Allocations::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [holding, due] : release_due_) next = earliest(next, due);
  return next;
}

const coord::TablePlan& Placing::plan(const Policies& policies, const Allocations* allocations,
                                      const Allocation* allocation, const coord::Table& table,
                                      const coord::Peers& peers, const Unwilling& unwilling,
                                      Instant now) {
  const bool allocated = allocation != nullptr;
  MadeOf made_of{policies.identity(), allocated,
                 allocated ? allocations->version() : table.holdings_version(),
                 eligible_members(peers, unwilling.leaving, now), unwilling.drained};
  if (made_of_ == made_of) return plan_;
  made_of_ = std::move(made_of);
  ++version_;
  plan_ = place(policies, allocated ? allocation->holdings : holdings_of(table), made_of_->members,
                unwilling.drained);
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
      wanted.pools.push_back(given.pool);
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
