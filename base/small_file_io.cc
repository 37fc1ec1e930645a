#include "base/small_file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fd_io.h"

namespace herald {

Result<std::string> read_small_file(const std::string& path, std::size_t max) {
  // Non-blocking: a FIFO under this name must not hold up anything.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    return error("cannot be read: " + std::string(std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) return error("is no regular file");
  if (static_cast<std::size_t>(info.st_size) > max) {
    return error("is longer than " + std::to_string(max) + " bytes");
  }
  std::string text(std::min<std::size_t>(max, static_cast<std::size_t>(info.st_size)) + 4096, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error("cannot be read: " + std::string(std::strerror(errno)));
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > max) return error("is longer than " + std::to_string(max) + " bytes");
  text.resize(size);
  text.shrink_to_fit();
  return text;
}

FileStamp stamp_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
          static_cast<std::uint64_t>(info.st_size),
          info.st_mtim.tv_sec * std::int64_t{1'000'000'000} + info.st_mtim.tv_nsec};
}

}  // namespace herald
