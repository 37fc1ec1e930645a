// Heartbeats over loopback, on ports that the kernel chooses: two and three threads with real
// machines, and a test that plays a peer by itself.
#include "coord/heartbeat_io.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock_io.h"
#include "base/fd_io.h"
#include "coord/heartbeat_socket_io.h"
#include "coord/heartbeat_wire.h"

namespace herald::coord {
namespace {

constexpr Duration kLong = 20s;  // a condition that does not come true until then is a fault
const std::string kKey = "0123456789abcdef0123456789abcdef";
const IpAddress kLoopback = *IpAddress::parse("127.0.0.1");

// What a thread told, and waiting for it.
class Told {
 public:
  HeartbeatHandlers handlers() {
    return {.on_deadline =
                [this](Instant deadline) {
                  const std::lock_guard lock(mutex_);
                  deadline_ = deadline;
                  changed_.notify_all();
                },
            .on_report =
                [this](GuardReport report) {
                  const std::lock_guard lock(mutex_);
                  report_ = std::move(report);
                  changed_.notify_all();
                }};
  }
  bool deadline(const std::function<bool(Instant)>& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kLong, [&] { return holds(deadline_); });
  }
  bool report_of(const char* node, const std::function<bool(const GuardReport::Peer&)>& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kLong, [&] {
      const auto it = report_.peers.find(NodeName(node));
      return it != report_.peers.end() && holds(it->second);
    });
  }
  Instant last() {
    const std::lock_guard lock(mutex_);
    return deadline_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Instant deadline_ = Instant::min();
  GuardReport report_;
};

bool eventually(const std::function<bool()>& holds) {
  for (const Instant end = boot_now() + kLong; boot_now() < end; std::this_thread::yield()) {
    if (holds()) return true;
  }
  return false;
}

struct Node {
  Node(const char* node_name, GuardTiming timing, const IpAddress& address = kLoopback)
      : name(node_name),
        at(address),
        thread({.self = NodeName(node_name),
                .cluster = "test",
                .timing = timing,
                .port = 0,
                .address = address},
               told.handlers()) {
    const auto started = thread.start();
    EXPECT_TRUE(started) << started.error();
  }
  std::string name;
  IpAddress at;
  Told told;
  HeartbeatThread thread;
};

// Everybody is a guard of everybody, at rev 1 in incarnation 1, and the right may last an hour.
GuardOrders orders_of(const Node& self, const std::vector<const Node*>& all) {
  GuardOrders out;
  out.inc = Incarnation(1);
  out.rev = Revision(1);
  out.base = boot_now();
  out.limit = boot_now() + 1h;
  out.key = kKey;
  for (const Node* node : all) {
    GuardOrders::Peer peer;
    peer.inc = Incarnation(1);
    peer.rev = Revision(1);
    for (const Node* guard : all) {
      if (guard != node) peer.guards.push_back({NodeName(guard->name), Incarnation(1)});
    }
    peer.talk = true;
    peer.addresses = {{node->at, node->thread.port()}};
    if (node == &self) {
      out.guards = peer.guards;
    } else {
      out.peers[NodeName(node->name)] = peer;
    }
  }
  return out;
}

void apply(Node& node, GuardOrders orders) {
  node.thread.apply(std::make_shared<const GuardOrders>(std::move(orders)));
}

TEST(HeartbeatThread, AcknowledgementsCarryTheRightOn) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    const GuardTiming timing{.interval = 5ms, .patience = 2s};
    Node a("a", timing, *IpAddress::parse(address)), b("b", timing, *IpAddress::parse(address));
    const std::vector<const Node*> all = {&a, &b};
    const GuardOrders first = orders_of(a, all);
    apply(a, first);
    apply(b, orders_of(b, all));
    EXPECT_TRUE(a.told.deadline([&](Instant d) { return d > first.base + timing.patience + 1s; }));
    EXPECT_TRUE(b.told.deadline([&](Instant d) { return d > first.base + timing.patience; }));
    EXPECT_TRUE(a.told.report_of("b", [](const auto& peer) { return peer.lively && peer.acks; }));
    const HeartbeatStats stats = a.thread.stats();
    EXPECT_GT(stats.datagrams_in, 100U);
    EXPECT_GT(stats.datagrams_out, 100U);
    EXPECT_EQ(stats.bad_mac + stats.other_cluster + stats.malformed, 0U) << stats.last_refused;
    EXPECT_GT(stats.wakeups, 100U);
    EXPECT_GT(stats.delay.count, 50U);
    EXPECT_GE(stats.delay.worst, stats.delay.p50);
    EXPECT_FALSE(stats.scheduling.empty());
  }
}

