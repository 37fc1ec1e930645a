// daemon/shell.h: the node in the real world, on one thread.
//
//   descriptors, timers, posted callbacks -> Event -> node.step(event, now) -> Effects, in order
//
// Nothing here decides. Events that come up while effects are carried out wait their turn: step()
// is never entered twice. The node's next deadline is a timerfd on CLOCK_BOOTTIME, the clock that
// its instants are read from, so a suspend ends in a tick at once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/events.h"
#include "daemon/report.h"

namespace boost::asio {
class io_context;
}
namespace herald {
class LinkMonitor;
}
namespace herald::bgp {
class PeerConnections;
}
namespace herald::config {
class Manifests;
class ManifestWatcher;
struct ManifestOptions;
}  // namespace herald::config
namespace herald::coord {
class HeartbeatThread;
class Store;
}  // namespace herald::coord
namespace herald::kube {
class Source;
}
namespace herald::l2 {
class PacketResponder;
}

namespace herald::daemon {

class Node;

class Shell {
 public:
  Shell(boost::asio::io_context& loop, config::ManifestOptions options);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  // From any thread: the event is stepped on the loop's thread, once run() is under way.
  void post(Event event);
  // A sentence for the log; from any thread.
  void post_store_trouble(std::string sentence);
  void post_kube_trouble(std::string sentence);
  // What an API server has of the same moment, from any thread; null: as before.
  void post_seen(std::shared_ptr<const kube::Observed> observed,
                 std::shared_ptr<const Desired> desired);

  // What an operator asks of the node; `answered` is called once, from the loop, unless the loop
  // ends before. On the loop's thread.
  void ask(OperatorRequest request, std::function<void(const OperatorAnswer&)> answered);

  // All that the node acts and looks through; they outlive run().
  struct Parts {
    config::ManifestWatcher* manifests;  // one of these two
    kube::Source* source;
    LinkMonitor& links;
    coord::Store& store;
    l2::PacketResponder& responder;
    coord::HeartbeatThread& heartbeats;
    bgp::PeerConnections& peers;
  };
  // Runs until the node exits after SIGTERM or SIGINT: true. A second signal ends it at once:
  // false.
  bool run(Node& node, Parts parts);

  // What a report says besides what the node knows. On the loop's thread.
  ShellFacts facts() const;
  // The manifests as they were read last, as a copy. On the loop's thread.
  config::Manifests manifests() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace herald::daemon
