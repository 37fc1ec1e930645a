// config/herald_bfd_kind.cc: BFDProfile of herald.io (RFC 5880).
#include "config/herald_kinds.h"

namespace herald::config {

void read_herald_bfd_profile(MapReader& spec, Translated& out) {
  out.sort = kSort<BfdProfile>;
  BfdProfile profile;
  profile.name = out.name;
  profile.source = out.source;
  profile.receive_interval = spec.duration("receiveInterval", 1ms, 60s).value_or(300ms);
  profile.transmit_interval = spec.duration("transmitInterval", 1ms, 60s).value_or(300ms);
  profile.detect_multiplier =
      static_cast<unsigned>(spec.integer("detectMultiplier", 1, 255).value_or(3));
  profile.echo_interval = spec.duration("echoInterval", 1ms, 60s);
  profile.passive = spec.boolean("passive").value_or(false);
  profile.minimum_ttl = static_cast<unsigned>(spec.integer("minimumTTL", 1, 255).value_or(254));
  spec.warning("",
               "is understood, but not in force yet in this version: a dead router is found by "
               "BGP's hold time");
  out.object = std::move(profile);
}

}  // namespace herald::config
