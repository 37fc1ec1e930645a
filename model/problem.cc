#include "model/problem.h"

namespace herald {

std::string place_of(const Source& source) {
  return source.line > 0 ? source.file + ":" + std::to_string(source.line) : source.file;
}

std::string to_string(const Problem& p) {
  std::string out = place_of(p.source);
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
