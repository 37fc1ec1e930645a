#include "l2/packet_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fmt/core.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "base/background_io.h"
#include "base/clock_io.h"
#include "base/fd_io.h"
#include "l2/announcer.h"
#include "l2/packet_filter.h"

namespace herald::l2 {
namespace {

constexpr std::size_t kSnap = 2048;  // a longer frame is cut: neither ARP nor NDP is that long
// The kernel charges a filter to the socket (net.core.optmem_max); the long one needs more than
// the default of older kernels allows.
constexpr std::size_t kFilterSizes[] = {4000, 512};
constexpr std::uint64_t kWake = 0;  // epoll tag of the eventfd

std::string last_error() {
  return strerror(errno);  // glibc's is safe across threads since 2.32
}

sockaddr_ll link_address(LinkIndex link, std::uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = link.value;
  return address;
}

bool attach(int fd, BpfProgram program) {
  static_assert(sizeof(BpfInstruction) == sizeof(sock_filter));
  std::vector<sock_filter> kernel;
  for (const auto& i : program) kernel.push_back({i.code, i.jump_true, i.jump_false, i.k});
  sock_fprog filter{static_cast<unsigned short>(kernel.size()), kernel.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

// Memberships of the solicited-node groups of one link. A socket holds as many as
// net.core.optmem_max allows, so there are several.
class Groups {
 public:
  explicit Groups(LinkIndex link) : link_(link) {}

  // An empty text: all is well.
  std::string set(const std::set<IpAddress>& wanted) {
    for (auto it = joined_.begin(); it != joined_.end();) {
      if (wanted.contains(it->first)) {
        ++it;
        continue;
      }
      change(sockets_[it->second].get(), IPV6_LEAVE_GROUP, it->first);
      it = joined_.erase(it);
    }
    if (wanted.empty()) sockets_.clear();
    for (const IpAddress& group : wanted) {
      if (joined_.contains(group)) continue;
      if (!join(group)) {
        return fmt::format("cannot join multicast group {}: {}; is IPv6 enabled on the link?",
                           to_string(group), last_error());
      }
    }
    return {};
  }

 private:
  bool change(int fd, int option, const IpAddress& group) {
    ipv6_mreq request{};
    const auto octets = group.octets16();
    memcpy(&request.ipv6mr_multiaddr, octets.data(), octets.size());
    request.ipv6mr_interface = static_cast<unsigned>(link_.value);
    return setsockopt(fd, IPPROTO_IPV6, option, &request, sizeof request) == 0;
  }

  bool join(const IpAddress& group) {
    if (!sockets_.empty() && change(sockets_.back().get(), IPV6_JOIN_GROUP, group)) {
      joined_[group] = sockets_.size() - 1;
      return true;
    }
    if (!sockets_.empty() && errno != ENOMEM && errno != ENOBUFS) return false;
    UniqueFd fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd || !change(fd.get(), IPV6_JOIN_GROUP, group)) return false;
    sockets_.push_back(std::move(fd));
    joined_[group] = sockets_.size() - 1;
    return true;
  }

  LinkIndex link_;
  std::vector<UniqueFd> sockets_;
  std::map<IpAddress, std::size_t> joined_;  // to the socket that holds it
};

// The sockets of one link: one for ARP, one for IPv6. Bound to one protocol each, they see neither
// our own frames nor (by packet type and ifindex, see read) those of other VLANs.
struct LinkSockets {
  explicit LinkSockets(LinkIndex index) : link(index), groups(index) {}
  LinkIndex link;
  UniqueFd arp, ndp;
  std::vector<IpAddress> filtered;  // what the filters were made for
  std::set<IpAddress> members;      // solicited-node groups at the packet socket
  Groups groups;
};

}  // namespace

class PacketResponder::Impl {
 public:
  explicit Impl(ConflictHandler handler) : on_conflict_(std::move(handler)) {}

  Result<void> start() {
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    wake_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWake;
    if (!epoll_ || !wake_ || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
      return error("l2: cannot set up epoll: " + last_error());
    }
    thread_ = std::thread([this] { run(); });
    closing_.start();
    return {};
  }

