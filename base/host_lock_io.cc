#include "base/host_lock_io.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/text.h"

namespace herald {
namespace {

// FNV-1a: stores are told apart in a file name, nothing rests on it being hard to invert.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

std::string holder(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  if (n <= 0) return "pid unknown";
  const auto pid = trim(std::string_view(text.data(), static_cast<std::size_t>(n)));
  return parse_number(pid, INT32_MAX) ? fmt::format("pid {}", pid) : "pid unknown";
}

// An error if it is held by another, who is then told as `taken`.
Result<void> lock(int fd, int how, const std::string& path, const std::string& taken) {
  if (::flock(fd, how | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK) return error(taken);
  return error(fmt::format("run-dir: cannot lock {}: {}; name a local directory with --run-dir",
                           path, std::strerror(errno)));
}

}  // namespace

Result<HostLock> HostLock::take(const std::string& run_dir, const NodeName& node,
                                const std::string& store) {
  std::error_code failed;
  std::filesystem::create_directories(run_dir, failed);
  if (failed) {
    return error(fmt::format("run-dir: cannot create {}: {}; name another with --run-dir", run_dir,
                             failed.message()));
  }
  UniqueFd directory(::open(run_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    return error(fmt::format("run-dir: cannot open {}: {}; name another with --run-dir", run_dir,
                             std::strerror(errno)));
  }
  std::string name = node.str();
  std::replace(name.begin(), name.end(), '/', '_');
  const auto path = fmt::format("{}/node-{}-{:016x}.lock", run_dir, name, hash_of(store));
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && errno != EACCES && errno != EROFS) {
    return error(
        fmt::format("run-dir: cannot open {}: {}; run as a user who may write there, or "
                    "name another with --run-dir",
                    path, std::strerror(errno)));
  }
  if (!fd) {
    if (const auto locked = lock(directory.get(), LOCK_EX, run_dir,
                                 fmt::format("another heraldd runs on this host and holds {}, "
                                             "where this one may not write: stop it, or name "
                                             "another with --run-dir",
                                             run_dir));
        !locked) {
      return error(locked.error());
    }
    return HostLock(std::move(directory));
  }
  if (const auto locked =
          lock(directory.get(), LOCK_SH, run_dir,
               fmt::format("another heraldd runs on this host, as a user who may not write {}: "
                           "stop it, or name another with --run-dir",
                           run_dir));
      !locked) {
    return error(locked.error());
  }
  if (const auto locked = lock(fd.get(), LOCK_EX, path,
                               fmt::format("another heraldd runs as node '{}' on this host ({}): "
                                           "stop it, or give this one another --node-name",
                                           node.str(), holder(fd.get())));
      !locked) {
    return error(locked.error());
  }
  // For holder() alone: the lock holds without it.
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return error(
        fmt::format("run-dir: cannot write {}: {}; make room there, or name another with "
                    "--run-dir",
                    path, std::strerror(errno)));
  }
  return HostLock(std::move(directory), std::move(fd));
}

}  // namespace herald
