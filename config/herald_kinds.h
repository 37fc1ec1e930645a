// config/herald_kinds.h: the parts of translate_herald(), one for each kind.
#pragma once

#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {

void read_herald_pool(MapReader& spec, MapReader& metadata, Translated& out);
void read_herald_l2_policy(MapReader& spec, Translated& out);
void read_herald_bfd_profile(MapReader& spec, Translated& out);

}  // namespace herald::config
