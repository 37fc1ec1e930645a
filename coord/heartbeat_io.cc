#include "coord/heartbeat_io.h"

#include <errno.h>
#include <fmt/core.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/clock_io.h"
#include "base/fd_io.h"
#include "coord/heartbeat_socket_io.h"
#include "coord/heartbeat_wire.h"

namespace herald::coord {
namespace {

constexpr std::size_t kMaxAddresses = 4;  // of a peer that are sent to
// If the machine asks for an instant that is past: a thread of high priority must not spin.
constexpr Duration kBreath = 100us;

// Whoever holds it inherits the priority of who waits for it, so that apply() on an ordinary thread
// cannot hold up this one while others run; and the kernel hands it to the first waiter, so that a
// flood cannot keep apply() out either.
class PriorityMutex {
 public:
  PriorityMutex() {
    pthread_mutexattr_t attributes;
    HERALD_CHECK(pthread_mutexattr_init(&attributes) == 0);
    // A kernel that cannot has an ordinary mutex.
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (pthread_mutex_init(&mutex_, &attributes) != 0) {
      HERALD_CHECK(pthread_mutex_init(&mutex_, nullptr) == 0);
    }
    pthread_mutexattr_destroy(&attributes);
  }
  ~PriorityMutex() { pthread_mutex_destroy(&mutex_); }
  PriorityMutex(const PriorityMutex&) = delete;
  PriorityMutex& operator=(const PriorityMutex&) = delete;
  void lock() { HERALD_CHECK(pthread_mutex_lock(&mutex_) == 0); }
  void unlock() { HERALD_CHECK(pthread_mutex_unlock(&mutex_) == 0); }

 private:
  pthread_mutex_t mutex_;
};

// For the calling thread. The lowest real-time priority is above every ordinary thread.
std::string raise_own_priority() {
  sched_param param{};
  param.sched_priority = sched_get_priority_min(SCHED_RR);
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param) == 0) return "SCHED_RR";
  if (setpriority(PRIO_PROCESS, 0, -10) == 0) return "nice -10";
  return "normal";
}

timespec to_timespec(Instant at) {
  const auto since = at.time_since_epoch();
  return {static_cast<time_t>(since / 1s), static_cast<long>((since % 1s).count())};
}

void clear(int fd) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = read(fd, &count, sizeof count);
}

// What goes to one peer in one round.
struct Parcel {
  std::vector<GuardMessage> messages;
  std::vector<Endpoint> sources;  // where the datagrams came from that are answered
};
using Parcels = std::map<NodeName, Parcel>;

bool same_place(const Endpoint& a, const Endpoint& b) {
  return a.address == b.address && a.port == b.port;
}

}  // namespace

class HeartbeatThread::Impl {
 public:
  Impl(HeartbeatOptions options, HeartbeatHandlers handlers)
      : options_(std::move(options)),
        handlers_(std::move(handlers)),
        guard_(options_.self, options_.timing) {}

  Result<void> start() {
    if (options_.port) {
      if (const auto opened = sockets_.open(options_.address, *options_.port); !opened) {
        return opened;
      }
    }
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    wake_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    timer_.reset(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    std::vector<int> watched = sockets_.fds();
    watched.push_back(wake_.get());
    watched.push_back(timer_.get());
    for (const int fd : watched) {
      epoll_event event{};
      event.events = EPOLLIN;
      if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) continue;
      const std::string why = strerror(errno);
      sockets_.close();
      return error("heartbeats: cannot set up epoll and a timer of CLOCK_BOOTTIME: " + why);
    }
    thread_ = std::thread([this] { run(); });
    return {};
  }

