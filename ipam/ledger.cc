#include "ipam/ledger.h"

#include <algorithm>
#include <utility>

#include "ipam/sharing.h"

namespace herald::ipam {
namespace {

// Keys of maps: texts with their lengths, so that no two lists read the same.
void append(std::string& to, std::string_view text) {
  to += std::to_string(text.size());
  to += ':';
  to += text;
}

std::string near_name(const Service& s) {
  std::string out;
  append(out, s.sharing->key);
  append(out, s.name.ns);
  return out;
}
std::string far_name(const Service& s) {
  std::string out;
  append(out, s.sharing->key);
  return out;
}
bool looks_far(const Service& s) {
  return !s.sharing->namespaces.empty();
}

// All that compare_terms() and common_port() look at.
std::string search_name(const Service& s) {
  std::string out = near_name(s);
  out += s.traffic_policy == TrafficPolicy::Local ? 'L' : 'C';
  out += s.sharing->permit_different_pods ? 'd' : 's';
  for (const std::string& ns : s.sharing->namespaces) append(out, ns);
  if (s.traffic_policy == TrafficPolicy::Local) {
    out += '{';
    for (const auto& [key, value] : s.selector) {
      append(out, key);
      append(out, value);
    }
  }
  out += '|';
  auto ports = s.ports;
  std::sort(ports.begin(), ports.end());
  for (const ServicePort& port : ports) {
    out += std::to_string(port.port);
    append(out, to_string(port.protocol));
  }
  return out;
}

}  // namespace

Ledger::Ledger(const std::vector<Pool>& pools) {
  for (const Pool& pool : pools) spaces_.emplace_back(pool);
}

void Ledger::close(const IpAddress& ip) {
  closed_.insert(ip);
  for (PoolSpace& space : spaces_) space.take(ip);
}

void Ledger::Shared::join(const Service* holder) {
  holders.push_back(holder);
  if (holder == nullptr) {
    ++strangers;
    return;
  }
  for (const ServicePort& port : holder->ports) ports.emplace(port, holder);
  for (Party& party : parties) {
    if (!same_terms(*party.one, *holder)) continue;
    ++party.count;
    return;
  }
  parties.push_back({holder, 1});
}

void Ledger::Shared::leave(const Service* holder) {
  holders.erase(std::find(holders.begin(), holders.end(), holder));
  // Rare enough to be done anew: what stays may have been hidden by what goes.
  std::vector<const Service*> left = std::exchange(holders, {});
  parties.clear();
  ports.clear();
  strangers = 0;
  for (const Service* other : left) join(other);
}

void Ledger::add(const IpAddress& ip, const Service* holder) {
  const auto [at, is_new] = seats_.try_emplace(ip);
  Seat& seat = at->second;
  if (is_new) {
    for (PoolSpace& space : spaces_) space.take(ip);
    seat.only = holder;
  } else {
    if (!seat.shared) {
      seat.shared = std::make_unique<Shared>();
      seat.shared->join(seat.only);
    }
    seat.shared->join(holder);
  }
  if (holder == nullptr || !holder->sharing) return;
  for (Members* members : members_with(*holder)) {
    if (members->now.insert(ip).second) members->log.push_back(ip);
  }
}

void Ledger::remove(const IpAddress& ip, const Service* holder) {
  const auto at = seats_.find(ip);
  Seat& seat = at->second;
  if (seat.shared) {
    seat.shared->leave(holder);
    for (const Service* other : seat.shared->holders) {
      if (other == nullptr || !other->sharing) continue;
      for (Members* members : members_with(*other)) members->log.push_back(ip);
    }
    if (!seat.shared->holders.empty()) return;
  }
  seats_.erase(at);
  if (holder != nullptr && holder->sharing) {
    for (Members* members : members_with(*holder)) members->now.erase(ip);
  }
  if (closed_.contains(ip)) return;
  for (PoolSpace& space : spaces_) space.give_back(ip);
}

std::optional<Ledger::Obstacle> Ledger::obstacle(const Seat& seat, const Service& service) {
  if (!seat.shared) {
    if (seat.only == nullptr) return Obstacle{Reason::AlreadyAllocated, nullptr};
    if (seat.only == &service) return std::nullopt;
    const Reason reason = may_share(*seat.only, service);
    if (reason == Reason::Allocated) return std::nullopt;
    return Obstacle{reason, seat.only};
  }
  if (seat.shared->strangers > 0) return Obstacle{Reason::AlreadyAllocated, nullptr};
  for (const Party& party : seat.shared->parties) {
    const Reason reason = compare_terms(*party.one, service);
    if (reason != Reason::Allocated) return Obstacle{reason, party.one};
  }
  for (const ServicePort& port : service.ports) {
    const auto used = seat.shared->ports.find(port);
    if (used != seat.shared->ports.end()) {
      return Obstacle{Reason::SharingPortConflict, used->second};
    }
  }
  return std::nullopt;
}

std::optional<Ledger::Obstacle> Ledger::obstacle(const IpAddress& ip,
                                                 const Service& service) const {
  const auto at = seats_.find(ip);
  return at == seats_.end() ? std::nullopt : obstacle(at->second, service);
}

std::vector<Ledger::Members*> Ledger::members_with(const Service& holder) {
  std::vector<Members*> out = {&members_[near_name(holder)]};
  if (looks_far(holder)) out.push_back(&members_[far_name(holder)]);
  return out;
}

std::optional<IpAddress> Ledger::lowest_shareable(const Service& service, const IpRange& range) {
  if (!service.sharing) return std::nullopt;
  Search& search = searches_[search_name(service)];
  const std::vector<Members*> members = members_with(service);
  const auto catch_up = [&](const Members& with, std::size_t& seen) {
    while (seen < with.log.size()) search.open.insert(with.log[seen++]);
  };
  catch_up(*members[0], search.seen_near);
  if (members.size() > 1) catch_up(*members[1], search.seen_far);

  auto at = search.open.lower_bound(range.first);
  while (at != search.open.end() && *at <= range.last) {
    const auto seat = seats_.find(*at);
    if (seat == seats_.end() || obstacle(seat->second, service)) {
      at = search.open.erase(at);
    } else if (closed_.contains(*at)) {
      ++at;
    } else {
      return *at;
    }
  }
  return std::nullopt;
}

}  // namespace herald::ipam
