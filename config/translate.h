// config/translate.h: one document of a manifest becomes one object of the model, or problems.
// Each dialect has its own file (core_kinds.cc, herald_kinds.cc, cilium_kinds.cc) with one
// function.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "config/yaml_document.h"
#include "model/desired.h"

namespace herald::config {

// monostate: nothing of the model: an unrelated kind, a Service of another type, a bad object.
using Object = std::variant<std::monostate, Service, Pool, L2Policy, BgpPeer, BgpAdvertisement,
                            NodeObject, NamespaceObject>;

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
// Each returns whether it knows apiVersion and kind; then `out` is filled.
bool translate_core(const std::string& api, MapReader& root, Translated& out);
bool translate_herald(const std::string& api, MapReader& root, Translated& out);
bool translate_cilium(const std::string& api, MapReader& root, Translated& out);

}  // namespace herald::config
