#include "base/secret_file_io.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/fd_io.h"

namespace herald {

Result<std::string> read_secret_file(const std::string& setting, const std::string& path,
                                     std::size_t max, const std::string& remedy) {
  const std::string what = fmt::format("{}: '{}' ", setting, path);
  // Non-blocking: a FIFO under this name must not hold up the start.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    return error(what + fmt::format("cannot be read: {}; {}", std::strerror(errno), remedy));
  }
  if (!S_ISREG(info.st_mode)) return error(what + "is no file: name one that holds the secret");
  if ((info.st_mode & S_IRWXO) != 0) {
    return error(what + fmt::format("is open to every user (mode {:04o}): chmod 600 it, or set "
                                    "defaultMode: 0400 on the volume of a Secret",
                                    info.st_mode & 07777U));
  }
  std::string text(max + 2, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error(what + fmt::format("cannot be read: {}", std::strerror(errno)));
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  text.resize(std::min(text.size(), max + 1));
  return text;
}

}  // namespace herald
