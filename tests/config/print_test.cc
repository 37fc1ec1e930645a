// Herald's own kinds: every field is read, and what is printed reads as the same model again.
#include "config/print.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/convert.h"
#include "config/manifests.h"
#include "config/yaml_writer.h"

namespace herald::config {
namespace {

template <typename T>
T pick(std::vector<T> all) {
  return *rc::gen::elementOf(std::move(all));
}
bool coin() {
  return *rc::gen::arbitrary<bool>();
}
int number(int min, int max) {
  return *rc::gen::inRange(min, max + 1);
}
template <typename F>
auto some(int most, F make) {
  std::vector<decltype(make())> out;
  for (int n = number(0, most); n > 0; --n) out.push_back(make());
  return out;
}
Duration milliseconds(int min, int max) {
  return std::chrono::milliseconds(number(min, max));
}

// Words that YAML, in one version or another, takes for something else.
std::string any_word() {
  return pick<std::string>({"web",
                            "a-b.c/d",
                            "true",
                            "no",
                            "null",
                            "10",
                            "1.5",
                            "0x1f",
                            "a: b",
                            "a #b",
                            "- a",
                            "'",
                            "\"",
                            "é",
                            "a\nb",
                            "[x]",
                            "{y}",
                            "&z",
                            "*z",
                            "!t",
                            "%d",
                            "@",
                            "`",
                            " ",
                            "~",
                            "=",
                            "<<",
                            "1e3",
                            "2024-01-31",
                            "12:30",
                            "tab\t",
                            "\xc2\x85",
                            "\xe2\x80\xa8",
                            "\xef\xbb\xbf",
                            "\x7f",
                            "|",
                            ">"});
}
IpAddress any_ip() {
  return *IpAddress::parse(pick<std::string>(
      {"10.0.0.0", "10.0.0.7", "192.0.2.255", "fd00::", "fd00::9", "2001:db8::1"}));
}
IpRange any_range() {
  const IpAddress first = any_ip();
  IpAddress last = first;
  for (int n = pick<int>({0, 1, 3, 6, 7, 255}); n > 0; --n) last = last.next();
  return {first, last};
}
Labels any_labels() {
  Labels out;
  for (const std::string& key : some(2, any_word)) out.set(key, any_word());
  return out;
}
LabelSelector any_selector() {
  LabelSelector out;
  if (coin()) out.match_labels = any_labels();
  using enum LabelSelector::Operator;
  for (const auto op : some(2, [] { return pick<LabelSelector::Operator>({In, NotIn, Exists}); })) {
    out.match_expressions.push_back({"k" + any_word(), op, {}});
    if (op != Exists) out.match_expressions.back().values = {any_word(), any_word()};
  }
  return out;
}
Selectors any_selectors() {
  if (number(0, 5) == 0) {
    return {{{}, {{"kubernetes.io/metadata.name", LabelSelector::Operator::In, {any_word()}}}}};
  }
  return some(2, any_selector);
}
std::string object_name(const char* kind, int i) {
  return std::string(kind) + std::to_string(i) + any_word();
}
template <typename T>
void set_scope(T& out) {
  out.service_selectors = any_selectors();
  out.node_selectors = any_selectors();
  out.pools.names = some(2, [] { return PoolName(any_word()); });
  out.pools.selectors = some(2, any_selector);
  out.classes = some(2, [] { return pick<std::string>({"", "herald.io/herald"}); });
  out.needs_endpoints = coin();
}

Pool any_pool(int i) {
  Pool p;
  p.name = PoolName(object_name("p", i));
  if (coin()) p.created = number(0, 2'000'000'000);
  p.labels = any_labels();
  p.ranges = some(3, any_range);
  p.service_selectors = any_selectors();
  p.namespace_selectors = any_selectors();
  if (coin()) p.priority = number(1, 5);
  p.auto_assign = coin();
  p.disabled = coin();
  if (coin()) {
    for (const IpRange& range : p.ranges) {
      if (range.size() < 3) continue;
      p.avoided.push_back(IpRange::single(range.first));
      p.avoided.push_back(IpRange::single(range.last));
    }
  } else {
    p.avoided = some(2, any_range);
  }
  p.avoid_buggy_ipv4 = coin();
  p.release_on_shrink = coin();
  p.release_on_refusal = coin();
  p.release_hold = milliseconds(0, 5000);
  p.probe = coin();
  p.one_pool = coin();
  p.prefer_shared = coin();
  p.family_check = pick<FamilyCheck>({FamilyCheck::Named, FamilyCheck::Any, FamilyCheck::Exact});
  return p;
}

L2Policy any_policy(int i) {
  L2Policy p;
  p.name = object_name("l", i);
  set_scope(p);
  p.interfaces = some(2, [] { return pick<std::string>({"^eth0$", "eth", "en[op].*"}); });
  p.addresses = some(2, [] {
    return pick<AddressKind>({AddressKind::LoadBalancerIP, AddressKind::ExternalIP});
  });
  p.preferred_nodes = some(2, [] { return PreferredNodes{number(1, 100), any_selector()}; });
  p.refuses_shared = coin();
  p.rebalance = coin();
  p.gratuitous_count = number(0, 9);
  p.gratuitous_interval = milliseconds(10, 900);
  p.gratuitous_refresh = milliseconds(0, 900);
  return p;
}

BgpPeer any_peer(int i) {
  BgpPeer p;
  p.name = PeerName(object_name("n", i));
  if (coin()) {
    p.address = *IpAddress::parse("192.0.2." + std::to_string(i + 1));
  } else {
    p.interface = "eth" + std::to_string(i);
  }
  p.port = static_cast<std::uint16_t>(pick<int>({179, 1179}));
  using enum PeerAsn::Kind;
  p.peer_asn.kind = pick<PeerAsn::Kind>({Number, Internal, External, Any});
  if (p.peer_asn.kind == Number) p.peer_asn.number = Asn(pick<std::uint32_t>({1, 4294967295}));
  p.local_asn = Asn(pick<std::uint32_t>({1, 65001}));
  if (coin()) p.router_id = *IpAddress::parse("192.0.2.200");
  p.node_selectors = some(2, any_selector);
  if (coin()) p.source_address = *IpAddress::parse("192.0.2.201");
  if (coin()) p.source_interface = "lo";
  p.hold_time = pick<Duration>({0s, 3s, 90s, 240s});
  p.keepalive_time = coin() ? std::min<Duration>(30s, p.hold_time / 3) : 1s;
  p.connect_retry_time = milliseconds(1000, 9000);
  p.multihop = pick<int>({1, 2, 255});
  p.ipv4 = coin();
  p.ipv6 = !p.ipv4 || coin();
  p.overrides = some(2, [] {
    PeerOverride here;
    here.node = NodeName("n" + any_word());
    if (coin()) here.router_id = *IpAddress::parse("192.0.2.202");
    if (coin()) here.local_asn = Asn(65002);
    if (coin()) here.source_address = any_ip();
    return here;
  });
  p.ttl_security = coin();
  p.extended_next_hop = coin();
  p.passive = coin();
  if (coin()) p.password = SecretKey{any_word(), "s" + any_word(), any_word()};
  if (coin()) p.bfd_profile = "b" + any_word();
  p.graceful_restart = coin();
  p.restart_time = std::chrono::seconds(number(0, 4095));
  p.long_lived_time = std::chrono::seconds(number(0, 9));
  if (coin()) p.vrf = "v" + any_word();
  if (coin()) p.max_prefixes_out = 7;
  return p;
}

BgpAdvertisement any_advertisement(int i) {
  BgpAdvertisement a;
  a.name = object_name("a", i);
  set_scope(a);
  a.peers = some(2, [] { return PeerName(any_word()); });
  a.ipv4 = coin();
  a.ipv6 = !a.ipv4 || coin();
  using enum AddressKind;
  a.addresses = some(3, [] { return pick<AddressKind>({LoadBalancerIP, ExternalIP, ClusterIP}); });
  a.aggregation_v4 = pick<unsigned>({32, 24, 0});
  a.aggregation_v6 = pick<unsigned>({128, 64, 0});
  a.aggregate_local = coin();
  a.communities = some(2, [] { return pick<std::uint32_t>({0, 0xffffff01, 65000U << 16 | 7}); });
  a.large_communities = some(2, [] { return LargeCommunity{1, 4294967295, 3}; });
  if (coin()) a.local_pref = pick<std::uint32_t>({0, 100});
  if (coin()) a.med = 5;
  a.as_path_prepend = static_cast<unsigned>(number(0, 3));
  a.exclusive = coin();
  a.strict_local_pref = coin();
  return a;
}

BfdProfile any_bfd(int i) {
  BfdProfile b;
  b.name = object_name("b", i);
  b.receive_interval = milliseconds(10, 1000);
  b.transmit_interval = milliseconds(10, 1000);
  b.detect_multiplier = static_cast<unsigned>(number(1, 255));
  if (coin()) b.echo_interval = milliseconds(10, 1000);
  b.passive = coin();
  b.minimum_ttl = static_cast<unsigned>(number(1, 255));
  return b;
}

// Without what an object does not say itself.
template <typename T>
std::vector<T> bare(std::vector<T> objects) {
  for (T& object : objects) object.source = {};
  return objects;
}
std::vector<Pool> bare(std::vector<Pool> objects) {
  for (Pool& pool : objects) {
    pool.source = {};
    pool.conflicts_with.reset();
  }
  return objects;
}

Desired read(const std::string& text) {
  Manifests m;
  m.set_file("f.yaml", text);
  return m.desired();
}

std::string errors(const Desired& desired) {
  std::string out;
  for (const Problem& p : desired.problems) {
    if (p.severity == Severity::Error && p.message.find("overlaps") == std::string::npos &&
        p.message.find("is also the address of") == std::string::npos) {
      out += to_string(p) + "\n";
    }
  }
  return out;
}

template <typename T>
void check_round_trip(T (*any)(int), std::vector<T> Desired::*member) {
  Desired desired;
  desired.*member = {any(0), any(1)};
  for (const ManifestForm form : {ManifestForm::Yaml, ManifestForm::Json}) {
    const std::string text = convert(desired, {}, form);
    const Desired again = read(text);
    RC_LOG() << text;
    RC_ASSERT(errors(again) == "");
    RC_ASSERT(bare(again.*member) == desired.*member);
    RC_ASSERT(convert(again, {}, form) == text);
  }
}

RC_GTEST_PROP(Print, APoolReadsAsItself, ()) {
  check_round_trip(any_pool, &Desired::pools);
}
RC_GTEST_PROP(Print, AnL2PolicyReadsAsItself, ()) {
  check_round_trip(any_policy, &Desired::l2_policies);
}
RC_GTEST_PROP(Print, APeerReadsAsItself, ()) {
  check_round_trip(any_peer, &Desired::peers);
}
RC_GTEST_PROP(Print, AnAdvertisementReadsAsItself, ()) {
  check_round_trip(any_advertisement, &Desired::advertisements);
}
RC_GTEST_PROP(Print, ABfdProfileReadsAsItself, ()) {
  check_round_trip(any_bfd, &Desired::bfd_profiles);
}

TEST(Print, IsWhatAPersonWouldWrite) {
  Pool pool;
  pool.name = PoolName("lan");
  pool.created = 1706702400;
  pool.ranges = {IpRange::of(*IpPrefix::parse("10.0.0.0/24")),
                 {*IpAddress::parse("10.0.1.1"), *IpAddress::parse("10.0.1.9")},
                 IpRange::of(*IpPrefix::parse("fd00::/64"))};
  pool.avoided = {IpRange::single(*IpAddress::parse("10.0.0.0")),
                  IpRange::single(*IpAddress::parse("10.0.0.255")),
                  IpRange::single(*IpAddress::parse("fd00::")),
                  IpRange::single(pool.ranges[2].last)};
  pool.service_selectors = {{{{"app", "web"}}, {}}};
  pool.namespace_selectors = {
      {{}, {{"kubernetes.io/metadata.name", LabelSelector::Operator::In, {"a", "b"}}}}};
  pool.one_pool = true;
  Desired desired;
  desired.pools = {pool};
  EXPECT_EQ(convert(desired, {}, ManifestForm::Yaml),
            "apiVersion: herald.io/v1alpha1\n"
            "kind: LoadBalancerIPPool\n"
            "metadata:\n"
            "  name: lan\n"
            "  creationTimestamp: '2024-01-31T12:00:00Z'\n"
            "spec:\n"
            "  addresses: [10.0.0.0/24, 10.0.1.1-10.0.1.9, 'fd00::/64']\n"
            "  avoid: [FirstLast]\n"
            "  serviceSelector:\n"
            "    matchLabels:\n"
            "      app: web\n"
            "  namespaces: [a, b]\n"
            "  dualStack: OnePool\n");
}

TEST(Convert, LeavesOtherObjectsAsTheyWere) {
  const std::string service =
      "# the shop\napiVersion: v1\nkind: Service\nmetadata: {name: web}  # here\n"
      "spec: {type: LoadBalancer}\n";
  const std::string pool =
      "apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: lan}\n"
      "spec: {blocks: [{cidr: 10.0.0.0/24}]}\n";
  const std::string native =
      "apiVersion: herald.io/v1alpha1\nkind: LoadBalancerIPPool\nmetadata:\n  name: lan\n"
      "spec:\n  addresses: [10.0.0.0/24]\n";
  const struct {
    std::string text, converted;
  } cases[] = {
      {service + "---\n" + pool, native + "---\n" + service},
      {pool + "--- # next\n\n" + service + "\n\n", native + "---\n" + service},
      {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: n1}}\n",
       "apiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n"},
      {"--- {apiVersion: apps/v1, kind: Deployment}\n", "apiVersion: apps/v1\nkind: Deployment\n"},
      {"", ""},
      {"{broken", ""},
  };
  for (const auto& c : cases) {
    const std::string got = convert(read(c.text), {c.text}, ManifestForm::Yaml);
    // A pool keeps what only dialects have; here the place, name and addresses count.
    if (c.converted.find("LoadBalancerIPPool") == std::string::npos) {
      EXPECT_EQ(got, c.converted) << c.text;
    } else {
      EXPECT_EQ(got.substr(0, native.size()), native) << got;
      EXPECT_EQ(got.substr(got.find("---\n") + 4), service);
    }
  }
}

TEST(YamlWriter, TextsOfEveryKindSurvive) {
  for (const char* text :
       {"plain",       "",      " ",    "true", "No",       "null",         "~",       "12",
        "0x1f",        "1.5",   "a: b", "# no", "- x",      "it's",         "\"",      "\\",
        "line\nbreak", "tab\t", "\x01", "é",    "\xc2\x80", "\xe2\x80\xa9", "fd00::1", "10.0.0.1",
        "90s",         "*",     "&",    "?",    "10:20:30", "a,b",          "[",       "]"}) {
    Value map;
    set(map, text, list_value({text_value(text)}));
    for (const std::string& written : {to_yaml(map), to_json(map)}) {
      const YamlFile again = parse_yaml(written);
      ASSERT_EQ(again.documents.size(), 1U) << written;
      ASSERT_EQ(again.documents[0].keys.size(), 1U) << written;
      EXPECT_EQ(again.documents[0].keys[0], text) << written;
      EXPECT_EQ(again.documents[0].items[0].items[0].text, text) << written;
      EXPECT_EQ(again.documents[0].items[0].items[0].type, Value::Type::String) << written;
    }
  }
}

}  // namespace
}  // namespace herald::config
