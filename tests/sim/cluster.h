// tests/sim/cluster.h: a few whole nodes to which happens what a test says, and nothing else.
//
// The same cores as in world.h, on a store and a network that always take the same time: no seed,
// no chance. For stories with a number in them: how many writes, how many IPs moved, how even. At
// every change of a grant: no other host may answer for that VIP.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coord/guard.h"
#include "daemon/node.h"
#include "tests/sim/store_sim.h"

namespace herald::sim {

// Compare-and-swaps that reached the store, won or not, by what they would have changed.
struct Writes {
  std::uint64_t member = 0, table = 0, leader = 0, status = 0, cluster = 0;
  std::uint64_t total() const { return member + table + leader + status + cluster; }
  Writes operator-(const Writes& before) const;
};

class Cluster {
 public:
  struct Options {
    std::size_t hosts = 5;
    bool heartbeats = true;  // guard mode
    coord::LeaseTiming timing{};
    coord::GuardTiming guard_timing{};
  };
  explicit Cluster(Options options);
  ~Cluster();

  // Hosts count from 0; their nodes are n1, n2, ...
  void start(std::size_t host);
  void start_all();
  void crash(std::size_t host);
  void stop(std::size_t host);  // it hands over, says so, and is gone
  void want_services(std::size_t count);
  void store_away(bool away) { store_away_ = away; }

  void run_for(Duration time);
  // False: it did not become so in time.
  bool run_until(const std::function<bool()>& so, Duration limit);

  Instant now() const { return now_; }
  std::size_t hosts() const { return hosts_.size(); }
  bool runs(std::size_t host) const;
  static NodeName name(std::size_t host);
  const daemon::Node& node(std::size_t host) const;
  std::optional<std::size_t> leader() const;
  std::map<IpAddress, coord::TableEntry> table() const { return store_.table(); }
  const std::map<coord::DocumentKey, coord::Document>& documents() const {
    return store_.documents();
  }
  // By owner, of those that run and may answer for it.
  std::map<std::size_t, std::size_t> answering() const;
  // Every wanted service has an IP for which somebody may answer.
  bool served() const;
  Writes writes() const;
  const Writes& writes(std::size_t host) const;
  // VIPs that a running host had to fall silent for, and times that its right ran out with VIPs.
  std::uint64_t interruptions(std::size_t host) const;
  // What was wrong first; empty: nothing.
  const std::string& violation() const { return violation_; }

 private:
  struct Host;
  struct Due {
    Instant at;
    std::uint64_t sequence;
    std::function<void()> what;
    bool operator>(const Due& o) const { return at != o.at ? at > o.at : sequence > o.sequence; }
  };

  void after(Duration delay, std::function<void()> what);
  void after(Duration delay, Host& host, std::function<void()> what);  // if its process still runs
  void next();
  void deliver(Host& host, daemon::Event event);
  void perform(Host& host, const daemon::Effect& effect);
  void set_grants(Host& host, l2::LinkGrants links);
  void watch_rights();
  void ask(Host& host, const daemon::AskStore& ask);
  void pump(Host& host);
  void send(Host& from, const coord::Outgoing& outgoing);
  void arm(Host& host);
  void end(Host& host);
  Instant local(const Host& host) const;
  void fail(std::string what);

  Options options_;
  StoreSim store_;
  bool store_away_ = false;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<Due> queue_;  // a heap: the next one first
  Instant now_{};
  std::uint64_t sequence_ = 0;
  std::shared_ptr<const Desired> desired_;
  std::map<IpAddress, std::set<std::size_t>> granted_;
  std::string violation_;
};

}  // namespace herald::sim
