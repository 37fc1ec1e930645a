#include "config/manifest_text_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "config/yaml_document.h"

namespace herald::config {
namespace {

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}
bool is_manifest(const std::string& name) {
  return name[0] != '.' && name[0] != '#' &&
         (ends_with(name, ".yaml") || ends_with(name, ".yml") || ends_with(name, ".json"));
}

std::string why(int code) {
  return std::strerror(code);
}

}  // namespace

Result<std::vector<std::string>> list_manifests(const std::string& directory) {
  DIR* open = opendir(directory.c_str());
  if (open == nullptr) return error(why(errno));
  std::vector<std::string> out;
  while (const dirent* entry = readdir(open)) {
    std::string name = entry->d_name;
    if (is_manifest(name)) out.push_back(std::move(name));
  }
  closedir(open);
  return out;
}

Result<std::string> read_all(int fd) {
  std::string out;
  std::array<char, 65536> block{};
  while (out.size() <= kMaxFileBytes) {
    const auto n = ::read(fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error(why(errno));
    if (n == 0) break;
    out.append(block.data(), static_cast<std::size_t>(n));
  }
  return out;
}

// O_NONBLOCK: a FIFO must not hang the daemon.
Result<std::string> read_manifest(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return error(why(errno));
  struct stat info {};
  const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  Result<std::string> out = regular ? read_all(fd) : error("it is no regular file");
  ::close(fd);
  return out;
}

}  // namespace herald::config
