// daemon/kubernetes_store_io.h: the store as objects of an API server (kubernetes_store_wire.h says
// which).
//
//   read   GET without resourceVersion: a quorum read
//   CAS    POST, or PUT with the uid and resourceVersion of the object whose document has the base
//   list   LIST without resourceVersion, in pages
//   watch  one for each kind
//
// An object's resourceVersion also changes when somebody annotates it: a PUT that is refused for
// that looks, and if the document is still at the base, tries again with the new one. The uid is
// sent since a PUT would create a Lease that was deleted meanwhile.
//
// A CAS whose write may have left and was not answered, or was answered with 5xx, is Unknown: it
// may be applied later, and reading the base again proves nothing (rule A5). It is settled by the
// core, not here. That of a member which comes back as "another version is there" and then
// finds just what it wrote, nonce and all, is Unknown too: something on the way (a proxy) sent it
// twice.
//
// Requests on one document are served in their order, others side by side. An API server that goes
// back in time makes every request fail until heraldd is restarted. A document that somebody
// deletes is put back as it was; until then reads of it fail, and nothing is written.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "coord/store_io.h"
#include "kube/client_io.h"

namespace herald::daemon {

struct KubernetesStoreOptions {
  std::string ns;
  std::string node;             // this one: of others' Leases it leaves renewTime as it is
  Duration timeout = 500ms;     // of a request
  Duration leader_lease = 15s;  // written on the leader's Lease, for people
  std::uint64_t seed = 0;
};

// Makes the client, on the store's own loop; kube::make_client() but for tests.
using MakeClient =
    std::function<Result<std::unique_ptr<kube::Client>>(boost::asio::io_context&, kube::Say)>;

// Starts the store's thread. The API server need not be there yet. The error is that of the client.
Result<std::unique_ptr<coord::Store>> open_kubernetes_store(KubernetesStoreOptions options,
                                                            const MakeClient& make,
                                                            coord::StoreCallbacks callbacks);

}  // namespace herald::daemon
