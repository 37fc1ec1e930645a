// bench/dialect_bench.cc: what the statuses of pools, policies and peers cost the leader's thread
// with 5,000 services: made anew, and asked for again. Run: build/release/bin/dialect_bench (option
// HERALD_BENCH).
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <memory>
#include <string>

#include "daemon/dialect_statuses.h"

namespace herald::daemon {
namespace {

constexpr int kServices = 5000;
const Instant kNow{1000s};

std::string path(const char* version, const char* plural, const char* name) {
  return fmt::format("/apis/metallb.io/{}/namespaces/metallb-system/{}/{}", version, plural, name);
}

std::shared_ptr<const Desired> desired(int nodes) {
  auto out = std::make_shared<Desired>();
  Pool pool;
  pool.name = PoolName("lan");
  pool.source.file = path("v1beta1", "ipaddresspools", "lan");
  pool.ranges = {IpRange::of(*IpPrefix::parse("10.200.64.0/18"))};
  out->pools = {pool};
  for (int i = 0; i < kServices; ++i) {
    Service s;
    s.name = {"default", fmt::format("s{}", i)};
    out->services.push_back(std::move(s));
  }
  L2Policy policy;
  policy.name = "all";
  policy.source.file = path("v1beta1", "l2advertisements", "all");
  out->l2_policies = {policy};
  BgpAdvertisement ad;
  ad.name = "all";
  ad.source.file = path("v1beta1", "bgpadvertisements", "all");
  out->advertisements = {ad};
  for (const char* name : {"tor-1", "tor-2"}) {
    BgpPeer peer;
    peer.name = PeerName(name);
    peer.source.file = path("v1beta2", "bgppeers", name);
    out->peers.push_back(peer);
  }
  for (int n = 0; n < nodes; ++n) {
    NodeObject node;
    node.name = NodeName(fmt::format("n{}", n));
    out->nodes.push_back(std::move(node));
  }
  return out;
}

struct Cluster {
  explicit Cluster(int nodes)
      : policies(desired(nodes)), peers(NodeName("n0"), coord::LeaseTiming{}) {
    const kube::Resource pools{"metallb.io", "v1beta1", "ipaddresspools", "IPAddressPool", true};
    observed.objects.set({pools, "metallb-system", "lan"}, {});
    observed.kinds = {"ipaddresspools.metallb.io", "servicel2statuses.metallb.io",
                      "servicebgpstatuses.metallb.io", "configurationstates.metallb.io"};
    for (int n = 0; n < nodes; ++n) {
      coord::MemberDocument d;
      d.node = NodeName(fmt::format("n{}", n));
      d.rev = coord::Revision(1);
      d.inc = coord::Incarnation(1);
      d.info.links = {{"eth0", {*IpPrefix::parse("10.200.0.0/16")}}};
      peers.on_seen(d, kNow);
    }
    std::map<unsigned, coord::TableDocument> shards;
    IpAddress vip = *IpAddress::parse("10.200.64.0");
    for (int i = 0; i < kServices; ++i, vip = vip.next()) {
      coord::TableDocument& shard = shards[coord::shard_of(vip)];
      shard.shard = coord::shard_of(vip);
      shard.rev = coord::Revision(1);
      coord::TableEntry& entry = shard.entries[vip];
      entry.services = {{"default", fmt::format("s{}", i)}};
      entry.owner = NodeName(fmt::format("n{}", i % nodes));
    }
    for (const auto& [number, shard] : shards) table.on_seen(shard, kNow);
    pools_used = allocate(policies, table, {}, {}).plan.pools;
  }
  std::size_t ask(DialectStatuses& statuses) const {
    WantedObjects out;
    statuses.add({observed, policies, &pools_used, table, peers, drained, kNow}, out);
    return out.size();
  }

  Policies policies;
  kube::Observed observed;
  coord::Table table;
  coord::Peers peers;
  std::set<NodeName> drained;
  std::vector<ipam::PoolUsage> pools_used;
};

void made_anew(benchmark::State& state) {
  const Cluster cluster(static_cast<int>(state.range(0)));
  std::size_t objects = 0;
  for (auto _ : state) {
    DialectStatuses statuses;
    objects = cluster.ask(statuses);
  }
  state.counters["objects"] = static_cast<double>(objects);
}
BENCHMARK(made_anew)->Arg(5)->Arg(500)->Unit(benchmark::kMillisecond);

void asked_again(benchmark::State& state) {
  const Cluster cluster(static_cast<int>(state.range(0)));
  DialectStatuses statuses;
  cluster.ask(statuses);
  for (auto _ : state) benchmark::DoNotOptimize(cluster.ask(statuses));
}
BENCHMARK(asked_again)->Arg(5)->Arg(500)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace herald::daemon
