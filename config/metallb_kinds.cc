// config/metallb_kinds.cc: MetalLB's pools and L2 advertisements, with MetalLB's meaning of each
// field and its rules of what is refused. The kinds of BGP are in metallb_bgp.cc.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/metallb_bgp.h"
#include "config/object_reader.h"
#include "config/selector_rules.h"
#include "config/translate.h"

namespace herald::config {
namespace {

// MetalLB has no bound. Pools for some come before pools for all whatever their number, so those
// without one get the last.
constexpr int kLastPriority = 1'000'000;

void read_allocation(MapReader& spec, Pool& pool) {
  MapReader in = spec.map("serviceAllocation");
  const auto priority = in.integer("priority", -2147483648, 2147483647).value_or(0);
  const auto namespaces = read_name_list(in, "namespaces");
  pool.namespace_selectors = read_selector_list(in, "namespaceSelectors");
  if (!namespaces.empty()) {
    pool.namespace_selectors.push_back(
        {{}, {{"kubernetes.io/metadata.name", LabelSelector::Operator::In, namespaces}}});
  }
  pool.service_selectors = read_selector_list(in, "serviceSelectors");
  in.finish();
  if (!in.present()) return;
  pool.priority = priority > 0
                      ? static_cast<int>(std::min<std::int64_t>(priority, kLastPriority - 1))
                      : kLastPriority;
}

void read_pool(MapReader& spec, MapReader& metadata, Translated& out) {
  out.sort = kSort<Pool>;
  Pool pool;
  pool.name = PoolName(out.name);
  pool.source = out.source;
  pool.created = read_creation_time(metadata);
  pool.labels = metadata.labels("labels");
  bool any = false;
  spec.each("addresses", [&](const std::string& text) -> std::optional<std::string> {
    any = true;
    AddressBlock block;
    if (auto fault = parse_block(text, block)) return fault;
    if (!block.prefix && text.find('-') == std::string::npos) {
      return "'" + text + "' is one address, which MetalLB does not take: write " + text +
             (block.range.first.is_v4() ? "/32" : "/128");
    }
    pool.ranges.push_back(block.range);
    return std::nullopt;
  });
  if (!any) {
    spec.error("addresses", "is missing: list what may be given out, like [10.0.0.0/24]");
  }
  pool.auto_assign = spec.boolean("autoAssign").value_or(true);
  pool.avoid_buggy_ipv4 = spec.boolean("avoidBuggyIPs").value_or(false);
  read_allocation(spec, pool);
  pool.one_pool = true;
  pool.prefer_shared = false;
  pool.release_on_refusal = true;
  pool.family_check = FamilyCheck::Exact;
  out.object = std::move(pool);
}

// The regular expression that means this link alone.
std::string exactly(const std::string& link) {
  std::string out = "^";
  for (const char c : link) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || static_cast<unsigned char>(c) >= 0x80;
    if (!word) out += '\\';
    out += c;
  }
  return out + "$";
}

void read_l2_advertisement(MapReader& spec, Translated& out) {
  constexpr std::size_t kMaxLinkName = 15;  // IFNAMSIZ - 1
  out.sort = kSort<L2Policy>;
  L2Policy policy;
  policy.name = out.name;
  policy.source = out.source;
  policy.pools = read_pool_choice(spec);
  policy.service_selectors = read_selector_list(spec, "serviceSelectors");
  policy.node_selectors = read_selector_list(spec, "nodeSelectors");
  spec.each("interfaces", [&](const std::string& link) -> std::optional<std::string> {
    if (link.empty() || link.size() > kMaxLinkName || link.find('\0') != std::string::npos) {
      return "'" + link.substr(0, 80) + "' is no name of an interface: at most 15 characters";
    }
    policy.interfaces.push_back(exactly(link));
    return std::nullopt;
  });
  for (MapReader& in : spec.maps("preferredNodeSelectors")) {
    PreferredNodes preferred;
    const auto weight = in.integer("weight", 1, 100);
    if (!in.has("weight")) in.error("weight", "is missing: write 1 to 100");
    preferred.weight = static_cast<int>(weight.value_or(1));
    const auto selector = in.selector("preference");
    if (!in.has("preference")) in.error("preference", "is missing: write a label selector");
    if (selector) {  // doubles are no fault here: their weights add up
      if (const auto fault = label_fault(*selector)) in.error("preference", *fault);
      preferred.selector = *selector;
    }
    in.finish();
    policy.preferred_nodes.push_back(std::move(preferred));
  }
  policy.needs_endpoints = true;
  policy.refuses_shared = true;
  // MetalLB's choice depends on nothing but who is there: a node that comes back gets its IPs back.
  policy.rebalance = true;
  out.object = std::move(policy);
}

// What MetalLB writes about itself.
constexpr std::array kStatusKinds = {"ServiceL2Status", "ServiceBGPStatus", "ConfigurationState"};

struct Kind {
  const char* name;
  bool v1beta2;
};
constexpr std::array kKinds = {Kind{"IPAddressPool", false},    Kind{"L2Advertisement", false},
                               Kind{"BGPAdvertisement", false}, Kind{"BGPPeer", true},
                               Kind{"BFDProfile", false},       Kind{"Community", false}};

}  // namespace

PoolChoice read_pool_choice(MapReader& spec) {
  PoolChoice out;
  for (std::string& name : read_name_list(spec, "ipAddressPools")) {
    out.names.emplace_back(std::move(name));
  }
  out.selectors = read_selector_list(spec, "ipAddressPoolSelectors");
  return out;
}

bool is_metallb(const std::string& api) {
  return api.rfind("metallb.io/", 0) == 0;
}

bool translate_metallb(const std::string& api, MapReader& root, Translated& out) {
  if (!is_metallb(api)) return false;
  if (std::find(kStatusKinds.begin(), kStatusKinds.end(), out.kind) != kStatusKinds.end()) {
    return true;
  }
  const auto kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return out.kind == k.name; });
  if (kind == kKinds.end()) {
    std::vector<std::string> all;
    for (const Kind& k : kKinds) all.emplace_back(k.name);
    const auto meant = closest(out.kind, all);
    root.warning("kind", "'" + out.kind + "' of " + api + " is not known here: it has no effect" +
                             (meant ? "; did you mean '" + *meant + "'?" : ""));
    return true;
  }
  if (api != "metallb.io/v1beta1" && !(kind->v1beta2 && api == "metallb.io/v1beta2")) {
    root.error("apiVersion", "'" + api + "' has no " + out.kind + ": write metallb.io/v1beta1" +
                                 (kind->v1beta2 ? " or metallb.io/v1beta2" : ""));
    return true;
  }
  MapReader metadata = root.map("metadata");
  MapReader spec = root.map("spec");
  root.ignore("status");
  if (out.kind == "IPAddressPool") read_pool(spec, metadata, out);
  if (out.kind == "L2Advertisement") read_l2_advertisement(spec, out);
  if (out.kind == "BGPAdvertisement") read_metallb_advertisement(spec, out);
  if (out.kind == "BGPPeer") read_metallb_peer(api, spec, out);
  if (out.kind == "BFDProfile") read_metallb_bfd_profile(spec, out);
  if (out.kind == "Community") read_metallb_community(spec, out);
  if (out.ns == "default") {
    root.error("metadata.namespace",
               "'default' is not where MetalLB looks: it refuses objects outside of its own "
               "namespace, mostly metallb-system; move this one there");
  }
  spec.finish();
  root.finish();
  return true;
}

}  // namespace herald::config
