// daemon/store_factory_io.h: the store that the settings name.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "config/settings.h"
#include "coord/store_io.h"

namespace herald::daemon {

// The error is a sentence that names the setting and what to do.
Result<std::unique_ptr<coord::Store>> open_store(const config::Settings& settings,
                                                 std::uint64_t seed,
                                                 coord::StoreCallbacks callbacks);

}  // namespace herald::daemon
