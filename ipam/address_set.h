// ipam/address_set.h: a set of addresses as intervals. Neighbours coalesce, so that a full pool is
// one interval and memory is bounded by what is held, never by the size of a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "net/ip.h"

namespace herald::ipam {

// Numbers as disjoint intervals that never touch. The core of an AddressSet, once per family: IPv4
// in 8 octets an interval instead of 64 is what keeps a million of them in the cache.
template <typename Number>
class IntervalSet {
 public:
  struct Interval {
    Number first, last;  // both included
  };

  bool insert(Number n);
  void insert(Interval range);
  bool erase(Number n);
  // The interval that has the number.
  std::optional<Interval> find(Number n) const;
  std::optional<Number> lowest_free(Interval range) const;
  const std::map<Number, Number>& intervals() const { return intervals_; }  // first -> last

 private:
  static constexpr Number kLast = static_cast<Number>(~Number{0});
  // Whether `right` begins where an interval that ends with `left` stops.
  static bool adjacent(Number left, Number right) { return left != kLast && left + 1 == right; }

  std::map<Number, Number> intervals_;
};

class AddressSet {
 public:
  // True if the address was not in the set before. O(log intervals), as everything here.
  bool insert(const IpAddress& address);
  // All addresses of the range, whatever of it was there before; O(log n + intervals swallowed).
  void insert(const IpRange& range);
  // True if the address was in the set.
  bool erase(const IpAddress& address);
  bool contains(const IpAddress& address) const { return find(address).has_value(); }
  // The whole interval around an address of the set.
  std::optional<IpRange> find(const IpAddress& address) const;

  // The lowest address of the range that is not in the set.
  std::optional<IpAddress> lowest_free(const IpRange& range) const;

  std::size_t interval_count() const { return v4_.intervals().size() + v6_.intervals().size(); }
  // IPv4 first, then by number; disjoint, never adjacent.
  std::vector<IpRange> intervals() const;

 private:
  IntervalSet<std::uint32_t> v4_;
  IntervalSet<Uint128> v6_;
};

}  // namespace herald::ipam
