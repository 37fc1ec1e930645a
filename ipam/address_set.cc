#include "ipam/address_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace herald::ipam {

template <typename Number>
bool IntervalSet<Number>::insert(Number n) {
  // Both neighbours are looked at once: this is the allocator's inner loop.
  const auto after = intervals_.upper_bound(n);
  const auto before = after == intervals_.begin() ? intervals_.end() : std::prev(after);
  if (before != intervals_.end() && n <= before->second) return false;
  const bool joins_before = before != intervals_.end() && adjacent(before->second, n);
  const bool joins_after = after != intervals_.end() && adjacent(n, after->first);
  if (joins_before && joins_after) {
    before->second = after->second;
    intervals_.erase(after);
  } else if (joins_before) {
    before->second = n;
  } else if (joins_after) {
    const auto hint = std::next(after);
    auto node = intervals_.extract(after);  // keeps the memory
    node.key() = n;
    intervals_.insert(hint, std::move(node));
  } else {
    intervals_.emplace_hint(after, n, n);
  }
  return true;
}

template <typename Number>
void IntervalSet<Number>::insert(Interval range) {
  auto at = intervals_.upper_bound(range.first);
  if (at != intervals_.begin()) {
    const auto before = std::prev(at);
    if (range.first <= before->second || adjacent(before->second, range.first)) {
      range.first = before->first;
      at = before;
    }
  }
  while (at != intervals_.end() && (at->first <= range.last || adjacent(range.last, at->first))) {
    range.last = std::max(range.last, at->second);
    at = intervals_.erase(at);
  }
  intervals_.emplace_hint(at, range.first, range.last);
}

template <typename Number>
bool IntervalSet<Number>::erase(Number n) {
  const auto after = intervals_.upper_bound(n);
  if (after == intervals_.begin()) return false;
  const auto at = std::prev(after);
  const Number last = at->second;
  if (last < n) return false;
  if (at->first < n) {
    at->second = n - 1;
    if (n < last) intervals_.emplace_hint(after, n + 1, last);
  } else if (n == last) {
    intervals_.erase(at);
  } else {
    auto node = intervals_.extract(at);
    node.key() = n + 1;
    intervals_.insert(after, std::move(node));
  }
  return true;
}

template <typename Number>
auto IntervalSet<Number>::find(Number n) const -> std::optional<Interval> {
  const auto after = intervals_.upper_bound(n);
  if (after == intervals_.begin()) return std::nullopt;
  const auto at = std::prev(after);
  if (at->second < n) return std::nullopt;
  return Interval{at->first, at->second};
}

template <typename Number>
std::optional<Number> IntervalSet<Number>::lowest_free(Interval range) const {
  const auto around = find(range.first);
  if (!around) return range.first;
  if (range.last <= around->last) return std::nullopt;
  return around->last + 1;  // never in another interval: the two would have coalesced
}

bool AddressSet::insert(const IpAddress& a) {
  return a.is_v4() ? v4_.insert(a.v4_number()) : v6_.insert(a.number());
}

void AddressSet::insert(const IpRange& r) {
  if (r.first.is_v4()) {
    v4_.insert({r.first.v4_number(), r.last.v4_number()});
  } else {
    v6_.insert({r.first.number(), r.last.number()});
  }
}

bool AddressSet::erase(const IpAddress& a) {
  return a.is_v4() ? v4_.erase(a.v4_number()) : v6_.erase(a.number());
}

std::optional<IpRange> AddressSet::find(const IpAddress& a) const {
  if (a.is_v4()) {
    const auto found = v4_.find(a.v4_number());
    if (!found) return std::nullopt;
    return IpRange{IpAddress::v4(found->first), IpAddress::v4(found->last)};
  }
  const auto found = v6_.find(a.number());
  if (!found) return std::nullopt;
  return IpRange{IpAddress::v6(found->first), IpAddress::v6(found->last)};
}

std::optional<IpAddress> AddressSet::lowest_free(const IpRange& r) const {
  if (r.first.is_v4()) {
    const auto n = v4_.lowest_free({r.first.v4_number(), r.last.v4_number()});
    return n ? std::optional(IpAddress::v4(*n)) : std::nullopt;
  }
  const auto n = v6_.lowest_free({r.first.number(), r.last.number()});
  return n ? std::optional(IpAddress::v6(*n)) : std::nullopt;
}

std::vector<IpRange> AddressSet::intervals() const {
  std::vector<IpRange> out;
  for (const auto& [first, last] : v4_.intervals()) {
    out.push_back({IpAddress::v4(first), IpAddress::v4(last)});
  }
  for (const auto& [first, last] : v6_.intervals()) {
    out.push_back({IpAddress::v6(first), IpAddress::v6(last)});
  }
  return out;
}

}  // namespace herald::ipam
