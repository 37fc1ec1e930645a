// config/metallb_bgp.h: reads the kinds of MetalLB that are about BGP. See translate_metallb().
#pragma once

#include <string>

#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {

// ipAddressPools and ipAddressPoolSelectors of an advertisement.
PoolChoice read_pool_choice(MapReader& spec);

void read_metallb_advertisement(MapReader& spec, Translated& out);
void read_metallb_peer(const std::string& api, MapReader& spec, Translated& out);
void read_metallb_bfd_profile(MapReader& spec, Translated& out);
void read_metallb_community(MapReader& spec, Translated& out);

}  // namespace herald::config