  void stop() {
    if (thread_.joinable()) {
      const std::uint64_t one = 1;
      stopping_ = true;
      // A full eventfd is readable as well.
      [[maybe_unused]] const auto n = write(wake_.get(), &one, sizeof one);
      thread_.join();
    }
    closing_.stop();
    const std::lock_guard applying(apply_mutex_);
    const Lock lock(*this);
    grants_ = {};
    links_.clear();
  }

  std::vector<LinkProblem> apply(LinkGrants wanted) {
    const std::lock_guard applying(apply_mutex_);
    {
      const Lock lock(*this);
      grants_.links = wanted;
      for (auto it = links_.begin(); it != links_.end();) {
        it = wanted.contains(it->first) ? std::next(it) : abandon(it);
      }
      std::erase_if(reported_, [&](const auto& r) {
        const LinkGrant* grant = grants_.link(r.first.first);
        const IpAddress& vip = r.first.second;
        return grant == nullptr || (!grant->owns(vip) && !grant->probes(vip));
      });
    }
    std::vector<LinkProblem> problems;
    if (!thread_.joinable()) return problems;
    for (const auto& [link, grant] : wanted) {
      std::string what = serve(link, grant.heeded());
      if (!what.empty()) problems.push_back({link, std::move(what)});
    }
    return problems;
  }

  std::vector<LinkProblem> join_groups() {
    const std::lock_guard applying(apply_mutex_);
    std::vector<LinkProblem> problems;
    for (const auto& [link, sockets] : links_) {  // only apply() changes the map
      std::string what = join(*sockets, sockets->filtered);
      if (!what.empty()) problems.push_back({link, std::move(what)});
    }
    return problems;
  }

  void set_deadline(Instant deadline) {
    const Lock lock(*this);
    grants_.deadline = deadline;
  }

  bool send(LinkIndex link, const Frame& frame) {
    const Lock lock(*this);
    const auto it = links_.find(link);
    const Instant now = boot_now();
    if (it == links_.end() || !(frame.probe ? grants_.may_probe(link, frame.vip, now)
                                            : grants_.may_answer(link, frame.vip, now))) {
      ++counters_.announcements_refused;
      return false;
    }
    if (!transmit(*it->second, frame)) return false;
    ++counters_.announcements_sent;
    return true;
  }

  PacketCounters counters() const {
    const Lock lock(*this);
    return counters_;
  }

 private:
  using Links = std::map<LinkIndex, std::shared_ptr<LinkSockets>>;

  // Lets whoever waits go before the thread's next frame: mutexes are not fair, and a flood of
  // requests must not keep apply() from taking a right away.
  class Lock {
   public:
    explicit Lock(const Impl& impl) : waiting_(impl.waiting_), lock_(impl.mutex_, std::defer_lock) {
      ++waiting_;
      lock_.lock();
      --waiting_;
    }

   private:
    std::atomic<int>& waiting_;
    std::unique_lock<std::mutex> lock_;
  };

  // Makes the sockets of a link fit its VIPs. Returns what is wrong, or nothing.
  std::string serve(LinkIndex link, const std::vector<IpAddress>& vips) {
    LinkSockets* sockets = nullptr;
    const auto known = links_.find(link);  // only apply() changes the map
    if (known != links_.end()) {
      sockets = known->second.get();
    } else {
      auto fresh = std::make_shared<LinkSockets>(link);
      std::string what = open(*fresh, vips);
      if (!what.empty()) return what;
      const Lock lock(*this);
      sockets = links_.emplace(link, std::move(fresh)).first->second.get();
      watch(*sockets);
    }
    if (sockets->filtered != vips) {
      if (!filter(*sockets, vips)) {
        return "cannot change the packet filter: " + last_error() + "; raise net.core.optmem_max";
      }
      sockets->filtered = vips;
    }
    return {};
  }