TEST(HeartbeatThread, ASilentWardIsFencedAndAllHearOfIt) {
  const GuardTiming timing{.interval = 10ms, .patience = 300ms};
  Node a("a", timing), b("b", timing), c("c", timing);
  const std::vector<const Node*> all = {&a, &b, &c};
  for (Node* node : {&a, &b, &c}) apply(*node, orders_of(*node, all));
  const Instant began = boot_now();
  EXPECT_TRUE(c.told.deadline([&](Instant d) { return d > began + timing.patience + 200ms; }));
  c.thread.stop();
  const Instant stopped = boot_now();
  const Instant right_of_c = c.told.last();
  EXPECT_LE(right_of_c, stopped + timing.patience);

  EXPECT_TRUE(a.told.report_of("c", [](const auto& peer) { return peer.silent; }));
  GuardOrders read = orders_of(a, all);  // it was read again, and the rev is still the same
  read.peers[NodeName("c")].read_sent = boot_now();
  apply(a, read);
  EXPECT_TRUE(a.told.report_of("c", [](const auto& peer) { return peer.fenced; }));
  EXPECT_GT(boot_now(), right_of_c);
  EXPECT_TRUE(b.told.report_of("c", [](const auto& peer) {
    const auto fence = peer.fences.find(NodeName("a"));
    return fence != peer.fences.end() && fence->second == std::pair(Incarnation(1), Revision(1));
  }));
  EXPECT_TRUE(b.told.report_of("a", [](const auto& peer) { return peer.acks; }));
}

TEST(HeartbeatThread, ApplyHasReturnedWhenTheRightIsShorter) {
  const GuardTiming timing{.interval = 1ms, .patience = 1s};
  Node a("a", timing), b("b", timing);
  const std::vector<const Node*> all = {&a, &b};
  apply(b, orders_of(b, all));
  const GuardOrders wide = orders_of(a, all);
  for (int i = 0; i < 200; ++i) {
    apply(a, wide);
    GuardOrders narrow = wide;
    narrow.limit = boot_now() + 5ms;
    apply(a, narrow);
    const Instant end = boot_now() + 1ms;
    do {
      ASSERT_LE(a.told.last(), narrow.limit);
    } while (boot_now() < end);
  }
  apply(a, GuardOrders{});  // no member any more
  EXPECT_EQ(a.told.last(), Instant::min());
  EXPECT_EQ(a.thread.deadline(), Instant::min());
}

// A peer whose part the test plays.
class Peer {
 public:
  explicit Peer(const std::string& key = kKey, const std::string& cluster = "test")
      : seal_(*HeartbeatSeal::make(cluster, key)) {
    EXPECT_TRUE(sockets_.open(kLoopback, 0));
  }
  std::uint16_t port() const { return sockets_.port(); }
  void send(const Node& to, const Heartbeat& heartbeat) { send_to(to.thread.port(), heartbeat); }
  void send_to(std::uint16_t port, const Heartbeat& heartbeat) {
    const GuardMessage message{NodeName("p"), Incarnation(1), heartbeat};
    const auto octets = seal_.close({&message, 1})->front();
    EXPECT_EQ(sockets_.send({kLoopback, port, 0}, octets), 0);
  }
  void send_octets(const Node& to, const Bytes& octets) {
    EXPECT_EQ(sockets_.send({to.at, to.thread.port(), 0}, octets), 0);
  }
  // Whether a message of this kind that `holds` comes in time.
  template <typename Body>
  bool hears(const std::function<bool(const Body&)>& holds) {
    for (const Instant end = boot_now() + kLong; boot_now() < end;) {
      pollfd ready{sockets_.fds().front(), POLLIN, 0};
      poll(&ready, 1, 10);
      int fault = 0;
      for (const Received& received : sockets_.receive(ready.fd, fault)) {
        const auto messages = seal_.open(received.bytes);
        if (!messages) continue;
        for (const GuardMessage& m : *messages) {
          if (const auto* body = std::get_if<Body>(&m.body); body && holds(*body)) return true;
        }
      }
    }
    return false;
  }

