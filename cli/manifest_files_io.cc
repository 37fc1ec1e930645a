#include "cli/manifest_files_io.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "config/manifest_text_io.h"

namespace herald::cli {
namespace {

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

ManifestFile one(std::string path, Result<std::string> text) {
  if (!text) return {std::move(path), "", std::move(text.error())};
  return {std::move(path), std::move(*text), ""};
}

}  // namespace

std::vector<ManifestFile> read_manifest_files(const std::vector<std::string>& paths) {
  std::vector<ManifestFile> out;
  std::set<std::string> seen;
  for (std::string path : paths) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    if (!seen.insert(path).second) continue;
    if (path == "-") {
      out.push_back(one("<stdin>", config::read_all(STDIN_FILENO)));
      continue;
    }
    if (!is_directory(path)) {
      out.push_back(one(path, config::read_manifest(path)));
      continue;
    }
    auto names = config::list_manifests(path);
    if (!names) {
      out.push_back({path, "", names.error()});
      continue;
    }
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
      const std::string file = path == "/" ? path + name : path + "/" + name;
      if (seen.insert(file).second) out.push_back(one(file, config::read_manifest(file)));
    }
  }
  return out;
}

config::Manifests manifests_of(const std::vector<ManifestFile>& files,
                               config::ManifestOptions options) {
  config::Manifests out(std::move(options));
  for (const ManifestFile& file : files) {
    if (file.unreadable.empty()) {
      out.set_file(file.path, file.text);
    } else {
      out.set_unreadable(file.path, file.unreadable);
    }
  }
  return out;
}

}  // namespace herald::cli