  void stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    wake();
    thread_.join();
    sockets_.close();
  }

  std::uint16_t port() const { return sockets_.port(); }

  void apply(std::shared_ptr<const GuardOrders> orders) {
    {
      const std::lock_guard lock(mutex_);
      if (!orders_ || orders_->key != orders->key) change_key(orders->key);
      orders_ = std::move(orders);
      guard_.apply(orders_, onward(boot_now()));
      publish_deadline();
    }
    wake();
  }

  Instant deadline() const {
    const std::lock_guard lock(mutex_);
    return deadline_;
  }

  HeartbeatStats stats() const {
    HeartbeatStats out;
    DelayHistogram delays;
    {
      const std::lock_guard lock(mutex_);
      out = stats_;
      delays = delays_;
    }
    out.delay = delays.last_minute(boot_now());
    return out;
  }

 private:
  // ---- under the lock

  // The machine's time never goes back, whichever thread tells it.
  Instant onward(Instant now) { return latest_ = std::max(latest_, now); }

  void change_key(const std::string& key) {
    seal_.reset();
    if (key.empty()) return;
    auto made = HeartbeatSeal::make(options_.cluster, key);
    if (made) {
      seal_ = std::make_shared<const HeartbeatSeal>(std::move(*made));
    } else {
      stats_.last_error = "no heartbeats: " + made.error();
    }
  }

  void publish_deadline() {
    const Instant now_allowed = guard_.deadline();
    if (now_allowed == deadline_) return;
    deadline_ = now_allowed;
    if (handlers_.on_deadline) handlers_.on_deadline(deadline_);
  }

  // The machine's messages, by peer. `source`: of the datagram of `sender` that they answer.
  void take_messages(Parcels& out, const NodeName& sender, const Endpoint* source) {
    for (Outgoing& outgoing : guard_.take_messages()) {
      Parcel& parcel = out[outgoing.to];
      parcel.messages.push_back(std::move(outgoing.message));
      if (source != nullptr && outgoing.to == sender) parcel.sources.push_back(*source);
    }
  }

  // ---- the thread

  void wake() {
    if (!wake_) return;
    const std::uint64_t one = 1;
    // A full eventfd is readable as well.
    [[maybe_unused]] const auto n = write(wake_.get(), &one, sizeof one);
  }

  void run() {
    const std::string scheduling = options_.raise_priority ? raise_own_priority() : "normal";
    {
      const std::lock_guard lock(mutex_);
      stats_.scheduling = scheduling;
    }
    turn(boot_now());
    std::array<epoll_event, 4> events{};
    while (!stopping_) {
      epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      const Instant woke = boot_now();
      clear(wake_.get());
      clear(timer_.get());
      for (const int fd : sockets_.fds()) receive_all(fd);
      turn(woke);
    }
  }

  void receive_all(int fd) {
    for (std::size_t i = 0; i < HeartbeatSockets::kMaxBatches; ++i) {
      int fault = 0;
      const auto batch = sockets_.receive(fd, fault);
      const Instant read = boot_now();
      if (fault != 0) {
        const std::lock_guard lock(mutex_);
        stats_.last_error = fmt::format("cannot receive heartbeats: {}", strerror(fault));
      }
      if (!batch.empty()) believe(batch, read);
      if (batch.size() < HeartbeatSockets::kBatch) return;
    }
  }

  // HMACs are computed without the lock; what they prove counts only if the key is still in force.
  void believe(std::span<const Received> batch, Instant read) {
    std::shared_ptr<const HeartbeatSeal> seal;
    {
      const std::lock_guard lock(mutex_);
      seal = seal_;
      stats_.datagrams_in += batch.size();
    }
    if (!seal) return;
    std::vector<std::pair<std::vector<GuardMessage>, Endpoint>> believed;
    std::array<std::uint64_t, 3> refused{};
    const Received* last_refused = nullptr;
    HeartbeatFault last_fault{};
    for (const Received& datagram : batch) {
      auto messages = datagram.cut ? error(HeartbeatFault::Malformed) : seal->open(datagram.bytes);
      if (messages) {
        believed.emplace_back(std::move(*messages), datagram.from);
      } else {
        last_refused = &datagram;
        last_fault = messages.error();
        ++refused[static_cast<std::size_t>(last_fault)];
      }
    }
    Parcels answers;
    std::shared_ptr<const GuardOrders> orders;
    {
      const std::lock_guard lock(mutex_);
      stats_.malformed += refused[static_cast<std::size_t>(HeartbeatFault::Malformed)];
      stats_.other_cluster += refused[static_cast<std::size_t>(HeartbeatFault::OtherCluster)];
      stats_.bad_mac += refused[static_cast<std::size_t>(HeartbeatFault::BadMac)];
      if (last_refused != nullptr) stats_.last_refused = refusal(*last_refused, last_fault);
      if (seal != seal_) return;
      orders = orders_;
      // Later than the datagrams came, never earlier: a guard's patience begins with it (H1).
      const Instant now = onward(read);
      for (const auto& [messages, from] : believed) {
        for (const GuardMessage& message : messages) {
          guard_.receive(message, now);
          take_messages(answers, message.from, &from);
        }
      }
      publish_deadline();
    }
    send(answers, *orders, *seal);
  }

  static std::string refusal(const Received& datagram, HeartbeatFault fault) {
    const char* advice = fault == HeartbeatFault::BadMac ? "have all nodes the same heartbeat key?"
                         : fault == HeartbeatFault::OtherCluster
                             ? "have all nodes the same cluster name?"
                             : "do other programs send to this port?";
    return fmt::format("a datagram from {} was {}: {}", to_string(datagram.from),
                       coord::to_string(fault), advice);
  }

  // The time that the machine is told is that of the wake-up: all that had come by then was read.
  void turn(Instant woke) {
    Parcels parcels;
    std::optional<GuardReport> report;
    std::optional<Instant> next;
    std::shared_ptr<const GuardOrders> orders;
    std::shared_ptr<const HeartbeatSeal> seal;
    {
      const std::lock_guard lock(mutex_);
      ++stats_.wakeups;
      if (armed_ && woke >= *armed_) delays_.record(woke - *armed_, woke);
      guard_.tick(onward(woke));
      publish_deadline();
      take_messages(parcels, {}, nullptr);
      report = guard_.take_report();
      next = guard_.next_deadline();
      orders = orders_;
      seal = seal_;
    }
    if (seal && !sockets_.fds().empty()) send(parcels, *orders, *seal);
    if (report && handlers_.on_report) handlers_.on_report(std::move(*report));
    arm(next, woke);
  }

  void arm(std::optional<Instant> next, Instant woke) {
    if (next && *next <= woke) next = boot_now() + kBreath;
    if (next == armed_ && !next) return;
    armed_ = next;
    itimerspec spec{};
    if (next) spec.it_value = to_timespec(*next);
    HERALD_CHECK(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
  }

  void send(const Parcels& parcels, const GuardOrders& orders, const HeartbeatSeal& seal) {
    std::uint64_t sent = 0, failed = 0;
    std::string why;
    for (const auto& [node, parcel] : parcels) {
      const auto datagrams = seal.close(parcel.messages);
      if (!datagrams) {
        ++failed;
        why = fmt::format("cannot write heartbeats to {}: {}", node.str(), datagrams.error());
        continue;
      }
      const auto places = places_of(node, parcel, orders);
      // A place of a family that this node does not listen on is no fault while there are others.
      const bool any = std::any_of(places.begin(), places.end(), [&](const Endpoint& place) {
        return sockets_.covers(place.address.family());
      });
      if (!any) {
        ++failed;
        why = fmt::format("no heartbeats to {}: {}", node.str(),
                          places.empty() ? "it has told no address for them"
                                         : "it hears them only on addresses of a family that "
                                           "heartbeat-listen leaves out here");
      }
      for (const Endpoint& place : places) {
        if (!sockets_.covers(place.address.family())) continue;
        for (const Bytes& datagram : *datagrams) {
          const int bad = sockets_.send(place, datagram);
          bad == 0 ? ++sent : ++failed;
          if (bad != 0) {
            why = fmt::format("cannot send heartbeats to {} at {}: {}", node.str(),
                              to_string(place), strerror(bad));
          }
        }
      }
    }
    if (sent + failed == 0) return;
    const std::lock_guard lock(mutex_);
    stats_.datagrams_out += sent;
    stats_.send_errors += failed;
    if (!why.empty()) stats_.last_error = std::move(why);
  }

  // Where a peer says that it listens, and where its datagram came from: one of them may be all
  // that a broken path leaves.
  static std::vector<Endpoint> places_of(const NodeName& node, const Parcel& parcel,
                                         const GuardOrders& orders) {
    std::vector<Endpoint> out;
    const auto add = [&](const Endpoint& place) {
      const bool known = std::any_of(out.begin(), out.end(),
                                     [&](const Endpoint& p) { return same_place(p, place); });
      if (!known) out.push_back(place);
    };
    if (const auto peer = orders.peers.find(node); peer != orders.peers.end()) {
      for (const HeartbeatAddress& a : peer->second.addresses) {
        if (out.size() < kMaxAddresses) add({a.address, a.port, 0});
      }
    }
    for (const Endpoint& source : parcel.sources) add(source);
    return out;
  }

  const HeartbeatOptions options_;
  const HeartbeatHandlers handlers_;
  HeartbeatSockets sockets_;
  UniqueFd epoll_, wake_, timer_;
  std::thread thread_;
  std::atomic<bool> stopping_ = false;
  std::optional<Instant> armed_;  // the thread's own

  mutable PriorityMutex mutex_;
  // Under mutex_.
  Guard guard_;
  std::shared_ptr<const GuardOrders> orders_;
  std::shared_ptr<const HeartbeatSeal> seal_;  // none: nothing is sent or believed
  Instant latest_ = Instant::min();
  Instant deadline_ = Instant::min();
  HeartbeatStats stats_;
  DelayHistogram delays_;
};

HeartbeatThread::HeartbeatThread(HeartbeatOptions options, HeartbeatHandlers handlers)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handlers))) {}
HeartbeatThread::~HeartbeatThread() {
  stop();
}
Result<void> HeartbeatThread::start() {
  return impl_->start();
}
void HeartbeatThread::stop() {
  impl_->stop();
}
std::uint16_t HeartbeatThread::port() const {
  return impl_->port();
}
void HeartbeatThread::apply(std::shared_ptr<const GuardOrders> orders) {
  impl_->apply(std::move(orders));
}
Instant HeartbeatThread::deadline() const {
  return impl_->deadline();
}
HeartbeatStats HeartbeatThread::stats() const {
  return impl_->stats();
}

}  // namespace herald::coord
