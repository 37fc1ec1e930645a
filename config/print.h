// config/print.h: the model as Herald's own manifests: what `heraldctl convert` writes.
//
// Reading them gives the same model again (but for Source), so whatever a dialect says that has a
// meaning has a native field. Defaults are left out.
#pragma once

#include <vector>

#include "config/yaml_document.h"
#include "model/desired.h"

namespace herald::config {

// Pools, policies, peers, advertisements and BFD profiles, each kind in its order in `desired`.
// Other objects (Service, Node ...) belong to Kubernetes and are not printed.
std::vector<Value> native_manifests(const Desired& desired);

}  // namespace herald::config
