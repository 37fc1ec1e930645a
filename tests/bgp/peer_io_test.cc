// bgp/peer_io over the loopback: a router that is a plain Asio acceptor.
#include "bgp/peer_io.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace herald::bgp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

const PeerName kPeer("tor-1");

class PeerIo : public testing::TestWithParam<const char*> {
 protected:
  PeerIo()
      : address_(*IpAddress::parse(GetParam())),
        acceptor_(context_, tcp::endpoint(asio::ip::make_address(GetParam()), 0)),
        router_(context_) {
    acceptor_.non_blocking(true);
    connections_.emplace(
        context_,
        PeerConnections::Callbacks{
            [this](const PeerName&, const IpAddress& local) { connected_.push_back(local); },
            [this](const PeerName&, const std::string& why) { failed_.push_back(why); },
            [this](const PeerName&, Bytes b) {
              received_.insert(received_.end(), b.begin(), b.end());
            },
            [this](const PeerName&, const std::string& why) { closed_.push_back(why); }});
  }

  // Runs the loop until `done`, for five seconds at most.
  template <typename Done>
  bool until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      context_.restart();
      context_.run_for(std::chrono::milliseconds(5));
    }
    return done();
  }

  Connect to_router() const { return {address_, acceptor_.local_endpoint().port(), {}, 1}; }

  // Connects, and accepts at the router's end.
  bool establish(const Connect& to) {
    const std::size_t before = connected_.size();
    connections_->perform(kPeer, to);
    router_ = tcp::socket(context_);
    return until([&] {
      boost::system::error_code e;
      if (!router_.is_open()) acceptor_.accept(router_, e);
      return router_.is_open() && connected_.size() > before;
    });
  }

  // What the router gets, until the end of the connection if `to_end`, else until `size` octets.
  Bytes read(std::size_t size, bool to_end) {
    router_.non_blocking(true);
    Bytes got;
    until([&] {
      Bytes portion(65536);
      boost::system::error_code e;
      const std::size_t n = router_.read_some(asio::buffer(portion), e);
      got.insert(got.end(), portion.begin(), portion.begin() + static_cast<std::ptrdiff_t>(n));
      end_ = e;
      return (e && e != asio::error::would_block) || (!to_end && got.size() >= size);
    });
    return got;
  }

  asio::io_context context_;
  IpAddress address_;
  tcp::acceptor acceptor_;
  tcp::socket router_;
  std::vector<IpAddress> connected_;
  std::vector<std::string> failed_, closed_;
  Bytes received_;
  boost::system::error_code end_;
  std::optional<PeerConnections> connections_;
};

TEST_P(PeerIo, ConnectsFromTheSourceAddressAndCarriesBytesBothWays) {
  Connect to = to_router();
  to.source_address = address_;
  ASSERT_TRUE(establish(to));
  EXPECT_EQ(connected_.front(), address_);
  connections_->perform(kPeer, Send{{1, 2, 3}});
  connections_->perform(kPeer, Send{{4, 5}});
  EXPECT_EQ(read(5, false), (Bytes{1, 2, 3, 4, 5}));
  asio::write(router_, asio::buffer(Bytes{9, 8}));
  EXPECT_TRUE(until([&] { return received_ == Bytes{9, 8}; }));
  router_.close();
  EXPECT_TRUE(until([&] { return closed_.size() == 1; }));
  EXPECT_TRUE(failed_.empty());
}

TEST_P(PeerIo, ARefusalIsToldAfterPerformHasReturned) {
  const Connect to = to_router();
  acceptor_.close();
  connections_->perform(kPeer, to);
  EXPECT_TRUE(failed_.empty());
  EXPECT_TRUE(until([&] { return failed_.size() == 1; }));
  EXPECT_TRUE(connected_.empty());
}

TEST_P(PeerIo, ASourceAddressThatIsNotOursIsAFailureToConnect) {
  Connect to = to_router();
  to.source_address = *IpAddress::parse(address_.is_v4() ? "192.0.2.77" : "2001:db8::77");
  connections_->perform(kPeer, to);
  EXPECT_TRUE(failed_.empty());
  EXPECT_TRUE(until([&] { return failed_.size() == 1; }));
}

TEST_P(PeerIo, AHopLimitThatNoPacketCanHaveIsAFailureToConnect) {
  Connect to = to_router();
  to.ttl = 300;
  connections_->perform(kPeer, to);
  EXPECT_TRUE(until([&] { return failed_.size() == 1; }));
}

TEST_P(PeerIo, CloseLetsWhatWasSentLeaveInOrder) {
  ASSERT_TRUE(establish(to_router()));
  Bytes expected;
  for (int i = 0; i < 500; ++i) {
    const Bytes message(4096, static_cast<std::uint8_t>(i));
    expected.insert(expected.end(), message.begin(), message.end());
    connections_->perform(kPeer, Send{message});
  }
  connections_->perform(kPeer, Close{});
  EXPECT_TRUE(read(0, true) == expected);
  EXPECT_EQ(end_, asio::error::eof);
  EXPECT_TRUE(closed_.empty()) << "who closes is not told so";
}

// A NOTIFICATION is mostly the answer to something: more of the peer's bytes may be on their way.
TEST_P(PeerIo, ANotificationArrivesThoughThePeerIsStillTalking) {
  ASSERT_TRUE(establish(to_router()));
  asio::write(router_, asio::buffer(Bytes(100000, 7)));
  connections_->perform(kPeer, Send{encode_notification({6, 2, {}})});
  connections_->perform(kPeer, Close{});
  EXPECT_EQ(read(0, true), encode_notification({6, 2, {}}));
}

TEST_P(PeerIo, AnOlderConnectionIsHeardNoMore) {
  ASSERT_TRUE(establish(to_router()));
  tcp::socket older = std::move(router_);
  ASSERT_TRUE(establish(to_router()));
  boost::system::error_code ignored;
  asio::write(older, asio::buffer(Bytes{6, 6, 6}), ignored);
  older.close();
  asio::write(router_, asio::buffer(Bytes{1}));
  ASSERT_TRUE(until([&] { return !received_.empty(); }));
  EXPECT_EQ(received_, Bytes{1});
  EXPECT_TRUE(closed_.empty());
}

TEST_P(PeerIo, APeerThatDoesNotReadIsGivenUp) {
  ASSERT_TRUE(establish(to_router()));
  const Bytes megabyte(1u << 20);
  for (int i = 0; i < 80; ++i) connections_->perform(kPeer, Send{megabyte});
  EXPECT_TRUE(closed_.empty());
  EXPECT_TRUE(until([&] { return closed_.size() == 1; }));
}

TEST_P(PeerIo, SendAndCloseWithoutAConnectionDoNothing) {
  connections_->perform(kPeer, Send{{1}});
  connections_->perform(kPeer, Close{});
  connections_->perform(kPeer, to_router());
  connections_.reset();
  context_.run_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(connected_.empty() && failed_.empty() && closed_.empty());
}

INSTANTIATE_TEST_SUITE_P(Loopback, PeerIo, testing::Values("127.0.0.1", "::1"));

}  // namespace
}  // namespace herald::bgp
