#include "coord/heartbeat_key_io.h"

#include <fmt/core.h>

#include "base/secret_file_io.h"
#include "coord/heartbeat_wire.h"

namespace herald::coord {
namespace {

constexpr const char* kMakeOne = "make one with 'openssl rand -hex 32', the same for all nodes";

}  // namespace

Result<std::string> read_heartbeat_key(const std::string& path) {
  auto read = read_secret_file("heartbeat-key-file", path, kMaxHeartbeatKey, kMakeOne);
  if (!read) return read;
  const std::string& key = *read;
  const std::string what = "heartbeat-key-file: '" + path + "' ";
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
