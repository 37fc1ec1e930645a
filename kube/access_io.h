// kube/access_io.h: where an Access comes from: the kubeconfig that is named, or what a pod finds
// in its environment and in its service account's volume.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "kube/access.h"

namespace herald::kube {

inline constexpr const char* kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

// `kubeconfig`: empty: in-cluster. `servers`, unless empty, stand in for the one found there. The
// error is a sentence with what to do. `service_account` is the volume; tests have their own.
Result<Access> load_access(const std::string& kubeconfig, const std::vector<HttpUrl>& servers,
                           const std::string& service_account = kServiceAccount);

// The namespace of the pod that this runs in; empty: in none.
std::string pod_namespace(const std::string& service_account = kServiceAccount);

}  // namespace herald::kube
