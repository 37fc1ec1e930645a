// config/cilium_bgp.h: Cilium's BGP kinds, which mean something only together.
//
// A CiliumBGPClusterConfig says which nodes have which routers; a CiliumBGPPeerConfig how to talk
// to a router and, by labels, what to tell it; a CiliumBGPAdvertisement, which has those labels, of
// which services; a CiliumBGPNodeConfigOverride what one node does otherwise. Each is read into a
// plain struct here; resolve_cilium_bgp() joins them into BgpPeers and BgpAdvertisements.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/desired.h"

namespace herald::config {

// spec.bgpInstances[].peers[] of a CiliumBGPClusterConfig.
struct CiliumBgpPeer {
  std::string name;
  std::string path;        // "spec.bgpInstances[0].peers[1]": for messages
  IpAddress address;       // unspecified: see interface
  std::string interface;   // unnumbered, or the link of a link-local address
  bool reachable = true;   // false: how it is to be found is not served (a warning has said so)
  std::optional<Asn> asn;  // none: whatever it shows
  std::optional<std::string> peer_config;
  bool operator==(const CiliumBgpPeer&) const = default;
};

struct CiliumBgpInstance {
  std::string name;
  std::string path;
  std::optional<Asn> local_asn;  // none: only where an override gives one
  std::vector<CiliumBgpPeer> peers;
  bool operator==(const CiliumBgpInstance&) const = default;
};

struct CiliumBgpClusterConfig {
  std::string name;
  Source source;
  CreationTime created;
  Selectors node_selectors;
  std::vector<CiliumBgpInstance> instances;
  bool operator==(const CiliumBgpClusterConfig&) const = default;
};

// spec.families[] of a CiliumBGPPeerConfig, as far as they are served.
struct CiliumBgpFamily {
  std::string path;
  IpFamily family = IpFamily::IPv4;
  std::optional<LabelSelector> advertisements;  // over labels of advertisements; none selects none
  bool operator==(const CiliumBgpFamily&) const = default;
};

struct CiliumBgpPeerConfig {
  std::string name;
  Source source;
  BgpPeer settings;  // what peers with this config have in common
  std::vector<CiliumBgpFamily> families;
  std::optional<BfdProfile> bfd;
  bool operator==(const CiliumBgpPeerConfig&) const = default;
};

// spec.advertisements[] of a CiliumBGPAdvertisement of type Service; its name is already
// "<object>-<index>".
struct CiliumBgpAdvertisement {
  std::string name;
  Source source;
  Labels labels;
  std::vector<BgpAdvertisement> entries;
  bool operator==(const CiliumBgpAdvertisement&) const = default;
};

struct CiliumBgpNodeOverride {
  struct Peer {
    std::string name, path;
    std::optional<IpAddress> source_address;
    bool operator==(const Peer&) const = default;
  };
  struct Instance {
    std::string name, path;
    std::optional<IpAddress> router_id;
    std::optional<Asn> local_asn;
    std::vector<Peer> peers;
    bool operator==(const Instance&) const = default;
  };
  std::string name;  // of the node
  Source source;
  std::vector<Instance> instances;
  bool operator==(const CiliumBgpNodeOverride&) const = default;
};

struct CiliumBgp {
  std::vector<CiliumBgpClusterConfig> clusters;
  std::vector<CiliumBgpPeerConfig> peer_configs;
  std::vector<CiliumBgpAdvertisement> advertisements;
  std::vector<CiliumBgpNodeOverride> overrides;
  std::set<std::string> gone;  // of the peer configs: not there any more, used as they were
};

// Adds to `desired` the peers "<cluster config>.<instance>.<peer>" with their BFD profiles, and for
// each entry of an advertisement that reaches a peer one advertisement for each set of peers and
// families; `desired.nodes` is read. What does not fit together is a warning, as it is a condition
// and no refusal with Cilium; the same is in Desired::findings by Cilium's names of its conditions.
void resolve_cilium_bgp(const CiliumBgp& objects, Desired& desired);

}  // namespace herald::config
