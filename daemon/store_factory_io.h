// daemon/store_factory_io.h: the store that the settings name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "config/settings.h"
#include "coord/store_io.h"
#include "coord/timing.h"

namespace herald::daemon {

// What two daemons of one host may not share under one node name (rule J1). The URLs of an etcd are
// no part of it: the same one may be spelled in many ways; nor are those of an API server.
std::string store_identity(const config::Settings& settings);

// Where the kubernetes store's objects lie.
std::string kubernetes_namespace(const config::Settings& settings);

// As whom Herald writes statuses to an API server: "heraldd", as in the manifests of deploy/; in
// another namespace than theirs, "heraldd.NAMESPACE". So two Heralds of one API server do not take
// each other's fields for their own. A node's name for its own object begins with "heraldd-".
std::string field_manager(const config::Settings& settings);

// How long things last with this store.
coord::LeaseTiming store_timing(const config::Settings& settings);

// Reads the files that the settings of the store name, and touches nothing else. The error is a
// sentence that names the setting and what to do, as that of open_store().
Result<void> check_store(const config::Settings& settings);

Result<std::unique_ptr<coord::Store>> open_store(const config::Settings& settings,
                                                 std::uint64_t seed,
                                                 coord::StoreCallbacks callbacks);

}  // namespace herald::daemon