 private:
  HeartbeatSeal seal_;
  HeartbeatSockets sockets_;
};

GuardOrders orders_with_peer(const Node& self, std::vector<std::uint16_t> ports) {
  GuardOrders out = orders_of(self, {&self});
  GuardOrders::Peer& peer = out.peers[NodeName("p")];
  peer.inc = Incarnation(1);
  peer.rev = Revision(1);
  peer.guards = {{NodeName(self.name), Incarnation(1)}};
  peer.talk = true;
  for (const std::uint16_t port : ports) peer.addresses.push_back({kLoopback, port});
  out.guards = {{NodeName("p"), Incarnation(1)}};
  return out;
}

TEST(HeartbeatThread, AnswersAtEveryAddressAndWhereItWasAsked) {
  Node a("a", {.interval = 50ms, .patience = 2s});
  Peer listed, listed_too, asking;
  apply(a, orders_with_peer(a, {listed.port(), listed_too.port()}));
  const auto any_beat = [](const Heartbeat& h) { return h.to == NodeName("p") && h.seq > 1; };
  EXPECT_TRUE(listed.hears<Heartbeat>(any_beat));
  EXPECT_TRUE(listed_too.hears<Heartbeat>(any_beat));
  asking.send(a, {NodeName("a"), Incarnation(1), Revision(1), 42});
  const auto the_ack = [](const Ack& ack) { return ack.to == NodeName("p") && ack.seq == 42; };
  EXPECT_TRUE(asking.hears<Ack>(the_ack));
  EXPECT_TRUE(listed.hears<Ack>(the_ack));
  EXPECT_TRUE(listed_too.hears<Ack>(the_ack));
}

TEST(HeartbeatThread, WhatIsNotAuthenticIsCountedAndNotBelieved) {
  Node a("a", {.interval = 5ms, .patience = 2s});
  Peer right, other_key(std::string(16, 'x')), other_cluster(kKey, "elsewhere");
  apply(a, orders_with_peer(a, {right.port()}));
  other_key.send(a, {NodeName("a"), Incarnation(1), Revision(9), 1'000'000});
  EXPECT_TRUE(eventually([&] { return a.thread.stats().bad_mac == 1; }));
  EXPECT_NE(a.thread.stats().last_refused.find("same heartbeat key"), std::string::npos);
  other_cluster.send(a, {NodeName("a"), Incarnation(1), Revision(9), 1'000'000});
  EXPECT_TRUE(eventually([&] { return a.thread.stats().other_cluster == 1; }));
  right.send_octets(a, {});
  right.send_octets(a, {0x48, 0x62, 1});
  right.send_octets(a, Bytes(kMaxHeartbeatBytes + 1));
  EXPECT_TRUE(eventually([&] { return a.thread.stats().malformed == 3; }));
  // Had the forged ones been believed, this seq and rev would be old.
  right.send(a, {NodeName("a"), Incarnation(1), Revision(1), 7});
  EXPECT_TRUE(right.hears<Ack>([](const Ack& ack) { return ack.seq == 7; }));
}

