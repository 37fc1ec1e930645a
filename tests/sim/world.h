// tests/sim/world.h: several whole nodes in a fake world, from one seed.
//
// A queue of events by (time, sequence). Hosts are real daemon::Node cores, each with a clock of
// its own rate, and a responder that goes on answering by its last grants while the node is frozen.
// Between them a store that loses, delays and reorders. After every event: at most one host may
// answer for a VIP. At the end, after the calm: everything is served, by one host, and quiet.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "base/rng.h"
#include "daemon/node.h"
#include "tests/sim/store_sim.h"

namespace herald::sim {

// Wrong variants of the world around the core: each must be caught by some seed.
enum class Wrong {
  Nothing,
  ClockStopsInSuspend,  // a frozen host's clock stands still
  GrantsAppliedLate,    // the responder hears of a silence after the write that followed it
  DeadlineOverstayed,   // the responder counts the lease from later than the sending
  StoreIgnoresBase,     // a compare-and-swap that does not compare
  ClocksBeyondDrift,    // clocks run further apart than clock_drift says
  TimingsDisagree,      // some hosts' lease is longer than what the others wait for
};

struct Swarm {  // which kinds of fault a seed has
  bool crash = false, freeze = false, cut = false, outage = false, lose_requests = false,
       lose_replies = false, late_writes = false, slow = false, stale_watch = false,
       carrier = false, stop = false, edits = false;
  static Swarm of(Rng& rng);
};

struct Verdict {
  std::string violation;  // empty: all was well
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0;
  std::uint64_t moves = 0;  // changes of the host that answers for a VIP
};

class World {
 public:
  struct Options {
    std::uint64_t seed = 1;
    bool faults = true;
    Wrong wrong = Wrong::Nothing;
    std::function<void(const std::string&)> story;  // a line for each thing of note; may be empty
  };
  explicit World(Options options);
  ~World();

  Verdict run();

 private:
  struct Host;
  struct Due {
    Instant at;
    std::uint64_t sequence;
    std::function<void()> what;
    bool operator>(const Due& o) const { return at != o.at ? at > o.at : sequence > o.sequence; }
  };

  void after(Duration delay, std::function<void()> what);
  void deliver(Host& host, daemon::Event event);
  void perform(Host& host, const daemon::Effect& effect);
  void ask(Host& host, const daemon::AskStore& ask);
  void arrive(Host& host, std::uint64_t life, const daemon::AskStore& ask);
  void reply(Host& host, std::uint64_t life, std::uint64_t id, coord::StoreReply answer);
  void arm(Host& host);
  void start(Host& host);
  void crash(Host& host);
  void fault();
  void edit();
  void heal();
  void check();
  void check_settled();
  std::shared_ptr<const Desired> make_desired();
  std::vector<Link> links(const Host& host) const;
  Instant local(const Host& host, Instant t) const;
  void tell(const std::string& line);
  void fail(const std::string& what);

  Options options_;
  Rng rng_;
  Swarm swarm_;
  coord::LeaseTiming timing_;
  StoreSim store_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue_;
  Instant now_{};
  std::uint64_t sequence_ = 0;
  bool calm_ = false, outage_ = false;
  std::vector<ObjectName> services_;
  std::shared_ptr<const Desired> desired_;
  int next_service_ = 0;
  std::map<IpAddress, std::size_t> answering_;  // the host that last might answer
  Verdict verdict_;
};

}  // namespace herald::sim
