// coord/etcd_watch_io.h: what was written under a prefix of etcd, as it is written.
//
// A stream on a connection of its own. It is resumed where it ended, on another endpoint if need
// be; if what it would resume at was compacted away, its owner has to list. A stream that is alive
// but dead is found by what is known to have been written: expect() a revision, and if it does not
// come in time, the stream is given up.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "coord/etcd_client_io.h"
#include "coord/etcd_wire.h"

namespace herald::coord {

class EtcdWatch {
 public:
  struct Callbacks {
    std::function<void(const EtcdWatchReply&)> events;  // oldest first
    std::function<void()> compacted;                    // stopped: list, and start again
    EtcdClient::Say say;
  };

  EtcdWatch(boost::asio::io_context& loop, EtcdClient& client, std::string prefix,
            Duration patience, Callbacks callbacks);
  ~EtcdWatch();

  // Tells all writes from `revision` on.
  void start(std::int64_t revision);
  // A write under the prefix has this revision: it must be told within the patience.
  void expect(std::int64_t revision);
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace herald::coord
