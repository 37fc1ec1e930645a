// config/cilium_kinds.cc: Cilium's pools and L2 policies, with Cilium's meaning of each field. What
// we do not serve yet is said so rather than passed over.
#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {
namespace {

void read_pool(MapReader& spec, MapReader& metadata, Translated& out) {
  out.sort = kSort<Pool>;
  Pool pool;
  pool.name = PoolName(out.name);
  pool.source = out.source;
  pool.created = read_creation_time(metadata);
  pool.labels = metadata.labels("labels");
  std::vector<AddressBlock> blocks;
  for (MapReader& in : spec.maps("blocks")) {
    const auto cidr = in.text("cidr"), start = in.text("start"), stop = in.text("stop");
    in.finish();
    AddressBlock block;
    if (cidr.has_value() == start.has_value() || (stop && !start)) {
      in.error("", "needs either cidr, or start with or without stop");
    } else if (const auto fault = parse_block(cidr   ? *cidr
                                              : stop ? *start + "-" + *stop
                                                     : *start,
                                              block)) {
      in.error(cidr ? "cidr" : "start", *fault);
    } else {
      blocks.push_back(block);
      pool.ranges.push_back(block.range);
    }
  }
  pool.service_selectors = spec.selectors("serviceSelector");
  pool.disabled = spec.boolean("disabled").value_or(false);
  // YAML 1.1 writers leave Yes and No unquoted; here both are text.
  if (spec.choice("allowFirstLastIPs", {"Yes", "No"}) == 1) add_first_and_last(blocks, pool);
  out.object = std::move(pool);
}

void read_l2_policy(MapReader& spec, Translated& out) {
  out.sort = kSort<L2Policy>;
  L2Policy policy;
  policy.rebalance = false;  // a lease stays with its holder
  policy.name = out.name;
  policy.source = out.source;
  policy.service_selectors = spec.selectors("serviceSelector");
  policy.node_selectors = spec.selectors("nodeSelector");
  policy.interfaces = read_interfaces(spec);
  policy.addresses.clear();  // both default to false
  if (spec.boolean("loadBalancerIPs") == true) {
    policy.addresses.push_back(AddressKind::LoadBalancerIP);
  }
  if (spec.boolean("externalIPs") == true) {
    policy.addresses.push_back(AddressKind::ExternalIP);
    spec.not_yet("externalIPs");
  }
  if (policy.addresses.empty()) {
    spec.warning("", "announces nothing: set loadBalancerIPs or externalIPs to true");
  }
  out.object = std::move(policy);
}

}  // namespace

bool translate_cilium(const std::string& api, MapReader& root, Translated& out) {
  const bool v2 = api == "cilium.io/v2", v2alpha1 = api == "cilium.io/v2alpha1";
  const bool pool = out.kind == "CiliumLoadBalancerIPPool" && (v2 || v2alpha1);
  const bool policy = out.kind == "CiliumL2AnnouncementPolicy" && v2alpha1;
  if (!pool && !policy) {
    const bool theirs = out.kind.rfind("CiliumBGP", 0) == 0 || out.kind.rfind("CiliumL", 0) == 0;
    if (api.rfind("cilium.io/", 0) == 0 && theirs) {
      root.warning("kind", out.kind + " of " + api +
                               " is not supported yet by this version: it has no effect");
    }
    return false;
  }
  out.ns.clear();  // cluster-scoped
  MapReader metadata = root.map("metadata");
  MapReader spec = root.map("spec");
  root.ignore("status");
  if (pool) {
    read_pool(spec, metadata, out);
  } else {
    read_l2_policy(spec, out);
  }
  spec.finish();
  root.finish();
  return true;
}

}  // namespace herald::config
