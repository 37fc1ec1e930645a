#include "kube/connection_pool_io.h"

#include <utility>

namespace herald::kube {

std::shared_ptr<HttpConnection> ConnectionPool::take(std::size_t endpoint,
                                                     const std::shared_ptr<TlsClient>& tls,
                                                     Instant now) {
  auto& idle = idle_[endpoint];
  while (!idle.empty()) {
    const Idle last = std::move(idle.back());
    idle.pop_back();
    const bool good = last.made_with == tls && now - last.since <= kMaxIdle;
    if (good && last.connection->reusable()) return last.connection;
  }
  return nullptr;
}

bool ConnectionPool::keep(std::size_t endpoint, std::shared_ptr<HttpConnection> connection,
                          std::shared_ptr<TlsClient> made_with, Instant now) {
  auto& idle = idle_[endpoint];
  if (idle.size() >= most_each_ || !connection->reusable()) return false;
  idle.push_back({std::move(connection), std::move(made_with), now});
  return true;
}

ConnectionPool::Swept ConnectionPool::sweep(Instant now) {
  Swept out;
  for (auto& [endpoint, idle] : idle_) {
    out.ended += std::erase_if(idle, [now](const Idle& i) { return now - i.since > kMaxIdle; });
    out.left += idle.size();
  }
  return out;
}

}  // namespace herald::kube
