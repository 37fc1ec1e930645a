// cli/convert_io.h: `heraldctl convert`: manifests of any dialect as Herald's own, on stdout.
#pragma once

#include <string>
#include <vector>

#include "config/convert.h"

namespace herald::cli {

// Reads what `-f` names (cli/manifest_files_io.h). Problems go to stderr, "file:line: ..." each.
// Returns the exit code: kExitNo if one of them is an error, or if stdout takes no text.
int convert(const std::vector<std::string>& paths, config::ManifestForm form);

}  // namespace herald::cli
