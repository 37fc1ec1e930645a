#include "cli/findings.h"

#include <fmt/core.h>

#include <map>
#include <set>
#include <vector>

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/announced.h"
#include "cli/reply.h"
#include "cli/table.h"

namespace herald::cli {

namespace json = boost::json;

namespace {

const json::array& list(const json::object& data, std::string_view key) {
  static const json::array kNone;
  const json::value* value = data.if_contains(key);
  return value != nullptr && value->is_array() ? value->get_array() : kNone;
}

const json::object& object_of(const json::value* value) {
  static const json::object kNone;
  return value != nullptr && value->is_object() ? value->get_object() : kNone;
}

// What is not said is left out, with what would have set it apart.
std::string problem_line(const json::object& p) {
  std::string out = field(p, "file");
  if (const std::string line = field(p, "line"); line != "0") out += ":" + line;
  out += ": " + field(p, "severity");
  std::string what = field(p, "kind");
  const std::string ns = field(p, "namespace"), name = field(p, "name");
  if (!name.empty()) what += fmt::format(" {}{}{}", ns, ns.empty() ? "" : "/", name);
  for (const std::string& part : {what, field(p, "field"), field(p, "message")}) {
    if (!part.empty()) out += ": " + part;
  }
  return printable(out) + "\n";
}

std::string problem_lines(const json::object& data) {
  std::string out;
  for (const json::value& p : list(data, "problems")) out += problem_line(object_of(&p));
  return out;
}

std::string counted(std::size_t n, const char* word) {
  return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s");
}

// IPs that are not announced: each cause once.
struct Silences {
  std::map<std::string, std::set<std::string>> ips_of;  // by cause

  void add(const json::object& service) {
    for (const json::value& value : list(service, "announcements")) {
      const json::object& a = object_of(&value);
      const std::string ip = field(a, "ip"), message = field(a, "message");
      const std::string begin = ip + " is not announced: ";
      if (field(a, "via") != "none" || message.rfind(begin, 0) != 0) continue;
      ips_of[field(a, "reason") + ": " + message.substr(begin.size())].insert(ip);
    }
  }

  std::string text() const {
    constexpr std::size_t kShown = 3;
    std::string out;
    for (const auto& [cause, ips] : ips_of) {
      std::vector<std::string> shown(ips.begin(), ips.end());
      if (shown.size() > kShown) {
        shown.resize(kShown);
        shown.push_back(fmt::format("and {} more", ips.size() - kShown));
      }
      out += printable(fmt::format("not announced: {}: {}", join(shown, ", "), cause)) + "\n";
    }
    return out;
  }
};

std::string service_table(const json::array& services, bool wide) {
  std::vector<Row> rows;
  std::string refusals;
  std::size_t others = 0;
  Silences silences;
  for (const json::value& value : services) {
    const json::object& s = object_of(&value);
    const json::object& allocated = object_of(s.if_contains("allocated"));
    const std::string reason = field(allocated, "reason"), message = field(allocated, "message");
    if (!wide && reason == "NotManaged" && message.find(": its type is ") != std::string::npos) {
      ++others;  // most of a cluster's
      continue;
    }
    silences.add(s);
    Row row{field(s, "namespace"), field(s, "name"), field(s, "ips"),
            field(s, "pool"),      reason,           announced(s, "announcements", wide)};
    if (wide) row.push_back(message);
    rows.push_back(std::move(row));
    if (!wide && reason != "Allocated") {
      refusals += printable(fmt::format("{}/{}: {}: {}", field(s, "namespace"), field(s, "name"),
                                        reason, message)) +
                  "\n";
    }
  }
  Row header{"NAMESPACE", "NAME", "IPS", "POOL", "REASON", "ANNOUNCED"};
  if (wide) header.push_back("MESSAGE");
  std::string out = rows.empty() ? "" : render_table(header, rows);
  if (others > 0) {
    out += fmt::format("{}{} of another type than LoadBalancer: -o wide lists them\n",
                       out.empty() ? "" : "\n", counted(others, "service"));
  }
  for (const std::string& more : {refusals, silences.text()}) {
    if (!more.empty()) out += "\n" + more;
  }
  return out;
}

std::string pool_table(const json::array& pools) {
  std::vector<Row> rows;
  for (const json::value& value : pools) {
    const json::object& p = object_of(&value);
    rows.push_back({field(p, "name"), field(p, "total"), field(p, "used"), field(p, "available"),
                    field(p, "reason")});
  }
  return render_table({"POOL", "TOTAL", "USED", "AVAILABLE", "REASON"}, rows);
}

std::string peer_table(const json::array& peers, bool wide) {
  constexpr std::size_t kNamed = 6;
  std::vector<Row> rows;
  for (const json::value& value : peers) {
    const json::object& p = object_of(&value);
    const std::size_t nodes = list(p, "nodes").size();
    rows.push_back({field(p, "name"),
                    wide || nodes <= kNamed ? field(p, "nodes") : counted(nodes, "node"),
                    field(p, "reason")});
  }
  return render_table({"PEER", "NODES", "REASON"}, rows);
}

std::string change_lines(const json::array& changes) {
  std::string out;
  for (const json::value& value : changes) {
    const json::object& c = object_of(&value);
    const std::string from = field(c, "from"), to = field(c, "to");
    out += printable(fmt::format("  {}/{}: {} -> {}", field(c, "namespace"), field(c, "name"),
                                 from.empty() ? "no IP" : from, to.empty() ? "no IP" : to)) +
           "\n";
  }
  return out;
}

}  // namespace

bool any_error(const json::object& data) {
  for (const json::value& p : list(data, "problems")) {
    if (field(object_of(&p), "severity") == "error") return true;
  }
  return false;
}

std::string lint_text(const json::object& data) {
  std::size_t errors = 0, warnings = 0;
  for (const json::value& p : list(data, "problems")) {
    ++(field(object_of(&p), "severity") == "error" ? errors : warnings);
  }
  const json::value* objects = data.if_contains("objects");
  return problem_lines(data) + fmt::format("{} objects read: {}, {}\n", cell(objects),
                                           counted(errors, "error"), counted(warnings, "warning"));
}

std::string plan_text(const json::object& data, bool wide) {
  std::vector<std::string> blocks;
  if (const json::array& services = list(data, "services"); !services.empty()) {
    blocks.push_back(service_table(services, wide));
  }
  if (const json::array& pools = list(data, "pools"); !pools.empty()) {
    blocks.push_back(pool_table(pools));
  }
  if (const json::array& peers = list(data, "peers"); !peers.empty()) {
    blocks.push_back(peer_table(peers, wide));
  }
  if (data.contains("changes")) {
    const json::array& changes = list(data, "changes");
    blocks.push_back(changes.empty() ? "No service's IP would change.\n"
                                     : "What would change:\n" + change_lines(changes));
  }
  if (std::string problems = problem_lines(data); !problems.empty()) {
    blocks.push_back(std::move(problems));
  }
  return join(blocks, "\n");
}

}  // namespace herald::cli
