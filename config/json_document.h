// config/json_document.h: JSON text as the same tree that YAML becomes (without lines).
//
// Objects come from an API server, or from whoever says that it is one: size, depth and number of
// values are bounded as for YAML, and a key written twice is refused. What no reader of ours asks
// for and is large is passed over without being kept: metadata.managedFields, and the images that a
// Node lists.
#pragma once

#include <string_view>

#include "base/result.h"
#include "config/yaml_document.h"

namespace herald::config {

// Strict RFC 8259, one document. The error is a sentence without a subject.
Result<Value> parse_json(std::string_view text);

}  // namespace herald::config
