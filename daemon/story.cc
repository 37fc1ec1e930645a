#include "daemon/story.h"

#include <fmt/core.h>

#include <algorithm>

#include <boost/json.hpp>

#include "base/text.h"
#include "daemon/reply_wire.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

constexpr std::size_t kShown = 10;  // of a list, in a sentence

// How config marks a problem whose object goes on as it was read before.
constexpr std::string_view kOldVersion = "still using the version read before";

json::object to_json(const Problem& p) {
  return {{"severity", p.severity == Severity::Error ? "error" : "warning"},
          {"file", p.source.file},
          {"line", p.source.line},
          {"kind", p.kind},
          {"namespace", p.ns},
          {"name", p.name},
          {"field", p.field},
          {"message", p.message}};
}

}  // namespace

Story::Story() : fields(std::make_shared<json::object>()) {}

void Story::set(std::string_view field, const json::value& value) {
  (*fields)[field] = value;
}

void Story::set(std::string_view field, std::string_view text) {
  (*fields)[field] = text;
}

bool Story::keeps_old_version() const {
  return std::any_of(problems.begin(), problems.end(), [](const Problem& p) {
    return p.message.find(kOldVersion) != std::string::npos;
  });
}

void Story::take_problems(std::vector<Problem> found) {
  problems = std::move(found);
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.severity < b.severity; });
  for (const Problem& p : problems) facts.push_back(to_string(p));
  if (!problems.empty() && problems.front().severity == Severity::Error) {
    advise(to_string(problems.front()));
  }
}

json::object Story::to_json() const {
  json::array listed;
  for (const Problem& p : problems) listed.push_back(daemon::to_json(p));
  json::object out{{"object", object}, {"verdict", verdict}, {"in_force", in_force}};
  for (const auto& [key, value] : *fields) out[key] = value;
  out["problems"] = std::move(listed);
  out["facts"] = strings(facts);
  out["chain"] = strings(facts);
  // A warning is the remedy if there is nothing worse.
  out["remedy"] = remedy.empty() && !problems.empty() ? to_string(problems.front()) : remedy;
  return out;
}

std::vector<Problem> problems_of(const Desired& desired, const std::vector<std::string_view>& kinds,
                                 std::string_view ns, std::string_view name, const Source* source) {
  std::vector<Problem> out;
  for (const Problem& p : desired.problems) {
    const bool of_object = std::find(kinds.begin(), kinds.end(), p.kind) != kinds.end() &&
                           p.name == name && (p.ns.empty() || p.ns == ns);
    const bool of_file = p.kind.empty() && source != nullptr && p.source.file == source->file;
    if (of_object || of_file) out.push_back(p);
  }
  return out;
}

std::string some(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  if (names.size() <= kShown) return join(names, ", ");
  const std::vector<std::string> first(names.begin(), names.begin() + kShown);
  return fmt::format("{} and {} more", join(first, ", "), names.size() - kShown);
}

}  // namespace herald::daemon
