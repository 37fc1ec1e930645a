// l2/grants.h: what this node may answer for: an immutable snapshot, handed to the responder.
//
// The right to answer for a VIP on a link exists iff the VIP is in the link's set and the deadline
// is in the future. It is asked at every single answer and announcement, right before sending.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <map>
#include <set>
#include <vector>

#include "base/lists.h"
#include "base/time.h"
#include "net/link.h"

namespace herald::l2 {

struct LinkGrant {
  MacAddress mac;               // answers say "the VIP is at this MAC"
  std::vector<IpAddress> vips;  // sorted, each once: see sorted_vips()
  // Not answered for: it is being found out whether somebody else uses them. As `vips`.
  std::vector<IpAddress> probing{};
  std::vector<MacAddress>
      members{};  // that may speak for them too, sorted; empty if none is probed

  bool probes(const IpAddress& vip) const {
    return std::binary_search(probing.begin(), probing.end(), vip);
  }
  bool is_member(const MacAddress& mac_address) const {
    return std::binary_search(members.begin(), members.end(), mac_address);
  }
  // All that frames about are of interest, sorted.
  std::vector<IpAddress> heeded() const {
    std::vector<IpAddress> out;
    out.reserve(vips.size() + probing.size());
    std::merge(vips.begin(), vips.end(), probing.begin(), probing.end(), std::back_inserter(out));
    return out;
  }
  bool owns(const IpAddress& vip) const {
    return std::binary_search(vips.begin(), vips.end(), vip);
  }
  bool operator==(const LinkGrant&) const = default;
};

// `vips` in the order that LinkGrant wants.
inline std::vector<IpAddress> sorted_vips(std::vector<IpAddress> vips) {
  sort_unique(vips);
  return vips;
}
inline std::vector<IpAddress> sorted_vips(std::initializer_list<IpAddress> vips) {
  return sorted_vips(std::vector<IpAddress>(vips));
}
inline std::vector<IpAddress> sorted_vips(const std::set<IpAddress>& vips) {
  return {vips.begin(), vips.end()};
}

using LinkGrants = std::map<LinkIndex, LinkGrant>;

struct Grants {
  Instant deadline = Instant::min();  // for all links and VIPs; by default in the past: silence
  LinkGrants links;

  // nullptr: nothing is announced from this link.
  const LinkGrant* link(LinkIndex index) const {
    const auto it = links.find(index);
    return it == links.end() ? nullptr : &it->second;
  }
  bool may_answer(LinkIndex index, const IpAddress& vip, Instant now) const {
    const LinkGrant* grant = link(index);
    return now < deadline && grant != nullptr && grant->owns(vip);
  }
  // A probe claims nothing; but it is for the owner alone to ask.
  bool may_probe(LinkIndex index, const IpAddress& vip, Instant now) const {
    const LinkGrant* grant = link(index);
    return now < deadline && grant != nullptr && grant->probes(vip);
  }
  bool operator==(const Grants&) const = default;
};

}  // namespace herald::l2
