// config/validate.h: what can only be seen when all objects are there.
#pragma once

#include <set>

#include "model/desired.h"

namespace herald::config {

// Looks across the objects and adds to `desired.problems`; marks each pool that overlaps an older
// one (Pool::conflicts_with). Nothing is removed. The peers in `compared` were compared with one
// another by the rules of their dialect.
void validate(Desired& desired, const std::set<PeerName>& compared);

}  // namespace herald::config
