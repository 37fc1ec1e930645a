// coord/heartbeat_key_io.h: the file with the key that all nodes of a cluster share.
#pragma once

#include <string>

#include "base/result.h"

namespace herald::coord {

// The file's octets without one newline at the end: 16 to 64. Refused if it cannot be read, is of
// another length, or if others than its owner and group may read or write it: whoever knows the key
// can make two nodes answer for one IP. The error is a sentence with a remedy.
Result<std::string> read_heartbeat_key(const std::string& path);

}  // namespace herald::coord
