// config/cilium_bgp_kinds.cc: reads Cilium's BGP kinds into the structs of cilium_bgp.h, with every
// bound, pattern and rule of their schemas: here who speaks with whom, CiliumBGPClusterConfig and
// CiliumBGPNodeConfigOverride. What does not fit together is seen when they are joined.
#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <set>

#include "config/cilium_fields.h"
#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {
namespace {

constexpr std::int64_t kMaxU32 = 4294967295;
constexpr std::int64_t kMaxI32 = 2147483647;
constexpr std::size_t kMaxName = 255;

// A name that the schema bounds to 1..255 characters.
std::string read_name(MapReader& in, const std::string& key) {
  const auto name = in.text(key);
  if (!name && !in.has(key)) {
    in.error(key, "is missing");
  } else if (name && (name->empty() || name->size() > kMaxName)) {
    in.error(key, fmt::format("has {} characters: write 1 to {}", name->size(), kMaxName));
  }
  return name.value_or("");
}

// One of a list that is keyed by name.
std::string read_key(MapReader& in, std::set<std::string>& taken) {
  std::string name = read_name(in, "name");
  if (!name.empty() && !taken.insert(name).second) {
    in.error("name", "'" + name + "' is there twice: rename or remove one");
  }
  return name;
}

std::optional<Asn> read_asn(MapReader& in, const std::string& key, std::int64_t min) {
  const auto n = in.integer(key, min, kMaxU32);
  return n ? std::optional(Asn(static_cast<std::uint32_t>(*n))) : std::nullopt;
}

std::optional<CiliumAddress> read_address(MapReader& in, const std::string& key) {
  const auto text = in.text(key);
  if (!text) return std::nullopt;
  CiliumAddress out;
  if (const auto fault = parse_cilium_address(*text, out)) {
    in.error(key, *fault);
    return std::nullopt;
  }
  return out;
}

// spec.bgpInstances[].peers[].autoDiscovery: how to find a router without its address.
void read_discovery(MapReader& in, CiliumBgpPeer& peer) {
  if (!in.present()) return;
  const auto mode = in.choice("mode", {"DefaultGateway", "Unnumbered"});
  if (!in.has("mode")) in.error("mode", "is missing: write DefaultGateway or Unnumbered");
  MapReader gateway = in.map("defaultGateway"), unnumbered = in.map("unnumbered");
  if (gateway.present()) {
    gateway.choice("addressFamily", {"ipv4", "ipv6"});
    if (!gateway.has("addressFamily")) {
      gateway.error("addressFamily", "is missing: write ipv4 or ipv6");
    }
    gateway.finish();
  }
  std::string link;
  if (unnumbered.present()) {
    link = read_name(unnumbered, "interface");
    unnumbered.finish();
  }
  if (mode == 0U && !gateway.present()) {
    in.error("defaultGateway", "is missing: mode DefaultGateway needs its addressFamily");
  }
  if (mode == 1U && gateway.present() == unnumbered.present()) {
    in.error("unnumbered", "mode Unnumbered needs either unnumbered or defaultGateway");
  }
  in.finish();
  if (!peer.address.is_unspecified()) return;  // it is known already
  peer.interface = link;
  peer.reachable = mode == 1U && unnumbered.present();
  in.warning("mode", peer.reachable
                         ? "unnumbered peers are understood, but not in force yet in this version: "
                           "there is no session; give peerAddress"
                         : "finding the router by the default gateway is understood, but not in "
                           "force yet in this version: there is no session; give peerAddress");
}

void read_peer_address(MapReader& in, CiliumBgpPeer& peer) {
  const auto address = read_address(in, "peerAddress");
  std::string link;
  if (in.has("peerInterface")) link = read_name(in, "peerInterface");
  MapReader discovery = in.map("autoDiscovery");
  if (!in.has("peerAddress") && !discovery.present()) {
    in.error("peerAddress", "is missing: write the router's address (or autoDiscovery)");
  }
  if (address) {
    peer.address = address->address;
    const bool link_local = peer.address.is_v6() && peer.address.is_link_local();
    if (!link.empty() && !link_local) {
      in.error("peerInterface", "needs a peerAddress that starts with fe80:, not '" +
                                    to_string(peer.address) + "': take it out");
    }
    if (link_local) {
      peer.interface = link.empty() ? address->zone : link;
      peer.reachable = !peer.interface.empty();
      in.warning("peerAddress",
                 peer.reachable
                     ? "link-local routers are understood, but not in force yet in this version: "
                       "there is no session; give a global address"
                     : "'" + to_string(peer.address) +
                           "' is link-local, and the link is not said: write it behind it, like "
                           "fe80::1%eth0, or as peerInterface");
    } else if (peer.address.is_unspecified() || peer.address.is_multicast() ||
               to_string(peer.address) == "255.255.255.255") {
      peer.reachable = false;
      in.warning("peerAddress", "'" + to_string(peer.address) +
                                    "' is no address of a router: there is no session");
    }
  }
  read_discovery(discovery, peer);
}

CiliumBgpPeer read_peer(MapReader& in, std::set<std::string>& taken, std::string path) {
  CiliumBgpPeer peer;
  peer.path = std::move(path);
  peer.name = read_key(in, taken);
  read_peer_address(in, peer);
  peer.asn = read_asn(in, "peerASN", 0);
  if (peer.asn && peer.asn->value == 0) peer.asn.reset();
  MapReader config = in.map("peerConfigRef");
  if (config.present()) {
    peer.peer_config = config.text("name");
    if (!config.has("name")) config.error("name", "is missing: name a CiliumBGPPeerConfig");
    if (peer.peer_config == "") peer.peer_config.reset();
    config.ignore("group");  // of v2alpha1
    config.ignore("kind");
    config.finish();
  }
  in.finish();
  return peer;
}

void read_cluster_config(MapReader& spec, MapReader& metadata, Translated& out) {
  constexpr std::size_t kMaxInstances = 16;
  CiliumBgpClusterConfig config;
  config.name = out.name;
  config.source = out.source;
  config.created = read_creation_time(metadata);
  config.node_selectors = read_checked_selectors(spec, "nodeSelector");
  std::set<std::string> taken;
  auto instances = read_required_list(spec, "bgpInstances", false);
  if (instances.size() > kMaxInstances) {
    spec.error("bgpInstances",
               fmt::format("lists {}: at most {} are possible", instances.size(), kMaxInstances));
  }
  for (std::size_t i = 0; i < instances.size(); ++i) {
    MapReader& in = instances[i];
    CiliumBgpInstance instance;
    instance.path = fmt::format("spec.bgpInstances[{}]", i);
    instance.name = read_key(in, taken);
    instance.local_asn = read_asn(in, "localASN", 1);
    warn_of_local_port(in, 1, 65535);
    std::set<std::string> peers_taken;
    auto peers = in.maps("peers");
    for (std::size_t j = 0; j < peers.size(); ++j) {
      instance.peers.push_back(
          read_peer(peers[j], peers_taken, fmt::format("{}.peers[{}]", instance.path, j)));
    }
    in.finish();
    config.instances.push_back(std::move(instance));
  }
  out.object = std::move(config);
}

std::optional<IpAddress> read_router_id(MapReader& in) {
  const auto id = in.ip("routerID");
  if (!id) return std::nullopt;
  if (id->is_v6()) {
    in.error("routerID", "'" + to_string(*id) + "' is no router ID: write it like an IPv4 address");
    return std::nullopt;
  }
  if (id->is_unspecified()) {
    in.warning("routerID", "0.0.0.0 is no router ID: the node's own is used");
    return std::nullopt;
  }
  return id;
}

void read_node_override(MapReader& spec, Translated& out) {
  CiliumBgpNodeOverride object;
  object.name = out.name;
  object.source = out.source;
  std::set<std::string> taken;
  auto instances = read_required_list(spec, "bgpInstances", false);
  for (std::size_t i = 0; i < instances.size(); ++i) {
    MapReader& in = instances[i];
    CiliumBgpNodeOverride::Instance instance;
    instance.path = fmt::format("spec.bgpInstances[{}]", i);
    instance.name = read_key(in, taken);
    instance.router_id = read_router_id(in);
    warn_of_local_port(in, std::numeric_limits<std::int32_t>::min(), kMaxI32);
    instance.local_asn = read_asn(in, "localASN", 1);
    std::set<std::string> peers_taken;
    auto peers = in.maps("peers");
    for (std::size_t j = 0; j < peers.size(); ++j) {
      MapReader& p = peers[j];
      CiliumBgpNodeOverride::Peer peer;
      peer.path = fmt::format("{}.peers[{}]", instance.path, j);
      peer.name = read_key(p, peers_taken);
      if (const auto local = read_address(p, "localAddress")) peer.source_address = local->address;
      if (p.has("peerInterface")) {
        read_name(p, "peerInterface");
        p.not_yet("peerInterface");
        if (p.has("localAddress")) {
          p.error("peerInterface", "cannot be beside localAddress: take one out");
        }
      }
      if (p.integer("localPort", std::numeric_limits<std::int32_t>::min(), kMaxI32)) {
        p.warning("localPort", "is deprecated, and has no effect");
      }
      p.finish();
      instance.peers.push_back(std::move(peer));
    }
    in.finish();
    object.instances.push_back(std::move(instance));
  }
  out.object = std::move(object);
}

}  // namespace

void read_cilium_bgp(MapReader& spec, MapReader& metadata, Translated& out) {
  if (out.kind == "CiliumBGPClusterConfig") {
    out.sort = kSort<CiliumBgpClusterConfig>;
    read_cluster_config(spec, metadata, out);
  } else if (out.kind == "CiliumBGPPeerConfig") {
    out.sort = kSort<CiliumBgpPeerConfig>;
    read_cilium_peer_config(spec, out);
  } else if (out.kind == "CiliumBGPAdvertisement") {
    out.sort = kSort<CiliumBgpAdvertisement>;
    read_cilium_advertisement(spec, metadata, out);
  } else {
    out.sort = kSort<CiliumBgpNodeOverride>;
    read_node_override(spec, out);
  }
}

}  // namespace herald::config
