// bgp/peer_io.h: the TCP connections of BGP sessions.
//
// A session's actions come in; what happens to the connection goes out through callbacks, on the
// io_context's thread. What an older connection of the same peer still had to say is dropped.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/names.h"
#include "bgp/session.h"

namespace boost::asio {
class io_context;
}

namespace herald::bgp {

class PeerConnections {
 public:
  struct Callbacks {
    std::function<void(const PeerName&, const IpAddress& local)> connected;
    std::function<void(const PeerName&, const std::string& why)> connect_failed;
    std::function<void(const PeerName&, Bytes)> received;
    std::function<void(const PeerName&, const std::string& why)> closed;
  };

  PeerConnections(boost::asio::io_context& context, Callbacks callbacks);
  ~PeerConnections();  // closes all
  PeerConnections(const PeerConnections&) = delete;
  PeerConnections& operator=(const PeerConnections&) = delete;

  // Never calls back before it returns. Send without a connection is dropped.
  void perform(const PeerName& peer, const Action& action);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace herald::bgp
