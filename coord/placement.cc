#include "coord/placement.h"

#include <tuple>

namespace herald::coord {

std::uint64_t placement_hash(std::string_view node, const IpAddress& vip) {
  constexpr std::uint64_t kOffset = 0xcbf29ce484222325ull, kPrime = 0x100000001b3ull;
  std::uint64_t hash = kOffset;
  const auto add = [&](std::uint8_t octet) { hash = (hash ^ octet) * kPrime; };
  for (const char c : node) add(static_cast<std::uint8_t>(c));
  for (const std::uint8_t octet : vip.octets16()) add(octet);
  // FNV's low bits follow its last octets too closely; two rounds of mixing spread them.
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdull;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return hash ^ (hash >> 33);
}

std::optional<NodeName> choose_owner(const IpAddress& vip, const std::vector<Candidate>& candidates,
                                     const std::map<NodeName, std::size_t>& owned) {
  using Rank = std::tuple<int, std::size_t, std::uint64_t>;  // lower is better
  const Candidate* best = nullptr;
  Rank best_rank;
  for (const Candidate& c : candidates) {
    const auto it = owned.find(c.node);
    const Rank rank{-c.preference, it == owned.end() ? 0 : it->second,
                    ~placement_hash(c.node.str(), vip)};
    if (best == nullptr || rank < best_rank) {
      best = &c;
      best_rank = rank;
    }
  }
  if (best == nullptr) return std::nullopt;
  return best->node;
}

}  // namespace herald::coord
