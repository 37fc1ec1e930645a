// coord/store.h: what the core asks of the store, and what comes back. Three backends answer
// (*_store_io); all that correctness rests on is that Cas is linearizable and Read is a quorum
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "coord/document.h"

namespace herald::coord {

struct ReadDocument {
  DocumentKey key;
};
// Every document there is: at the start, and again every 10 s in case a watch died.
struct ListDocuments {};
// Writes `document` (its rev is base+1) if the document's rev is `base` now; 0: if there is none.
struct CasDocument {
  Revision base;
  Document document;
};
using StoreRequest = std::variant<ReadDocument, ListDocuments, CasDocument>;

enum class CasOutcome : std::uint8_t {
  Won,
  Conflict,  // another rev was there; certainly not written
  NotSent,   // refused before sending; certainly not written
  Unknown,   // time-out, lost reply, any other error: it may be written now or later (rule A5)
};

struct StoreFailed {
  std::string why;
};
struct ReadReply {
  std::optional<Document> document;  // none: it does not exist
};
struct ListReply {
  std::vector<Document> documents;
};
struct CasReply {
  CasOutcome outcome = CasOutcome::Unknown;
  std::string why;  // for NotSent and Unknown
};
using StoreReply = std::variant<StoreFailed, ReadReply, ListReply, CasReply>;

// How long things last. The names of the letters are those of docs/coordination.md.
struct LeaseTiming {
  Duration lease = 2s;             // D: the right lasts so long after a renewal was sent
  Duration revoke_after = 2500ms;  // L >= D: a silent member may be revoked after this
  Duration request_timeout = 60ms;
  Duration relist = 10s;
  Duration leader_lease = 5s;
  // T: with it, members renew also in guard mode, and are silent after so long without the store.
  std::optional<Duration> store_loss_limit;
  double clock_drift = 0.01;  // rho: clocks run at 1-rho .. 1+rho of true time

  // L' = L (1+rho)/(1-rho): L on the slowest clock has passed on the fastest.
  Duration revoke_after_drift() const { return stretched(revoke_after); }
  Duration stretched(Duration d) const {
    return Duration(static_cast<Duration::rep>(static_cast<double>(d.count()) * (1 + clock_drift) /
                                               (1 - clock_drift)) +
                    1);
  }
  // S5: a CAS on one's own document with an unsettled one needs a read that was sent this lately.
  Duration fresh_read() const { return request_timeout * 5 / 6; }
};

}  // namespace herald::coord
