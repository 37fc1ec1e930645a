// base/secret_file_io.h: a file that holds a secret: a key, a password.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace herald {

// The file's octets without one newline at the end, of which no more than max+1 are read: whether
// there are too many or too few is for the caller to say. Refused if it cannot be read or every
// user may read or write it. The error is a sentence that begins with `setting` and names the file;
// where the file is missing, it ends with `remedy`.
Result<std::string> read_secret_file(const std::string& setting, const std::string& path,
                                     std::size_t max, const std::string& remedy);

}  // namespace herald
