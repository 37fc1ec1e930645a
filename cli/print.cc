#include "cli/print.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <vector>

#include <boost/json.hpp>

#include "base/check.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/announced.h"
#include "cli/document.h"
#include "cli/events.h"
#include "cli/findings.h"
#include "cli/reply.h"
#include "cli/table.h"

namespace herald::cli {
namespace {

namespace json = boost::json;

std::string every_announcement(const json::object& object, std::string_view key) {
  return announced(object, key, true);
}
std::string few_announcements(const json::object& object, std::string_view key) {
  return announced(object, key, false);
}

// Of a list of names that means all of them if it is empty.
std::string or_all(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  const bool all = value != nullptr && value->is_array() && value->get_array().empty();
  return all ? "all" : cell(value);
}

std::string milliseconds(const json::object& object, std::string_view key) {
  const std::string text = field(object, key);
  return text.empty() ? text : text + "ms";
}

std::string seconds(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  // More than ten years is no uptime, and would overflow nanoseconds soon after.
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
      value->get_int64() > 10L * 365 * 86400) {
    return field(object, key);
  }
  return to_string(Duration(std::chrono::seconds(value->get_int64())));
}

struct Column {
  const char* header;
  const char* key;
  enum When { Always, Wide, Narrow } when = Always;  // Wide: with -o wide alone; Narrow: without
  std::string (*text)(const json::object&, std::string_view) = &field;
};

struct Listing {
  std::string_view what;
  std::vector<Column> columns;
};

const std::vector<Listing>& listings() {
  static const std::vector<Listing> kListings = {
      {"services",
       {{"NAMESPACE", "namespace"},
        {"NAME", "name"},
        {"IPS", "ips"},
        {"POOL", "pool"},
        {"REASON", "reason"},
        {"ANNOUNCED", "announcements", Column::Narrow, &few_announcements},
        {"ANNOUNCED", "announcements", Column::Wide, &every_announcement},
        {"MESSAGE", "message", Column::Wide}}},
      {"ips",
       {{"IP", "ip"},
        {"SERVICES", "services"},
        {"POOL", "pool"},
        {"OWNER", "owner"},
        {"REASON", "reason"},
        {"EPOCH", "epoch", Column::Wide},
        {"INTERFACES", "interfaces", Column::Wide}}},
      {"nodes",
       {{"NAME", "name"},
        {"STATE", "state"},
        {"LEADER", "leader"},
        {"DRAINED", "drained"},
        {"IPS", "ips"},
        {"LEASE", "lease"},
        {"LEFT", "lease_remaining_ms", Column::Always, &milliseconds},
        {"GUARDS", "guards"},
        {"INTERFACES", "interfaces"},
        {"INCARNATION", "incarnation", Column::Wide},
        {"REVISION", "revision", Column::Wide}}},
      {"pools",
       {{"NAME", "name"},
        {"TOTAL", "total"},
        {"USED", "used"},
        {"AVAILABLE", "available"},
        {"DISABLED", "disabled"},
        {"CONFLICTING", "conflicting"},
        {"TOTAL_V4", "total_v4", Column::Wide},
        {"USED_V4", "used_v4", Column::Wide},
        {"AVAILABLE_V4", "available_v4", Column::Wide},
        {"TOTAL_V6", "total_v6", Column::Wide},
        {"USED_V6", "used_v6", Column::Wide},
        {"AVAILABLE_V6", "available_v6", Column::Wide},
        {"REASON", "reason"},
        {"MESSAGE", "message", Column::Wide}}},
      {"policies",
       {{"NAME", "name"},
        {"KIND", "kind"},
        {"SELECTS", "service_selector"},
        {"POOLS", "pools", Column::Always, &or_all},
        {"INTERFACES", "interfaces", Column::Always, &or_all},
        {"PEERS", "peers", Column::Always, &or_all},
        {"SERVICES", "services"},
        {"IPS", "ips"},
        {"NODES", "nodes"},
        {"REASON", "reason"},
        {"NODE_SELECTOR", "node_selector", Column::Wide},
        {"ADDRESSES", "addresses", Column::Wide},
        {"MESSAGE", "message", Column::Wide}}},
      {"peers",
       {{"NAME", "name"},
        {"ADDRESS", "address"},
        {"ASN", "asn"},
        {"STATE", "state"},
        {"UPTIME", "uptime_s", Column::Always, &seconds},
        {"PREFIXES", "prefixes"},
        {"LAST_ERROR", "last_error"}}},
  };
  return kListings;
}

const Listing& listing_of(std::string_view what) {
  const auto& all = listings();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Listing& l) { return l.what == what; });
  HERALD_CHECK(found != all.end());
  return *found;
}

std::string table_of(const Listing& listing, const json::array& objects, bool wide) {
  Row header;
  std::vector<Row> rows(objects.size());
  for (const Column& column : listing.columns) {
    if (column.when == (wide ? Column::Narrow : Column::Wide)) continue;
    header.push_back(column.header);
    for (std::size_t i = 0; i < objects.size(); ++i) {
      const json::object* object = objects[i].if_object();
      rows[i].push_back(object == nullptr ? "" : column.text(*object, column.key));
    }
  }
  return render_table(header, rows);
}

// "healthy: yes  uri: ..." of an object; any other value as a cell.
std::string flat(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return printable(cell(&value));
  std::vector<std::string> parts;
  for (const auto& [key, member] : *object) {
    const std::string text = cell(&member);
    if (!text.empty()) parts.push_back(fmt::format("{} {}", std::string_view(key), text));
  }
  return printable(join(parts, ", "));
}

