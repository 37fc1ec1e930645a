// config/herald_kinds.cc: the native kinds, herald.io/v1alpha1. Every field is checked, an unknown
// one is an error: a typo in a pool must not pass as "all services".
#include "config/herald_kinds.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "config/herald_fields.h"

namespace herald::config {
namespace {

constexpr std::int64_t kMaxU32 = 4294967295;

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> kAll = {"LoadBalancerIPPool", "L2AnnouncementPolicy",
                                                "BGPPeer", "BGPAdvertisement", "BFDProfile"};
  return kAll;
}

void read_asns(MapReader& spec, BgpPeer& peer) {
  const auto local = spec.integer("localASN", 1, kMaxU32);
  if (!local && !spec.has("localASN") && !spec.has("nodeOverrides")) {
    spec.error("localASN", "is missing: write the AS number that this side speaks for");
  }
  peer.local_asn = Asn(static_cast<std::uint32_t>(local.value_or(0)));
  const auto text = spec.text("peerASN");
  if (!text) {
    if (!spec.has("peerASN")) {
      spec.error("peerASN", "is missing: write the router's AS number, internal, external or any");
    }
    return;
  }
  if (*text == "internal" || *text == "external") {
    peer.peer_asn.kind = *text == "internal" ? PeerAsn::Kind::Internal : PeerAsn::Kind::External;
    return;
  }
  if (*text == "any") {
    peer.peer_asn.kind = PeerAsn::Kind::Any;
    return;
  }
  const auto number = parse_number(*text, kMaxU32);
  if (!number || *number == 0) {
    spec.error("peerASN",
               "'" + *text + "' is no AS number: write 1 to 4294967295, internal, external or any");
    return;
  }
  peer.peer_asn.number = Asn(static_cast<std::uint32_t>(*number));
}

void read_times(MapReader& spec, BgpPeer& peer) {
  peer.hold_time = spec.duration("holdTime", 0s, 65535s).value_or(90s);
  if (peer.hold_time > 0s && peer.hold_time < 3s) {
    spec.error("holdTime", "'" + to_string(peer.hold_time) +
                               "' is too short: RFC 4271 wants 0s (none) or at least 3s");
  }
  // A third of the hold time unless it is given, as RFC 4271 §10 suggests.
  const auto keepalive = spec.duration("keepaliveTime", 0s, 65535s);
  peer.keepalive_time = keepalive.value_or(std::min<Duration>(30s, peer.hold_time / 3));
  if (keepalive && peer.hold_time > 0s && *keepalive > peer.hold_time) {
    spec.error("keepaliveTime", "'" + to_string(*keepalive) + "' is longer than holdTime " +
                                    to_string(peer.hold_time) + ": a third of it is usual");
  }
  peer.connect_retry_time = spec.duration("connectRetryTime", 1s, 2147483647s).value_or(5s);
}

std::optional<IpAddress> read_router_id(MapReader& in) {
  const auto id = in.ip("routerID");
  if (id && (id->is_v6() || id->is_unspecified())) {
    in.error("routerID", "'" + to_string(*id) +
                             "' is no router ID: write it like an IPv4 address, not 0.0.0.0");
  }
  return id;
}

// Who is spoken to: an address, or whoever is at the other end of a link, or both (link-local).
void read_router(MapReader& spec, BgpPeer& peer) {
  peer.interface = spec.text("interface").value_or("");
  if (!peer.interface.empty()) spec.not_yet("interface");
  const auto address = spec.ip("address");
  if (!spec.has("address") && peer.interface.empty()) {
    spec.error("address", "is missing: write the router's IP address");
  }
  if (!address) return;
  peer.address = *address;
  if (address->is_unspecified() || address->is_multicast()) {
    spec.error("address", "'" + to_string(*address) + "' is no address of a router");
  }
}

void read_overrides(MapReader& spec, BgpPeer& peer) {
  for (MapReader& in : spec.maps("nodeOverrides")) {
    PeerOverride here;
    here.node = NodeName(in.text("node").value_or(""));
    if (here.node.str().empty()) in.error("node", "is missing: name the node that differs");
    here.router_id = read_router_id(in);
    if (const auto asn = in.integer("localASN", 1, kMaxU32)) {
      here.local_asn = Asn(static_cast<std::uint32_t>(*asn));
    }
    here.source_address = in.ip("sourceAddress");
    if (peer.local_asn.value == 0 && !here.local_asn && !in.has("localASN")) {
      in.error("localASN", "is missing here and in spec.localASN: write it in one of the two");
    }
    in.finish();
    peer.overrides.push_back(std::move(here));
  }
}

Duration whole_seconds(MapReader& in, const std::string& key, Duration max, Duration otherwise) {
  const Duration d = in.duration(key, 0s, max).value_or(otherwise);
  if (d % 1s != 0s) in.error(key, "'" + to_string(d) + "' is no number of whole seconds");
  return d;
}

// What a session cannot do yet: checked, and said.
void read_not_yet(MapReader& spec, BgpPeer& peer) {
  peer.source_interface = spec.text("sourceInterface").value_or("");
  if (!peer.source_interface.empty()) spec.not_yet("sourceInterface");
  peer.ttl_security = spec.boolean("ttlSecurity").value_or(false);
  if (peer.ttl_security) spec.not_yet("ttlSecurity");
  peer.extended_next_hop = spec.boolean("extendedNextHop").value_or(false);
  if (peer.extended_next_hop) spec.not_yet("extendedNextHop");
  peer.passive = spec.boolean("passive").value_or(false);
  if (peer.passive) spec.not_yet("passive");
  if (MapReader in = spec.map("passwordSecret"); in.present()) {
    SecretKey secret{in.text("namespace").value_or("default"), in.text("name").value_or(""),
                     in.text("key").value_or("password")};
    if (secret.name.empty()) in.error("name", "is missing: name the Secret");
    in.finish();
    peer.password = std::move(secret);
    spec.not_yet("passwordSecret");
  }
  peer.bfd_profile = spec.text("bfdProfile").value_or("");
  if (!peer.bfd_profile.empty()) spec.not_yet("bfdProfile");
  MapReader restart = spec.map("gracefulRestart");
  peer.graceful_restart = restart.boolean("enabled").value_or(false);
  if (peer.graceful_restart) spec.not_yet("gracefulRestart");
  peer.restart_time = whole_seconds(restart, "restartTime", 4095s, 120s);       // 12 bits
  peer.long_lived_time = whole_seconds(restart, "longLived", 16'777'215s, 0s);  // 24 bits
  restart.finish();
  peer.vrf = spec.text("vrf").value_or("");
  if (!peer.vrf.empty()) spec.not_yet("vrf");
  if (const auto most = spec.integer("maxPrefixesOut", 1, kMaxU32)) {
    peer.max_prefixes_out = static_cast<std::uint32_t>(*most);
    spec.not_yet("maxPrefixesOut");
  }
}

// `families`, whichever are listed; both if it is missing.
template <typename T>
void read_bgp_families(MapReader& spec, T& out) {
  const auto families = spec.choices("families", {"ipv4", "ipv6"});
  if (!families) return;
  const auto has = [&](std::size_t f) {
    return std::find(families->begin(), families->end(), f) != families->end();
  };
  out.ipv4 = has(0);
  out.ipv6 = has(1);
  if (!out.ipv4 && !out.ipv6) spec.error("families", "is empty: list ipv4, ipv6 or both");
}

void read_peer(MapReader& spec, Translated& out) {
  out.sort = kSort<BgpPeer>;
  BgpPeer peer;
  peer.name = PeerName(out.name);
  peer.source = out.source;
  read_router(spec, peer);
  peer.port = static_cast<std::uint16_t>(spec.integer("port", 1, 65535).value_or(179));
  read_asns(spec, peer);
  peer.router_id = read_router_id(spec);
  peer.node_selectors = read_selectors(spec, "nodeSelector");
  peer.source_address = spec.ip("sourceAddress");
  if (spec.has("address") && peer.source_address &&
      peer.source_address->family() != peer.address.family()) {
    spec.error("sourceAddress", "'" + to_string(*peer.source_address) +
                                    "' is of another family than address " +
                                    to_string(peer.address));
  }
  read_times(spec, peer);
  peer.multihop = static_cast<int>(spec.integer("multihop", 1, 255).value_or(1));
  read_bgp_families(spec, peer);
  read_overrides(spec, peer);
  read_not_yet(spec, peer);
  out.object = std::move(peer);
}

// The names of RFC 1997 and its registry that routers know.
std::optional<std::uint32_t> well_known_community(const std::string& name) {
  static const std::map<std::string, std::uint32_t> kNames = {{"internet", 0},
                                                              {"graceful-shutdown", 0xffff0000},
                                                              {"accept-own", 0xffff0001},
                                                              {"llgr-stale", 0xffff0006},
                                                              {"no-llgr", 0xffff0007},
                                                              {"blackhole", 0xffff029a},
                                                              {"no-export", 0xffffff01},
                                                              {"no-advertise", 0xffffff02},
                                                              {"no-export-subconfed", 0xffffff03},
                                                              {"no-peer", 0xffffff04}};
  const auto it = kNames.find(name);
  return it == kNames.end() ? std::nullopt : std::optional(it->second);
}

std::optional<std::string> read_community(const std::string& text, BgpAdvertisement& out) {
  if (const auto named = well_known_community(text)) {
    out.communities.push_back(*named);
    return std::nullopt;
  }
  const auto parts = split_list(text, ':');
  const bool large = parts.size() == 4 && parts[0] == "large";
  std::vector<std::uint32_t> numbers;
  for (std::size_t i = large ? 1 : 0; i < parts.size(); ++i) {
    const auto n = parse_number(parts[i], large ? static_cast<std::uint64_t>(kMaxU32) : 65535);
    if (n) numbers.push_back(static_cast<std::uint32_t>(*n));
  }
  if (large && numbers.size() == 3) {
    out.large_communities.push_back({numbers[0], numbers[1], numbers[2]});
  } else if (parts.size() == 2 && numbers.size() == 2) {
    out.communities.push_back(numbers[0] << 16 | numbers[1]);
  } else {
    return "'" + text +
           "' is no community: write a:b (0 to 65535 each), large:a:b:c or a name like no-export";
  }
  return std::nullopt;
}

void read_advertisement(MapReader& spec, Translated& out) {
  out.sort = kSort<BgpAdvertisement>;
  BgpAdvertisement ad;
  ad.name = out.name;
  ad.source = out.source;
  read_scope(spec, ad);
  ad.peers = read_names<PeerName>(spec, "peers");
  read_bgp_families(spec, ad);
  ad.addresses = read_address_kinds(spec, 3);
  MapReader aggregation = spec.map("aggregationLength");
  ad.aggregation_v4 = static_cast<unsigned>(aggregation.integer("ipv4", 0, 32).value_or(32));
  ad.aggregation_v6 = static_cast<unsigned>(aggregation.integer("ipv6", 0, 128).value_or(128));
  aggregation.finish();
  spec.each("communities", [&](const std::string& text) { return read_community(text, ad); });
  const std::size_t communities = ad.communities.size() + ad.large_communities.size();
  if (communities > kMaxCommunities) {
    spec.error("communities",
               fmt::format("lists {} communities, but a route with more than {} may not fit a BGP "
                           "message: take {} of them out",
                           communities, kMaxCommunities, communities - kMaxCommunities));
  }
  if (const auto v = spec.integer("localPreference", 0, kMaxU32)) {
    ad.local_pref = static_cast<std::uint32_t>(*v);
  }
  if (const auto v = spec.integer("med", 0, kMaxU32)) ad.med = static_cast<std::uint32_t>(*v);
  ad.as_path_prepend = static_cast<unsigned>(spec.integer("asPathPrepend", 0, 64).value_or(0));
  ad.aggregate_local = spec.boolean("aggregateLocal").value_or(false);
  ad.exclusive = spec.boolean("exclusive").value_or(false);
  ad.strict_local_pref = spec.choice("onLocalPreferenceConflict", {"highest", "withhold"}) == 1;
  out.object = std::move(ad);
}

}  // namespace

