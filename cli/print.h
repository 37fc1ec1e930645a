// cli/print.h: the daemon's reply as text for people or programs.
//
// Strings in, strings out: the reply is one line, {"ok":true,"data":{...}} or
// {"ok":false,"error":"..."}. JSON is exactly the data; tables show the columns known here, "-" for
// what the daemon did not say, so that an older heraldctl serves a newer daemon and the reverse.
#pragma once

#include <string>
#include <string_view>

#include "cli/request.h"

namespace herald::cli {

enum class Format { Table, Wide, Json, Yaml };

inline constexpr int kExitOk = 0;
inline constexpr int kExitNo = 1;  // not found, refused
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 3;

struct Answer {
  int exit_code = kExitOk;
  std::string out;  // for stdout
  std::string err;  // for stderr
};

Answer answer(const Request& request, Format format, std::string_view reply);

}  // namespace herald::cli
