// cli/manifest_files_io.h: the manifests that `-f` names, for the commands that work on files.
#pragma once

#include <string>
#include <vector>

#include "config/manifests.h"

namespace herald::cli {

struct ManifestFile {
  std::string path;  // as given; DIRECTORY/NAME; "<stdin>"
  std::string text;
  std::string unreadable;  // why there is no text; empty: there is
};

// Each path is a file of any name, a directory (its *.yaml, *.yml and *.json in the order of their
// names, as heraldd reads it), or "-" for stdin. What is named twice is read once.
std::vector<ManifestFile> read_manifest_files(const std::vector<std::string>& paths);

// All of them taken in. What cannot be read is a problem of Manifests::desired().
config::Manifests manifests_of(const std::vector<ManifestFile>& files,
                               config::ManifestOptions options = {});

}  // namespace herald::cli
