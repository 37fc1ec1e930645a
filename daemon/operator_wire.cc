#include "daemon/operator_wire.h"

#include <fmt/core.h>

#include <array>

#include <boost/json.hpp>

#include "daemon/reply_wire.h"

namespace herald::daemon {
namespace {

namespace json = boost::json;
using What = OperatorRequest::What;

struct Command {
  std::string_view name;
  What what;
  bool needs_node;
};
constexpr std::array<Command, 4> kCommands = {{{"drain", What::Drain, false},
                                               {"undrain", What::Undrain, false},
                                               {"move", What::Move, true},
                                               {"force-dead", What::ForceDead, true}}};
constexpr Duration kLongest = 10min;
constexpr std::size_t kLongestName = 253;  // RFC 1123, as Kubernetes names nodes

const json::value* member(const json::object& o, std::string_view key) {
  const json::value* v = o.if_contains(key);
  return v != nullptr && v->is_null() ? nullptr : v;
}

Result<OperatorRequest> parse(const Command& command, const json::object& o) {
  OperatorRequest out;
  out.what = command.what;
  if (const json::value* node = member(o, "node")) {
    if (!node->is_string() || node->get_string().size() > kLongestName) {
      return error(fmt::format("{}: node must be the name of a node", command.name));
    }
    out.node = NodeName(std::string(node->get_string()));
  }
  if (command.needs_node && out.node.empty()) {
    return error(fmt::format("{}: name the node", command.name));
  }
  if (command.what == What::Move) {
    const json::value* ip = member(o, "ip");
    const std::string text = ip != nullptr && ip->is_string() ? std::string(ip->get_string()) : "";
    out.ip = IpAddress::parse(text);
    if (!out.ip) {
      return error(fmt::format("move: '{}' is no IP address: give one as 192.0.2.1", text));
    }
  }
  if (const json::value* wait = member(o, "wait")) {
    if (!wait->is_bool()) {
      return error(fmt::format("{}: wait must be true or false", command.name));
    }
    out.wait = wait->get_bool();
  }
  if (const json::value* timeout = member(o, "timeout_ms")) {
    const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(kLongest).count();
    if (!timeout->is_int64() || timeout->get_int64() < 0 || timeout->get_int64() > most) {
      return error(fmt::format("{}: timeout_ms must be 0 to {}", command.name, most));
    }
    out.timeout = std::chrono::milliseconds(timeout->get_int64());
  }
  return out;
}

}  // namespace

std::optional<Result<OperatorRequest>> parse_operator_request(std::string_view line) {
  boost::system::error_code bad;
  const json::value parsed = json::parse({line.data(), line.size()}, bad);
  const json::object* o = bad ? nullptr : parsed.if_object();
  const json::value* said = o != nullptr ? o->if_contains("command") : nullptr;
  if (said == nullptr || !said->is_string()) return std::nullopt;
  for (const Command& command : kCommands) {
    if (std::string_view(said->get_string()) == command.name) return parse(command, *o);
  }
  return std::nullopt;
}

std::string to_line(const OperatorAnswer& answer) {
  if (!answer.accepted) return refused(answer.message);
  return accepted({{"message", answer.message},
                   {"node", answer.node.str()},
                   {"complete", answer.complete},
                   {"handed_over", strings(answer.handed_over)},
                   {"kept", strings(answer.kept)},
                   {"warnings", strings(answer.warnings)}});
}

}  // namespace herald::daemon
