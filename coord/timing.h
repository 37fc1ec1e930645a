// coord/timing.h: how long things last. The letters are those of docs/coordination.md.
#pragma once

#include <algorithm>
#include <optional>

#include "base/time.h"
#include "coord/document.h"

namespace herald::coord {

// `d` on the slowest clock has passed on the fastest when this has: d (1+rho)/(1-rho).
Duration stretched(Duration d, double clock_drift);

struct LeaseTiming {
  Duration lease = 2s;             // D: the right lasts so long after a renewal was sent
  Duration revoke_after = 2500ms;  // L >= D: a silent member may be revoked after this
  // D of a member that is the only one: nobody waits for what it has, so it need not hurry. It says
  // so in its document, and takes it back as soon as another member comes.
  Duration lone_lease = 20s;
  Duration request_timeout = 60ms;
  Duration relist = 10s;
  Duration leader_lease = 5s;
  // T: with it, members renew also in guard mode, and are silent after so long without the store.
  std::optional<Duration> store_loss_limit;
  double clock_drift = 0.01;  // rho: clocks run at 1-rho .. 1+rho of true time

  // D, as this member should declare it now.
  Duration declared_lease(bool lone) const;
  // So long a leader leads after a renewal; others wait `leader_lease` of their own.
  Duration led_for(bool lone) const;
  // How long the member may rest after a renewal of its lease from the store, by its document.
  Duration relied_on(const MemberDocument& document) const {
    return std::max(lease, document.terms.lease);
  }

  // L' = L (1+rho)/(1-rho): L on the slowest clock has passed on the fastest.
  Duration revoke_after_drift() const { return stretched(revoke_after, clock_drift); }
  // V2: for how long a document must stand still before its member may be revoked. None: for ever.
  std::optional<Duration> revoke_after_drift(const MemberDocument& document) const;
  // S5: a CAS on one's own document with an unsettled one needs a read that was sent this lately.
  // It does not grow with a patient time-out: while such a CAS is under way the right lasts G only.
  Duration fresh_read() const { return std::min<Duration>(request_timeout * 5 / 6, 400ms); }
  // V3: as much for a revocation, which costs nobody his right, so a slow store may serve it.
  Duration fresh_evidence() const { return std::max<Duration>(fresh_read(), 100ms); }
  // Up to so long after a failure a member asks again.
  Duration retry() const { return std::min<Duration>(request_timeout, 500ms); }
};

struct GuardTiming {
  Duration interval = 30ms;   // H
  Duration patience = 150ms;  // G: so long a majority may be silent before this node is
  double clock_drift = 0.01;  // rho

  // G' = G (1+rho)/(1-rho): G on the slowest clock has passed on the fastest.
  Duration patience_drift() const { return stretched(patience, clock_drift); }
  bool operator==(const GuardTiming&) const = default;
};

}  // namespace herald::coord
