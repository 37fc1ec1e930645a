// kube/connection_pool_io.h: connections that are open and have nothing to do, by endpoint, for
// whoever asks next.
//
// Not kept: what has been idle for longer than a server keeps it, was made with certificates that
// have been renewed since, or has a word or an end from the server in it.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "base/time.h"
#include "net/http_connection_io.h"

namespace herald::kube {

class ConnectionPool {
 public:
  explicit ConnectionPool(std::size_t most_each) : most_each_(most_each) {}

  // None: make another.
  std::shared_ptr<HttpConnection> take(std::size_t endpoint, const std::shared_ptr<TlsClient>& tls,
                                       Instant now);
  // True: it was kept.
  bool keep(std::size_t endpoint, std::shared_ptr<HttpConnection> connection,
            std::shared_ptr<TlsClient> made_with, Instant now);
  // What broke one connection has likely broken those beside it.
  void forget(std::size_t endpoint) { idle_.erase(endpoint); }
  // Ends those that have been idle for too long.
  struct Swept {
    std::size_t ended = 0, left = 0;
  };
  Swept sweep(Instant now);

  static constexpr Duration kMaxIdle = 60s;  // API servers end theirs after 90 s

 private:
  struct Idle {
    std::shared_ptr<HttpConnection> connection;
    std::shared_ptr<TlsClient> made_with;
    Instant since{};
  };
  const std::size_t most_each_;
  std::map<std::size_t, std::vector<Idle>> idle_;  // by endpoint
};

}  // namespace herald::kube
