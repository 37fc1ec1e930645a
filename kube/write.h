// kube/write.h: what the core asks of the API server, and what came of it. Each is idempotent: one
// of unknown outcome is simply sent again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "kube/object.h"

namespace herald::kube {

struct Write {
  enum class Verb : std::uint8_t {
    ApplyStatus,  // server-side apply on the subresource `status`
    Apply,        // server-side apply on the object itself; creates it if it is not there
    Create,       // POST; one that is there already counts as done
    Delete,       // one that is not there counts as done
    Look,         // GET, without a cache in between: Done with the object, or Gone
  };
  Verb verb = Verb::ApplyStatus;
  ObjectRef object;
  // JSON, whole: apiVersion, kind, metadata.name, ... For Apply, all that the field manager wants:
  // what it applied before and is not in it any more, the server removes.
  std::string body;
  std::string field_manager = "heraldd";
  bool force = false;  // Apply: takes fields that others own; else these are a conflict
};

struct WriteAnswer {
  enum class Outcome : std::uint8_t {
    Done,
    // 409: `message` names the other field managers; or says that the object is another one than
    // the body's metadata.resourceVersion or uid means.
    Conflict,
    Gone,     // 404: there is no such object, or no such kind
    Refused,  // 400, 403, 413, 422: it would be refused again
    Later,    // 429, 5xx, no answer in time: it may have been done
  };
  Outcome outcome = Outcome::Later;
  unsigned status = 0;                  // of HTTP; 0: there was no answer
  std::string message;                  // the server's words, or what broke
  std::optional<Duration> retry_after;  // of Later, if the server said so
  std::string body;                     // of Done: the object as it is now
};

}  // namespace herald::kube
