// config/metallb_bgp.cc: MetalLB's BGP advertisements, peers, BFD profiles and communities. What is
// in force in MetalLB but not here yet is a warning, and is in the model all the same.
#include "config/metallb_bgp.h"

#include <charconv>
#include <limits>

#include "base/text.h"
#include "config/metallb.h"
#include "config/selector_rules.h"

namespace herald::config {
namespace metallb {

std::variant<CommunityValue, CommunityFault> parse_community(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(':', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (parts.size() != 2 && parts.size() != 4) return CommunityFault::BadForm;
  const bool large = parts.size() == 4;
  if (large && parts[0] != "large") return CommunityFault::BadNumber;
  if (large) parts.erase(parts.begin());
  std::vector<std::uint32_t> numbers;
  for (const std::string_view part : parts) {
    const auto number = parse_number(part, large ? 4294967295 : 65535);
    if (!number) return CommunityFault::BadNumber;
    numbers.push_back(static_cast<std::uint32_t>(*number));
  }
  if (large) return CommunityValue(LargeCommunity{numbers[0], numbers[1], numbers[2]});
  return CommunityValue(numbers[0] << 16 | numbers[1]);
}

}  // namespace metallb

namespace {

constexpr std::int64_t kMaxU32 = 4294967295;
constexpr int kMaxHops = 255;

std::string bad_community(const std::string& text) {
  return "'" + text.substr(0, 80) +
         "' is no community: write a:b (0 to 65535 each) or large:a:b:c (0 to 4294967295 each)";
}

std::uint32_t u32(std::optional<std::int64_t> number) {
  return static_cast<std::uint32_t>(number.value_or(0));
}

void read_asns(MapReader& spec, metallb::Peer& peer) {
  const auto mine = spec.integer("myASN", 1, kMaxU32);
  if (!spec.has("myASN")) {
    spec.error("myASN", "is missing: write the AS number that this side speaks for");
  }
  peer.my_asn = Asn(u32(mine));
  const auto local = spec.integer("localASN", 1, kMaxU32);
  peer.model.local_asn = local ? Asn(u32(local)) : peer.my_asn;
  const auto dynamic = spec.choice("dynamicASN", {"internal", "external"});
  const auto number = spec.integer("peerASN", 0, kMaxU32);
  PeerAsn& asn = peer.model.peer_asn;
  if (spec.has("dynamicASN")) {
    if (number.value_or(0) != 0) {
      spec.error("dynamicASN", "excludes peerASN: keep one of the two");
    }
    asn.kind = dynamic.value_or(0) == 0 ? PeerAsn::Kind::Internal : PeerAsn::Kind::External;
  } else if (!spec.has("peerASN") || number == 0) {
    spec.error("peerASN",
               "is missing: write the router's AS number, or dynamicASN: internal or external");
  }
  asn.number = Asn(u32(number));
}

// An own hop limit for routers that are not on the link; a router of the own AS may be anywhere.
void read_hops(MapReader& spec, metallb::Peer& peer) {
  const bool multihop = spec.boolean("ebgpMultiHop").value_or(false);
  const PeerAsn& asn = peer.model.peer_asn;
  if (multihop && asn.kind == PeerAsn::Kind::Number && asn.number == peer.my_asn) {
    spec.error("ebgpMultiHop",
               "is for routers of another AS, but peerASN is myASN: take it out, a router of the "
               "same AS may be any number of hops away");
  }
  const bool internal = asn.kind == PeerAsn::Kind::Internal ||
                        (asn.kind == PeerAsn::Kind::Number && asn.number == peer.model.local_asn);
  peer.model.multihop = multihop || internal ? kMaxHops : 1;
}

// Each of holdTime and keepaliveTime follows from the other: three keepalives a hold time.
void read_times(MapReader& spec, BgpPeer& peer) {
  constexpr Duration kLongest = 65535s;
  const auto hold = spec.duration("holdTime", 0s, kLongest);
  const auto keepalive = spec.duration("keepaliveTime", 0s, kLongest);
  if (const auto connect = spec.duration("connectTime", 1s, kLongest)) {
    peer.connect_retry_time = *connect;
    if (*connect % 1s != 0s) {
      spec.error("connectTime", "'" + to_string(*connect) + "' is no number of whole seconds");
    }
  }
  if (!hold && !keepalive) return;
  const Duration exact = hold ? *hold : 3 * *keepalive;
  const Duration whole = std::chrono::floor<std::chrono::seconds>(exact);
  const char* given = hold ? "holdTime" : "keepaliveTime";
  if (whole > 0s && whole < 3s) {
    spec.error(given, "makes a hold time of " + to_string(exact) +
                          ", which is too short: RFC 4271 wants 0s (none) or at least 3s");
  }
  if (exact > kLongest) {
    spec.error(given, "makes a hold time of " + to_string(exact) + ", which is over 65535s");
  }
  if (keepalive && *keepalive > exact) {
    spec.error("keepaliveTime", "'" + to_string(*keepalive) + "' is longer than holdTime " +
                                    to_string(exact) + ": a third of it is usual");
  }
  peer.hold_time = whole;
  peer.keepalive_time = whole == 0s ? 0s : keepalive.value_or(exact / 3);
}

void read_addresses(MapReader& spec, BgpPeer& peer) {
  const auto address = spec.ip("peerAddress");
  peer.interface = spec.text("interface").value_or("");
  if (address) peer.address = *address;
  if (!spec.has("peerAddress") && peer.interface.empty()) {
    spec.error("peerAddress", "is missing: write the router's IP address, or the interface to it");
  }
  if (spec.has("peerAddress") && !peer.interface.empty()) {
    spec.error("interface", "excludes peerAddress: keep one of the two");
  }
  if (address && (address->is_unspecified() || address->is_multicast())) {
    spec.error("peerAddress", "'" + to_string(*address) + "' is no address of a router");
  }
  peer.router_id = spec.ip("routerID");
  if (peer.router_id && (peer.router_id->is_v6() || peer.router_id->is_unspecified())) {
    spec.error("routerID", "'" + to_string(*peer.router_id) +
                               "' is no router ID: write it like an IPv4 address, not 0.0.0.0");
  }
  peer.source_address = spec.ip("sourceAddress");
  if (address && peer.source_address && peer.source_address->family() != address->family()) {
    spec.error("sourceAddress", "'" + to_string(*peer.source_address) +
                                    "' is of another family than peerAddress " +
                                    to_string(*address));
  }
  if (!peer.interface.empty()) {
    spec.warning("interface",
                 "is understood, but peers without an address are not in force yet in this "
                 "version: this one is not connected");
  }
}

void read_password(MapReader& spec, const std::string& own_namespace, BgpPeer& peer) {
  const auto text = spec.text("password");
  MapReader secret = spec.map("passwordSecret");
  const auto name = secret.text("name");
  const auto ns = secret.text("namespace");
  secret.finish();
  const bool by_secret = name && !name->empty(), by_text = text && !text->empty();
  if (by_secret && by_text) {
    spec.error("password", "excludes passwordSecret: keep one of the two, better the secret");
  }
  if (by_secret) peer.password = SecretKey{ns.value_or(own_namespace), *name, "password"};
  if (by_secret) spec.not_yet("passwordSecret");
  if (by_text) {
    spec.warning("password",
                 "is understood, but not in force yet in this version, and has no native form for "
                 "heraldctl convert: put it into a Secret of type kubernetes.io/basic-auth, and "
                 "name that in passwordSecret");
  }
}

}  // namespace

void read_metallb_peer(const std::string& api, MapReader& spec, Translated& out) {
  out.sort = kSort<BgpPeer>;
  metallb::Peer peer;
  BgpPeer& model = peer.model;
  model.name = PeerName(out.name);
  model.source = out.source;
  read_asns(spec, peer);
  read_addresses(spec, model);
  read_hops(spec, peer);
  read_times(spec, model);
  // MetalLB's own bound; the older version also takes 0 for the default.
  const std::int64_t least = api == "metallb.io/v1beta1" ? 0 : 1;
  const auto port = spec.integer("peerPort", least, 16384).value_or(0);
  model.port = static_cast<std::uint16_t>(port == 0 ? 179 : port);
  model.node_selectors = read_selector_list(spec, "nodeSelectors");
  read_password(spec, out.ns, model);
  // A session carries the family that it runs on, unless it is told to carry both.
  const bool apart = spec.boolean("disableMP").value_or(false);
  const bool both = spec.boolean("dualStackAddressFamily").value_or(false) && !apart;
  if (model.interface.empty() && !both) {
    model.ipv4 = model.address.is_v4();
    model.ipv6 = model.address.is_v6();
  }
  model.bfd_profile = spec.text("bfdProfile").value_or("");
  if (!model.bfd_profile.empty()) spec.not_yet("bfdProfile");
  model.graceful_restart = spec.boolean("enableGracefulRestart").value_or(false);
  if (model.graceful_restart) spec.not_yet("enableGracefulRestart");
  model.vrf = spec.text("vrf").value_or("");
  if (!model.vrf.empty()) {
    spec.warning("vrf",
                 "is understood, but VRFs are not in force yet in this version: this peer is not "
                 "connected");
  }
  out.object = std::move(peer);
}

void read_metallb_advertisement(MapReader& spec, Translated& out) {
  out.sort = kSort<BgpAdvertisement>;
  metallb::Advertisement ad;
  BgpAdvertisement& model = ad.model;
  model.name = out.name;
  model.source = out.source;
  model.pools = read_pool_choice(spec);
  model.node_selectors = read_selector_list(spec, "nodeSelectors");
  model.service_selectors = read_selector_list(spec, "serviceSelectors");
  for (std::string& peer : read_name_list(spec, "peers")) model.peers.emplace_back(std::move(peer));
  model.aggregation_v4 =
      static_cast<unsigned>(spec.integer("aggregationLength", 1, 32).value_or(32));
  model.aggregation_v6 =
      static_cast<unsigned>(spec.integer("aggregationLengthV6", 0, 128).value_or(128));
  if (!model.service_selectors.empty() &&
      (model.aggregation_v4 != 32 || model.aggregation_v6 != 128)) {
    spec.error("serviceSelectors",
               "exclude aggregation, which would draw in services that are not selected: take "
               "aggregationLength and aggregationLengthV6 out, or the selectors");
  }
  // MetalLB's 0 is none: the router then takes its own default.
  const auto preference = spec.integer("localPref", 0, kMaxU32).value_or(0);
  if (preference != 0) model.local_pref = static_cast<std::uint32_t>(preference);
  ad.communities = read_name_list(spec, "communities");
  for (const std::string& text : ad.communities) {
    const auto parsed = metallb::parse_community(text);
    const auto* fault = std::get_if<metallb::CommunityFault>(&parsed);
    if (fault != nullptr && *fault == metallb::CommunityFault::BadNumber) {
      spec.error("communities", bad_community(text));
    }
  }
  if (ad.communities.size() > kMaxCommunities) {
    spec.error("communities", "lists " + std::to_string(ad.communities.size()) +
                                  " communities, but a route with more than " +
                                  std::to_string(kMaxCommunities) +
                                  " may not fit a BGP message: list fewer");
  }
  model.needs_endpoints = true;
  model.aggregate_local = true;
  model.strict_local_pref = true;
  out.object = std::move(ad);
}

void read_metallb_bfd_profile(MapReader& spec, Translated& out) {
  out.sort = kSort<BfdProfile>;
  BfdProfile profile;
  profile.name = out.name;
  profile.source = out.source;
  const auto interval = [&](const char* key) -> std::optional<Duration> {
    const auto ms = spec.integer(key, 10, 60000);
    return ms ? std::optional<Duration>(std::chrono::milliseconds(*ms)) : std::nullopt;
  };
  profile.receive_interval = interval("receiveInterval").value_or(300ms);
  profile.transmit_interval = interval("transmitInterval").value_or(300ms);
  profile.detect_multiplier =
      static_cast<unsigned>(spec.integer("detectMultiplier", 2, 255).value_or(3));
  const auto echo = interval("echoInterval");
  if (spec.boolean("echoMode").value_or(false)) profile.echo_interval = echo.value_or(50ms);
  profile.passive = spec.boolean("passiveMode").value_or(false);
  profile.minimum_ttl = static_cast<unsigned>(spec.integer("minimumTtl", 1, 254).value_or(254));
  spec.warning("", "is understood, but BFD is not in force yet in this version: it has no effect");
  out.object = std::move(profile);
}

void read_metallb_community(MapReader& spec, Translated& out) {
  out.sort = kSort<metallb::Community>;
  metallb::Community community;
  for (MapReader& in : spec.maps("communities")) {
    const std::string name = in.text("name").value_or(""), value = in.text("value").value_or("");
    in.finish();
    if (name.empty()) in.error("name", "is missing: name the alias");
    const auto parsed = metallb::parse_community(value);
    const auto* good = std::get_if<metallb::CommunityValue>(&parsed);
    if (good == nullptr) {
      in.error("value", bad_community(value));
    } else if (!community.aliases.emplace(name, *good).second) {
      in.error("name", "'" + name + "' is defined twice: remove one");
    }
  }
  out.object = std::move(community);
}

}  // namespace herald::config
