// coord/etcd_store_io.h: the store as keys of an etcd v3, for nodes on several hosts.
//
//   PREFIX/member/<node>, PREFIX/table/<shard>, ... = the document's JSON, rev == etcd's version
//
// A read is a linearizable range, a CAS a transaction on the key's version, a list the range of the
// prefix at one revision. Requests on one document are served in their order, others side by side.
// Each has a deadline; a CAS that may have left and was not answered is Unknown, whatever broke.
//
// An etcd that goes back in time (restored from a backup), turns into another cluster, or loses a
// shard of the table, could give one IP to two nodes: from then on every request fails until
// heraldd is restarted. A document whose rev is not etcd's version was written by another program:
// it is left out, and said.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "coord/etcd_client_io.h"
#include "coord/store_io.h"

namespace herald::coord {

struct EtcdStoreOptions {
  EtcdAccess access;
  std::string prefix = "/herald/default/";  // ends with a slash
};

// Starts the store's thread. etcd need not be there yet.
std::unique_ptr<Store> open_etcd_store(EtcdStoreOptions options, StoreCallbacks callbacks);

}  // namespace herald::coord
