// tests/daemon/fake_store.h: a store that answers at once and keeps its contract: a linearizable
// compare-and-swap, reads of the newest. One that loses and delays: tests/sim/store_sim.h.
#pragma once

#include <map>
#include <utility>

#include "coord/store.h"

namespace herald::daemon {

struct FakeStore {
  std::map<coord::DocumentKey, coord::Document> documents;

  coord::StoreReply answer(const coord::StoreRequest& request) {
    if (const auto* read = std::get_if<coord::ReadDocument>(&request)) {
      const auto it = documents.find(read->key);
      return it == documents.end() ? coord::ReadReply{} : coord::ReadReply{it->second};
    }
    if (std::holds_alternative<coord::ListDocuments>(request)) {
      coord::ListReply all;
      for (const auto& [key, d] : documents) all.documents.push_back(d);
      return all;
    }
    const auto& cas = std::get<coord::CasDocument>(request);
    const auto key = coord::key_of(cas.document);
    const auto it = documents.find(key);
    const auto rev = it == documents.end() ? coord::Revision{} : coord::revision_of(it->second);
    if (rev != cas.base) return coord::CasReply{coord::CasOutcome::Conflict, ""};
    documents.insert_or_assign(key, cas.document);
    return coord::CasReply{coord::CasOutcome::Won, ""};
  }
};

}  // namespace herald::daemon
