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

Allocation Allocations::decide(const Policies& policies, const coord::Table& table,
                               const Statuses& statuses, Instant now) {
  Allocation allocation = allocate(policies, table, pending_, statuses);
  for (const ipam::Holding& added : allocation.plan.added) {
    pending_[added.ip] = {added.service};
  }
  std::erase_if(pending_, [&](const auto& given) {
    return table.find(given.first) != nullptr || !allocation.holdings.contains(given.first);
  });
  keep_for_now(allocation, now);
  return allocation;
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

void StatusWriter::on_seen(const coord::StatusDocument& document) {
  coord::StatusDocument& known = statuses_[document.service];
  if (document.rev > known.rev) known = document;
}

std::optional<coord::StoreRequest> StatusWriter::on_cas(const coord::StatusDocument& document,
                                                        coord::CasOutcome outcome, Duration retry,
                                                        Instant now) {
  retry_.erase(document.service);
  if (outcome == coord::CasOutcome::Won) {
    on_seen(document);
    return std::nullopt;
  }
  retry_[document.service] = now + retry;
  return coord::ReadDocument{coord::status_key(document.service)};
}

std::vector<StatusWriter::Write> StatusWriter::write(const ipam::Plan& plan,
                                                     const coord::Table& table, Instant now) {
  std::vector<Write> out;
  for (const ipam::Decision& decision : plan.decisions) {
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
    if (known != statuses_.end()) {
      wanted.rev = known->second.rev;
      if (wanted == known->second) continue;
    }
    const auto retry = retry_.find(decision.service);
    if (!recorded || (retry != retry_.end() && now < retry->second)) continue;
    retry_[decision.service] = kNever;  // under way
    wanted.rev = base.next();
    const bool given = decision.reason == ipam::Reason::Allocated;
    out.push_back({Log{given ? Log::Level::Info : Log::Level::Warning,
                       fmt::format("service {} {}: {}", to_string(decision.service), wanted.reason,
                                   wanted.message)},
                   coord::CasDocument{base, wanted}});
  }
  return out;
}

bool StatusWriter::take_due(Instant now) {
  return std::erase_if(retry_, [&](const auto& retry) { return now >= retry.second; }) > 0;
}

std::optional<Instant> StatusWriter::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [service, at] : retry_) {
    if (at != kNever) next = earliest(next, at);
  }
  return next;
}

}  // namespace herald::daemon
