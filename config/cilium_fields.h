// config/cilium_fields.h: fields that several of Cilium's BGP kinds have, and the forms of text
// that their schemas prescribe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/object_reader.h"
#include "model/objects.h"

namespace herald::config {

// A label selector, the labels of which Kubernetes would take.
std::optional<LabelSelector> read_checked_selector(MapReader& in, const std::string& key);
Selectors read_checked_selectors(MapReader& in, const std::string& key);  // of one, or none
// A list that has to be there, perhaps with at least one member.
std::vector<MapReader> read_required_list(MapReader& in, const std::string& key, bool may_be_empty);
// localPort: where a router may connect to, which is a setting of the node here.
void warn_of_local_port(MapReader& in, std::int64_t min, std::int64_t max);

// peerAddress and localAddress: an address, with blanks around it and, of IPv6, a zone behind it.
// An IPv4-mapped address is the IPv4 address.
struct CiliumAddress {
  IpAddress address;
  std::string zone;  // "eth0" of fe80::1%eth0
};
// The sentence of what is wrong; nothing if all is well.
std::optional<std::string> parse_cilium_address(const std::string& text, CiliumAddress& out);

// communities.standard: one number of 32 bits, or "a:b" of 16 bits each; without leading zeros.
std::optional<std::uint32_t> parse_standard_community(const std::string& text);
// communities.wellKnown: the names of RFC 1997 and its registry, as Cilium writes them.
std::optional<std::uint32_t> parse_well_known_community(const std::string& name);
// communities.large: "a:b:c" of 32 bits each; without leading zeros.
std::optional<LargeCommunity> parse_large_community(const std::string& text);

}  // namespace herald::config
