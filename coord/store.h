// coord/store.h: what the core asks of the store, and what comes back. Three backends answer
// (*_store_io); all that correctness rests on is that Cas is linearizable and Read is a quorum
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

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

}  // namespace herald::coord
