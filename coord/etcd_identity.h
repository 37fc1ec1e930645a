// coord/etcd_identity.h: is this still the etcd that it was?
//
// One that turns into another cluster, or goes back in time since it was restored from a backup,
// has forgotten who may answer for what: two nodes could be given one IP. Each answer tells the
// cluster's id and a revision that only rises. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "coord/etcd_wire.h"

namespace herald::coord {

class EtcdIdentity {
 public:
  // The revision that etcd was seen to have. To be taken before a request is sent: its answer,
  // which is linearizable, cannot have a lower one.
  std::int64_t highest() const { return highest_; }

  // An answer of a request that was sent when highest() was `floor`. The error says what etcd has
  // become and what to do.
  Result<void> answered(const EtcdHeader& header, std::int64_t floor, const std::string& endpoint);

  // Of a watch, which may lag behind: only whether it is the same cluster.
  bool same_cluster(const EtcdHeader& header) const { return cluster_id_ == header.cluster_id; }
  void told(std::int64_t revision);

 private:
  std::uint64_t cluster_id_ = 0;  // 0: not known yet
  std::int64_t highest_ = 0;
};

}  // namespace herald::coord
