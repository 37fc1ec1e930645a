// daemon/l2_speaker.h: what this node may answer for and what it says unasked, link by link.
//
// From the table and the policies to the responder's grants and to the announcers' schedules. An IP
// that was never announced is probed first, and granted when nobody has answered.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/time.h"
#include "coord/table.h"
#include "daemon/decide.h"
#include "daemon/events.h"
#include "l2/announcer.h"
#include "l2/grants.h"
#include "l2/prober.h"
#include "net/link.h"

namespace herald::daemon {

class L2Speaker {
 public:
  explicit L2Speaker(l2::ProbeTiming probes) : prober_(probes) {}

  // What this node may speak for, and from where.
  struct Right {
    std::vector<IpAddress> vips;            // that the table gives to this node
    std::vector<coord::MemberLink> usable;  // links that may announce
    NodeFacts node;                         // this one
    std::set<MacAddress> members;           // of their links, and of this node's
    Homes homes;                            // what members have: not to be probed
    bool has_right = false;                 // a lease: else it announces nothing unasked
  };
  // nullopt: it is not known what this node may speak for, so nothing.
  void set(const std::optional<Right>& right, const std::vector<Link>& links,
           const Policies& policies, const coord::Table& table, Instant now);
  void fall_silent() { grants_.clear(); }

  // The link is back: neighbours may have forgotten.
  void restart(const Link& link, Instant now);
  // Another station uses a VIP. False: it is none of ours.
  bool defend(LinkIndex link, const IpAddress& vip, Instant now);
  // It uses one that is being probed: that is not announced. False: none is.
  bool taken(LinkIndex link, const IpAddress& vip, Instant now);
  // Goes on probing. True: set() has something to grant, or to probe again.
  bool look(Instant now);
  // Nobody has answered for these. Each once.
  std::vector<IpAddress> take_free() { return prober_.take_free(); }
  void tick(Instant now);

  const l2::LinkGrants& grants() const { return grants_; }
  // If the responder was told otherwise.
  std::optional<SetGrants> take_grants();
  std::vector<SendFrame> take_frames();
  std::optional<Instant> next_deadline() const;

 private:
  struct Announcing {
    l2::Announcer announcer;
    l2::AnnounceTiming timing;
  };
  using Vips = std::map<LinkIndex, std::set<IpAddress>>;
  Vips choose(const Right& right, const std::vector<Link>& links, const Policies& policies,
              const coord::Table& table);
  void probe(const Right* right, Vips& owned, Instant now);

  std::map<LinkIndex, Announcing> announcers_;
  l2::Prober prober_;
  l2::Prober::Wanted unproven_;               // what has to be free before it is granted
  std::map<IpAddress, coord::Epoch> epochs_;  // of these: another owner's findings are not ours
  l2::LinkGrants grants_;                     // what should be
  l2::LinkGrants sent_grants_;                // what the responder was told
};

}  // namespace herald::daemon
