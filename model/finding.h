// model/finding.h: what is true of an object that is no part of the model itself, because it means
// something only together with others (Cilium's BGP kinds), for its status.
#pragma once

#include <string>
#include <vector>

#include "model/objects.h"

namespace herald {

struct Finding {
  Source source;      // of the object
  std::string topic;  // in the words of its dialect: "MissingPeerConfigs"
  bool holds = false;
  std::vector<std::string> about;  // the names that it is about; sorted, each once
  bool operator==(const Finding&) const = default;
};

}  // namespace herald
