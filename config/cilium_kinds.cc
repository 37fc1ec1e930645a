// config/cilium_kinds.cc: Cilium's pools and L2 policies, with Cilium's meaning of each field, and
// which kinds of Cilium are ours to read. docs/dialects.md tells the same to users.
#include <algorithm>

#include "base/text.h"
#include "config/cilium_fields.h"
#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {
namespace {

constexpr const char* kL2Class = "io.cilium/l2-announcer";

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> kAll = {
      "CiliumLoadBalancerIPPool", "CiliumL2AnnouncementPolicy", "CiliumBGPClusterConfig",
      "CiliumBGPPeerConfig",      "CiliumBGPAdvertisement",     "CiliumBGPNodeConfigOverride"};
  return kAll;
}

// spec.blocks[]: cidr, or start with or without stop.
void read_block(MapReader& in, std::vector<AddressBlock>& blocks) {
  const auto cidr = in.text("cidr"), start = in.text("start"), stop = in.text("stop");
  in.finish();
  AddressBlock block;
  std::optional<std::string> fault;
  if (cidr) {
    fault = parse_block(*cidr, block);
    if (!fault && !block.prefix) {
      fault = "'" + *cidr + "' is no CIDR: write it like 10.0.0.0/24 or fd00::/64";
    }
    if (start || stop) in.warning(start ? "start" : "stop", "has no effect beside cidr");
    if (fault) in.error("cidr", *fault);
  } else if (!start || start->empty()) {
    in.error("", "needs either cidr, or start with or without stop");
    return;
  } else {
    // A CIDR or a range is no address.
    const bool plain = (*start + stop.value_or("")).find_first_of("/-") == std::string::npos;
    fault = !plain ? "'" + *start + "' to '" + stop.value_or("") +
                         "': write one address for each, like 10.0.0.1"
            : stop && !stop->empty() ? parse_block(*start + "-" + *stop, block)
                                     : parse_block(*start, block);
    if (fault) in.error("start", *fault);
  }
  if (!fault) blocks.push_back(block);
}

void read_pool(MapReader& spec, MapReader& metadata, Translated& out) {
  out.sort = kSort<Pool>;
  Pool pool;
  pool.name = PoolName(out.name);
  pool.source = out.source;
  pool.created = read_creation_time(metadata);
  pool.labels = metadata.labels("labels");
  // Cilium takes away whatever a service holds and did not ask for when it asks for something.
  pool.release_on_refusal = true;
  std::vector<AddressBlock> blocks;
  for (MapReader& in : spec.maps("blocks")) read_block(in, blocks);
  for (MapReader& in : spec.maps("cidrs")) read_block(in, blocks);  // what v2alpha1 called blocks
  for (const AddressBlock& block : blocks) pool.ranges.push_back(block.range);
  if (!spec.has("blocks") && !spec.has("cidrs")) {
    spec.warning("blocks", "is missing: there is nothing to give out");
  }
  pool.service_selectors = read_checked_selectors(spec, "serviceSelector");
  pool.disabled = spec.boolean("disabled").value_or(false);
  pool.family_check = FamilyCheck::Any;
  // Unquoted, both words are text here, as for all who read YAML 1.2.
  if (spec.choice("allowFirstLastIPs", {"Yes", "No"}) == 1) add_first_and_last(blocks, pool);
  out.object = std::move(pool);
}

void read_l2_policy(MapReader& spec, Translated& out) {
  out.sort = kSort<L2Policy>;
  L2Policy policy;
  policy.rebalance = false;  // a lease stays with its holder
  policy.classes = {"", kL2Class};
  policy.name = out.name;
  policy.source = out.source;
  policy.service_selectors = read_checked_selectors(spec, "serviceSelector");
  policy.node_selectors = read_checked_selectors(spec, "nodeSelector");
  policy.interfaces = read_interfaces(spec);
  policy.addresses.clear();  // both default to false
  if (spec.boolean("loadBalancerIPs") == true) {
    policy.addresses.push_back(AddressKind::LoadBalancerIP);
  }
  if (spec.boolean("externalIPs") == true) {
    policy.addresses.push_back(AddressKind::ExternalIP);
  }
  if (policy.addresses.empty()) {
    spec.warning("", "announces nothing: set loadBalancerIPs or externalIPs to true");
  }
  out.object = std::move(policy);
}

}  // namespace

bool translate_cilium(const std::string& api, MapReader& root, Translated& out) {
  if (api.rfind("cilium.io/", 0) != 0) return false;
  const auto& all = kinds();
  if (std::find(all.begin(), all.end(), out.kind) == all.end()) {
    if (out.kind == "CiliumBGPNodeConfig") return true;  // written by Cilium's operator
    if (out.kind == "CiliumBGPPeeringPolicy") {
      root.warning("kind",
                   "CiliumBGPPeeringPolicy is not read: Cilium has replaced it by "
                   "CiliumBGPClusterConfig (peers), CiliumBGPPeerConfig (timers, families) and "
                   "CiliumBGPAdvertisement (what is announced); write these");
      return true;
    }
    // Most kinds of Cilium are none of ours; a slip of the pen may be.
    const auto meant = closest(out.kind, all);
    if (meant) root.warning("kind", "is not known; did you mean '" + *meant + "'?");
    return false;
  }
  if (api != "cilium.io/v2" && api != "cilium.io/v2alpha1") {
    root.error("apiVersion", "'" + api + "' is not known: write cilium.io/v2");
    return true;
  }
  out.ns.clear();  // cluster-scoped
  MapReader metadata = root.map("metadata");
  MapReader spec = root.map("spec");
  root.ignore("status");
  if (out.kind == "CiliumLoadBalancerIPPool") {
    if (!root.has("spec")) root.error("spec", "is missing: list blocks of addresses in it");
    read_pool(spec, metadata, out);
  } else if (out.kind == "CiliumL2AnnouncementPolicy") {
    read_l2_policy(spec, out);
  } else {
    read_cilium_bgp(spec, metadata, out);
  }
  spec.finish();
  root.finish();
  return true;
}

}  // namespace herald::config
