// coord/embedded_store_io.h: the store as one SQLite file that several daemons on a host share.
//
//   documents(key TEXT PRIMARY KEY, rev INTEGER, change INTEGER, body TEXT)
//
// The file is in WAL mode with synchronous=FULL: a CAS that won survives a loss of power. A CAS is
// a transaction that takes the write lock first (BEGIN IMMEDIATE), so it is linearizable; those
// that wait together are written by one transaction, each with an outcome of its own. `change` is
// one rising sequence over all documents: the watch reads what lies above the highest it has seen,
// woken by inotify on the file and its -wal, and by a clock in case a notice was lost.
//
// A file that is not such a store is refused and left as it is. A file that is removed or replaced
// while in use fails every request: two halves of the nodes would use two stores.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "coord/store_io.h"

namespace herald::coord {

struct EmbeddedStoreOptions {
  Duration timeout = 60ms;        // how long to wait for another process' write (request_timeout)
  Duration watch_period = 250ms;  // the watch looks so often even if nothing told it to
};

// Opens the store file at `path`, or creates it; its directory must exist. The error is a sentence
// that names the path and what to do.
Result<std::unique_ptr<Store>> open_embedded_store(const std::string& path,
                                                   EmbeddedStoreOptions options,
                                                   StoreCallbacks callbacks);

}  // namespace herald::coord
