// ipam/pool_space.h: the addresses of one pool: which are taken, which is the next to give.
//
// Memory and time depend on what is taken, not on the size of the pool. Addresses that the pool
// avoids are not listed in advance either (.0 and .255 of a /8 are 131,072): those that the search
// meets are closed then, where they melt into the taken ones around them.
#pragma once

#include <optional>
#include <vector>

#include "ipam/address_set.h"
#include "model/objects.h"
#include "net/ip.h"

namespace herald::ipam {

class PoolSpace {
 public:
  explicit PoolSpace(const Pool& pool);

  bool contains(const IpAddress& address) const;
  bool avoids(const IpAddress& address) const;
  bool has_family(IpFamily family) const;

  // An address of the pool is held, by whomever (an import or a grant). Outside of it: ignored.
  void take(const IpAddress& address);
  // It is held no more.
  void give_back(const IpAddress& address);
  // The lowest address of the family, ranges in the order given, that is neither held nor avoided.
  // Closes what it had to pass over, hence not const; the answer itself is not taken.
  std::optional<IpAddress> lowest_free(IpFamily family);

  // Without what is avoided. Saturates at 2^128 - 1.
  Uint128 total(IpFamily family) const;
  Uint128 used(IpFamily family) const;
  Uint128 available(IpFamily family) const;

 private:
  struct Count {
    Uint128 total = 0, used = 0, used_avoided = 0;
  };
  std::optional<IpAddress> end_of_avoided(const IpAddress& address) const;
  Uint128 avoided_in(const IpRange& range) const;
  Count& count(IpFamily family) { return family == IpFamily::IPv4 ? v4_ : v6_; }
  const Count& count(IpFamily family) const { return family == IpFamily::IPv4 ? v4_ : v6_; }

  std::vector<IpRange> ranges_;  // in the order given
  AddressSet inside_;            // the same, merged
  AddressSet avoided_;
  bool avoid_buggy_ipv4_;
  AddressSet closed_;        // held, and what lowest_free() has met that is avoided
  AddressSet held_avoided_;  // held although avoided: imported
  Count v4_, v6_;
};

}  // namespace herald::ipam