  // The filter is there before the socket is bound, so that nothing slips in without it.
  std::string open(LinkSockets& sockets, const std::vector<IpAddress>& vips) {
    constexpr int kType = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
    sockets.arp.reset(socket(AF_PACKET, kType, 0));
    if (sockets.arp) sockets.ndp.reset(socket(AF_PACKET, kType, 0));
    if (!sockets.arp || !sockets.ndp) {
      return "cannot open a packet socket: " + last_error() + "; CAP_NET_RAW is needed";
    }
    if (!filter(sockets, vips)) {
      return "cannot attach the packet filter: " + last_error() + "; raise net.core.optmem_max";
    }
    sockets.filtered = vips;
    for (const auto& [fd, protocol] :
         {std::pair(sockets.arp.get(), ETH_P_ARP), std::pair(sockets.ndp.get(), ETH_P_IPV6)}) {
      const sockaddr_ll address = link_address(sockets.link, static_cast<std::uint16_t>(protocol));
      if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fmt::format("cannot bind a packet socket to ifindex {}: {}", sockets.link.value,
                           last_error());
      }
    }
    return {};
  }

  static bool filter(const LinkSockets& sockets, const std::vector<IpAddress>& vips) {
    for (const std::size_t size : kFilterSizes) {
      if (attach(sockets.arp.get(), arp_filter(vips, size)) &&
          attach(sockets.ndp.get(), ndp_filter(vips, size))) {
        return true;
      }
      if (errno != ENOMEM) return false;
    }
    return false;
  }

  // The kernel's membership tells switches (MLD) and the NIC; the packet socket's own tells the
  // NIC even where IPv6 is switched off on the link.
  static std::string join(LinkSockets& sockets, const std::vector<IpAddress>& vips) {
    std::set<IpAddress> wanted;
    for (const IpAddress& vip : vips) {
      if (vip.is_v6()) wanted.insert(solicited_node_group(vip));
    }
    const auto membership = [&](int option, const IpAddress& group) {
      packet_mreq request{};
      const MacAddress mac = multicast_mac(group);
      request.mr_ifindex = sockets.link.value;
      request.mr_type = PACKET_MR_MULTICAST;
      request.mr_alen = 6;
      std::copy(mac.octets.begin(), mac.octets.end(), request.mr_address);
      return setsockopt(sockets.ndp.get(), SOL_PACKET, option, &request, sizeof request) == 0;
    };
    std::string what;
    std::erase_if(sockets.members, [&](const IpAddress& group) {
      if (wanted.contains(group)) return false;
      membership(PACKET_DROP_MEMBERSHIP, group);
      return true;
    });
    for (const IpAddress& group : wanted) {
      if (sockets.members.contains(group)) continue;
      if (membership(PACKET_ADD_MEMBERSHIP, group)) {
        sockets.members.insert(group);
      } else if (what.empty()) {
        what = "cannot listen to " + to_string(multicast_mac(group)) + ": " + last_error();
      }
    }
    std::string joined = sockets.groups.set(wanted);
    return joined.empty() ? what : joined;
  }

  // Out of sight at once, but closed elsewhere: that takes tens of ms (see Background).
  Links::iterator abandon(Links::iterator it) {
    for (const int fd : {it->second->arp.get(), it->second->ndp.get()}) {
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
    closing_.run([sockets = std::move(it->second)]() mutable { sockets.reset(); });
    return links_.erase(it);
  }

  void watch(const LinkSockets& sockets) {
    for (const int fd : {sockets.arp.get(), sockets.ndp.get()}) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = tag(sockets.link, fd == sockets.ndp.get());
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    }
  }

  // The thread finds a socket by its link, as it may be gone by the time the event is seen.
  static std::uint64_t tag(LinkIndex link, bool ndp) {
    return static_cast<std::uint64_t>(link.value) << 1 | (ndp ? 1 : 0);
  }

  void run() {
    std::array<epoll_event, 64> events{};
    while (!stopping_) {
      const int n = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        const std::uint64_t what = events[static_cast<std::size_t>(i)].data.u64;
        if (what != kWake) serve_one(LinkIndex(static_cast<int>(what >> 1)), (what & 1) != 0);
      }
    }
  }

