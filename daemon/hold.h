// daemon/hold.h: why an IP is not announced. The same word goes into JSON, conditions and metrics,
// the same sentence into explain.
#pragma once

#include <cstdint>

namespace herald::daemon {

// Ordered by how far it came: of several nodes' or policies' reasons, the greatest says most.
enum class Hold : std::uint8_t {
  None,              // it is announced
  NoPolicy,          // no policy selects the service, its pool and this kind of address
  ClassNotSelected,  // but for the service's loadBalancerClass one would
  NoEndpoints,       // the policy wants endpoints, or all are to be local, and there are none
  SharedIPWithSelector,
  NoNodeKnown,     // of a plan: the manifests have no Node object, so nobody can tell
  NoEligibleNode,  // policies select it, but no node
  NoPeer,          // no BGPPeer of the advertisement has a session from the node
  PeerFamily,      // the peer does not take routes of this family
  NodesExcluded,   // node.kubernetes.io/exclude-from-external-load-balancers
  NoLocalEndpoints,
  NoInterface,
  ConflictingAdvertisements,
  NotOwner,  // an exclusive route goes out from the owner alone
};

const char* code(Hold hold);  // "NoPolicy"
// The rest of "it is not announced: …", with what to do about it.
const char* sentence(Hold hold);

}  // namespace herald::daemon
