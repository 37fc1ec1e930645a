// l2/prober.h: does another station use an IP that this node has never heard of being announced?
//
// set() what is to be probed, and from which links -> probes (IPv4: ARP probes, RFC 5227 §2.1.1;
// IPv6: solicitations as in duplicate address detection, RFC 4862 §5.4) -> quiet for a while ->
// Free, for good. Or somebody answers -> Taken -> probed again after a while, until set() lacks it.
// Frames and instants come in, frames come out: no socket, no clock, no thread.
//
// RFC 5227 §1.1 wants 3 probes 1 to 2 s apart after up to 1 s, and 2 s of quiet, for hosts that may
// all have booted at the same moment behind a switch that did too. Here the link has been up, a
// service waits for its address, and a station that is awake answers within milliseconds: 3 probes
// 100 ms apart and 200 ms of quiet find it. One that they do not find (asleep, behind a port that
// does not forward yet) is a conflict once it speaks (RFC 5227 §2.4).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/time.h"
#include "l2/frame.h"
#include "net/link.h"

namespace herald::l2 {

struct ProbeTiming {
  unsigned count = 3;         // at least 1
  Duration interval = 100ms;  // between them
  Duration quiet = 200ms;     // after the last one
  Duration again = 30s;       // after somebody has answered
  bool operator==(const ProbeTiming&) const = default;
};

class Prober {
 public:
  // Probes of 10,000 IPs do not overrun the segment's queues, as with Announcer.
  static constexpr unsigned kBatchFrames = 2000;
  static constexpr Duration kBatchGap = 5ms;

  enum class State : std::uint8_t { Unknown, Probing, Taken, Free };
  struct From {
    LinkIndex link;
    MacAddress mac;
    auto operator<=>(const From&) const = default;
  };
  using Wanted = std::map<IpAddress, std::vector<From>>;

  explicit Prober(ProbeTiming timing) : timing_(timing) {}

  // What is to be probed. IPs that are missing are forgotten; one that is not free yet begins anew
  // if its links have changed. Without any link an IP stays Unknown.
  void set(const Wanted& wanted, Instant now);
  void forget(const IpAddress& vip);  // what is known of it; set() begins anew
  // A station that is no member claims it. False: it is not being probed.
  bool taken(const IpAddress& vip, Instant now);

  void tick(Instant now);
  std::optional<Instant> next_deadline() const;
  State state(const IpAddress& vip) const;
  // Another one when tick() has changed the state of any.
  std::uint64_t version() const { return version_; }
  std::vector<std::pair<LinkIndex, Frame>> take_frames();
  std::vector<IpAddress> take_free();  // that have become so, each once

 private:
  struct Probe {
    std::vector<From> from;
    State state = State::Probing;
    unsigned left = 0;  // probes to be sent
    Instant due = kNever;
  };
  void begin(const IpAddress& vip, Probe& probe, Instant now);
  void schedule(const IpAddress& vip, Probe& probe, Instant due);
  void emit(const IpAddress& vip, const Probe& probe);

  ProbeTiming timing_;
  std::map<IpAddress, Probe> probes_;
  std::set<std::pair<Instant, IpAddress>> queue_;  // by due time
  std::vector<std::pair<LinkIndex, Frame>> out_;
  std::vector<IpAddress> free_;
  std::uint64_t version_ = 0;
  Instant batch_from_ = Instant::min();
  unsigned batch_frames_ = 0;
};

}  // namespace herald::l2
