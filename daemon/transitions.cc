#include "daemon/transitions.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace herald::daemon {
namespace {

constexpr std::size_t kEachAlone = 5;  // IPs that go the same way; more are told together
constexpr std::size_t kRemembered = 1000;

Log info(std::string text) {
  return {Log::Level::Info, std::move(text)};
}
Log warning(std::string text) {
  return {Log::Level::Warning, std::move(text)};
}

std::string names(const std::vector<coord::GuardRef>& guards) {
  std::vector<std::string> out;
  for (const coord::GuardRef& guard : guards) out.push_back(guard.node.str());
  return join(out, ", ");
}

std::string name_of(const std::optional<NodeName>& owner) {
  return owner ? owner->str() : "nobody";
}

}  // namespace

std::vector<Log> Transitions::of_lease(const coord::Membership& membership) {
  std::vector<Log> out;
  if (membership.joined() ? guards_ == membership.guards() : !guards_) return out;
  const auto before = std::exchange(
      guards_, membership.joined() ? std::optional(membership.guards()) : std::nullopt);
  if (!guards_) return out;
  if (!guards_->empty()) {
    out.push_back(
        info(fmt::format("member {} is guarded by {}: it answers as long as {} of them "
                         "hear it, with or without the store",
                         self_.str(), names(*guards_), coord::quorum(guards_->size()))));
  } else if (before && !before->empty()) {
    out.push_back(
        warning(fmt::format("member {} leases from the store again: too few of {} acknowledge its "
                            "heartbeats",
                            self_.str(), names(*before))));
  }
  return out;
}

std::vector<Log> Transitions::of_members(const coord::Peers& peers) {
  std::vector<Log> out;
  for (const auto& [name, peer] : peers.all()) {
    if (name == self_) continue;
    const coord::MemberDocument& d = peer.document;
    Member now{d.inc, d.revoked, peer.silent_since.has_value(), {}};
    if (const auto said = peers.report().peers.find(name); said != peers.report().peers.end()) {
      for (const auto& [guard, fence] : said->second.fences) {
        if (fence.second == d.rev) now.fenced_by.push_back(guard.str());
      }
    }
    const auto [it, first] = members_.try_emplace(name);
    const Member before = std::exchange(it->second, now);
    if (before == now || (first && d.revoked)) continue;
    const std::string member = "member " + name.str();
    if (before.inc != now.inc && !now.revoked) {
      out.push_back(info(fmt::format("{} has joined (incarnation {})", member, d.inc.value)));
      continue;
    }
    if (!before.revoked && now.revoked) {
      out.push_back(d.info.draining ? info(member + " has left")
                                    : warning(fmt::format("{} is revoked (incarnation {})", member,
                                                          d.inc.value)));
      continue;
    }
    if (now.fenced_by.size() > before.fenced_by.size()) {
      out.push_back(
          warning(fmt::format("{} is given up by {}", member, join(now.fenced_by, ", "))));
    } else if (now.silent && !before.silent) {
      out.push_back(warning(member + " is silent: no heartbeat comes"));
    } else if (!now.silent && before.silent && !now.revoked) {
      out.push_back(info(member + " is heard again"));
    }
  }
  return out;
}

namespace {

// Why an IP is not announced although nobody else has it.
void tell_rest(const coord::TableDocument& before, const coord::TableDocument& now,
               std::vector<Log>& out) {
  static const coord::TableEntry kNone;
  for (const auto& [vip, entry] : now.entries) {
    const coord::TableEntry* had = coord::find(before, vip);
    const coord::TableEntry& was = had == nullptr ? kNone : *had;
    if (entry.quarantine && entry.quarantine != was.quarantine) {
      out.push_back(warning(
          fmt::format("ip {} is quarantined: {} uses it, seen by {} on {}; stop that station or "
                      "give it another address",
                      to_string(vip), to_string(entry.quarantine->station),
                      entry.quarantine->node.str(), entry.quarantine->link)));
    } else if (!entry.quarantine && was.quarantine) {
      out.push_back(info(fmt::format("ip {} is out of quarantine: {} does not answer any more",
                                     to_string(vip), to_string(was.quarantine->station))));
    }
    if (entry.kept_for && entry.kept_for != was.kept_for) {
      out.push_back(info(
          fmt::format("ip {} rests: kept for {}", to_string(vip), to_string(*entry.kept_for))));
    }
  }
}

}  // namespace

std::vector<Log> Transitions::of_shard(const coord::TableDocument& before,
                                       const coord::TableDocument& now, const coord::Peers& peers) {
  // from, to -> the IPs. Whoever is new comes from nobody, whoever is gone goes there.
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> ways;
  for (const auto& [vip, entry] : now.entries) {
    const coord::TableEntry* had = coord::find(before, vip);
    if (had != nullptr && had->owner == entry.owner) continue;
    const std::string from = had == nullptr ? "" : name_of(had->owner);
    ways[{from, name_of(entry.owner)}].push_back(to_string(vip));
  }
  for (const auto& [vip, entry] : before.entries) {
    if (coord::find(now, vip) == nullptr)
      ways[{name_of(entry.owner), ""}].push_back(to_string(vip));
  }

  std::vector<Log> out;
  tell_rest(before, now, out);
  for (const auto& [way, vips] : ways) {
    const auto& [from, to] = way;
    const coord::MemberDocument* source = peers.find(NodeName(from));
    const bool lost = source != nullptr && source->revoked && !source->info.draining;
    const std::string how = from.empty() ? fmt::format("owner {}", to)
                            : to.empty() ? fmt::format("is free again, {} had it", from)
                            : lost       ? fmt::format("owner {}, as {} is lost", to, from)
                                         : fmt::format("owner {}, after {}", to, from);
    if (vips.size() <= kEachAlone) {
      for (const std::string& vip : vips) out.push_back(info(fmt::format("ip {} {}", vip, how)));
    } else {
      out.push_back(info(fmt::format("ips {} and {} more {}", vips.front(), vips.size() - 1, how)));
    }
  }
  return out;
}

void History::add(const Log& said, Instant at) {
  entries_.push_back({next_++, at, said});
  if (entries_.size() > kRemembered) entries_.pop_front();
}

}  // namespace herald::daemon
