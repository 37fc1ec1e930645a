#include "config/print.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "config/object_reader.h"
#include "config/translate.h"
#include "config/yaml_writer.h"

namespace herald::config {
namespace {

constexpr const char* kNamespaceName = "kubernetes.io/metadata.name";

Value empty_map() {
  Value out;
  out.type = Value::Type::Map;
  return out;
}

Value texts(const std::vector<std::string>& all) {
  Value out = list_value();
  for (const std::string& text : all) out.items.push_back(text_value(text));
  return out;
}

template <typename Name>
Value names(const std::vector<Name>& all) {
  Value out = list_value();
  for (const Name& name : all) out.items.push_back(text_value(name.str()));
  return out;
}

Value labels(const Labels& all) {
  Value out = empty_map();
  for (const auto& [key, value] : all) set(out, std::string(key), text_value(std::string(value)));
  return out;
}

Value selector(const LabelSelector& s) {
  Value out = empty_map();
  if (!s.match_labels.empty()) set(out, "matchLabels", labels(s.match_labels));
  if (s.match_expressions.empty()) return out;
  Value expressions = list_value();
  for (const LabelSelector::Expression& e : s.match_expressions) {
    constexpr std::array<const char*, 4> kOperators = {"In", "NotIn", "Exists", "DoesNotExist"};
    Value one;
    set(one, "key", text_value(e.key));
    set(one, "operator", text_value(kOperators.at(static_cast<std::size_t>(e.op))));
    if (!e.values.empty()) set(one, "values", texts(e.values));
    expressions.items.push_back(std::move(one));
  }
  return set(out, "matchExpressions", std::move(expressions));
}

Value list_of(const Selectors& all) {
  Value out = list_value();
  for (const LabelSelector& s : all) out.items.push_back(selector(s));
  return out;
}

void set_selectors(Value& spec, const std::string& one, const Selectors& all) {
  if (all.size() == 1) set(spec, one, selector(all[0]));
  if (all.size() > 1) set(spec, one + "s", list_of(all));
}

// Each sets a field unless it has its default.
void set_bool(Value& spec, const char* key, bool value, bool otherwise) {
  if (value != otherwise) set(spec, key, bool_value(value));
}
template <typename N>
void set_number(Value& spec, const char* key, N value, N otherwise) {
  if (value != otherwise) set(spec, key, number_value(static_cast<std::int64_t>(value)));
}
void set_duration(Value& spec, const char* key, Duration value, Duration otherwise) {
  if (value != otherwise) set(spec, key, text_value(to_string(value)));
}
void set_text(Value& spec, const char* key, const std::string& value) {
  if (!value.empty()) set(spec, key, text_value(value));
}
void set_word(Value& spec, const char* key, bool differs, const char* word) {
  if (differs) set(spec, key, text_value(word));
}
void set_ip(Value& spec, const char* key, const std::optional<IpAddress>& value) {
  if (value) set(spec, key, text_value(to_string(*value)));
}

std::string to_text(std::int64_t created) {
  const std::chrono::sys_seconds at{std::chrono::seconds(created)};
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const auto s = (at - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     s / 3600, s / 60 % 60, s % 60);
}

Value object(const char* kind, Value metadata, Value spec) {
  Value out;
  set(out, "apiVersion", text_value("herald.io/v1alpha1"));
  set(out, "kind", text_value(kind));
  set(out, "metadata", std::move(metadata));
  set(out, "spec", std::move(spec));
  return out;
}
Value named(const std::string& name) {
  Value out;
  return set(out, "name", text_value(name));
}

// As a CIDR wherever it is one.
AddressBlock block_of(const IpRange& range) {
  for (unsigned length = range.first.bits(); range.first < range.last && length-- > 0;) {
    const IpPrefix prefix(range.first, length);
    if (prefix.first() != range.first || prefix.last() > range.last) break;
    if (prefix.last() == range.last) return {range, prefix};
  }
  return {range, std::nullopt};
}

Value avoided(const Pool& pool, const std::vector<AddressBlock>& blocks) {
  Value out = list_value();
  Pool by_word;
  add_first_and_last(blocks, by_word);
  if (!pool.avoided.empty() && by_word.avoided == pool.avoided) {
    out.items.push_back(text_value("FirstLast"));
  } else {
    for (const IpRange& range : pool.avoided) out.items.push_back(text_value(to_string(range)));
  }
  if (pool.avoid_buggy_ipv4) out.items.push_back(text_value("BuggyIPv4"));
  return out;
}

// `namespaces` where nothing but names is asked for.
void set_namespaces(Value& spec, const Selectors& all) {
  if (all.size() == 1 && all[0].match_labels.empty() && all[0].match_expressions.size() == 1) {
    const LabelSelector::Expression& only = all[0].match_expressions[0];
    if (only.key == kNamespaceName && only.op == LabelSelector::Operator::In) {
      set(spec, "namespaces", texts(only.values));
      return;
    }
  }
  set_selectors(spec, "namespaceSelector", all);
}

Value print(const Pool& pool) {
  static const Pool kDefault;
  Value metadata = named(pool.name.str());
  if (pool.created) set(metadata, "creationTimestamp", text_value(to_text(*pool.created)));
  if (!pool.labels.empty()) set(metadata, "labels", labels(pool.labels));

  Value spec;
  Value addresses = list_value();
  std::vector<AddressBlock> blocks;
  for (const IpRange& range : pool.ranges) {
    blocks.push_back(block_of(range));
    const auto& prefix = blocks.back().prefix;
    addresses.items.push_back(text_value(prefix ? to_string(*prefix) : to_string(range)));
  }
  set(spec, "addresses", std::move(addresses));
  Value avoid = avoided(pool, blocks);
  if (!avoid.items.empty()) set(spec, "avoid", std::move(avoid));
  set_selectors(spec, "serviceSelector", pool.service_selectors);
  set_namespaces(spec, pool.namespace_selectors);
  if (pool.priority) set(spec, "priority", number_value(*pool.priority));
  set_bool(spec, "autoAssign", pool.auto_assign, kDefault.auto_assign);
  set_bool(spec, "disabled", pool.disabled, kDefault.disabled);
  set_word(spec, "onShrink", pool.release_on_shrink, "release");
  set_word(spec, "onRefusedRequest", pool.release_on_refusal, "release");
  set_duration(spec, "releaseHold", pool.release_hold, kDefault.release_hold);
  set_bool(spec, "probe", pool.probe, kDefault.probe);
  set_word(spec, "dualStack", pool.one_pool, "OnePool");
  set_word(spec, "prefer", !pool.prefer_shared, "Lowest");
  set_word(spec, "requestedFamilies", pool.family_check != FamilyCheck::Named,
           pool.family_check == FamilyCheck::Any ? "Any" : "Exact");
  return object("LoadBalancerIPPool", std::move(metadata), std::move(spec));
}

template <typename Announcement>
void set_scope(Value& spec, const Announcement& a) {
  set_selectors(spec, "serviceSelector", a.service_selectors);
  set_selectors(spec, "nodeSelector", a.node_selectors);
  if (!a.pools.names.empty()) set(spec, "pools", names(a.pools.names));
  if (!a.pools.selectors.empty()) set(spec, "poolSelectors", list_of(a.pools.selectors));
  if (!a.classes.empty()) set(spec, "loadBalancerClasses", texts(a.classes));
  set_word(spec, "withoutEndpoints", a.needs_endpoints, "withhold");
  if (a.addresses != Announcement{}.addresses) {
    constexpr std::array<const char*, 3> kKinds = {"LoadBalancerIP", "ExternalIP", "ClusterIP"};
    Value kinds = list_value();
    for (const AddressKind kind : a.addresses) {
      kinds.items.push_back(text_value(kKinds.at(static_cast<std::size_t>(kind))));
    }
    set(spec, "addresses", std::move(kinds));
  }
}

Value print(const L2Policy& policy) {
  static const L2Policy kDefault;
  Value spec = empty_map();
  set_scope(spec, policy);
  set_word(spec, "sharedIPs", policy.refuses_shared, "withhold");
  if (!policy.interfaces.empty()) set(spec, "interfaces", texts(policy.interfaces));
  if (!policy.preferred_nodes.empty()) {
    Value all = list_value();
    for (const PreferredNodes& preferred : policy.preferred_nodes) {
      Value one;
      set(one, "weight", number_value(preferred.weight));
      set(one, "selector", selector(preferred.selector));
      all.items.push_back(std::move(one));
    }
    set(spec, "preferredNodes", std::move(all));
  }
  set_word(spec, "rebalance", !policy.rebalance, "never");
  Value gratuitous;
  set_number(gratuitous, "count", policy.gratuitous_count, kDefault.gratuitous_count);
  set_duration(gratuitous, "interval", policy.gratuitous_interval, kDefault.gratuitous_interval);
  set_duration(gratuitous, "refresh", policy.gratuitous_refresh, kDefault.gratuitous_refresh);
  if (!gratuitous.keys.empty()) set(spec, "gratuitous", std::move(gratuitous));
  return object("L2AnnouncementPolicy", named(policy.name), std::move(spec));
}

void set_families(Value& spec, bool ipv4, bool ipv6) {
  if (ipv4 && ipv6) return;
  set(spec, "families", texts({ipv4 ? "ipv4" : "ipv6"}));
}

Value peer_asn(const PeerAsn& asn) {
  switch (asn.kind) {
    case PeerAsn::Kind::Internal:
      return text_value("internal");
    case PeerAsn::Kind::External:
      return text_value("external");
    case PeerAsn::Kind::Any:
      return text_value("any");
    case PeerAsn::Kind::Number:
      break;
  }
  return number_value(asn.number.value);
}

Value overrides(const std::vector<PeerOverride>& all) {
  Value out = list_value();
  for (const PeerOverride& here : all) {
    Value one;
    set(one, "node", text_value(here.node.str()));
    if (here.local_asn) set(one, "localASN", number_value(here.local_asn->value));
    set_ip(one, "routerID", here.router_id);
    set_ip(one, "sourceAddress", here.source_address);
    out.items.push_back(std::move(one));
  }
  return out;
}

Value print(const BgpPeer& peer) {
  static const BgpPeer kDefault;
  Value spec;
  if (peer.address != kDefault.address) set_ip(spec, "address", peer.address);
  set_text(spec, "interface", peer.interface);
  set_number(spec, "port", peer.port, kDefault.port);
  set(spec, "peerASN", peer_asn(peer.peer_asn));
  set_number(spec, "localASN", peer.local_asn.value, 0U);
  set_ip(spec, "routerID", peer.router_id);
  set_selectors(spec, "nodeSelector", peer.node_selectors);
  if (!peer.overrides.empty()) set(spec, "nodeOverrides", overrides(peer.overrides));
  set_ip(spec, "sourceAddress", peer.source_address);
  set_text(spec, "sourceInterface", peer.source_interface);
  set_duration(spec, "holdTime", peer.hold_time, kDefault.hold_time);
  set_duration(spec, "keepaliveTime", peer.keepalive_time,
               std::min<Duration>(30s, peer.hold_time / 3));
  set_duration(spec, "connectRetryTime", peer.connect_retry_time, kDefault.connect_retry_time);
  set_number(spec, "multihop", peer.multihop, kDefault.multihop);
  set_bool(spec, "ttlSecurity", peer.ttl_security, false);
  set_families(spec, peer.ipv4, peer.ipv6);
  set_bool(spec, "extendedNextHop", peer.extended_next_hop, false);
  set_bool(spec, "passive", peer.passive, false);
  if (peer.password) {
    Value secret;
    set(secret, "namespace", text_value(peer.password->ns));
    set(secret, "name", text_value(peer.password->name));
    set(secret, "key", text_value(peer.password->key));
    set(spec, "passwordSecret", std::move(secret));
  }
  set_text(spec, "bfdProfile", peer.bfd_profile);
  Value restart;
  set_bool(restart, "enabled", peer.graceful_restart, false);
  set_duration(restart, "restartTime", peer.restart_time, kDefault.restart_time);
  set_duration(restart, "longLived", peer.long_lived_time, kDefault.long_lived_time);
  if (!restart.keys.empty()) set(spec, "gracefulRestart", std::move(restart));
  set_text(spec, "vrf", peer.vrf);
  if (peer.max_prefixes_out) set(spec, "maxPrefixesOut", number_value(*peer.max_prefixes_out));
  return object("BGPPeer", named(peer.name.str()), std::move(spec));
}

Value communities(const BgpAdvertisement& ad) {
  Value out = list_value();
  for (const std::uint32_t c : ad.communities) {
    out.items.push_back(text_value(fmt::format("{}:{}", c >> 16, c & 0xffff)));
  }
  for (const LargeCommunity& c : ad.large_communities) {
    out.items.push_back(text_value(fmt::format("large:{}:{}:{}", c.global, c.local1, c.local2)));
  }
  return out;
}

Value print(const BgpAdvertisement& ad) {
  Value spec = empty_map();
  set_scope(spec, ad);
  if (!ad.peers.empty()) set(spec, "peers", names(ad.peers));
  set_families(spec, ad.ipv4, ad.ipv6);
  Value aggregation;
  set_number(aggregation, "ipv4", ad.aggregation_v4, 32U);
  set_number(aggregation, "ipv6", ad.aggregation_v6, 128U);
  if (!aggregation.keys.empty()) set(spec, "aggregationLength", std::move(aggregation));
  set_bool(spec, "aggregateLocal", ad.aggregate_local, false);
  Value all = communities(ad);
  if (!all.items.empty()) set(spec, "communities", std::move(all));
  if (ad.local_pref) set(spec, "localPreference", number_value(*ad.local_pref));
  if (ad.med) set(spec, "med", number_value(*ad.med));
  set_number(spec, "asPathPrepend", ad.as_path_prepend, 0U);
  set_bool(spec, "exclusive", ad.exclusive, false);
  set_word(spec, "onLocalPreferenceConflict", ad.strict_local_pref, "withhold");
  return object("BGPAdvertisement", named(ad.name), std::move(spec));
}

Value print(const BfdProfile& profile) {
  static const BfdProfile kDefault;
  Value spec = empty_map();
  set_duration(spec, "receiveInterval", profile.receive_interval, kDefault.receive_interval);
  set_duration(spec, "transmitInterval", profile.transmit_interval, kDefault.transmit_interval);
  set_number(spec, "detectMultiplier", profile.detect_multiplier, kDefault.detect_multiplier);
  if (profile.echo_interval) {
    set(spec, "echoInterval", text_value(to_string(*profile.echo_interval)));
  }
  set_bool(spec, "passive", profile.passive, false);
  set_number(spec, "minimumTTL", profile.minimum_ttl, kDefault.minimum_ttl);
  return object("BFDProfile", named(profile.name), std::move(spec));
}

}  // namespace

std::vector<Value> native_manifests(const Desired& desired) {
  std::vector<Value> out;
  const auto all = [&](const auto& objects) {
    for (const auto& one : objects) out.push_back(print(one));
  };
  all(desired.pools);
  all(desired.l2_policies);
  all(desired.peers);
  all(desired.advertisements);
  all(desired.bfd_profiles);
  return out;
}

}  // namespace herald::config
