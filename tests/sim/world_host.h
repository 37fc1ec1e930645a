// tests/sim/world_host.h: one machine of the simulated world. For tests/sim/world*.cc alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace herald::sim {

struct World::Host {
  std::size_t index = 0;
  NodeName name;
  double rate = 1.0;                    // of its clock
  Duration offset = 0s;                 // of its clock
  std::unique_ptr<daemon::Node> node;   // none: not running
  std::unique_ptr<coord::Guard> guard;  // lives and dies with it
  std::string key;                      // of heartbeats, as its node told its guard
  std::uint64_t life = 0;               // which process: what belongs to an older one is dropped
  std::uint64_t timer = 0;              // which timer is armed
  std::uint64_t guard_timer = 0;
  std::optional<Instant> armed, guard_armed;  // until when they wait
  Instant reported{};                         // when its guard's newest report is heard
  l2::Grants grants;                          // of its responder, which does not freeze
  bool frozen = false;                        // the whole process
  bool stalled = false;                       // its node alone: a long reconcile
  bool cut = false, carrier = true;
  bool watching = false;                       // something is on its way to it from the API server
  std::vector<daemon::Event> backlog;          // of a frozen or stalled node
  std::vector<coord::GuardMessage> datagrams;  // of a frozen guard: what its socket holds
};

}  // namespace herald::sim
