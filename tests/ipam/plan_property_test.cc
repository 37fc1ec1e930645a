// What no sequence of manifests may break.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "tests/ipam/plan_world.h"

namespace herald::ipam {
namespace {

// A small world, so that everything collides: 16 addresses of each family, few labels.
IpAddress any_ip() {
  const auto offset = static_cast<Uint128>(*rc::gen::inRange(0, 16));
  const IpAddress base = *rc::gen::arbitrary<bool>() ? ip("10.0.0.248") : ip("fd00::");
  return IpAddress::from_number(base.family(), base.number() + offset);
}

Pool any_pool(int i) {
  Pool p;
  p.name = PoolName("p" + std::to_string(i));
  const int ranges = *rc::gen::inRange(1, 4);
  for (int r = 0; r < ranges; ++r) {
    const IpAddress first = any_ip();
    const auto length = static_cast<Uint128>(*rc::gen::inRange(0, 8));
    p.ranges.push_back({first, IpAddress::from_number(first.family(), first.number() + length)});
  }
  if (*rc::gen::inRange(0, 3) == 0) p.priority = *rc::gen::inRange(1, 4);
  if (*rc::gen::inRange(0, 3) == 0) p.avoided = {IpRange::single(any_ip())};
  if (*rc::gen::inRange(0, 4) == 0) p.service_selectors = {select({{"app", "a"}})};
  p.auto_assign = *rc::gen::inRange(0, 6) != 0;
  p.disabled = *rc::gen::inRange(0, 8) == 0;
  p.avoid_buggy_ipv4 = *rc::gen::arbitrary<bool>();
  if (*rc::gen::inRange(0, 10) == 0) p.conflicts_with = PoolName("p0");
  return p;
}

Service any_service(int i) {
  Service s = service("s" + std::to_string(i), *rc::gen::inRange(0, 3));
  if (*rc::gen::arbitrary<bool>()) s.labels = {{"app", "a"}};
  using enum IpFamilyPolicy;
  s.family_policy = *rc::gen::element(SingleStack, PreferDualStack, RequireDualStack);
  using Families = std::vector<IpFamily>;
  s.families = *rc::gen::element(Families{}, Families{IpFamily::IPv4}, Families{IpFamily::IPv6},
                                 Families{IpFamily::IPv6, IpFamily::IPv4});
  if (*rc::gen::inRange(0, 3) == 0) {
    const int n = *rc::gen::inRange(1, 3);
    for (int k = 0; k < n; ++k) s.requested.push_back(any_ip());
  }
  if (*rc::gen::inRange(0, 4) == 0) s.held.push_back(any_ip());
  return s;
}

std::vector<Pool> any_pools() {
  std::vector<Pool> pools;
  const int n = *rc::gen::inRange(0, 4);
  for (int i = 0; i < n; ++i) pools.push_back(any_pool(i));
  return pools;
}

World any_world() {
  World w;
  w.pools = any_pools();
  const int n = *rc::gen::inRange(0, 12);
  for (int i = 0; i < n; ++i) w.services.push_back(any_service(i));
  return w;
}

std::set<Holding> given(const Plan& p) {
  std::set<Holding> out;
  for (const Decision& d : p.decisions) {
    for (const GivenIp& g : d.ips) out.insert({g.ip, d.service});
  }
  return out;
}

void no_ip_twice(const Plan& p) {
  std::set<IpAddress> seen;
  for (const Decision& d : p.decisions) {
    for (const GivenIp& g : d.ips) RC_ASSERT(seen.insert(g.ip).second);
    RC_ASSERT(!d.message.empty());
  }
}

RC_GTEST_PROP(PlanProperty, NoAddressTwiceAndSettled, ()) {
  World w = any_world();
  no_ip_twice(w.look());
  const Plan settled = w.settle();
  no_ip_twice(settled);
  RC_ASSERT(settled.added.empty());
  RC_ASSERT(settled.released.empty());
  RC_ASSERT(w.look().decisions == settled.decisions);
  for (const auto& [address, holders] : w.holdings) RC_ASSERT(holders.size() == 1u);
  // What is decided is what the table says.
  std::set<Holding> held;
  for (const auto& [address, holders] : w.holdings) held.insert({address, holders.front()});
  RC_ASSERT(given(settled) == held);
}

RC_GTEST_PROP(PlanProperty, NoEditOfPoolsMovesAnything, ()) {
  World w = any_world();
  const auto before = given(w.settle());
  w.pools = any_pools();
  const auto after = given(w.settle());
  for (const Holding& h : before) {
    // An IP that was kept only until the request could be had may go now; nothing else.
    const auto s = std::find_if(w.services.begin(), w.services.end(),
                                [&](const Service& x) { return x.name == h.service; });
    const bool asked = s->requested.empty() || std::find(s->requested.begin(), s->requested.end(),
                                                         h.ip) != s->requested.end();
    if (asked) RC_ASSERT(after.contains(h));
  }
}

RC_GTEST_PROP(PlanProperty, TheOrderOfManifestsDoesNotMatter, ()) {
  World w = any_world();
  const auto one = given(w.look());
  std::reverse(w.services.begin(), w.services.end());
  std::reverse(w.pools.begin(), w.pools.end());
  RC_ASSERT(given(w.look()) == one);
}

// Whatever is chosen is the lowest of its range that was not avoided or held.
RC_GTEST_PROP(PlanProperty, LowestFree, ()) {
  World w;
  w.pools = {any_pool(0)};
  Pool& p = w.pools[0];
  p.auto_assign = true;
  p.disabled = false;
  p.conflicts_with.reset();
  p.service_selectors.clear();
  p.ranges.resize(1);
  const int held = *rc::gen::inRange(0, 6);
  for (int i = 0; i < held; ++i) w.holdings[any_ip()] = {{"other", "x"}};
  w.services = {service("web")};
  w.services[0].families = {p.ranges[0].family()};
  w.complete = false;
  const Decision d = w.look().decisions[0];
  std::optional<IpAddress> expected;
  for (IpAddress a = p.ranges[0].first; p.ranges[0].contains(a); a = a.next()) {
    const bool avoided =
        std::any_of(p.avoided.begin(), p.avoided.end(),
                    [&](const IpRange& r) { return r.contains(a); }) ||
        (p.avoid_buggy_ipv4 && a.is_v4() && (a.number() % 256 == 0 || a.number() % 256 == 255));
    if (avoided || w.holdings.contains(a)) continue;
    expected = a;
    break;
  }
  RC_ASSERT(d.ips.size() == (expected ? 1u : 0u));
  if (expected) RC_ASSERT(d.ips[0].ip == *expected);
}

}  // namespace
}  // namespace herald::ipam
