// config/translate.h: one document of a manifest becomes one object of the model, or problems.
// Each dialect has one function, in core_kinds.cc, herald_kinds.cc, cilium_kinds.cc and
// metallb_kinds.cc.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "config/cilium_bgp.h"
#include "config/metallb.h"
#include "config/yaml_document.h"
#include "model/desired.h"

namespace herald::config {

// Cilium's and MetalLB's BGP kinds are of the model only when they are joined, by
// Manifests::desired().
// monostate: nothing of the model: an unrelated kind, a Service of another type, a bad object.
using Object = std::variant<std::monostate, Service, UnmanagedService, Pool, L2Policy, BgpPeer,
                            BgpAdvertisement, BfdProfile, NodeObject, NamespaceObject,
                            EndpointSlice, SecretObject, metallb::Peer, metallb::Advertisement,
                            metallb::Community, CiliumBgpClusterConfig, CiliumBgpPeerConfig,
                            CiliumBgpAdvertisement, CiliumBgpNodeOverride>;

// The place of T in Object: tells the sorts of objects apart, good or bad.
template <typename T, typename Variant>
struct PlaceIn;
template <typename T, typename... Others>
struct PlaceIn<T, std::variant<T, Others...>> : std::integral_constant<std::size_t, 0> {};
template <typename T, typename First, typename... Others>
struct PlaceIn<T, std::variant<First, Others...>>
    : std::integral_constant<std::size_t, 1 + PlaceIn<T, std::variant<Others...>>::value> {};
template <typename T>
inline constexpr std::size_t kSort = PlaceIn<T, Object>::value;

struct Translated {
  std::string api, kind, ns, name;
  Source source;
  std::size_t sort = 0;  // Object's index of the kind, even if the object is bad; 0: unrelated
  bool good = true;      // no problem of severity Error
  bool may_be_service = false;
  // From an API server, which has checked it, and may be newer than we are: a field that nobody
  // here knows is no fault, and neither is a status of whatever form.
  bool lenient = false;
  Object object;
  std::vector<Problem> problems;
  bool operator==(const Translated&) const = default;
};

// Translates a document; a `kind: List` yields all its items.
std::vector<Translated> translate(const Value& document, const std::string& file);
// An object of an API server; a List is none.
Translated translate_lenient(const Value& document, const std::string& path);

// A route has to fit one BGP message of 4096 octets (RFC 4271 §9.2). The most that stands beside
// the communities (64 times our AS more, for a peer that knows two-octet AS numbers alone) takes
// under 500 octets, and so many large communities 3060.
inline constexpr std::size_t kMaxCommunities = 255;

class MapReader;
struct AddressBlock;

// What the annotations of all dialects, and spec.loadBalancerIP, ask for (service_annotations.cc).
void read_wishes(MapReader& annotations, MapReader& spec, Service& service);

// metadata.creationTimestamp; none if it is missing or bad (then a problem is noted).
CreationTime read_creation_time(MapReader& metadata);

// The first and last address of every CIDR block wider than /31 (/127) becomes avoided.
void add_first_and_last(const std::vector<AddressBlock>& blocks, Pool& pool);
// spec.interfaces: regular expressions; a bad one is noted and left out.
std::vector<std::string> read_interfaces(MapReader& spec);

// Each returns whether it knows apiVersion and kind; then `out` is filled.
bool translate_core(const std::string& api, MapReader& root, Translated& out);
bool translate_herald(const std::string& api, MapReader& root, Translated& out);
bool translate_cilium(const std::string& api, MapReader& root, Translated& out);
// Its parts for Cilium's BGP kinds; out.kind is one of them.
void read_cilium_bgp(MapReader& spec, MapReader& metadata, Translated& out);
void read_cilium_peer_config(MapReader& spec, Translated& out);
void read_cilium_advertisement(MapReader& spec, MapReader& metadata, Translated& out);
bool translate_metallb(const std::string& api, MapReader& root, Translated& out);
bool is_metallb(const std::string& api);

}  // namespace herald::config
