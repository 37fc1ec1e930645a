// config/translate.h: one document of a manifest becomes one object of the model, or problems.
// Each dialect has its own file (core_kinds.cc, herald_kinds.cc, cilium_kinds.cc) with one
// function.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "config/yaml_document.h"
#include "model/desired.h"

namespace herald::config {

// monostate: nothing of the model: an unrelated kind, a Service of another type, a bad object.
using Object = std::variant<std::monostate, Service, Pool, L2Policy, BgpPeer, BgpAdvertisement,
                            NodeObject, NamespaceObject>;

template <typename T>
inline constexpr std::size_t kSort = 0;  // the place of T in Object
template <>
inline constexpr std::size_t kSort<Service> = 1;
template <>
inline constexpr std::size_t kSort<Pool> = 2;
template <>
inline constexpr std::size_t kSort<L2Policy> = 3;
template <>
inline constexpr std::size_t kSort<BgpPeer> = 4;
template <>
inline constexpr std::size_t kSort<BgpAdvertisement> = 5;
template <>
inline constexpr std::size_t kSort<NodeObject> = 6;
template <>
inline constexpr std::size_t kSort<NamespaceObject> = 7;

struct Translated {
  std::string kind, ns, name;
  Source source;
  std::size_t sort = 0;  // Object's index of the kind, even if the object is bad; 0: unrelated
  bool good = true;      // no problem of severity Error
  bool may_be_service = false;
  Object object;
  std::vector<Problem> problems;
};

// Translates a document; a `kind: List` yields all its items.
std::vector<Translated> translate(const Value& document, const std::string& file);

class MapReader;
struct AddressBlock;
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

}  // namespace herald::config
