// coord/placement.h: which node is to own a VIP. Sticky is decided by the caller (an owner that is
// eligible keeps its IPs); here, a VIP that needs an owner gets one: the candidate with the fewest
// IPs, ties by the highest rendezvous hash (Thaler, Ravishankar 1998).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/names.h"
#include "base/shared.h"
#include "net/ip.h"

namespace herald::coord {

// FNV-1a 64 over the node's name and the VIP's 16 octets, with a final mix. Frozen: another hash in
// the next version would disagree with this one about every tie.
std::uint64_t placement_hash(std::string_view node, const IpAddress& vip);

// The node among `candidates` to own `vip`; nullopt if there is none. `owned` counts IPs per node
// (absent: 0). `preference` is a weight per candidate (absent: 0): the highest weight goes first.
struct Candidate {
  NodeName node;
  int preference = 0;
  auto operator<=>(const Candidate&) const = default;
};
using Candidates = Shared<std::vector<Candidate>>;  // most VIPs have the same
std::optional<NodeName> choose_owner(const IpAddress& vip, const std::vector<Candidate>& candidates,
                                     const std::map<NodeName, std::size_t>& owned);

}  // namespace herald::coord
