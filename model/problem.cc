#include "model/problem.h"

namespace herald {

std::string to_string(const Problem& p) {
  std::string out = p.source.file;
  if (p.source.line > 0) out += ":" + std::to_string(p.source.line);
  if (!out.empty()) out += ": ";
  if (!p.kind.empty()) {
    out += p.kind;
    if (!p.name.empty()) out += " " + (p.ns.empty() ? p.name : p.ns + "/" + p.name);
    out += ": ";
  }
  if (!p.field.empty()) out += p.field + ": ";
  return out + p.message;
}

}  // namespace herald