TEST(HeartbeatThread, AFloodDoesNotStopTheHeartbeats) {
  Node a("a", {.interval = 5ms, .patience = 2s});
  Peer peer;
  apply(a, orders_with_peer(a, {peer.port()}));
  std::atomic<bool> enough = false;
  std::thread flood([&] {
    Peer forger(std::string(16, 'x'));
    while (!enough) forger.send(a, {NodeName("a"), Incarnation(1), Revision(1), 1});
  });
  EXPECT_TRUE(eventually([&] { return a.thread.stats().bad_mac > 1000; }));
  std::uint64_t first = 0;
  EXPECT_TRUE(peer.hears<Heartbeat>([&](const Heartbeat& h) { return (first = h.seq) > 0; }));
  EXPECT_TRUE(peer.hears<Heartbeat>([&](const Heartbeat& h) { return h.seq > first + 20; }));
  enough = true;
  flood.join();
}

// The thread is held up for longer than its patience while a heartbeat waits in its socket.
TEST(HeartbeatThread, AThreadThatWasHeldUpAccusesNobody) {
  const GuardTiming timing{.interval = 20ms, .patience = 200ms};
  std::mutex mutex;
  std::condition_variable changed;
  bool hold = false, held = false, accused = false;
  Instant released = Instant::min();
  HeartbeatHandlers handlers;
  handlers.on_report = [&](const GuardReport& report) {
    std::unique_lock lock(mutex);
    for (const auto& [node, peer] : report.peers) {
      const bool not_read_yet = peer.heard < released;
      accused = accused || (not_read_yet && (peer.silent || peer.fenced));
    }
    if (!hold) return;
    held = true;
    changed.notify_all();
    changed.wait_for(lock, kLong, [&] { return !hold; });
  };
  HeartbeatThread thread(
      {.self = NodeName("a"), .cluster = "test", .timing = timing, .port = 0, .address = kLoopback},
      handlers);
  ASSERT_TRUE(thread.start());
  Peer peer;
  GuardOrders orders;
  orders.inc = Incarnation(1);
  orders.rev = Revision(1);
  orders.limit = boot_now() + 1h;
  orders.key = kKey;
  GuardOrders::Peer& p = orders.peers[NodeName("p")];
  p = {Incarnation(1), Revision(1), false, {{NodeName("a"), Incarnation(1)}}, {}, {}, true, {}};
  p.addresses = {{kLoopback, peer.port()}};
  p.read_sent = boot_now() + 1h;  // its rev is current whenever it is asked
  {
    const std::lock_guard lock(mutex);
    hold = true;  // at the first report, which these orders bring
  }
  thread.apply(std::make_shared<const GuardOrders>(orders));
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, kLong, [&] { return held; }));
  }
  const Instant began = boot_now();
  ASSERT_TRUE(eventually([&] { return boot_now() > began + timing.patience_drift() * 3 / 2; }));
  peer.send_to(thread.port(), {NodeName("a"), Incarnation(1), Revision(1), 1});
  {
    const std::lock_guard lock(mutex);
    hold = false;
    released = boot_now();
    changed.notify_all();
  }
  EXPECT_TRUE(peer.hears<Ack>([](const Ack& ack) { return ack.seq == 1; }));
  thread.stop();
  EXPECT_FALSE(accused);
}

TEST(HeartbeatThread, WithoutAPortOrAKeyDeadlinesAreKeptAllTheSame) {
  Told told;
  HeartbeatThread mute({.self = NodeName("a"), .cluster = "test", .timing = {}, .port = {}},
                       told.handlers());
  GuardOrders orders;
  orders.inc = Incarnation(1);
  orders.rev = Revision(1);
  orders.key = kKey;
  orders.limit = boot_now() + 1min;
  GuardOrders::Peer& peer = orders.peers[NodeName("p")];
  peer.inc = Incarnation(1);
  peer.rev = Revision(1);
  peer.talk = true;
  mute.apply(std::make_shared<const GuardOrders>(orders));  // before it is started
  EXPECT_EQ(told.last(), orders.limit);
  ASSERT_TRUE(mute.start());
  EXPECT_EQ(mute.port(), 0);
  EXPECT_TRUE(told.report_of("p", [](const auto& p) { return !p.lively; }));
  mute.stop();
  mute.stop();
  orders.limit += 1s;
  mute.apply(std::make_shared<const GuardOrders>(orders));  // and after it has ended
  EXPECT_EQ(mute.deadline(), orders.limit);
  EXPECT_EQ(mute.stats().datagrams_out + mute.stats().send_errors, 0U);

  Node keyless("a", {.interval = 1ms, .patience = 1s});
  for (const char* key : {"", "too short"}) {
    Peer silent;
    GuardOrders without = orders_with_peer(keyless, {silent.port()});
    without.key = key;
    apply(keyless, without);
    silent.send(keyless, {NodeName("a"), Incarnation(1), Revision(1), 1});
    const std::uint64_t wakeups = keyless.thread.stats().wakeups;
    EXPECT_TRUE(eventually([&] { return keyless.thread.stats().wakeups > wakeups + 20; }));
    EXPECT_EQ(keyless.thread.stats().datagrams_out, 0U);
    EXPECT_EQ(keyless.told.last(), without.base + 1s);
  }
  EXPECT_NE(keyless.thread.stats().last_error.find("must have 16 to 64"), std::string::npos);
}

