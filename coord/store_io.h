// coord/store_io.h: the store as the shell sees it: requests go in, answers come back later.
//
// A Store has a thread of its own. The callbacks are called on that thread and must return soon:
// the shell posts what they carry to its own loop. Each request gets exactly one reply, also when
// the store is closed before it was served. After close() has returned no callback is called.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "coord/document.h"
#include "coord/store.h"

namespace herald::coord {

struct StoreCallbacks {
  // The answer to request(id, ...).
  std::function<void(std::uint64_t id, StoreReply reply)> reply;
  // Documents that were written since the last call, by anybody, this process included. The newest
  // revision of each, oldest write first. A hint to save waiting: a watch may lose writes, so
  // ListDocuments is asked every relist interval.
  std::function<void(std::vector<Document> documents)> changed;
  // A sentence for the log: what is wrong, where, and what to do. The same sentence is said again
  // only after the trouble has changed.
  std::function<void(std::string sentence)> trouble;
};

class Store {
 public:
  virtual ~Store() = default;  // closes
  // Queues the request and returns at once; from any thread. Requests on one document are served in
  // their order, others perhaps side by side; one that comes after close() is dropped.
  virtual void request(std::uint64_t id, StoreRequest request) = 0;
  // Answers what is still queued (CAS: NotSent, or Unknown if it is under way; others:
  // StoreFailed), then ends the thread. Not from a callback. May be called again.
  virtual void close() = 0;
};

}  // namespace herald::coord
