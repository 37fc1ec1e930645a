// config/herald_kinds.cc: the native kinds, herald.io/v1alpha1. Every field is checked, an unknown
// one is an error: a typo in a pool must not pass as "all services".
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "config/interface_match.h"
#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {
namespace {

constexpr std::int64_t kMaxU32 = 4294967295;

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> kAll = {"LoadBalancerIPPool", "L2AnnouncementPolicy",
                                                "BGPPeer", "BGPAdvertisement", "BFDProfile"};
  return kAll;
}

template <typename T>
std::vector<T> names(MapReader& spec, const std::string& key) {
  std::vector<T> out;
  for (std::string& name : spec.texts(key)) out.emplace_back(std::move(name));
  return out;
}

std::vector<AddressKind> address_kinds(MapReader& spec, const std::vector<std::string>& words) {
  const auto chosen = spec.choices("addresses", words);
  if (!chosen) return {AddressKind::LoadBalancerIP};
  std::vector<AddressKind> out;
  for (const std::size_t i : *chosen) {
    out.push_back(static_cast<AddressKind>(i));
    if (out.back() != AddressKind::LoadBalancerIP) {
      spec.warning("addresses", words[i] +
                                    " is understood, but not in force yet in this version: "
                                    "such addresses are not announced");
    }
  }
  return out;
}

// `namespaces` beside namespaceSelector: both have to let a service in.
void restrict_namespaces(const std::vector<std::string>& namespaces, Pool& pool) {
  if (namespaces.empty()) return;
  if (pool.namespace_selectors.empty()) pool.namespace_selectors.emplace_back();
  for (LabelSelector& selector : pool.namespace_selectors) {
    selector.match_expressions.push_back(
        {"kubernetes.io/metadata.name", LabelSelector::Operator::In, namespaces});
  }
}

void read_pool(MapReader& spec, MapReader& metadata, Translated& out) {
  out.sort = kSort<Pool>;
  Pool pool;
  pool.name = PoolName(out.name);
  pool.source = out.source;
  pool.created = read_creation_time(metadata);
  pool.labels = metadata.labels("labels");
  std::vector<AddressBlock> blocks;
  spec.each("addresses", [&](const std::string& text) {
    AddressBlock block;
    auto fault = parse_block(text, block);
    if (!fault) blocks.push_back(block);
    return fault;
  });
  if (!spec.has("addresses")) {
    spec.error("addresses", "is missing: list what may be given out, like [10.0.0.0/24]");
  }
  for (const AddressBlock& block : blocks) pool.ranges.push_back(block.range);
  pool.service_selectors = spec.selectors("serviceSelector");
  pool.namespace_selectors = spec.selectors("namespaceSelector");
  restrict_namespaces(spec.texts("namespaces"), pool);
  if (const auto priority = spec.integer("priority", 1, 1'000'000)) {
    pool.priority = static_cast<int>(*priority);
  }
  pool.auto_assign = spec.boolean("autoAssign").value_or(true);
  pool.disabled = spec.boolean("disabled").value_or(false);
  for (const std::size_t what :
       spec.choices("avoid", {"FirstLast", "BuggyIPv4"}).value_or(std::vector<std::size_t>{})) {
    if (what == 1) {
      pool.avoid_buggy_ipv4 = true;
    } else {
      add_first_and_last(blocks, pool);
    }
  }
  if (spec.choice("onShrink", {"keep", "release"}) == 1) spec.not_yet("onShrink");
  if (spec.duration("releaseHold", 0s, 8760h).value_or(0s) > 0s) spec.not_yet("releaseHold");
  if (spec.boolean("probe") == false) spec.not_yet("probe");
  out.object = std::move(pool);
}

void read_l2_policy(MapReader& spec, Translated& out) {
  out.sort = kSort<L2Policy>;
  L2Policy policy;
  policy.name = out.name;
  policy.source = out.source;
  policy.service_selectors = spec.selectors("serviceSelector");
  policy.node_selectors = spec.selectors("nodeSelector");
  policy.pools.names = names<PoolName>(spec, "pools");
  policy.interfaces = read_interfaces(spec);
  policy.addresses = address_kinds(spec, {"LoadBalancerIP", "ExternalIP"});
  for (MapReader& in : spec.maps("preferredNodes")) {
    PreferredNodes preferred;
    preferred.weight = static_cast<int>(in.integer("weight", 1, 100).value_or(1));
    preferred.selector = in.selector("selector").value_or(LabelSelector{});
    in.finish();
    policy.preferred_nodes.push_back(std::move(preferred));
  }
  policy.rebalance = spec.choice("rebalance", {"gentle", "never"}) != 1;
  MapReader gratuitous = spec.map("gratuitous");
  policy.gratuitous_count = static_cast<int>(gratuitous.integer("count", 0, 100).value_or(5));
  policy.gratuitous_interval = gratuitous.duration("interval", 10ms, 60s).value_or(200ms);
  policy.gratuitous_refresh = gratuitous.duration("refresh", 0s, 24h).value_or(0s);
  gratuitous.finish();
  out.object = std::move(policy);
}