  // One frame; if there are more, epoll says so again.
  void serve_one(LinkIndex link, bool ndp) {
    while (waiting_ > 0) std::this_thread::yield();
    std::optional<Conflict> conflict;
    {
      const std::lock_guard lock(mutex_);
      const auto it = links_.find(link);
      if (it != links_.end()) conflict = read_one(*it->second, ndp);
    }
    if (conflict && on_conflict_) on_conflict_(*conflict);
  }

  std::optional<Conflict> read_one(const LinkSockets& sockets, bool ndp) {
    std::array<std::uint8_t, kSnap> buffer;
    sockaddr_ll from{};
    socklen_t length = sizeof from;
    const auto n = recvfrom(ndp ? sockets.ndp.get() : sockets.arp.get(), buffer.data(),
                            buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (n <= 0) return std::nullopt;  // a link that is down says so once and goes on when it is up
    // A frame of a VLAN on top of this link comes with that one's ifindex; one of a VLAN that
    // nobody here knows comes as PACKET_OTHERHOST.
    const bool here = from.sll_pkttype == PACKET_HOST || from.sll_pkttype == PACKET_BROADCAST ||
                      from.sll_pkttype == PACKET_MULTICAST;
    if (from.sll_ifindex != sockets.link.value || !here) return std::nullopt;

    const ByteView frame = ByteView(buffer).first(static_cast<std::size_t>(n));
    const Instant now = boot_now();
    Answer result = answer(frame, sockets.link, grants_, now);
    // A process that is stopped between the look at the clock and the send gives one stale answer
    // when it goes on. So it looks again here, where next to nothing is left in between.
    if (result.reply && boot_now() >= grants_.deadline) {
      result.reply.reset();
      result.verdict = Verdict::LeaseStale;
    }
    ++counters_.verdicts[static_cast<std::size_t>(result.verdict)];
    if (result.reply) transmit(sockets, *result.reply);
    if (!result.conflict) return std::nullopt;
    Instant& last =
        reported_.try_emplace({sockets.link, result.conflict->vip}, Instant{}).first->second;
    if (last != Instant{} && now - last < kDefendInterval) return std::nullopt;
    last = now;
    return result.conflict;
  }

  bool transmit(const LinkSockets& sockets, const Frame& frame) {
    const int fd = frame.vip.is_v4() ? sockets.arp.get() : sockets.ndp.get();
    const auto n = ::send(fd, frame.bytes.data(), frame.bytes.size(), MSG_DONTWAIT);
    if (n != static_cast<ssize_t>(frame.bytes.size())) ++counters_.send_errors;
    return n == static_cast<ssize_t>(frame.bytes.size());
  }

  const ConflictHandler on_conflict_;
  UniqueFd epoll_, wake_;
  std::thread thread_;
  std::atomic<bool> stopping_ = false;
  Background closing_;

  std::mutex apply_mutex_;  // held over a whole apply(); taken before mutex_
  mutable std::mutex mutex_;
  mutable std::atomic<int> waiting_ = 0;
  // Under mutex_.
  Grants grants_;
  Links links_;
  std::map<std::pair<LinkIndex, IpAddress>, Instant> reported_;
  PacketCounters counters_;
};

PacketResponder::PacketResponder(ConflictHandler on_conflict)
    : impl_(std::make_unique<Impl>(std::move(on_conflict))) {}
PacketResponder::~PacketResponder() {
  stop();
}
Result<void> PacketResponder::start() {
  return impl_->start();
}
void PacketResponder::stop() {
  impl_->stop();
}
std::vector<LinkProblem> PacketResponder::apply(LinkGrants grants) {
  return impl_->apply(std::move(grants));
}
std::vector<LinkProblem> PacketResponder::join_groups() {
  return impl_->join_groups();
}
void PacketResponder::set_deadline(Instant deadline) {
  impl_->set_deadline(deadline);
}
bool PacketResponder::send(LinkIndex link, const Frame& frame) {
  return impl_->send(link, frame);
}
PacketCounters PacketResponder::counters() const {
  return impl_->counters();
}

}  // namespace herald::l2
