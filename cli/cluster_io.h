// cli/cluster_io.h: reads from an API server what heraldctl answers from when no daemon is asked:
// the objects of users, the documents of Herald's store, the statuses that Herald wrote.
//
// Every list is read once, in pages, and nothing is written. What a user has no right to is told as
// a warning, and the answer is made without it.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "config/manifests.h"
#include "daemon/cluster_view.h"

namespace herald::cli {

struct ClusterAccess {
  std::string kubeconfig;            // empty: $KUBECONFIG, ~/.kube/config, or as a pod finds it
  std::string context;               // empty: the current one
  std::string ns = "herald-system";  // Herald's own
  Duration timeout = 20s;            // for all of it
};

struct ClusterTrouble {
  std::string sentence;  // with what to do
  bool unreachable = true;
};

tl::expected<daemon::ClusterFacts, ClusterTrouble> read_cluster(
    const ClusterAccess& access, const config::ManifestOptions& options);

}  // namespace herald::cli
