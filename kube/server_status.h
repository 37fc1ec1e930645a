// kube/server_status.h: what an API server says when it refuses, as far as somebody acts on it: the
// body of an answer that is not 2xx, or the object of a watch's ERROR event (meta/v1 Status).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace herald::kube {

struct ServerStatus {
  unsigned code = 0;    // 0: it did not say
  std::string reason;   // "Expired", "AlreadyExists"; may be empty
  std::string message;  // one printable line; never empty
  std::optional<Duration> retry_after;
};

// Of any text: what is no Status is quoted as the message. `http_status` stands in for a code that
// is not there.
ServerStatus parse_server_status(std::string_view body, unsigned http_status);

}  // namespace herald::kube
