// config/cilium_bgp_policy_kinds.cc: the other two of Cilium's BGP kinds: how to speak with a
// router and what it is told, CiliumBGPPeerConfig and CiliumBGPAdvertisement.
#include <fmt/core.h>

#include <algorithm>

#include "config/cilium_fields.h"
#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {
namespace {

constexpr std::int64_t kMaxU32 = 4294967295;
constexpr std::int64_t kMaxI32 = 2147483647;
// Cilium's Helm value bgpControlPlane.secretsNamespace; this is its default.
constexpr const char* kSecretsNamespace = "kube-system";

void read_timers(MapReader in, BgpPeer& peer) {
  const auto seconds = [&](const char* key, std::int64_t min, std::int64_t max) {
    const auto n = in.integer(key, min, max);
    return n ? std::optional<Duration>(std::chrono::seconds(*n)) : std::nullopt;
  };
  peer.connect_retry_time = seconds("connectRetryTimeSeconds", 1, kMaxI32).value_or(120s);
  peer.hold_time = seconds("holdTimeSeconds", 3, 65535).value_or(90s);
  // Cilium's default of 30 s is more than a short hold time bears; a third of it always fits.
  const auto keepalive = seconds("keepAliveTimeSeconds", 1, 65535);
  peer.keepalive_time = keepalive.value_or(std::min<Duration>(30s, peer.hold_time / 3));
  if (keepalive && *keepalive > peer.hold_time) {
    in.error("keepAliveTimeSeconds",
             fmt::format("{} is more than the hold time of {}: a third of it is usual",
                         keepalive->count() / Duration(1s).count(),
                         peer.hold_time.count() / Duration(1s).count()));
  }
  in.finish();
}

void read_families(MapReader& spec, CiliumBgpPeerConfig& config) {
  // In the order of their registry; those that are served come first.
  static const std::vector<std::string> kAfis = {"ipv4", "ipv6", "l2vpn", "ls", "opaque"};
  static const std::vector<std::string> kSafis = {"unicast",
                                                  "multicast",
                                                  "mpls_label",
                                                  "encapsulation",
                                                  "vpls",
                                                  "evpn",
                                                  "ls",
                                                  "sr_policy",
                                                  "mup",
                                                  "mpls_vpn",
                                                  "mpls_vpn_multicast",
                                                  "route_target_constraints",
                                                  "flowspec_unicast",
                                                  "flowspec_vpn",
                                                  "key_value"};
  auto families = spec.maps("families");
  if (families.empty()) {  // both families, and nothing to tell
    spec.warning("families",
                 "is empty: peers with this configuration are told of nothing; list the families, "
                 "each with the labels of its advertisements");
    return;
  }
  config.settings.ipv4 = config.settings.ipv6 = false;
  for (std::size_t i = 0; i < families.size(); ++i) {
    MapReader& in = families[i];
    const auto afi = in.choice("afi", kAfis), safi = in.choice("safi", kSafis);
    for (const char* key : {"afi", "safi"}) {
      if (!in.has(key)) in.error(key, "is missing: write it like afi: ipv4, safi: unicast");
    }
    auto advertisements = read_checked_selector(in, "advertisements");
    in.finish();
    if (!afi || !safi) continue;
    if (*afi > 1 || *safi != 0) {
      in.warning("", fmt::format("{} {} is not served: only ipv4 and ipv6 unicast are", kAfis[*afi],
                                 kSafis[*safi]));
      continue;
    }
    const auto family = static_cast<IpFamily>(*afi);
    (family == IpFamily::IPv4 ? config.settings.ipv4 : config.settings.ipv6) = true;
    if (!advertisements) {
      in.warning("advertisements",
                 fmt::format("is missing: peers with this configuration are told of no {} address; "
                             "write {{}} for all advertisements",
                             to_string(family)));
    }
    config.families.push_back(
        {fmt::format("spec.families[{}]", i), family, std::move(advertisements)});
  }
  if (!config.settings.ipv4 && !config.settings.ipv6) {
    spec.warning("families",
                 "has neither ipv4 nor ipv6 unicast: peers with this configuration "
                 "have no session");
  }
}

// In releases of Cilium to come. Its bounds are those of RFC 5880 and our BFDProfile.
void read_bfd(MapReader& spec, CiliumBgpPeerConfig& config) {
  MapReader in = spec.map("bfd");
  if (!in.present()) return;
  const bool enabled = in.boolean("enabled").value_or(false);
  BfdProfile profile;
  profile.name = config.name;
  profile.source = config.source;
  using std::chrono::milliseconds;
  profile.receive_interval =
      milliseconds(in.integer("receiveIntervalMilliseconds", 10, 60000).value_or(300));
  profile.transmit_interval =
      milliseconds(in.integer("transmitIntervalMilliseconds", 10, 60000).value_or(300));
  profile.detect_multiplier =
      static_cast<unsigned>(in.integer("detectionMultiplier", 2, 255).value_or(3));
  in.finish();
  if (!enabled) return;
  spec.not_yet("bfd");
  config.bfd = std::move(profile);
}

void read_communities(MapReader in, BgpAdvertisement& ad) {
  // By value: 65535:65281 and no-export are one.
  const auto add = [](auto& list, const auto& community) {
    if (std::find(list.begin(), list.end(), community) == list.end()) list.push_back(community);
  };
  in.each("standard", [&](const std::string& text) -> std::optional<std::string> {
    const auto c = parse_standard_community(text);
    if (!c) {
      return "'" + text +
             "' is no community: write a:b (0 to 65535 each) or one number of 32 bits, without "
             "leading zeros";
    }
    add(ad.communities, *c);
    return std::nullopt;
  });
  in.each("wellKnown", [&](const std::string& text) -> std::optional<std::string> {
    const auto c = parse_well_known_community(text);
    if (!c) return "'" + text + "' is no well-known community: write a name like no-export";
    add(ad.communities, *c);
    return std::nullopt;
  });
  in.each("large", [&](const std::string& text) -> std::optional<std::string> {
    const auto c = parse_large_community(text);
    if (!c) {
      return "'" + text +
             "' is no large community: write a:b:c (32 bits each), without leading zeros";
    }
    add(ad.large_communities, *c);
    return std::nullopt;
  });
  in.finish();
}

void read_service_options(MapReader& in, BgpAdvertisement& ad) {
  static const std::vector<std::string> kWords = {"LoadBalancerIP", "ExternalIP", "ClusterIP"};
  ad.addresses.clear();
  if (const auto chosen = in.choices("addresses", kWords)) {
    for (const std::size_t i : *chosen) {
      const auto kind = static_cast<AddressKind>(i);
      if (std::find(ad.addresses.begin(), ad.addresses.end(), kind) != ad.addresses.end()) continue;
      ad.addresses.push_back(kind);
      if (kind == AddressKind::ClusterIP) {
        in.warning("addresses", kWords[i] +
                                    " is understood, but not in force yet in this version: such "
                                    "addresses are not announced");
      }
    }
    if (chosen->empty()) in.error("addresses", "is empty: list LoadBalancerIP or others");
  } else {
    in.error("addresses", "is missing: list LoadBalancerIP or others");
  }
  const auto length = [&](const char* key, std::int64_t max) {
    const auto n = in.integer(key, 0, max);
    return static_cast<unsigned>(n.value_or(max + 1));
  };
  ad.aggregation_v4 = length("aggregationLengthIPv4", 31);
  ad.aggregation_v6 = length("aggregationLengthIPv6", 127);
  in.finish();
}

// spec.advertisements[]; nothing if it announces nothing of ours.
std::optional<BgpAdvertisement> read_entry(MapReader& in) {
  static const std::vector<std::string> kTypes = {"Service", "PodCIDR", "CiliumPodIPPool",
                                                  "Interface"};
  const auto type = in.choice("advertisementType", kTypes);
  if (!in.has("advertisementType")) {
    in.error("advertisementType", "is missing: write Service");
  }
  BgpAdvertisement ad;
  auto selector = read_checked_selector(in, "selector");
  MapReader service = in.map("service"), link = in.map("interface"),
            attributes = in.map("attributes");
  if (service.present()) read_service_options(service, ad);
  if (link.present()) {
    if (!link.text("name")) link.error("name", "is missing: name the interface");
    link.finish();
  }
  read_communities(attributes.map("communities"), ad);
  if (const auto v = attributes.integer("localPreference", 0, kMaxU32)) {
    ad.local_pref = static_cast<std::uint32_t>(*v);
  }
  attributes.finish();
  in.finish();
  if (!type) return std::nullopt;
  const std::string is = "advertisementType is " + kTypes[*type] + ": ";
  if ((*type == 0) != service.present()) {
    in.error("service", is + (*type == 0 ? "say which addresses, like service: {addresses: "
                                           "[LoadBalancerIP]}"
                                         : "take service out"));
  }
  if ((*type == 3) != link.present()) {
    in.error("interface",
             is + (*type == 3 ? "name it, like interface: {name: lo}" : "take interface out"));
  }
  if (*type == 1 && selector) in.error("selector", is + "take the selector out");
  if (*type != 0) {
    in.warning("advertisementType",
               kTypes[*type] + " is not served: only addresses of services are announced");
    return std::nullopt;
  }
  if (!selector) {
    in.warning("selector", "is missing: it selects no service, as with Cilium; write {} for all");
    return std::nullopt;
  }
  ad.service_selectors = {std::move(*selector)};
  return ad;
}

}  // namespace

