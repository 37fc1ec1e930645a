// Which routes go to which peer: endpoints, aggregation, merging, conflicts, exclusive ones.
#include "daemon/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/wish.h"

namespace herald::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kCluster = TrafficPolicy::Cluster, kLocal = TrafficPolicy::Local;

World pandora() {
  World w;
  w.node("pandora");
  w.peer("peer1");
  return w;
}

struct Case {
  const char* name;
  TrafficPolicy traffic;
  std::vector<At> endpoints;
  bool announced;
};

TEST(Routes, ByEndpointsAsARouterSeesThem) {
  const std::vector<Case> cases = {
      {"cluster, elsewhere", kCluster, {{"iris"}}, true},
      {"cluster, none", kCluster, {}, false},
      {"cluster, only unready", kCluster, {{"iris", kNot, kNot}}, false},
      {"cluster, one of two", kCluster, {{"iris"}, {"iris", kNot, kNot}}, true},
      {"cluster, serving though not ready", kCluster, {{"iris", kNot, kServing}}, true},
      {"cluster, ready though not serving", kCluster, {{"iris", kReady, kNot}}, true},
      {"local, elsewhere alone", kLocal, {{"iris"}}, false},
      {"local, here as well", kLocal, {{"iris"}, {"pandora"}}, true},
      {"local, one ready and one not here", kLocal, {{"pandora", kNot, kNot}, {"pandora"}}, true},
      {"local, not ready here", kLocal, {{"iris"}, {"pandora", kNot, kNot}}, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    World w = pandora();
    w.bgp({"pandora"}).needs_endpoints = true;
    w.service("test1", {"10.20.30.1"}, c.traffic);
    w.endpoints("test1", c.endpoints);
    if (c.announced) {
      EXPECT_THAT(w.told(), ElementsAre("pandora peer1 10.20.30.1/32"));
    } else {
      EXPECT_THAT(w.told(), IsEmpty());
      EXPECT_NE(w.of().bgp, Hold::None);
    }
  }
}

TEST(Routes, WithoutServiceOrAdvertisementThereAreNone) {
  World w = pandora();
  EXPECT_TRUE(w.announced().empty());
  w.service("web", {"10.20.30.1"});
  EXPECT_EQ(w.of().bgp, Hold::NoPolicy);
  w.bgp({"iris"});
  EXPECT_EQ(w.of().bgp, Hold::NoEligibleNode);
  w.bgp().service_selectors = {labelled("app", "apache")};
  EXPECT_THAT(w.told(), IsEmpty());
}

TEST(Routes, AdvertisementsOfOtherLengthsAreOtherRoutes) {
  World w = pandora();
  BgpAdvertisement& host = w.bgp({"pandora"});
  host.local_pref = 100;
  host.communities = {1234, 2345};
  BgpAdvertisement& wide = w.bgp();
  wide.aggregation_v4 = 24;
  wide.local_pref = 1000;
  w.service("test1", {"10.20.30.1"});
  w.endpoints("test1", {{"iris"}});
  EXPECT_THAT(w.told(), ElementsAre("pandora peer1 10.20.30.0/24", "pandora peer1 10.20.30.1/32"));
  const auto told = w.of().announced;
  EXPECT_EQ(told[0].attributes.local_pref, 1000u);
  EXPECT_THAT(told[0].attributes.communities, IsEmpty());
  EXPECT_EQ(told[1].attributes.local_pref, 100u);
  EXPECT_THAT(told[1].attributes.communities, ElementsAre(1234u, 2345u));
  w.desired.advertisements[1].node_selectors = hosts({"iris"});
  EXPECT_THAT(w.told(), ElementsAre("pandora peer1 10.20.30.1/32"));
}

TEST(Routes, AnAggregateIsThereWhileOneOfItsIpsIs) {
  World w = pandora();
  w.bgp().aggregation_v4 = 28;
  w.desired.advertisements[0].aggregation_v6 = 120;
  w.service("a", {"10.20.30.1", "fd00::1"});
  w.service("b", {"10.20.30.2"});
  EXPECT_THAT(w.told("10.20.30.1"), ElementsAre("pandora peer1 10.20.30.0/28"));
  EXPECT_THAT(w.told("10.20.30.2"), ElementsAre("pandora peer1 10.20.30.0/28"));
  EXPECT_THAT(w.told("fd00::1"), ElementsAre("pandora peer1 fd00::/120"));
  const Policies all = w.policies();
  coord::Table table;
  const auto hold = [&](const char* text, std::uint64_t rev, bool there) {
    coord::TableDocument d;
    d.shard = coord::shard_of(ip(text));
    d = table.shard(d.shard);
    d.rev = coord::Revision(rev);
    if (there) {
      d.entries[ip(text)].services = w.holdings[ip(text)];
    } else {
      d.entries.erase(ip(text));
    }
    table.on_seen(d, Instant{1s});
  };
  const NodeFacts self = all.node(NodeName("pandora"), {});
  const auto prefixes = [&] {
    std::vector<std::string> out;
    for (const auto& r : routes(all, all.desired().peers[0], self, table)) {
      out.push_back(to_string(r.prefix));
    }
    return out;
  };
  hold("10.20.30.1", 1, true);
  hold("10.20.30.2", 2, true);
  EXPECT_THAT(prefixes(), ElementsAre("10.20.30.0/28"));
  hold("10.20.30.1", 3, false);
  EXPECT_THAT(prefixes(), ElementsAre("10.20.30.0/28"));
  hold("10.20.30.2", 4, false);
  EXPECT_THAT(prefixes(), IsEmpty());
}

TEST(Routes, LocalServicesAreNotAggregatedUnlessTheyShallBe) {
  World w = pandora();
  w.bgp().aggregation_v4 = 24;
  w.service("a", {"10.20.30.1"}, kLocal);
  w.endpoints("a", {{"pandora"}});
  EXPECT_THAT(w.told(), ElementsAre("pandora peer1 10.20.30.1/32"));
  w.desired.advertisements[0].aggregate_local = true;
  EXPECT_THAT(w.told(), ElementsAre("pandora peer1 10.20.30.0/24"));
}

TEST(Routes, WhatGivesOnePrefixIsMerged) {
  World w = pandora();
  BgpAdvertisement& a = w.bgp();
  a.communities = {202, 101};
  a.large_communities = {{1111, 1, 1}};
  a.local_pref = 50;
  a.med = 20;
  BgpAdvertisement& b = w.bgp();
  b.communities = {303, 202};
  b.large_communities = {{2222, 1, 1}, {1111, 1, 1}};
  b.local_pref = 200;
  b.med = 10;
  BgpAdvertisement& c = w.bgp();
  c.as_path_prepend = 2;
  w.service("web", {"10.20.30.1"});
  const auto told = w.of().announced;
  ASSERT_EQ(told.size(), 1u);
  const bgp::RouteAttributes& route = told[0].attributes;
  EXPECT_THAT(route.communities, ElementsAre(101u, 202u, 303u));
  EXPECT_EQ(route.large_communities.size(), 2u);
  EXPECT_EQ(route.local_pref, 200u);
  EXPECT_EQ(route.med, 10u);
  EXPECT_EQ(route.as_path_prepend, 2u);
}

struct Clash {
  const char* name;
  std::vector<const char*> nodes_a, nodes_b;
  std::vector<const char*> peers_a, peers_b;
  std::uint32_t pref_a, pref_b;
  bool clash;
};

TEST(Routes, StrictAdvertisementsHaveToAgreeAboutTheLocalPreference) {
  const std::vector<Clash> cases = {
      {"the same", {"a"}, {"a"}, {}, {}, 100, 100, false},
      {"other nodes", {"a"}, {"b"}, {}, {}, 100, 200, false},
      {"the same node", {"a"}, {"a"}, {}, {}, 100, 200, true},
      {"one of two nodes", {"a"}, {"a", "b"}, {}, {}, 100, 200, true},
      {"other peers", {"a"}, {"a"}, {"peer1"}, {"peer2"}, 100, 200, false},
      {"a peer in common", {"a"}, {"a"}, {"peer1"}, {"peer2", "peer1"}, 100, 200, true},
      {"one has all peers", {"a"}, {"a"}, {"peer1"}, {}, 100, 200, true},
  };
  for (const Clash& c : cases) {
    SCOPED_TRACE(c.name);
    World w;
    w.node("a");
    w.node("b");
    w.peer("peer1");
    w.peer("peer2");
    for (const bool second : {false, true}) {
      BgpAdvertisement& ad = w.bgp(second ? c.nodes_b : c.nodes_a);
      for (const char* p : second ? c.peers_b : c.peers_a) ad.peers.emplace_back(p);
      ad.local_pref = second ? c.pref_b : c.pref_a;
      ad.strict_local_pref = true;
    }
    w.service("web", {"10.20.30.1"});
    const auto from_a = [&] {
      const auto all = w.told();
      return std::count_if(all.begin(), all.end(), [](const auto& t) { return t[0] == 'a'; });
    };
    EXPECT_EQ(from_a() == 0, c.clash);
    // Else the highest wins.
    w.desired.advertisements[0].strict_local_pref = false;
    EXPECT_GT(from_a(), 0);
  }
  World both = pandora();
  for (const std::uint32_t preference : {100u, 200u}) {
    both.bgp().local_pref = preference;
  }
  const Policies all = both.policies();
  const BgpAdvertisement& low = all.desired().advertisements[0];
  const BgpAdvertisement& high = all.desired().advertisements[1];
  const auto said = preference_conflicts({{net("10.20.30.1/32"), &low},
                                          {net("10.20.30.1/32"), &high},
                                          {net("10.20.30.2/32"), &low},
                                          {net("10.20.30.2/32"), &high}});
  ASSERT_EQ(said.size(), 1u);
  EXPECT_THAT(sentence(said[0]), testing::HasSubstr("has localPreference 200 by BGPAdvertisement"));

  World w = pandora();
  w.bgp().strict_local_pref = true;
  w.desired.advertisements[0].local_pref = 100;
  BgpAdvertisement& nginx = w.bgp();
  nginx.local_pref = 200;
  nginx.strict_local_pref = true;
  nginx.service_selectors = {labelled("app", "nginx")};
  Service& s = w.service("web", {"10.20.30.1"});
  EXPECT_EQ(w.told().size(), 1u);
  s.labels = {{"app", "nginx"}};
  EXPECT_EQ(w.of().bgp, Hold::ConflictingAdvertisements);
}

TEST(Routes, PeersAreChosenByAdvertisementNodeAndFamily) {
  World w = pandora();
  w.node("iris");
  w.peer("peer2").node_selectors = hosts({"iris"});
  w.bgp().peers = {PeerName("peer2")};
  w.service("web", {"10.20.30.1", "fd00::1"});
  EXPECT_THAT(w.told("10.20.30.1"), ElementsAre("iris peer2 10.20.30.1/32"));
  w.desired.peers[1].ipv6 = false;
  EXPECT_THAT(w.told("fd00::1"), IsEmpty());
  EXPECT_EQ(w.of("fd00::1").bgp, Hold::PeerFamily);
  w.desired.advertisements[0].ipv4 = false;
  EXPECT_THAT(w.told("10.20.30.1"), IsEmpty());
  w.desired.advertisements[0] = {};
  w.desired.advertisements[0].peers = {PeerName("peer3")};
  EXPECT_EQ(w.of("10.20.30.1").bgp, Hold::NoPeer);
}

TEST(Routes, ExcludedUnwellAndDrainedNodes) {
  World w = pandora();
  w.node("iris");
  w.bgp();
  w.service("web", {"10.20.30.1"});
  EXPECT_EQ(w.told().size(), 2u);
  w.desired.nodes[0].network_unavailable = true;
  EXPECT_THAT(w.told(), ElementsAre("iris peer1 10.20.30.1/32"));
  w.drained = {NodeName("iris")};
  EXPECT_EQ(w.told().size(), 2u) << "nobody is left who could do it instead";
  w.drained.clear();
  for (std::size_t i = 0; i < w.desired.nodes.size(); ++i) {
    w.desired.nodes[i].labels.set("node.kubernetes.io/exclude-from-external-load-balancers", "");
  }
  EXPECT_EQ(w.of().bgp, Hold::NodesExcluded);
  w.options.ignore_exclude_label = true;
  EXPECT_THAT(w.told(), ElementsAre("iris peer1 10.20.30.1/32"));
}

TEST(Routes, AnExclusiveOneGoesOutFromTheOwnerAlone) {
  World w = pandora();
  w.node("iris");
  w.node("lone");
  w.peer("peer2").node_selectors = hosts({"iris"});
  w.desired.peers[0].node_selectors = hosts({"iris", "pandora"});
  w.bgp().exclusive = true;
  w.service("web", {"10.20.30.1"});
  w.owners[ip("10.20.30.1")] = NodeName("pandora");
  EXPECT_THAT(w.told(), ElementsAre("pandora peer1 10.20.30.1/32"));
  w.owners[ip("10.20.30.1")] = NodeName("lone");  // has no session, so it may not own it
  EXPECT_EQ(w.told().size() > 0, true);
  // With an L2 policy, its owner is the one.
  w.l2({"iris"});
  EXPECT_EQ(w.speaker(), "iris");
  EXPECT_THAT(w.told(), ElementsAre("iris peer1 10.20.30.1/32", "iris peer2 10.20.30.1/32"));
}

TEST(Routes, ClassesAndExternalIps) {
  World w = pandora();
  BgpAdvertisement& a = w.bgp();
  a.classes = {"", "io.cilium/bgp-control-plane"};
  a.addresses = {AddressKind::LoadBalancerIP, AddressKind::ExternalIP};
  Service& s = w.service("web", {"10.20.30.1", "192.0.2.1"});
  s.external_ips = {ip("192.0.2.1")};
  EXPECT_THAT(w.told("10.20.30.1"), ElementsAre("pandora peer1 10.20.30.1/32"));
  s.load_balancer_class = "io.cilium/l2-announcer";
  EXPECT_EQ(w.of("10.20.30.1").bgp, Hold::ClassNotSelected);
  EXPECT_THAT(w.told("192.0.2.1"), ElementsAre("pandora peer1 192.0.2.1/32"));
  w.desired.advertisements[0].addresses = {AddressKind::LoadBalancerIP};
  EXPECT_EQ(w.of("192.0.2.1").bgp, Hold::NoPolicy);
}

}  // namespace
}  // namespace herald::daemon
