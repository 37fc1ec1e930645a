// config/manifest_text_io.h: the text of one manifest, and which files of a directory are
// manifests.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace herald::config {

// The names of all manifests right in a directory (*.yaml, *.yml, *.json; neither hidden files nor
// the droppings of editors), in no order; or why it cannot be read.
Result<std::vector<std::string>> list_manifests(const std::string& directory);

// The text of a regular file, of little more than kMaxFileBytes at most; or why there is none.
Result<std::string> read_manifest(const std::string& path);

// What is left to read of a descriptor, bounded likewise. It is not closed.
Result<std::string> read_all(int fd);

}  // namespace herald::config