// One line a member of the object; the nodes as `get nodes` has them; other lists get a block.
std::string status_text(const json::object& data) {
  std::string out, blocks;
  std::size_t width = 0;
  for (const auto& [key, value] : data) width = std::max(width, key.size());
  for (const auto& [key, value] : data) {
    const json::array* array = value.if_array();
    if (key == "members" && array != nullptr && !array->empty()) {
      blocks += "members:\n";
      for (const std::string& line :
           split_list(table_of(listing_of("nodes"), *array, false), '\n')) {
        blocks += "  " + line + "\n";
      }
    } else if (array != nullptr && !array->empty()) {
      blocks += fmt::format("{}:\n", std::string_view(key));
      for (const json::value& element : *array) blocks += fmt::format("  {}\n", flat(element));
    } else {
      const std::string text = flat(value);
      out += fmt::format("{:<{}}  {}\n", fmt::format("{}:", std::string_view(key)), width + 1,
                         text.empty() ? "-" : text);
    }
  }
  return out + blocks;
}

std::string explain_text(const json::object& data) {
  std::string out =
      fmt::format("{}: {}\n", printable(field(data, "object")), printable(field(data, "verdict")));
  const json::value* facts = data.if_contains("facts");
  if (facts == nullptr) facts = data.if_contains("chain");  // of an older daemon
  if (facts != nullptr && facts->is_array()) {
    std::size_t n = 0;
    for (const json::value& fact : facts->get_array()) {
      out += fmt::format("{:>3}. {}\n", ++n, flat(fact));
    }
  }
  const std::string remedy = printable(field(data, "remedy"));
  if (!remedy.empty()) out += fmt::format("what to do: {}\n", remedy);
  return out;
}

// Warnings go to stderr, so that they are seen whatever the format. Who waited for what did not
// happen has a no for an answer: `heraldctl drain && reboot` does not lose an IP.
Answer order_answer(const Request& request, Format format, const json::object& data) {
  Answer out;
  const json::value* complete = data.if_contains("complete");
  const bool all = complete != nullptr && complete->is_bool() && complete->get_bool();
  if (request.wait && !all) out.exit_code = kExitNo;
  if (format == Format::Json) {
    out.out = to_pretty_json(data);
  } else if (format == Format::Yaml) {
    out.out = to_yaml(data);
  } else {
    out.out = printable(field(data, "message")) + "\n";
  }
  const json::value* warnings = data.if_contains("warnings");
  if (warnings != nullptr && warnings->is_array()) {
    for (const json::value& warning : warnings->get_array()) {
      out.err +=
          fmt::format("{}warning: {}\n", out.err.empty() ? "" : "heraldctl: ", flat(warning));
    }
  }
  return out;
}

}  // namespace

bool is_order(const Request& request) {
  return request.command == "drain" || request.command == "undrain" || request.command == "move" ||
         request.command == "force-dead";
}

std::string to_line(const Request& request) {
  json::object out{{"command", request.command}};
  if (is_order(request)) {
    if (!request.node.empty()) out["node"] = request.node;
    if (!request.ip.empty()) out["ip"] = request.ip;
    out["wait"] = request.wait;
    out["timeout_ms"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(request.timeout).count();
  }
  if (request.command == "events") out["since"] = request.since;
  if (request.command == "plan") {
    json::array files;
    for (const Request::File& file : request.files) {
      files.push_back(json::object{{"path", file.path}, {"text", file.text}});
    }
    out["files"] = std::move(files);
  }
  if (!request.what.empty()) {
    out["what"] = request.what;
    out["name"] = request.name;
  }
  return json::serialize(out) + "\n";
}

Answer answer(const Request& request, Format format, std::string_view reply) {
  const Reply said = read_reply(reply);
  if (!said.data) return said.refused;
  const json::value& data = *said.data;

  Answer out;
  const json::object& object = data.get_object();
  if (is_order(request)) return order_answer(request, format, object);
  if (request.command == "events" && (format == Format::Table || format == Format::Wide)) {
    return follow(format, reply, 0).answer;
  }
  const bool checks = request.command == "lint" || request.command == "plan";
  if (checks && any_error(object)) out.exit_code = kExitNo;
  const json::value* list = request.command == "get" ? object.if_contains(request.what) : nullptr;
  if (request.command == "get") {
    if (list == nullptr || !list->is_array()) {
      return nonsense(fmt::format("no list \"{}\" in it", request.what));
    }
    if (list->get_array().empty()) {
      if (!request.name.empty()) {
        return {kExitNo, "",
                printable(fmt::format("no {} named {}", request.what, request.name)) + "\n"};
      }
      if (format == Format::Table || format == Format::Wide) {
        out.err = fmt::format("no {}\n", request.what);
        return out;
      }
    }
  }
  if (format == Format::Json) {
    out.out = to_pretty_json(data);
  } else if (format == Format::Yaml) {
    out.out = to_yaml(data);
  } else if (request.command == "explain") {
    out.out = explain_text(object);
  } else if (request.command == "lint") {
    out.out = lint_text(object);
  } else if (request.command == "plan") {
    out.out = plan_text(object, format == Format::Wide);
  } else if (list == nullptr) {
    out.out = status_text(object);
  } else {
    out.out = table_of(listing_of(request.what), list->get_array(), format == Format::Wide);
  }
  return out;
}

}  // namespace herald::cli
