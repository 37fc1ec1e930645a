// kube/wire.h: what an API server sends, as values: pages of a list, lines of a watch, Status
// bodies.
//
// An object is handed on as the slice of text that it is: config/ reads it, and the text of a page
// of large objects is never kept twice. What is read here is its shape (braces and strings that
// close, no deeper than kMaxDepth) and the few members of metadata that a reflector needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace herald::kube {

inline constexpr std::size_t kMaxDepth = 64;
inline constexpr std::size_t kMaxObjectBytes = std::size_t{8} << 20;  // etcd takes 1.5 MiB

struct Metadata {
  std::string ns, name, uid, resource_version;
  std::int64_t generation = 0;
  // Of a bookmark: all that was there when the watch began has been sent.
  bool initial_events_end = false;
};

struct Page {
  std::string resource_version;
  std::string continue_token;           // empty: this was the last one
  std::vector<std::string_view> items;  // into the body
};

struct WatchLine {
  enum class Type : std::uint8_t { Added, Modified, Deleted, Bookmark, Error };
  Type type = Type::Added;
  std::string_view object;  // into the line; of Error, a Status
};

// metav1.Status: why not.
struct Status {
  unsigned code = 0;
  std::string reason;   // "Expired", "Forbidden"
  std::string message;  // printable, shortened
  bool operator==(const Status&) const = default;
};

// Errors are sentences without a subject: "is cut short".
Result<Page> parse_page(std::string_view body);
Result<WatchLine> parse_watch_line(std::string_view line);
Result<Metadata> parse_metadata(std::string_view object);
// None if the body is no Status.
std::optional<Status> parse_status(std::string_view body);

// The text of a member of a JSON object; empty if there is none, or the text is no object.
std::string_view member(std::string_view object, std::string_view name);

// As a decimal number that grows, which is what every API server's are; none if it is not.
std::optional<std::uint64_t> version_number(std::string_view resource_version);

}  // namespace herald::kube
