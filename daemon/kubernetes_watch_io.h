// daemon/kubernetes_watch_io.h: what is written to the store's objects of one kind, as it is
// written: a kube::Reflector, with a client.
//
// A watch that is alive but dead costs a failover: the new owner of an IP learns by it what it
// owns. TCP finds a server that is gone within some ten seconds, bookmarks one that says nothing
// within minutes; what is known to have been written finds either at once. So whoever knows of a
// write says so, and if it is not told in time, the watch is resumed on a new connection.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "base/rng.h"
#include "daemon/kubernetes_store_wire.h"
#include "kube/client_io.h"
#include "kube/reflector.h"

namespace herald::daemon {

class KubernetesWatch {
 public:
  struct Callbacks {
    std::function<void(const StoredEvent&)> told;  // Written or Deleted, in the order of the writes
    std::function<void(const std::string& name)> lacks;  // a list lacks an object that there was
    kube::Say say;
  };
  struct Options {
    std::string ns;
    std::string selector;
    Duration list_timeout = 4s;
    // Somebody writes one of these at least so often; zero: nobody has to.
    Duration longest_silence = 0s;
  };

  KubernetesWatch(boost::asio::io_context& loop, kube::Client& client,
                  const kube::Resource& resource, Options options, Rng rng, Callbacks callbacks);

  void start();
  // A write with this resourceVersion was done: it must be told within the patience.
  void expect(const std::string& resource_version, Duration patience);
  // Something is about to be written by others.
  void expect_news(Duration patience);
  void suspect();
  // Its kind is there, and may be read: in case it waits for that.
  void poke();
  void stop();

 private:
  void turn();
  void ask(kube::Ask ask);
  void take(const kube::Change& change);
  void arm();
  void wait_for(std::uint64_t version, Instant at);

  boost::asio::io_context& loop_;
  kube::Client& client_;
  const kube::Resource resource_;
  const Options options_;
  const Callbacks callbacks_;
  Rng rng_;
  kube::Reflector reflector_;
  boost::asio::steady_timer timer_, overdue_, news_;
  std::map<std::uint64_t, std::uint64_t> streams_;  // the reflector's number, the client's
  std::uint64_t told_ = 0, expected_ = 0;
  std::uint64_t news_told_ = 0;  // how often something was
  bool waiting_ = false, stopped_ = false;
  Duration patience_ = 0s;
  Instant overdue_at_{};
  Instant heard_{};
  std::string said_;
};

}  // namespace herald::daemon
