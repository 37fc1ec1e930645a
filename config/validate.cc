#include "config/validate.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/text.h"

namespace herald::config {
namespace {

bool older(const Pool& a, const Pool& b) {
  constexpr auto kYoungest = std::numeric_limits<std::int64_t>::max();
  const auto ca = a.created.value_or(kYoungest), cb = b.created.value_or(kYoungest);
  return ca != cb ? ca < cb : a.name < b.name;
}

// Cilium takes such objects and reports what is wrong with them in their conditions; others refuse
// them.
bool accepts_conflicts(const Source& source) {
  return source.kind.rfind("Cilium", 0) == 0;
}

// The kind that the user wrote, else the native one.
std::string kind_of(const Source& source, const char* native) {
  return source.kind.empty() ? native : source.kind;
}

void pool_problem(Desired& desired, const Pool& pool, const std::string& message) {
  const bool cilium = accepts_conflicts(pool.source);
  desired.problems.push_back({cilium ? Severity::Warning : Severity::Error, pool.source,
                              kind_of(pool.source, "LoadBalancerIPPool"), "", pool.name.str(),
                              cilium ? "spec.blocks" : "spec.addresses", message});
}

// Every range of every pool in one sorted sweep: many pools must not cost the square of them.
struct Piece {
  IpRange range;
  std::size_t pool = 0;  // by age
};

// A pool that overlaps itself conflicts with itself: which of the two was meant is not ours to say.
void check_within(Desired& desired, Pool& pool) {
  auto ranges = pool.ranges;
  std::sort(ranges.begin(), ranges.end());
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (!ranges[i - 1].overlaps(ranges[i])) continue;
    pool.conflicts_with = pool.name;
    pool_problem(desired, pool,
                 to_string(ranges[i]) + " overlaps " + to_string(ranges[i - 1]) +
                     " of the same pool: nothing is allocated from it until one of the two is "
                     "removed");
    return;  // one example is enough
  }
}

void check_pools(Desired& desired) {
  std::vector<Pool*> by_age;
  for (Pool& pool : desired.pools) {
    pool.conflicts_with.reset();
    by_age.push_back(&pool);
  }
  std::sort(by_age.begin(), by_age.end(),
            [](const Pool* a, const Pool* b) { return older(*a, *b); });
  // Ranges of pools without conflict, by their first address; they are disjoint, so a new range can
  // only touch its neighbours.
  std::map<IpAddress, Piece> taken;
  for (std::size_t age = 0; age < by_age.size(); ++age) {
    Pool& pool = *by_age[age];
    check_within(desired, pool);
    if (pool.conflicts_with) continue;
    for (const IpRange& range : pool.ranges) {
      auto it = taken.upper_bound(range.last);
      if (it == taken.begin()) continue;
      const Piece& piece = std::prev(it)->second;
      if (!piece.range.overlaps(range)) continue;
      const Pool& first = *by_age[piece.pool];
      pool.conflicts_with = first.name;
      pool_problem(desired, pool,
                   to_string(range) + " overlaps pool '" + first.name.str() + "' (addresses " +
                       to_string(piece.range) +
                       "), which is older: nothing is allocated from this pool until its addresses "
                       "are changed");
      break;
    }
    if (pool.conflicts_with) continue;
    for (const IpRange& range : pool.ranges) taken.emplace(range.first, Piece{range, age});
  }
}

void check_requests(Desired& desired) {
  if (desired.pools.empty()) return;
  for (const Service& service : desired.services) {
    for (const IpAddress& wanted : service.requested) {
      const bool found =
          std::any_of(desired.pools.begin(), desired.pools.end(), [&](const Pool& pool) {
            return std::any_of(pool.ranges.begin(), pool.ranges.end(),
                               [&](const IpRange& r) { return r.contains(wanted); });
          });
      if (found) continue;
      desired.problems.push_back({Severity::Warning, source_of(service), "Service", service.name.ns,
                                  service.name.name, service.requested_by.value_or(""),
                                  "'" + to_string(wanted) +
                                      "' is in no pool: ask for an address of a pool, or add it "
                                      "to one"});
    }
  }
}

template <typename Objects>
std::vector<std::string> names_of(const Objects& objects) {
  std::vector<std::string> out;
  for (const auto& object : objects) out.push_back(object.name.str());
  return out;
}

template <typename Named>
void check_names(Desired& desired, const Source& source, const std::string& kind,
                 const std::string& name, const char* field, const char* what,
                 const std::vector<Named>& wanted, const std::vector<std::string>& known) {
  for (const Named& one : wanted) {
    if (std::find(known.begin(), known.end(), one.str()) != known.end()) continue;
    const auto meant = closest(one.str(), known);
    desired.problems.push_back(
        {Severity::Warning, source, kind, "", name, field,
         std::string("there is no ") + what + " '" + one.str() + "'" +
             (meant ? "; did you mean '" + *meant + "'?" : ": create it, or take the name out")});
  }
}

void check_peers(Desired& desired, const std::set<PeerName>& compared) {
  for (std::size_t i = 0; i < desired.peers.size(); ++i) {
    const BgpPeer& peer = desired.peers[i];
    for (std::size_t j = 0; j < i; ++j) {
      const BgpPeer& other = desired.peers[j];
      if (peer.address != other.address || peer.port != other.port ||
          peer.interface != other.interface || peer.vrf != other.vrf ||
          (compared.contains(peer.name) && compared.contains(other.name))) {
        continue;
      }
      // Peers for different nodes may well name the same router.
      const bool apart = !peer.node_selectors.empty() && !other.node_selectors.empty() &&
                         peer.node_selectors != other.node_selectors;
      if (apart) continue;
      const bool cilium = accepts_conflicts(peer.source);
      desired.problems.push_back(
          {cilium ? Severity::Warning : Severity::Error, peer.source,
           kind_of(peer.source, "BGPPeer"), "", peer.name.str(),
           cilium ? "spec.bgpInstances" : "spec.address",
           (peer.interface.empty() ? "'" + to_string(peer.address) + "' is also the address"
                                   : "'" + peer.interface + "' is also the interface") +
               " of peer '" + other.name.str() +
               "': remove one, or give each its own nodeSelector"});
      break;
    }
  }
}

template <typename Name>
bool meet(const std::vector<Name>& a, const std::vector<Name>& b) {  // an empty list names all
  return a.empty() || b.empty() || std::any_of(a.begin(), a.end(), [&](const Name& n) {
           return std::find(b.begin(), b.end(), n) != b.end();
         });
}

bool meet(const PoolChoice& a, const PoolChoice& b) {  // labels may select any pool
  return !a.selectors.empty() || !b.selectors.empty() || meet(a.names, b.names);
}

// A route that several advertisements select carries the communities of all of them, and has to
// fit one BGP message of 4096 octets; whatever else it carries takes under 500.
void check_communities(Desired& desired) {
  constexpr std::size_t kMaxOctets = 3500;
  const auto octets = [](std::size_t plain, std::size_t large) { return 4 * plain + 12 * large; };
  std::size_t all = 0;
  for (const BgpAdvertisement& ad : desired.advertisements) {
    all += octets(ad.communities.size(), ad.large_communities.size());
  }
  if (all <= kMaxOctets) return;
  for (std::size_t i = 0; i < desired.advertisements.size(); ++i) {
    const BgpAdvertisement& ad = desired.advertisements[i];
    std::set<std::uint32_t> plain(ad.communities.begin(), ad.communities.end());
    std::set<LargeCommunity> large(ad.large_communities.begin(), ad.large_communities.end());
    for (std::size_t j = 0; j < i; ++j) {
      const BgpAdvertisement& other = desired.advertisements[j];
      if (!meet(ad.peers, other.peers) || !meet(ad.pools, other.pools)) continue;
      plain.insert(other.communities.begin(), other.communities.end());
      large.insert(other.large_communities.begin(), other.large_communities.end());
      if (octets(plain.size(), large.size()) <= kMaxOctets) continue;
      desired.problems.push_back(
          {Severity::Warning, ad.source, kind_of(ad.source, "BGPAdvertisement"), "", ad.name,
           accepts_conflicts(ad.source) ? "spec.advertisements" : "spec.communities",
           std::to_string(plain.size() + large.size()) +
               " communities come together where this and other advertisements, such as '" +
               other.name +
               "', select the same IP: such a route may not fit a BGP message and is then not "
               "announced; list fewer, or let the advertisements select different pools or peers"});
      break;
    }
  }
}

}  // namespace

void validate(Desired& desired, const std::set<PeerName>& compared) {
  check_pools(desired);
  check_requests(desired);
  check_peers(desired, compared);
  check_communities(desired);
  const auto pools = names_of(desired.pools), peers = names_of(desired.peers);
  for (const L2Policy& policy : desired.l2_policies) {
    check_names(desired, policy.source, kind_of(policy.source, "L2AnnouncementPolicy"), policy.name,
                "spec.pools", "pool", policy.pools.names, pools);
  }
  for (const BgpAdvertisement& ad : desired.advertisements) {
    check_names(desired, ad.source, kind_of(ad.source, "BGPAdvertisement"), ad.name, "spec.pools",
                "pool", ad.pools.names, pools);
    check_names(desired, ad.source, kind_of(ad.source, "BGPAdvertisement"), ad.name, "spec.peers",
                "BGPPeer", ad.peers, peers);
  }
}

}  // namespace herald::config
