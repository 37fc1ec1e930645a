// config/metallb_checks.h: MetalLB's rules between peers, and between advertisements and pools. See
// join_metallb().
#pragma once

#include <set>
#include <string>
#include <vector>

#include "config/metallb.h"
#include "config/translate.h"

namespace herald::config {

// An error of this object.
Problem problem_of(const Translated& object, std::string field, std::string message);

struct PeerOf {
  const Translated* object;
  const metallb::Peer* peer;
};
// Peers that can be of one node: one router ID and AS number for a VRF, one peer for an address.
void check_peers_of_a_node(const std::vector<PeerOf>& peers, Desired& out);

// The aggregate must not be wider than a block of a pool; if it is, it becomes as narrow.
void fit_aggregation(const Translated& object, BgpAdvertisement& ad, Desired& out);

struct AdvertisementOf {
  const Translated* object;
  const BgpAdvertisement* ad;
};
// One route has one local preference.
void check_preferences(const std::vector<AdvertisementOf>& ads, Desired& out);

}  // namespace herald::config
