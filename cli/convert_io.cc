#include "cli/convert_io.h"

#include <cstdio>
#include <string_view>

#include "cli/manifest_files_io.h"
#include "cli/print.h"

namespace herald::cli {

namespace {

// "lan.yaml:7: error: IPAddressPool ..."
std::string as_compilers_do(Problem problem) {
  std::string out = problem.source.file;
  if (problem.source.line > 0) out += ":" + std::to_string(problem.source.line);
  out += problem.severity == Severity::Error ? ": error: " : ": warning: ";
  problem.source = {};
  return out + to_string(problem);
}

}  // namespace

int convert(const std::vector<std::string>& paths, config::ManifestForm form) {
  const std::vector<ManifestFile> files = read_manifest_files(paths);
  const Desired desired = manifests_of(files).desired();
  std::vector<std::string_view> texts;
  for (const ManifestFile& file : files) texts.emplace_back(file.text);
  const std::string out = config::convert(desired, texts, form);
  std::fwrite(out.data(), 1, out.size(), stdout);
  bool good = std::fflush(stdout) == 0;
  for (const Problem& problem : desired.problems) {
    const bool error = problem.severity == Severity::Error;
    std::fprintf(stderr, "%s\n", as_compilers_do(problem).c_str());
    good = good && !error;
  }
  return good ? kExitOk : kExitNo;
}

}  // namespace herald::cli
