#include "cli/reply.h"

#include <fmt/core.h>

#include <vector>

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/table.h"

namespace herald::cli {

namespace json = boost::json;

// Any value in one cell; empty for what is not there.
std::string cell(const json::value* value) {
  if (value == nullptr || value->is_null()) return "";
  if (const json::string* s = value->if_string()) return std::string(*s);
  if (const bool* b = value->if_bool()) return *b ? "yes" : "no";
  if (const json::array* array = value->if_array()) {
    std::vector<std::string> parts;
    for (const json::value& element : *array) parts.push_back(cell(&element));
    return join(parts, ",");
  }
  return json::serialize(*value);
}

std::string field(const json::object& object, std::string_view key) {
  return cell(object.if_contains(key));
}

Answer nonsense(const std::string& why) {
  return {kExitUnreachable, "",
          fmt::format("the daemon's reply cannot be understood ({}): are heraldctl and heraldd of "
                      "the same version?\n",
                      why)};
}

Reply read_reply(std::string_view line) {
  boost::system::error_code failure;
  const json::value parsed = json::parse({line.data(), line.size()}, failure);
  if (failure) return {nullptr, nonsense(failure.message())};
  const json::object* envelope = parsed.if_object();
  const json::value* ok = envelope ? envelope->if_contains("ok") : nullptr;
  if (ok == nullptr || !ok->is_bool()) return {nullptr, nonsense("no \"ok\" in it")};
  if (!ok->get_bool()) {
    const std::string text = field(*envelope, "error");
    return {nullptr,
            {kExitNo, "", printable(text.empty() ? "refused without a reason" : text) + "\n"}};
  }
  const json::value* data = envelope->if_contains("data");
  if (data == nullptr || !data->is_object()) return {nullptr, nonsense("no \"data\" in it")};
  return {std::make_shared<json::value>(*data), {}};
}

}  // namespace herald::cli
