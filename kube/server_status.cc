#include "kube/server_status.h"

#include <cstdint>

#include <boost/json.hpp>

#include "base/text.h"

namespace herald::kube {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxBytes = 1U << 20;  // no Status is longer
constexpr std::int64_t kMaxRetryAfter = std::int64_t{24} * 60 * 60;

std::string string_at(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : printable({text->data(), text->size()});
}

std::int64_t number_at(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  const std::int64_t* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr ? 0 : *number;
}

}  // namespace

ServerStatus parse_server_status(std::string_view body, unsigned http_status) {
  ServerStatus out;
  out.code = http_status;
  json::error_code bad;
  json::value parsed;
  if (body.size() <= kMaxBytes) parsed = json::parse({body.data(), body.size()}, bad);
  if (const json::object* status = bad ? nullptr : parsed.if_object()) {
    out.reason = string_at(*status, "reason");
    out.message = string_at(*status, "message");
    const std::int64_t code = number_at(*status, "code");
    if (code >= 100 && code <= 599) out.code = static_cast<unsigned>(code);
    const json::value* details = status->if_contains("details");
    if (const json::object* more = details == nullptr ? nullptr : details->if_object()) {
      const std::int64_t seconds = number_at(*more, "retryAfterSeconds");
      if (seconds > 0 && seconds <= kMaxRetryAfter) out.retry_after = seconds * 1s;
    }
    if (out.message.empty()) out.message = out.reason;
  }
  if (out.message.empty()) out.message = printable(body);
  if (out.message.empty()) out.message = "HTTP status " + std::to_string(out.code);
  return out;
}

}  // namespace herald::kube
