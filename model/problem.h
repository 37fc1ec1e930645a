// model/problem.h: what is wrong with a manifest, in words that tell what to do.
#pragma once

#include <string>

#include "model/objects.h"

namespace herald {

enum class Severity { Error, Warning };

struct Problem {
  Severity severity = Severity::Error;
  Source source;         // file and line of the field, or of the object
  std::string kind;      // "LoadBalancerIPPool"; empty if the document has none
  std::string ns, name;  // of the object
  std::string field;     // "spec.addresses[1]"
  std::string message;   // what is wrong with which value, and the remedy
  bool operator==(const Problem&) const = default;
};

// "pools.yaml:7"; an object of an API server has no line, and its path says it all.
std::string place_of(const Source& source);

// "pools.yaml:7: LoadBalancerIPPool lan: spec.addresses[1]: '10.0.0.0/33' is no CIDR: ..."
std::string to_string(const Problem& problem);

}  // namespace herald
