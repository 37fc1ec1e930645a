#include "coord/cluster.h"

#include <utility>

namespace herald::coord {
namespace {
constexpr Duration kRetry = 60ms;
}  // namespace

bool Cluster::on_seen(const ClusterDocument& document) {
  if (document.rev <= document_.rev) return false;
  document_ = document;
  return true;
}

void Cluster::on_cas(const ClusterDocument& document, CasOutcome outcome, Instant now) {
  busy_ = false;
  if (outcome == CasOutcome::Won) {
    on_seen(document);
    return;
  }
  // Somebody else was there first, or the reply was lost: look, then write what is still missing.
  retry_at_ = now + kRetry;
  requests_.push_back(ReadDocument{cluster_key()});
}

void Cluster::tick(Instant now) {
  std::erase_if(wishes_, [&](const auto& wish) {
    return document_.drained.contains(wish.first) == wish.second;
  });
  if ((wishes_.empty() && !wishes_key()) || busy_ || now < retry_at_) return;
  ClusterDocument next = document_;
  next.rev = document_.rev.next();
  if (wishes_key()) next.heartbeat_key = key_;
  for (const auto& [node, drained] : wishes_) {
    if (drained) {
      next.drained.insert(node);
    } else {
      next.drained.erase(node);
    }
  }
  busy_ = true;
  requests_.push_back(CasDocument{document_.rev, next});
}

std::optional<Instant> Cluster::next_deadline() const {
  if ((wishes_.empty() && !wishes_key()) || busy_) return std::nullopt;
  return retry_at_;
}

std::vector<StoreRequest> Cluster::take_requests() {
  return std::exchange(requests_, {});
}

}  // namespace herald::coord
