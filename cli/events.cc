#include "cli/events.h"

#include <fmt/core.h>

#include <boost/json.hpp>

#include "cli/reply.h"
#include "cli/table.h"

namespace herald::cli {

namespace json = boost::json;

Followed follow(Format format, std::string_view reply, std::uint64_t since) {
  Followed out;
  out.since = since;
  const Reply said = read_reply(reply);
  if (!said.data) {
    out.answer = said.refused;
    return out;
  }
  const json::object& data = said.data->get_object();
  const json::value* last = data.if_contains("last");
  const json::value* events = data.if_contains("events");
  if (last == nullptr || events == nullptr || !events->is_array()) {
    out.answer = nonsense("no list \"events\" in it");
    return out;
  }
  boost::system::error_code bad;
  const auto number = last->to_number<std::uint64_t>(bad);
  out.since = bad || number < since ? 0 : number;
  for (const json::value& event : events->get_array()) {
    const json::object* o = event.if_object();
    if (o == nullptr) continue;
    out.answer.out +=
        format == Format::Json || format == Format::Yaml
            ? json::serialize(*o) + "\n"
            : fmt::format("{}  {:<7}  {}\n", printable(field(*o, "time")),
                          printable(field(*o, "severity")), printable(field(*o, "message")));
  }
  return out;
}

}  // namespace herald::cli