TEST(HeartbeatThread, SaysWhatItCannotDo) {
  Node a("a", {});
  HeartbeatThread second(
      {.self = NodeName("b"), .cluster = "test", .port = a.thread.port(), .address = kLoopback},
      {});
  const auto in_use = second.start();
  ASSERT_FALSE(in_use);
  const std::string port = std::to_string(a.thread.port());
  EXPECT_EQ(in_use.error(),
            "heartbeat-listen: cannot listen on UDP 127.0.0.1:" + port +
                ": another program uses the port ('ss -ulpn sport = :" + port +
                "' names it); stop it, or give another port with --heartbeat-listen: nodes need "
                "not have the same");
  HeartbeatThread elsewhere({.self = NodeName("b"),
                             .cluster = "test",
                             .port = 0,
                             .address = *IpAddress::parse("203.0.113.77")},
                            {});
  const auto not_here = elsewhere.start();
  ASSERT_FALSE(not_here);
  EXPECT_NE(not_here.error().find("this host has no such address"), std::string::npos);

  GuardOrders nowhere = orders_with_peer(a, {});
  apply(a, nowhere);
  EXPECT_TRUE(eventually([&] { return a.thread.stats().send_errors > 0; }));
  EXPECT_EQ(a.thread.stats().last_error, "no heartbeats to p: it has told no address for them");
  nowhere.peers[NodeName("p")].addresses = {{*IpAddress::parse("::1"), 9}};
  apply(a, nowhere);
  EXPECT_TRUE(eventually([&] {
    return a.thread.stats().last_error.find("a family that heartbeat-listen leaves out") !=
           std::string::npos;
  }));
}

TEST(HeartbeatThread, StartsAndStopsWhileOrdersCome) {
  for (int i = 0; i < 20; ++i) {
    Node a("a", {.interval = 1ms, .patience = 1s}), b("b", {.interval = 1ms, .patience = 1s});
    const std::vector<const Node*> all = {&a, &b};
    const GuardOrders for_a = orders_of(a, all), for_b = orders_of(b, all);
    std::thread orders([&] {
      for (int n = 0; n < 50; ++n) {
        apply(a, for_a);
        apply(b, for_b);
        (void)a.thread.stats();
      }
    });
    b.thread.stop();
    orders.join();
  }
}

TEST(HeartbeatThread, AnyAddressIsBothFamilies) {
  HeartbeatThread any({.self = NodeName("a"), .cluster = "test", .timing = {}, .port = 0}, {});
  const auto started = any.start();
  ASSERT_TRUE(started) << started.error();
  GuardOrders orders;
  orders.key = kKey;
  any.apply(std::make_shared<const GuardOrders>(orders));
  std::uint64_t sent = 0;
  for (const char* address : {"127.0.0.1", "::1"}) {
    HeartbeatSockets from;
    ASSERT_TRUE(from.open(*IpAddress::parse(address), 0));
    ASSERT_EQ(from.send({*IpAddress::parse(address), any.port(), 0}, Bytes(3)), 0);
    ++sent;
    EXPECT_TRUE(eventually([&] { return any.stats().malformed == sent; }));
  }
}

}  // namespace
}  // namespace herald::coord