void read_asns(MapReader& spec, BgpPeer& peer) {
  const auto local = spec.integer("localASN", 1, kMaxU32);
  if (!local && !spec.has("localASN")) {
    spec.error("localASN", "is missing: write the AS number that this side speaks for");
  }
  peer.local_asn = Asn(static_cast<std::uint32_t>(local.value_or(0)));
  const auto text = spec.text("peerASN");
  if (!text) {
    if (!spec.has("peerASN")) {
      spec.error("peerASN", "is missing: write the router's AS number, internal or external");
    }
    return;
  }
  if (*text == "internal" || *text == "external") {
    peer.peer_asn.kind = *text == "internal" ? PeerAsn::Kind::Internal : PeerAsn::Kind::External;
    return;
  }
  const auto number = parse_number(*text, kMaxU32);
  if (!number || *number == 0) {
    spec.error("peerASN",
               "'" + *text + "' is no AS number: write 1 to 4294967295, internal or external");
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
  if (keepalive && peer.hold_time > 0s && *keepalive >= peer.hold_time) {
    spec.error("keepaliveTime", "'" + to_string(*keepalive) + "' is not less than holdTime " +
                                    to_string(peer.hold_time) + ": a third of it is usual");
  }
  peer.connect_retry_time = spec.duration("connectRetryTime", 1s, 65535s).value_or(5s);
}

void read_peer(MapReader& spec, Translated& out) {
  out.sort = kSort<BgpPeer>;
  BgpPeer peer;
  peer.name = PeerName(out.name);
  peer.source = out.source;
  if (spec.has("interface")) {
    spec.text("interface");
    spec.error("interface", "unnumbered peers are not supported yet: give the peer's address");
  }
  const auto address = spec.ip("address");
  if (address) peer.address = *address;
  if (!spec.has("address") && !spec.has("interface")) {
    spec.error("address", "is missing: write the router's IP address");
  }
  if (address && (address->is_unspecified() || address->is_multicast())) {
    spec.error("address", "'" + to_string(*address) + "' is no address of a router");
  }
  peer.port = static_cast<std::uint16_t>(spec.integer("port", 1, 65535).value_or(179));
  read_asns(spec, peer);
  peer.router_id = spec.ip("routerID");
  if (peer.router_id && (peer.router_id->is_v6() || peer.router_id->is_unspecified())) {
    spec.error("routerID", "'" + to_string(*peer.router_id) +
                               "' is no router ID: write it like an IPv4 address, not 0.0.0.0");
  }
  peer.node_selectors = spec.selectors("nodeSelector");
  peer.source_address = spec.ip("sourceAddress");
  if (address && peer.source_address && peer.source_address->family() != address->family()) {
    spec.error("sourceAddress", "'" + to_string(*peer.source_address) +
                                    "' is of another family than address " + to_string(*address));
  }
  read_times(spec, peer);
  peer.multihop = static_cast<int>(spec.integer("multihop", 1, 255).value_or(1));
  if (const auto families = spec.choices("families", {"ipv4", "ipv6"})) {
    const auto has = [&](std::size_t f) {
      return std::find(families->begin(), families->end(), f) != families->end();
    };
    peer.ipv4 = has(0);
    peer.ipv6 = has(1);
    if (!peer.ipv4 && !peer.ipv6) spec.error("families", "is empty: list ipv4, ipv6 or both");
  }
  for (const char* key : {"ttlSecurity", "extendedNextHop"}) {
    if (spec.boolean(key) == true) spec.not_yet(key);
  }
  for (const char* key :
       {"passwordSecret", "bfdProfile", "gracefulRestart", "vrf", "maxPrefixesOut"}) {
    spec.not_yet(key);
  }
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
  ad.service_selectors = spec.selectors("serviceSelector");
  ad.node_selectors = spec.selectors("nodeSelector");
  ad.pools.names = names<PoolName>(spec, "pools");
  ad.peers = names<PeerName>(spec, "peers");
  ad.addresses = address_kinds(spec, {"LoadBalancerIP", "ExternalIP", "ClusterIP"});
  MapReader aggregation = spec.map("aggregationLength");
  ad.aggregation_v4 = static_cast<unsigned>(aggregation.integer("ipv4", 1, 32).value_or(32));
  ad.aggregation_v6 = static_cast<unsigned>(aggregation.integer("ipv6", 1, 128).value_or(128));
  aggregation.finish();
  if (ad.aggregation_v4 != 32 || ad.aggregation_v6 != 128) spec.not_yet("aggregationLength");
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
  if (spec.boolean("exclusive") == true) spec.not_yet("exclusive");
  out.object = std::move(ad);
}

}  // namespace

void add_first_and_last(const std::vector<AddressBlock>& blocks, Pool& pool) {
  for (const AddressBlock& block : blocks) {
    if (!block.prefix || block.prefix->length() + 1 >= block.range.first.bits()) continue;
    pool.avoided.push_back(IpRange::single(block.range.first));
    pool.avoided.push_back(IpRange::single(block.range.last));
  }
}

std::vector<std::string> read_interfaces(MapReader& spec) {
  std::vector<std::string> out;
  spec.each("interfaces", [&](const std::string& pattern) {
    auto fault = check_pattern(pattern);
    if (!fault) out.push_back(pattern);
    return fault;
  });
  return out;
}

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
  if (out.kind == "BFDProfile") {
    root.warning("kind", "BFDProfile is not supported yet by this version: it has no effect");
    return true;
  }
  out.ns.clear();  // cluster-scoped
  MapReader spec = root.map("spec");
  root.ignore("status");
  if (out.kind == "LoadBalancerIPPool") read_pool(spec, metadata, out);
  if (out.kind == "L2AnnouncementPolicy") read_l2_policy(spec, out);
  if (out.kind == "BGPPeer") read_peer(spec, out);
  if (out.kind == "BGPAdvertisement") read_advertisement(spec, out);
  spec.finish();
  root.finish();
  return true;
}

}  // namespace herald::config
