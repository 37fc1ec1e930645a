#include "daemon/lint.h"

#include <algorithm>
#include <tuple>

#include <boost/json.hpp>

#include "daemon/reply_wire.h"

namespace herald::daemon {

namespace json = boost::json;

json::array problems_wire(std::vector<Problem> problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.source.file, a.source.line) < std::tie(b.source.file, b.source.line);
  });
  json::array out;
  for (const Problem& p : problems) {
    out.push_back(json::object{{"severity", p.severity == Severity::Error ? "error" : "warning"},
                               {"file", p.source.file},
                               {"line", p.source.line},
                               {"kind", p.kind},
                               {"namespace", p.ns},
                               {"name", p.name},
                               {"field", p.field},
                               {"message", p.message}});
  }
  return out;
}

std::string lint(const Desired& desired) {
  return accepted(
      {{"problems", problems_wire(desired.problems)}, {"objects", desired.objects_read}});
}

}  // namespace herald::daemon
