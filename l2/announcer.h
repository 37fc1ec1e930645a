// l2/announcer.h: what this node says, on one link, about the VIPs it owns.
//
// A VIP becomes ours -> one announcement at once (RFC 5227 §2.3, RFC 4861 §7.2.6) -> a short
// schedule of repeats, as the first may be lost -> quiet, or a slow refresh if one is set. A VIP
// that is no longer ours -> silence. IPv4 is announced in the request and in the reply form: there
// are hosts and switches that only learn from the one or the other.
//
// It does not know the lease: whoever sends a frame checks the right to it right before sending.
//
// RFC 5227 §1.1 wants 3 probes over up to 9 s before using an address. A VIP being failed over is
// already ours by lease, so we announce at once and only defend.
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

struct AnnounceTiming {
  unsigned count = 5;         // announcements after a VIP became ours; 0: none at all
  Duration interval = 200ms;  // between them
  Duration refresh = 0s;      // afterwards one each `refresh`; 0: none
  bool operator==(const AnnounceTiming&) const = default;
};

// One VIP is defended against a conflict at most this often (RFC 5227 §2.4 DEFEND_INTERVAL).
inline constexpr Duration kDefendInterval = 10s;

class Announcer {
 public:
  // So that 10,000 VIPs do not overrun the segment's queues: at most kBatchFrames (give or take
  // one announcement) per kBatchGap.
  static constexpr unsigned kBatchFrames = 2000;
  static constexpr Duration kBatchGap = 5ms;

  Announcer(LinkIndex link, MacAddress mac, AnnounceTiming timing);

  LinkIndex link() const { return link_; }
  const MacAddress& mac() const { return mac_; }
  const std::set<IpAddress>& owned() const { return owned_; }

  // What is ours now: new VIPs are announced, missing ones fall silent, the others go on. May be
  // called as often as one likes with the same set.
  void set(const std::set<IpAddress>& owned, Instant now);
  void own(const IpAddress& vip, Instant now);
  void disown(const IpAddress& vip);
  // Begins anew with all VIPs: the link came back, got another MAC, or a lapsed lease revived.
  void restart(MacAddress mac, Instant now);
  // Announces a VIP once because another station claims it; at most once in kDefendInterval.
  // Returns whether it did.
  bool defend(const IpAddress& vip, Instant now);

  void tick(Instant now);
  std::optional<Instant> next_deadline() const;  // when tick() next has something to do
  std::vector<Frame> take_frames();              // what to put on the wire, oldest first

 private:
  struct Plan {
    unsigned left = 0;  // announcements of the burst that are still to come
    Instant due = kNever;
    std::optional<Instant> defended;
  };

  void begin(const IpAddress& vip, Instant now);
  void schedule(const IpAddress& vip, Plan& plan, Instant due);
  void emit(const IpAddress& vip);

  LinkIndex link_;
  MacAddress mac_;
  AnnounceTiming timing_;
  std::set<IpAddress> owned_;
  std::map<IpAddress, Plan> plans_;                // one for each owned VIP
  std::set<std::pair<Instant, IpAddress>> queue_;  // by due time
  std::vector<Frame> out_;
  Instant batch_from_ = Instant::min();
  unsigned batch_frames_ = 0;
};

}  // namespace herald::l2
