// base/small_file_io.h: a small file, read whole, and whether it is another one since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace herald {

// The error is the rest of a sentence that names the file: "cannot be read: Permission denied".
Result<std::string> read_small_file(const std::string& path, std::size_t max);

// Changes when the file's content may have; all zero if it is not there.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const std::string& path);

}  // namespace herald
