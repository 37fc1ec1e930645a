// What no sequence of manifests may break.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <utility>

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
  p.one_pool = *rc::gen::inRange(0, 3) == 0;
  p.prefer_shared = *rc::gen::arbitrary<bool>();
  p.family_check = *rc::gen::element(FamilyCheck::Named, FamilyCheck::Any, FamilyCheck::Exact);
  return p;
}

void share(Service& s) {
  s.sharing = Sharing{*rc::gen::element<std::string>("k", "l"), {}, *rc::gen::arbitrary<bool>()};
  if (*rc::gen::inRange(0, 3) == 0) s.name.ns = "other";
  if (*rc::gen::arbitrary<bool>())
    s.sharing->namespaces = {*rc::gen::element<std::string>("*", "other")};
  const int ports = *rc::gen::inRange(0, 3);
  for (int i = 0; i < ports; ++i) {
    s.ports.push_back({static_cast<std::uint16_t>(*rc::gen::inRange(80, 83)),
                       *rc::gen::element(Protocol::TCP, Protocol::UDP)});
  }
  if (*rc::gen::inRange(0, 3) == 0) s.traffic_policy = TrafficPolicy::Local;
  if (*rc::gen::arbitrary<bool>()) s.selector = {{"app", *rc::gen::element<std::string>("a", "b")}};
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
  if (*rc::gen::inRange(0, 8) == 0) {
    s.requested_pool = PoolName("p" + std::to_string(*rc::gen::inRange(0, 3)));
  }
  if (*rc::gen::arbitrary<bool>()) share(s);
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

// Written down once more, from the words of the documentation: may these two have one IP?
bool oracle_permits(const Service& a, const Service& b) {
  if (!a.sharing.has_value() || !b.sharing.has_value()) return false;
  if (a.sharing->key != b.sharing->key || a.traffic_policy != b.traffic_policy) return false;
  const auto welcomes = [](const Service& host, const Service& guest) {
    std::set<std::string> names(host.sharing->namespaces.begin(), host.sharing->namespaces.end());
    return host.name.ns == guest.name.ns || names.contains("*") || names.contains(guest.name.ns);
  };
  if (!welcomes(a, b) || !welcomes(b, a)) return false;
  std::set<std::pair<Protocol, int>> ports;
  for (const ServicePort& p : a.ports) ports.insert({p.protocol, p.port});
  for (const ServicePort& p : b.ports) {
    if (ports.contains({p.protocol, p.port})) return false;
  }
  if (a.traffic_policy == TrafficPolicy::Cluster) return true;
  if (a.selector.empty() || b.selector.empty()) return false;
  return a.selector == b.selector ||
         (a.sharing->permit_different_pods && b.sharing->permit_different_pods);
}

const Service& service_of(const World& w, const ObjectName& name) {
  return *std::find_if(w.services.begin(), w.services.end(),
                       [&](const Service& s) { return s.name == name; });
}

void no_ip_twice(const World& w, const Plan& p) {
  std::map<IpAddress, std::vector<ObjectName>> holders;
  for (const Decision& d : p.decisions) {
    for (const GivenIp& g : d.ips) {
      for (const ObjectName& other : holders[g.ip]) {
        RC_ASSERT(oracle_permits(service_of(w, other), service_of(w, d.service)));
      }
      holders[g.ip].push_back(d.service);
    }
    RC_ASSERT(!d.message.empty());
  }
}

RC_GTEST_PROP(PlanProperty, NoAddressTwiceUnlessSharedAndSettled, ()) {
  World w = any_world();
  no_ip_twice(w, w.look());
  const Plan settled = w.settle();
  no_ip_twice(w, settled);
  RC_ASSERT(settled.added.empty());
  RC_ASSERT(settled.released.empty());
  RC_ASSERT(w.look().decisions == settled.decisions);
  // What is decided is what the table says.
  std::set<Holding> held;
  for (const auto& [address, holders] : w.holdings) {
    for (const ObjectName& holder : holders) RC_ASSERT(held.insert({address, holder}).second);
  }
  RC_ASSERT(given(settled) == held);
  for (const PoolUsage& u : settled.pools) RC_ASSERT(u.available() <= u.total());
}

// What the service itself asks for permits this IP, wherever the pools are.
bool asked_for(const Service& s, const IpAddress& ip) {
  return s.requested.empty() ||
         std::find(s.requested.begin(), s.requested.end(), ip) != s.requested.end();
}

RC_GTEST_PROP(PlanProperty, NoEditOfPoolsMovesAnything, ()) {
  World w = any_world();
  // Where its IP is from is remembered as the daemon does; FamilyCheck changes what a request
  // means.
  for (Pool& p : w.pools) p.family_check = FamilyCheck::Any;
  const Plan first = w.settle();
  const auto before = given(first);
  for (const Decision& d : first.decisions) {
    for (const GivenIp& g : d.ips) {
      if (!g.pool.empty()) w.came_from[g.ip] = g.pool;
    }
  }
  w.pools = any_pools();
  for (Pool& p : w.pools) p.family_check = FamilyCheck::Any;
  const auto after = given(w.settle());
  for (const Holding& h : before) {
    const Service& s = service_of(w, h.service);
    // An IP that was kept only until the request could be had may go now; nothing else.
    const auto from = w.came_from.find(h.ip);
    const bool of_pool =
        !s.requested_pool || (from != w.came_from.end() && from->second == *s.requested_pool);
    if (asked_for(s, h.ip) && of_pool) RC_ASSERT(after.contains(h));
  }
}

// A restart without a table: what the statuses say is what was.
RC_GTEST_PROP(PlanProperty, StatusesAloneAreEnough, ()) {
  World w = any_world();
  const Plan before = w.settle();
  for (std::size_t i = 0; i < w.services.size(); ++i) {
    w.services[i].held.clear();
    for (const GivenIp& g : before.decisions[i].ips) w.services[i].held.push_back(g.ip);
  }
  w.holdings.clear();
  const Plan after = w.look();
  RC_ASSERT(given(after) == given(before));
  RC_ASSERT(after.released.empty());
  for (std::size_t i = 0; i < w.services.size(); ++i) {
    RC_ASSERT(after.decisions[i].reason == before.decisions[i].reason);
  }
}

// An edit of one service costs the others nothing, unless it asks for what they share.
RC_GTEST_PROP(PlanProperty, AnotherServiceTakesNothingAway, ()) {
  World w = any_world();
  const auto before = given(w.settle());
  Service newcomer = any_service(99);
  newcomer.created = *rc::gen::inRange(-1, 5);
  w.services.push_back(newcomer);
  const auto after = given(w.settle());
  for (const Holding& h : before) {
    if (asked_for(service_of(w, h.service), h.ip) && !service_of(w, h.service).requested_pool) {
      RC_ASSERT(after.contains(h));
    }
  }
}

RC_GTEST_PROP(PlanProperty, TheOrderOfManifestsDoesNotMatter, ()) {
  World w = any_world();
  const auto one = given(w.look());
  SharedList<Service> reversed;
  for (std::size_t i = w.services.size(); i > 0; --i) reversed.push_back(w.services[i - 1]);
  w.services = reversed;
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
