#include "coord/etcd_identity.h"

#include <algorithm>

namespace herald::coord {

Result<void> EtcdIdentity::answered(const EtcdHeader& header, std::int64_t floor,
                                    const std::string& endpoint) {
  if (cluster_id_ == 0) cluster_id_ = header.cluster_id;
  if (cluster_id_ != header.cluster_id) {
    return error(
        "etcd at " + endpoint + " belongs to another cluster (" +
        std::to_string(header.cluster_id) + ") than the one in use (" +
        std::to_string(cluster_id_) +
        "): two etcds would give one address to two nodes. Correct --store, or, if etcd was set up "
        "anew, restart every heraldd");
  }
  if (header.revision < floor) {
    return error("etcd at " + endpoint + " went back from revision " + std::to_string(floor) +
                 " to " + std::to_string(header.revision) +
                 ": it was restored from a backup. Restart every heraldd of this cluster");
  }
  told(header.revision);
  return {};
}

void EtcdIdentity::told(std::int64_t revision) {
  highest_ = std::max(highest_, revision);
}

}  // namespace herald::coord
