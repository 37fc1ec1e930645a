#include "ipam/pool_space.h"

#include <algorithm>

namespace herald::ipam {
namespace {

constexpr Uint128 kAll = ~Uint128{0};

Uint128 add(Uint128 a, Uint128 b) {
  return a > kAll - b ? kAll : a + b;
}

bool is_buggy(const IpAddress& a) {
  return a.is_v4() && ((a.number() & 0xff) == 0 || (a.number() & 0xff) == 0xff);
}

// How many of 0..n-1 end in .0 or .255.
Uint128 buggy_below(Uint128 n) {
  return n / 256 * 2 + (n % 256 > 0 ? 1 : 0);
}

Uint128 buggy_in(const IpRange& range) {
  if (range.family() != IpFamily::IPv4) return 0;
  return buggy_below(range.last.number() + 1) - buggy_below(range.first.number());
}

}  // namespace

PoolSpace::PoolSpace(const Pool& pool)
    : ranges_(pool.ranges), avoid_buggy_ipv4_(pool.avoid_buggy_ipv4) {
  for (const IpRange& range : pool.ranges) inside_.insert(range);
  for (const IpRange& range : pool.avoided) avoided_.insert(range);
  for (const IpRange& range : inside_.intervals()) {
    Count& c = count(range.family());
    c.total = add(c.total, range.size() - avoided_in(range));
  }
}

bool PoolSpace::contains(const IpAddress& address) const {
  return inside_.contains(address);
}

bool PoolSpace::avoids(const IpAddress& address) const {
  return avoided_.contains(address) || (avoid_buggy_ipv4_ && is_buggy(address));
}

bool PoolSpace::has_family(IpFamily family) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const IpRange& r) { return r.family() == family; });
}

// What is closed and not avoided is held; of what is avoided, held_avoided_ knows.
void PoolSpace::take(const IpAddress& address) {
  if (!contains(address)) return;
  Count& c = count(address.family());
  if (avoids(address)) {
    if (!held_avoided_.insert(address)) return;
    closed_.insert(address);
    ++c.used_avoided;
  } else if (!closed_.insert(address)) {
    return;
  }
  ++c.used;
}

void PoolSpace::give_back(const IpAddress& address) {
  if (!contains(address)) return;
  Count& c = count(address.family());
  if (avoids(address)) {
    if (!held_avoided_.erase(address)) return;
    --c.used_avoided;  // stays closed: it is not to be given again
  } else if (!closed_.erase(address)) {
    return;
  }
  --c.used;
}

std::optional<IpAddress> PoolSpace::lowest_free(IpFamily family) {
  for (const IpRange& range : ranges_) {
    if (range.family() != family) continue;
    while (const auto candidate = closed_.lowest_free(range)) {
      const auto end = end_of_avoided(*candidate);
      if (!end) return candidate;
      closed_.insert(IpRange{*candidate, std::min(*end, range.last)});
    }
  }
  return std::nullopt;
}

std::optional<IpAddress> PoolSpace::end_of_avoided(const IpAddress& address) const {
  if (const auto around = avoided_.find(address)) return around->last;
  if (avoid_buggy_ipv4_ && is_buggy(address)) return address;
  return std::nullopt;
}

// Counted without walking the range: both ways to avoid may name the same address.
Uint128 PoolSpace::avoided_in(const IpRange& range) const {
  Uint128 avoided = avoid_buggy_ipv4_ ? buggy_in(range) : 0;
  for (const IpRange& a : avoided_.intervals()) {
    const IpRange both{std::max(a.first, range.first), std::min(a.last, range.last)};
    if (both.last < both.first) continue;
    avoided += both.size() - (avoid_buggy_ipv4_ ? buggy_in(both) : 0);
  }
  return avoided;
}

Uint128 PoolSpace::total(IpFamily family) const {
  return count(family).total;
}
Uint128 PoolSpace::used(IpFamily family) const {
  return count(family).used;
}
Uint128 PoolSpace::available(IpFamily family) const {
  const Count& c = count(family);
  return c.total - (c.used - c.used_avoided);
}

}  // namespace herald::ipam
