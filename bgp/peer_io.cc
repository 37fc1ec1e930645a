#include "bgp/peer_io.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <deque>
#include <map>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace herald::bgp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t kMaxQueued = 64u << 20;  // a million routes are 5 MB: beyond is a dead reader
constexpr auto kFlushTime = std::chrono::seconds(1);

tcp::endpoint endpoint(const IpAddress& address, std::uint16_t port) {
  if (address.is_v4()) return {asio::ip::address_v4(address.v4_number()), port};
  return {asio::ip::address_v6(address.octets16()), port};
}

IpAddress address_of(const asio::ip::address& a) {
  if (a.is_v4()) return IpAddress::v4(a.to_v4().to_uint());
  const auto octets = a.to_v6().to_bytes();
  return *IpAddress::from_bytes(octets);
}

// One TCP connection, from connecting to closed. It keeps itself alive by its handlers; once its
// owner has let it go (quiet), it only flushes and says nothing more.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Handlers {
    std::function<void(const IpAddress&)> connected;
    std::function<void(const std::string&)> failed;
    std::function<void(Bytes)> received;
    std::function<void(const std::string&)> closed;
  };

  Connection(asio::io_context& context, Handlers handlers)
      : socket_(context), timer_(context), handlers_(std::move(handlers)) {}

  void connect(const Connect& to) {
    boost::system::error_code bad;
    const auto remote = endpoint(to.address, to.port);
    socket_.open(remote.protocol(), bad);
    if (!bad) set_hops(to, bad);
    if (!bad) socket_.set_option(tcp::no_delay(true), bad);
    if (!bad && to.source_address) socket_.bind(endpoint(*to.source_address, 0), bad);
    if (bad) {
      asio::post(socket_.get_executor(), [self = shared_from_this(), bad] {
        if (!self->quiet_) self->handlers_.failed(bad.message());
      });
      return;
    }
    socket_.async_connect(
        remote, [self = shared_from_this()](boost::system::error_code e) { self->on_connect(e); });
  }

  void send(Bytes bytes) {
    if (!open_) return;
    queued_ += bytes.size();
    queue_.push_back(std::move(bytes));
    if (queued_ > kMaxQueued) {
      fail("the peer does not read: too much is waiting for it");
    } else if (queue_.size() == 1) {
      write();
    }
  }

  // Says nothing more to its owner; what was sent before may leave within kFlushTime.
  void let_go() {
    quiet_ = true;
    if (!open_ || queue_.empty()) {
      shut();
      return;
    }
    timer_.expires_after(kFlushTime);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code) { self->shut(); });
  }

 private:
  void set_hops(const Connect& to, boost::system::error_code& bad) {
    const bool v4 = to.address.is_v4();
    if (setsockopt(socket_.native_handle(), v4 ? IPPROTO_IP : IPPROTO_IPV6,
                   v4 ? IP_TTL : IPV6_UNICAST_HOPS, &to.ttl, sizeof(to.ttl)) != 0) {
      bad.assign(errno, boost::system::system_category());
    }
  }

  void on_connect(boost::system::error_code e) {
    if (quiet_) return;
    if (e) {
      handlers_.failed(e.message());
      return;
    }
    boost::system::error_code bad;
    const auto local = socket_.local_endpoint(bad);
    if (bad) {
      handlers_.failed(bad.message());
      return;
    }
    open_ = true;
    read();
    handlers_.connected(address_of(local.address()));
  }

  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](
                                                       boost::system::error_code e, std::size_t n) {
      if (e) {
        self->fail(e == asio::error::eof ? "the peer closed it" : e.message());
        return;
      }
      if (!self->quiet_) {
        self->handlers_.received(
            Bytes(self->buffer_.begin(), self->buffer_.begin() + static_cast<std::ptrdiff_t>(n)));
      }
      if (self->open_) self->read();
    });
  }

  void write() {
    asio::async_write(socket_, asio::buffer(queue_.front()),
                      [self = shared_from_this()](boost::system::error_code e, std::size_t n) {
                        if (e) {
                          self->fail(e.message());
                          return;
                        }
                        self->queued_ -= n;
                        self->queue_.pop_front();
                        if (!self->queue_.empty()) {
                          self->write();
                        } else if (self->quiet_) {
                          self->shut();
                        }
                      });
  }

  void fail(const std::string& why) {
    if (!open_) return;
    const bool tell = !quiet_;
    quiet_ = true;
    shut();
    if (tell) {
      asio::post(socket_.get_executor(),
                 [self = shared_from_this(), why] { self->handlers_.closed(why); });
    }
  }

  void shut() {
    open_ = false;
    timer_.cancel();
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    socket_.close(ignored);
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  Handlers handlers_;
  std::array<std::uint8_t, 16384> buffer_{};
  std::deque<Bytes> queue_;
  std::size_t queued_ = 0;
  bool open_ = false, quiet_ = false;
};

}  // namespace

class PeerConnections::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& context, Callbacks callbacks)
      : context_(context), callbacks_(std::move(callbacks)) {}

  void perform(const PeerName& peer, const Action& action) {
    if (const auto* to = std::get_if<Connect>(&action)) {
      drop(peer);
      const std::uint64_t generation = ++generation_;
      const auto connection = std::make_shared<Connection>(context_, handlers(peer, generation));
      connections_[peer] = {connection, generation};
      connection->connect(*to);
    } else if (const auto* bytes = std::get_if<Send>(&action)) {
      const auto it = connections_.find(peer);
      if (it != connections_.end()) it->second.connection->send(bytes->bytes);
    } else {
      drop(peer);
    }
  }

  void close_all() {
    for (auto& [peer, current] : connections_) current.connection->let_go();
    connections_.clear();
  }

 private:
  struct Current {
    std::shared_ptr<Connection> connection;
    std::uint64_t generation;
  };

  void drop(const PeerName& peer) {
    const auto it = connections_.find(peer);
    if (it == connections_.end()) return;
    it->second.connection->let_go();
    connections_.erase(it);
  }

  // Whether news of this connection are still of interest.
  bool current(const PeerName& peer, std::uint64_t generation) const {
    const auto it = connections_.find(peer);
    return it != connections_.end() && it->second.generation == generation;
  }

  Connection::Handlers handlers(const PeerName& peer, std::uint64_t generation) {
    const std::weak_ptr<Impl> weak = weak_from_this();
    const auto with = [weak, peer, generation](auto&& use, bool over) {
      const auto self = weak.lock();
      if (!self || !self->current(peer, generation)) return;
      if (over) self->connections_.erase(peer);
      use(self->callbacks_);
    };
    return {[=](const IpAddress& local) {
              with([&](const Callbacks& c) { c.connected(peer, local); }, false);
            },
            [=](const std::string& why) {
              with([&](const Callbacks& c) { c.connect_failed(peer, why); }, true);
            },
            [=](Bytes bytes) {
              with([&](const Callbacks& c) { c.received(peer, std::move(bytes)); }, false);
            },
            [=](const std::string& why) {
              with([&](const Callbacks& c) { c.closed(peer, why); }, true);
            }};
  }

  asio::io_context& context_;
  Callbacks callbacks_;
  std::map<PeerName, Current> connections_;
  std::uint64_t generation_ = 0;
};

PeerConnections::PeerConnections(asio::io_context& context, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(context, std::move(callbacks))) {}
PeerConnections::~PeerConnections() {
  impl_->close_all();
}

void PeerConnections::perform(const PeerName& peer, const Action& action) {
  impl_->perform(peer, action);
}

}  // namespace herald::bgp
