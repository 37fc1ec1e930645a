// coord/heartbeat_io.h: the Guard on a thread of its own, with its sockets and its timer.
//
//   socket -> HMAC -> Guard::receive -> acknowledgements      timer -> Guard::tick -> heartbeats
//   apply(orders) -> Guard::apply -> on_deadline(the right to answer now ends then)
//
// After each wake-up all that waits in the sockets is read, then the machine is told the time *of
// the wake-up*: a thread that was woken late accuses nobody whose heartbeat had come. What one
// round may read is bounded, so a flood delays a tick by milliseconds and no more.
//
// Without a port it keeps deadlines all the same, and neither sends nor believes anything; so it is
// with orders without a key.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/names.h"
#include "base/result.h"
#include "base/time.h"
#include "coord/delay_histogram.h"
#include "coord/guard.h"
#include "net/ip.h"

namespace herald::coord {

struct HeartbeatOptions {
  NodeName self;
  std::string cluster;
  GuardTiming timing = {};
  std::optional<std::uint16_t> port = std::nullopt;  // none: no heartbeats; 0: the kernel chooses
  std::optional<IpAddress> address = std::nullopt;   // none: all addresses of both families
  bool raise_priority = true;  // before all ordinary threads, where that is permitted
};

struct HeartbeatHandlers {
  // Whenever Guard::deadline() changed, from whichever thread changed it, under the lock: it must
  // be quick and must not call back.
  std::function<void(Instant)> on_deadline;
  // From the thread, without a lock held: post it to your own loop.
  std::function<void(GuardReport)> on_report;
};

struct HeartbeatStats {
  std::uint64_t wakeups = 0;
  DelaySummary delay;      // of the timer's wake-ups over the last minute: planned against actual
  std::string scheduling;  // "SCHED_RR", "nice -10", "normal"; empty: not started
  std::uint64_t datagrams_in = 0, datagrams_out = 0;
  std::uint64_t bad_mac = 0, other_cluster = 0, malformed = 0;  // refused ones of datagrams_in
  std::uint64_t send_errors = 0;
  std::string last_error;    // what this host could not do, and to whom
  std::string last_refused;  // the newest refused datagram: whose, why, what to look at
};

class HeartbeatThread {
 public:
  HeartbeatThread(HeartbeatOptions options, HeartbeatHandlers handlers);
  ~HeartbeatThread();  // stop()
  HeartbeatThread(const HeartbeatThread&) = delete;
  HeartbeatThread& operator=(const HeartbeatThread&) = delete;

  // Opens the sockets, in the network namespace of the caller, and starts the thread. Once only,
  // before other threads use this. The error is a sentence with a remedy.
  Result<void> start();
  // Ends the thread and closes the sockets; no handler is called from the thread afterwards.
  void stop();
  // Where it listens; 0: nowhere. Known once start() has returned.
  std::uint16_t port() const;

  // From any thread but a handler. When it has returned, no deadline that is later than these
  // orders allow is in force. Also before start() and after stop().
  void apply(std::shared_ptr<const GuardOrders> orders);

  Instant deadline() const;  // what on_deadline was last told; Instant::min() at first
  HeartbeatStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace herald::coord
