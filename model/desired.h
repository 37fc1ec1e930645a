// model/desired.h: everything that users want, at one moment: what the manifests say.
#pragma once

#include <string>
#include <vector>

#include "model/finding.h"
#include "model/objects.h"
#include "model/problem.h"
#include "model/shared_list.h"

namespace herald {

struct Desired {
  SharedList<Service> services;
  std::vector<Pool> pools;
  std::vector<L2Policy> l2_policies;
  std::vector<BgpPeer> peers;
  std::vector<BgpAdvertisement> advertisements;
  SharedList<NodeObject> nodes;
  std::vector<NamespaceObject> namespaces;
  SharedList<EndpointSlice> endpoint_slices;
  std::vector<BfdProfile> bfd_profiles;
  std::vector<SecretObject> secrets;
  SharedList<UnmanagedService> unmanaged;

  std::vector<Problem> problems;
  std::vector<Finding> findings;
  int objects_read = 0;  // of any kind, good or bad

  // False while something could not be read at all (a file that does not parse, a Service with an
  // error and no earlier good version): then an object that is missing here may well be wanted, and
  // nothing is released for being missing. Unknown is not empty.
  bool complete = true;

  bool operator==(const Desired&) const = default;
};

}  // namespace herald
