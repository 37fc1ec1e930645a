// l2/packet_io.h: answers ARP and Neighbor Discovery through packet sockets, on its own thread.
//
// apply(grants) -> sockets and kernel filters are made to fit -> the thread answers what passes the
// filter -> send() announcements -> join_groups() -> apply(fewer grants) -> silence. The right to
// answer is checked
// under the same lock that apply() takes, right before each send: when apply() or set_deadline()
// has returned, nothing more is sent by the right of the snapshot before it.
//
// Needs CAP_NET_RAW. All functions may be called from any thread but the handler's own.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "l2/frame.h"
#include "l2/grants.h"
#include "l2/responder.h"
#include "l2/verdict.h"

namespace herald::l2 {

// A link that cannot be served fully, and what to do about it.
struct LinkProblem {
  LinkIndex link;
  std::string what;
};

struct PacketCounters {
  std::array<std::uint64_t, kVerdicts> verdicts{};  // frames received, by Verdict
  std::uint64_t announcements_sent = 0;
  std::uint64_t announcements_refused = 0;  // no right to it any more when it was to be sent
  std::uint64_t send_errors = 0;            // replies and announcements that the kernel refused

  std::uint64_t operator[](Verdict v) const { return verdicts[static_cast<std::size_t>(v)]; }
};

class PacketResponder {
 public:
  // Called from the responder's thread, without a lock held, at most once in kDefendInterval per
  // VIP and link. It must not call back into the responder nor block: post it to your own loop.
  using ConflictHandler = std::function<void(const Conflict&)>;

  explicit PacketResponder(ConflictHandler on_conflict);
  ~PacketResponder();  // stop()
  PacketResponder(const PacketResponder&) = delete;
  PacketResponder& operator=(const PacketResponder&) = delete;

  // Starts the thread; it belongs to the network namespace of the caller. Once only.
  Result<void> start();
  // Ends the thread and closes all sockets. After it, nothing is sent.
  void stop();

  // Replaces what may be answered for (first of all), then opens sockets and adjusts filters. A
  // link that has a problem does not hinder the others; it is tried again at the next apply(). The
  // deadline stays.
  std::vector<LinkProblem> apply(LinkGrants grants);
  // Makes the multicast memberships fit the newest apply(): without them solicitations for new
  // IPv6 VIPs may not reach this host. Each may wait until the kernel has changed somebody else's
  // links (RTNL, 10 to 20 ms where pods come and go), so it comes after all that cannot wait:
  // announcements, and the writes that pass VIPs on.
  std::vector<LinkProblem> join_groups();
  // Until when: cheap, for each renewal. In the past, as at the start: silence.
  void set_deadline(Instant deadline);

  // Sends an announcement if, at this very moment, its VIP may be answered for on this link; a
  // probe, if its VIP is being probed there.
  // Returns whether it was handed to the kernel.
  bool send(LinkIndex link, const Frame& frame);

  PacketCounters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace herald::l2
