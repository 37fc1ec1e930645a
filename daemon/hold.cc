#include "daemon/hold.h"

namespace herald::daemon {

const char* code(Hold hold) {
  switch (hold) {
    case Hold::None:
      return "Announced";
    case Hold::NoPolicy:
      return "NoPolicy";
    case Hold::ClassNotSelected:
      return "ClassNotSelected";
    case Hold::NoEndpoints:
      return "NoEndpoints";
    case Hold::SharedIPWithSelector:
      return "SharedIPWithSelector";
    case Hold::NoNodeKnown:
      return "NoNodeKnown";
    case Hold::NoEligibleNode:
      return "NoEligibleNode";
    case Hold::NoPeer:
      return "NoPeer";
    case Hold::PeerFamily:
      return "PeerFamily";
    case Hold::NodesExcluded:
      return "NodesExcluded";
    case Hold::NoLocalEndpoints:
      return "NoLocalEndpoints";
    case Hold::NoInterface:
      return "NoInterface";
    case Hold::ConflictingAdvertisements:
      return "ConflictingAdvertisements";
    case Hold::NotOwner:
      return "NotOwner";
  }
  return "Announced";
}

const char* sentence(Hold hold) {
  switch (hold) {
    case Hold::None:
      return "nothing is in the way";
    case Hold::NoPolicy:
      return "no L2AnnouncementPolicy selects this service, pool and kind of address";
    case Hold::ClassNotSelected:
      return "the policies that select it are for services of another loadBalancerClass";
    case Hold::NoEndpoints:
      return "the service has no endpoint that could serve: see its pods and their readiness";
    case Hold::SharedIPWithSelector:
      return "a policy with a serviceSelector selects the service, which shares its IP: select all "
             "services, or do not share";
    case Hold::NoNodeKnown:
      return "the manifests have no Node object: add those of the cluster, or plan against a "
             "daemon";
    case Hold::NoEligibleNode:
      return "no L2AnnouncementPolicy selects this service, pool and node";
    case Hold::NoPeer:
      return "no BGPPeer of the advertisement selects the node";
    case Hold::PeerFamily:
      return "the BGPPeer does not take routes of this address family";
    case Hold::NodesExcluded:
      return "its label node.kubernetes.io/exclude-from-external-load-balancers excludes it";
    case Hold::NoLocalEndpoints:
      return "externalTrafficPolicy is Local and no endpoint of the service is on the node";
    case Hold::NoInterface:
      return "it has no usable link that the policy's interfaces select";
    case Hold::ConflictingAdvertisements:
      return "two BGPAdvertisements give it different localPreferences: make them agree";
    case Hold::NotOwner:
      return "the advertisement is exclusive, and another node owns the IP";
  }
  return "";
}

}  // namespace herald::daemon
