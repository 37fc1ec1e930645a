// ipam/address_set.h: a set of addresses as intervals. Neighbours coalesce, so that a full pool is
// one interval and memory is bounded by what is held, never by the size of a pool.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include "net/ip.h"

namespace herald::ipam {

class AddressSet {
 public:
  // True if the address was not in the set before. O(log intervals), as everything here.
  bool insert(const IpAddress& address);
  // All addresses of the range, whatever of it was there before; O(log n + intervals swallowed).
  void insert(const IpRange& range);
  // True if the address was in the set.
  bool erase(const IpAddress& address);
  bool contains(const IpAddress& address) const;

  // The lowest address of the range that is not in the set.
  std::optional<IpAddress> lowest_free(const IpRange& range) const;

  bool empty() const { return intervals_.empty(); }
  std::size_t interval_count() const { return intervals_.size(); }
  // first -> last, both included, disjoint, never adjacent, of one family each.
  const std::map<IpAddress, IpAddress>& intervals() const { return intervals_; }

 private:
  std::map<IpAddress, IpAddress> intervals_;
};

}  // namespace herald::ipam
