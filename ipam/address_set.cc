#include "ipam/address_set.h"

#include <algorithm>
#include <iterator>

namespace herald::ipam {
namespace {

bool is_last_of_family(const IpAddress& a) {
  return a.number() == (a.is_v4() ? Uint128{0xffffffff} : ~Uint128{0});
}

IpAddress previous(const IpAddress& a) {
  return IpAddress::from_number(a.family(), a.number() - 1);
}

}  // namespace

bool AddressSet::contains(const IpAddress& address) const {
  const auto after = intervals_.upper_bound(address);
  return after != intervals_.begin() && address <= std::prev(after)->second;
}

bool AddressSet::insert(const IpAddress& address) {
  // Both neighbours are looked at once: this is the allocator's inner loop.
  const auto after = intervals_.upper_bound(address);
  const auto before = after == intervals_.begin() ? intervals_.end() : std::prev(after);
  if (before != intervals_.end() && address <= before->second) return false;
  const bool joins_before = before != intervals_.end() && !is_last_of_family(before->second) &&
                            before->second.next() == address;
  const bool joins_after =
      after != intervals_.end() && !is_last_of_family(address) && address.next() == after->first;
  if (joins_before && joins_after) {
    before->second = after->second;
    intervals_.erase(after);
  } else if (joins_before) {
    before->second = address;
  } else if (joins_after) {
    auto node = intervals_.extract(after);  // keeps the memory
    node.key() = address;
    intervals_.insert(std::move(node));
  } else {
    intervals_.emplace_hint(after, address, address);
  }
  return true;
}

void AddressSet::insert(const IpRange& range) {
  IpAddress first = range.first, last = range.last;
  auto at = intervals_.upper_bound(first);
  if (at != intervals_.begin()) {
    const auto before = std::prev(at);
    const bool touches = first <= before->second ||
                         (!is_last_of_family(before->second) && before->second.next() == first);
    if (touches) {
      first = before->first;
      at = before;
    }
  }
  while (at != intervals_.end() &&
         (at->first <= last || (!is_last_of_family(last) && last.next() == at->first))) {
    last = std::max(last, at->second);
    at = intervals_.erase(at);
  }
  intervals_.emplace_hint(at, first, last);
}

bool AddressSet::erase(const IpAddress& address) {
  const auto after = intervals_.upper_bound(address);
  if (after == intervals_.begin()) return false;
  const auto at = std::prev(after);
  if (at->second < address) return false;
  const IpAddress last = at->second;
  if (at->first == address) {
    if (last == address) {
      intervals_.erase(at);
    } else {
      auto node = intervals_.extract(at);
      node.key() = address.next();
      intervals_.insert(after, std::move(node));
    }
    return true;
  }
  at->second = previous(address);
  if (address < last) intervals_.emplace_hint(after, address.next(), last);
  return true;
}

std::optional<IpAddress> AddressSet::lowest_free(const IpRange& range) const {
  const auto after = intervals_.upper_bound(range.first);
  if (after == intervals_.begin()) return range.first;
  const IpAddress& last = std::prev(after)->second;
  if (last < range.first) return range.first;
  if (range.last <= last) return std::nullopt;
  return last.next();  // never the start of another interval: those would have coalesced
}

}  // namespace herald::ipam
