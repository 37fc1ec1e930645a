// kube/request.h: a request to the API server, and what came of it, as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace herald::kube {

struct Request {
  enum class Method : std::uint8_t { Get, Post, Put, Patch, Delete };
  enum class Priority : std::uint8_t { Lease, Read, Write };
  Method method = Method::Get;
  std::string path;  // with its query
  std::string body;
  std::string content_type = "application/json";
  std::string accept = "application/json";
  Priority priority = Priority::Read;
  Duration timeout = 10s;  // for all of it, waiting for a turn included
};

struct Answer {
  enum class Kind : std::uint8_t {
    Answered,
    NotSent,  // certainly not seen by the server
    Unknown,  // it may have been
  };
  Kind kind = Kind::NotSent;
  unsigned status = 0;
  std::string body;
  std::optional<Duration> retry_after;  // of 429, always; else if the server says so
  std::string why;                      // a sentence, unless Answered: who, what, what to do
  bool ok() const { return kind == Kind::Answered && status >= 200 && status < 300; }
};

const char* to_string(Request::Method method);  // "GET"

// Names in a path come from objects: nothing in them may end the line that it stands in.
bool is_path(std::string_view path);

// For messages, without the query: "PATCH /api/v1/namespaces/default/services/web/status".
std::string describe(const Request& request);

// What a role permits, without the names: "PATCH /api/v1/services/status".
std::string right_of(const Request& request);

}  // namespace herald::kube
