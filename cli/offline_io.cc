#include "cli/offline_io.h"

#include <memory>
#include <utility>

#include "cli/manifest_files_io.h"
#include "daemon/explain_plan.h"
#include "daemon/lint.h"
#include "daemon/plan.h"
#include "daemon/plan_wire.h"

namespace herald::cli {

std::string answer_offline(const Request& request, const std::vector<std::string>& paths,
                           const config::ManifestOptions& options) {
  auto desired =
      std::make_shared<const Desired>(manifests_of(read_manifest_files(paths), options).desired());
  if (request.command == "lint") return daemon::lint(*desired);
  const daemon::Policies wanted(std::move(desired));
  const daemon::ManifestPlan plan = daemon::plan_offline(wanted);
  if (request.command == "explain") {
    return daemon::explain_plan(wanted, plan, request.what, request.name);
  }
  return daemon::plan_wire(wanted, plan);
}

Result<void> attach_files(Request& request, const std::vector<std::string>& paths) {
  for (ManifestFile& file : read_manifest_files(paths)) {
    if (!file.unreadable.empty()) return error(file.path + ": " + file.unreadable);
    request.files.push_back({std::move(file.path), std::move(file.text)});
  }
  return {};
}

}  // namespace herald::cli
