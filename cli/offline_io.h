// cli/offline_io.h: what heraldctl finds out by itself, from files, without a daemon.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/request.h"
#include "config/manifests.h"

namespace herald::cli {

// An answer as the daemon would give it, for the commands lint, plan and explain.
std::string answer_offline(const Request& request, const std::vector<std::string>& paths,
                           const config::ManifestOptions& options);

// Puts the texts of the files into the request. The sentence says which cannot be read and why.
Result<void> attach_files(Request& request, const std::vector<std::string>& paths);

}  // namespace herald::cli
