// kube/observe.h: an object's JSON, as far as whoever writes to it has to know it.
#pragma once

#include <optional>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "kube/observed.h"

namespace herald::kube {

// `field_manager`: whose fields are `managed`.
ObservedObject observe(const boost::json::object& object, std::string_view field_manager);
// The same of JSON text; nullopt: it is no object with metadata.resourceVersion.
std::optional<ObservedObject> observe(std::string_view json, std::string_view field_manager);

// Whether one resourceVersion of a kind is another one or came after it: they count upwards
// (KEP-5504). Those that are no numbers tell nothing: false.
bool at_least(std::string_view version, std::string_view than);

}  // namespace herald::kube
