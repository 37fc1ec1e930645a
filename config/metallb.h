// config/metallb.h: what objects of MetalLB say to one another, before they become the model.
//
// metallb_kinds.cc and metallb_bgp.cc read one object each; what only shows when all are there (a
// community's alias, a secret, two peers of one node) is settled by join_metallb().
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/desired.h"

namespace herald::config {

struct Translated;

namespace metallb {

using CommunityValue = std::variant<std::uint32_t, LargeCommunity>;

// "64512:1" or "large:64512:1:2"; strictly, as MetalLB reads it.
enum class CommunityFault { BadForm, BadNumber };  // the first may be the name of an alias
std::variant<CommunityValue, CommunityFault> parse_community(std::string_view text);

struct Peer {
  BgpPeer model;
  Asn my_asn;  // before localASN replaces it
  bool operator==(const Peer&) const = default;
};

struct Advertisement {
  BgpAdvertisement model;                // without communities
  std::vector<std::string> communities;  // literals and aliases
  bool operator==(const Advertisement&) const = default;
};

struct Community {
  std::map<std::string, CommunityValue> aliases;
  bool operator==(const Community&) const = default;
};

using Aliases = std::map<std::string, CommunityValue>;

}  // namespace metallb

// The aliases that all Community objects define, and of `before` those that an advertisement still
// names: an alias that is gone keeps its value while it is in use.
metallb::Aliases known_aliases(const std::vector<const Translated*>& objects,
                               const metallb::Aliases& before);

// Adds the peers and advertisements of MetalLB to `out`, and the problems that its objects have
// with one another. `aliases` is what known_aliases() says. Needs the pools, nodes and BFD profiles
// in `out`. Returns the peers, which are compared with one another by this.
std::set<PeerName> join_metallb(const std::vector<const Translated*>& objects,
                                const metallb::Aliases& aliases, Desired& out);

}  // namespace herald::config
