#include "coord/heartbeat_key_io.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/fd_io.h"
#include "coord/heartbeat_wire.h"

namespace herald::coord {
namespace {

constexpr const char* kMakeOne = "make one with 'openssl rand -hex 32', the same for all nodes";

}  // namespace

Result<std::string> read_heartbeat_key(const std::string& path) {
  const std::string what = "heartbeat-key-file: '" + path + "' ";
  // Non-blocking: a FIFO under this name must not hold up the start.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0) {
    return error(what + fmt::format("cannot be read: {}; {}", strerror(errno), kMakeOne));
  }
  if (!S_ISREG(info.st_mode)) return error(what + "is no file: name one that holds the key");
  if ((info.st_mode & S_IRWXO) != 0) {
    return error(what + fmt::format("is open to every user (mode {:04o}): chmod 600 it, or set "
                                    "defaultMode: 0400 on the volume of a Secret",
                                    info.st_mode & 07777U));
  }
  std::array<char, kMaxHeartbeatKey + 2> buffer{};
  std::size_t size = 0;
  while (size < buffer.size()) {
    const auto n = read(fd.get(), buffer.data() + size, buffer.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error(what + fmt::format("cannot be read: {}", strerror(errno)));
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  std::string key(buffer.data(), size);
  if (!key.empty() && key.back() == '\n') key.pop_back();
  if (key.size() < kMinHeartbeatKey) {
    return error(what + fmt::format("has {} octets: a key has {} to {}; {}", key.size(),
                                    kMinHeartbeatKey, kMaxHeartbeatKey, kMakeOne));
  }
  if (key.size() > kMaxHeartbeatKey) {
    return error(what + fmt::format("has more than {} octets, the most of a key; {}",
                                    kMaxHeartbeatKey, kMakeOne));
  }
  return key;
}

}  // namespace herald::coord