void read_cilium_peer_config(MapReader& spec, Translated& out) {
  CiliumBgpPeerConfig config;
  config.name = out.name;
  config.source = out.source;
  BgpPeer& peer = config.settings;
  MapReader transport = spec.map("transport");
  peer.port = static_cast<std::uint16_t>(transport.integer("peerPort", 1, 65535).value_or(179));
  peer.source_interface = transport.text("sourceInterface").value_or("");
  if (!peer.source_interface.empty()) transport.not_yet("sourceInterface");
  warn_of_local_port(transport, 1, 65535);  // of v2alpha1
  transport.finish();
  read_timers(spec.map("timers"), peer);
  peer.multihop = static_cast<int>(spec.integer("ebgpMultihop", 1, 255).value_or(1));
  MapReader restart = spec.map("gracefulRestart");
  if (restart.present()) {
    if (!restart.has("enabled")) restart.error("enabled", "is missing: write true or false");
    peer.graceful_restart = restart.boolean("enabled").value_or(false);
    peer.restart_time =
        std::chrono::seconds(restart.integer("restartTimeSeconds", 1, 4095).value_or(120));
    restart.finish();
    if (peer.graceful_restart) spec.not_yet("gracefulRestart");
  }
  const std::string secret = spec.text("authSecretRef").value_or("");
  if (!secret.empty()) {
    peer.password = SecretKey{kSecretsNamespace, secret, "password"};
    spec.not_yet("authSecretRef");
  }
  read_families(spec, config);
  read_bfd(spec, config);
  out.object = std::move(config);
}

void read_cilium_advertisement(MapReader& spec, MapReader& metadata, Translated& out) {
  CiliumBgpAdvertisement object;
  object.name = out.name;
  object.source = out.source;
  object.labels = metadata.labels("labels");
  auto entries = read_required_list(spec, "advertisements", true);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    auto ad = read_entry(entries[i]);
    if (!ad) continue;
    ad->name = fmt::format("{}-{}", out.name, i);
    ad->source = out.source;
    object.entries.push_back(std::move(*ad));
  }
  out.object = std::move(object);
}

}  // namespace herald::config
