// config/convert.h: manifests of any dialect as Herald's own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/desired.h"

namespace herald::config {

enum class ManifestForm { Yaml, Json };  // documents after one another; one List

// `texts`: of the files that `desired` was read from. What is a pool, a policy, a peer, an
// advertisement or a BFD profile in any dialect is written natively, sorted by kind and name; then
// all other objects as they were, since their annotations are understood in every dialect. Objects
// with errors are left out; Desired::problems says which.
std::string convert(const Desired& desired, const std::vector<std::string_view>& texts,
                    ManifestForm form);

}  // namespace herald::config
