// config/herald_pool_kinds.cc: LoadBalancerIPPool and L2AnnouncementPolicy of herald.io.
#include <algorithm>

#include "base/text.h"
#include "config/herald_fields.h"
#include "config/herald_kinds.h"
#include "config/interface_match.h"

namespace herald::config {
namespace {

// `namespaces` beside namespaceSelector: both have to let a service in.
void restrict_namespaces(const std::vector<std::string>& namespaces, Pool& pool) {
  if (namespaces.empty()) return;
  if (pool.namespace_selectors.empty()) pool.namespace_selectors.emplace_back();
  for (LabelSelector& selector : pool.namespace_selectors) {
    selector.match_expressions.push_back(
        {"kubernetes.io/metadata.name", LabelSelector::Operator::In, namespaces});
  }
}

void read_avoid(MapReader& spec, const std::vector<AddressBlock>& blocks, Pool& pool) {
  const std::vector<std::string> words = {"FirstLast", "BuggyIPv4"};
  spec.each("avoid", [&](const std::string& text) -> std::optional<std::string> {
    if (text == words[0]) {
      add_first_and_last(blocks, pool);
      return std::nullopt;
    }
    if (text == words[1]) {
      pool.avoid_buggy_ipv4 = true;
      return std::nullopt;
    }
    AddressBlock block;
    if (!parse_block(text, block)) {
      pool.avoided.push_back(block.range);
      return std::nullopt;
    }
    const auto meant = closest(text, words);
    return "'" + text + "' is neither " + join(words, " nor ") + ", nor an address, range or CIDR" +
           (meant ? "; did you mean '" + *meant + "'?" : "");
  });
}

}  // namespace

void read_herald_pool(MapReader& spec, MapReader& metadata, Translated& out) {
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
  pool.service_selectors = read_selectors(spec, "serviceSelector");
  pool.namespace_selectors = read_selectors(spec, "namespaceSelector");
  restrict_namespaces(spec.texts("namespaces"), pool);
  if (const auto priority = spec.integer("priority", 1, 2'147'483'647)) {
    pool.priority = static_cast<int>(*priority);
  }
  pool.auto_assign = spec.boolean("autoAssign").value_or(true);
  pool.disabled = spec.boolean("disabled").value_or(false);
  read_avoid(spec, blocks, pool);
  pool.release_on_shrink = spec.choice("onShrink", {"keep", "release"}) == 1;
  pool.release_on_refusal = spec.choice("onRefusedRequest", {"keep", "release"}) == 1;
  pool.release_hold = spec.duration("releaseHold", 0s, 8760h).value_or(0s);
  pool.probe = spec.boolean("probe").value_or(true);
  pool.one_pool = spec.choice("dualStack", {"AcrossPools", "OnePool"}) == 1;
  pool.prefer_shared = spec.choice("prefer", {"Shared", "Lowest"}) != 1;
  pool.family_check = static_cast<FamilyCheck>(
      spec.choice("requestedFamilies", {"Named", "Any", "Exact"}).value_or(0));
  out.object = std::move(pool);
}

void read_herald_l2_policy(MapReader& spec, Translated& out) {
  out.sort = kSort<L2Policy>;
  L2Policy policy;
  policy.name = out.name;
  policy.source = out.source;
  read_scope(spec, policy);
  policy.refuses_shared = spec.choice("sharedIPs", {"announce", "withhold"}) == 1;
  policy.interfaces = read_interfaces(spec);
  policy.addresses = read_address_kinds(spec, 2);
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

}  // namespace herald::config
