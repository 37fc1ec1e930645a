// tests/sim/world.h: several whole nodes in a fake world, from one seed.
//
// A queue of events by (time, sequence). Hosts are real daemon::Node and coord::Guard cores, each
// with a clock of its own rate, and a responder that goes on answering by its last grants while
// both are frozen. Between them a store that loses, delays and reorders, and a network that does
// the same to heartbeats. After every event: at most one host may answer for a VIP. At the end,
// after the calm: everything is served, by one host, and quiet.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"
#include "daemon/node.h"
#include "tests/daemon/api_model.h"
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
};

struct Swarm {  // which kinds of fault a seed has
  bool crash = false, freeze = false, cut = false, outage = false, lose_requests = false,
       lose_replies = false, late_writes = false, slow = false, stale_watch = false,
       carrier = false, stop = false, edits = false, orders = false, rebalance = false,
       lose_datagrams = false, slow_datagrams = false, copies = false, partition = false,
       stall = false, mixed_settings = false, strangers = false, holds = false, shares = false;
  static Swarm of(Rng& rng, bool hunt);
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
    // For what gives two owners, and that alone: fewer services, more of what goes wrong, and no
    // calm after it.
    bool hunt = false;
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
  void step(Host& host, std::span<const daemon::Event> events);
  void perform(Host& host, const daemon::Effect& effect);
  void ask(Host& host, const daemon::AskStore& ask);
  void arrive(Host& host, std::uint64_t life, const daemon::AskStore& ask);
  void reply(Host& host, std::uint64_t life, std::uint64_t id, coord::StoreReply answer);
  void arm(Host& host);
  void pump(Host& host);
  void arm_guard(Host& host);
  void send(Host& from, const coord::Outgoing& outgoing);
  void thaw(Host& host);
  void cut_peers();
  void start(Host& host);
  void crash(Host& host);
  void end(Host& host);
  void fault();
  void edit();
  void order(Host& host);
  void heal();
  // Of worlds with an API server.
  struct Picture {
    std::uint64_t version = 0;
    std::shared_ptr<const kube::Observed> observed;
    std::shared_ptr<const Desired> desired;
  };
  Picture picture();
  void set_objects();
  void objects_changed();
  void show_objects(Host& host);
  void show(Host& host, const Picture& shown);
  void ask_objects(Host& host, const daemon::AskKube& ask);
  void check_status(const ObjectName& service);
  bool told(const ObjectName& service, const IpAddress& vip) const;
  void edit_status();
  std::string statuses_fault() const;
  void note_grants();
  void check();
  std::string settling_fault() const;
  void look_whether_settled(bool last);
  std::shared_ptr<const Desired> make_desired();
  std::vector<Link> links(const Host& host) const;
  Instant local(const Host& host, Instant t) const;
  Duration true_wait(const Host& host, Instant deadline);
  void tell(const std::string& line);
  void fail(const std::string& what);

  Options options_;
  Rng rng_;
  Swarm swarm_;
  coord::LeaseTiming timing_;
  coord::GuardTiming guard_timing_;
  bool guard_mode_ = true;
  std::vector<std::vector<bool>> peers_cut_;  // [from][to]: datagrams are lost
  StoreSim store_;
  bool objects_ = false;  // an API server has the services, and is told of them
  daemon::ApiModel api_;
  std::uint64_t api_version_ = 0;
  std::map<ObjectName, int> wipes_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<Due> queue_;  // a heap: the next one first
  Instant now_{};
  std::uint64_t sequence_ = 0;
  bool calm_ = false, outage_ = false;
  std::uint64_t quiet_writes_ = 0;
  bool was_settled_ = false, settled_ = false;
  std::vector<ObjectName> services_;
  std::shared_ptr<const Desired> desired_;
  int next_service_ = 0;             // its number is the end of its name
  std::vector<ObjectName> deleted_;  // services that may come back
  std::set<IpAddress> strangers_;    // used by other stations all the while
  Duration release_hold_ = 0s;
  std::uint64_t orders_ = 0;
  bool grants_changed_ = false;
  std::vector<std::pair<IpAddress, std::vector<std::size_t>>> contested_;  // granted by several
  std::map<IpAddress, std::size_t> answering_;  // the host that last might answer
  Verdict verdict_;
};

}  // namespace herald::sim
