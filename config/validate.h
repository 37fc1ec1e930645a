// config/validate.h: what can only be seen when all objects are there.
#pragma once

#include "model/desired.h"

namespace herald::config {

// Looks across the objects and adds to `desired.problems`; marks each pool that overlaps an older
// one (Pool::conflicts_with). Nothing is removed.
void validate(Desired& desired);

}  // namespace herald::config