bool translate_herald(const std::string& api, MapReader& root, Translated& out) {
  if (api.rfind("herald.io/", 0) != 0) return false;
  const auto& all = kinds();
  if (std::find(all.begin(), all.end(), out.kind) == all.end()) {
    const auto meant = closest(out.kind, all);
    root.error("kind",
               "'" + out.kind + "' is no kind of herald.io" +
                   (meant ? "; did you mean '" + *meant + "'?" : ": use " + join(all, ", ")));
    return true;
  }
  if (api != "herald.io/v1alpha1") {
    root.error("apiVersion", "'" + api + "' is not known: write herald.io/v1alpha1");
    return true;
  }
  MapReader metadata = root.map("metadata");
  out.ns.clear();  // cluster-scoped
  MapReader spec = root.map("spec");
  root.ignore("status");
  if (out.kind == "LoadBalancerIPPool") read_herald_pool(spec, metadata, out);
  if (out.kind == "L2AnnouncementPolicy") read_herald_l2_policy(spec, out);
  if (out.kind == "BGPPeer") read_peer(spec, out);
  if (out.kind == "BGPAdvertisement") read_advertisement(spec, out);
  if (out.kind == "BFDProfile") read_herald_bfd_profile(spec, out);
  spec.finish();
  root.finish();
  return true;
}

}  // namespace herald::config
