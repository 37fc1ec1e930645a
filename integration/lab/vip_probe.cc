// vip_probe: asks the segment, again and again, who has each VIP, and notes who answers.
//
//   vip_probe --interface eth0 --source 10.25.150.160 --source6 fd25:150::1:a0
//             [--udp PORT] [--interval-ms 2] [--duration-ms 0] VIP...
//
// Two things are measured, each with one probe per VIP and interval:
//   who has it  an ARP request (IPv4) or Neighbor Solicitation (IPv6) over AF_PACKET, so that no
//               neighbour cache stands between us and the truth: everybody who thinks it owns the
//               VIP answers.
//   reached     with --udp: a datagram to whoami behind the VIP, through the kernel's neighbour
//               cache, as any client sends it: what users lose.
//
// Which answer belongs to which probe? A datagram comes back with its number. ARP and NDP have
// none, but an answer goes to the MAC address that the question names as the asker's: so probe n
// asks for 02:5e:<n, 32 bits>, and we listen promiscuously. Frames leave with the link's own
// address: the switch learns nothing wrong. Instants of arrival are the kernel's, not those of our
// waking up.
//
// When it begins, it prints {"began":true}: from then on a signal ends it in good order.
// Each time that somebody is seen for the first time, a line is printed:
//   {"first":"arp"|"udp","vip":…,"who":…,"t_ms":…}
// and at the end (--duration-ms or SIGTERM) one JSON document on one line, per VIP:
//   sent, lost_probes  probes, and those without an answer within 100 ms. The last 100 ms are left
//                      out: their answers may still be on the way.
//   late               those of the lost that were answered later
//   outage_ms          the longest run of lost probes, from the sending of its first one to that of
//                      the next answered one (or the end). Resolution: the interval.
//   outage_start_ms    when that run began (CLOCK_MONOTONIC, as time.monotonic() of Python)
//   dual_probes, dual_owner_ms, changes   two owners, and how often the answering one changed:
//                      see samples.h
//   owners             [{mac, first_ms, last_ms, answered}]: runs of probes answered by one MAC
//   udp                the same for the datagrams; owners have "node", the name that whoami said
// and for all: overruns (intervals in which we sent nothing, because we came late),
// longest_pause_ms between two rounds, and socket_drops (answers that the kernel had no room for).
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/fd_io.h"
#include "integration/lab/samples.h"
#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"

namespace {

using namespace herald;
using herald::lab::kMillisecond;
using herald::lab::Nanoseconds;
using herald::lab::Run;
using herald::lab::Samples;
using herald::lab::Summary;

constexpr Nanoseconds kPatience = 100 * kMillisecond;

volatile std::sig_atomic_t g_stop = 0;
void stop(int) {
  g_stop = 1;
}

Nanoseconds read_clock(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<Nanoseconds>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}
Nanoseconds now_ns() {
  return read_clock(CLOCK_MONOTONIC);
}
double ms(Nanoseconds ns) {
  return static_cast<double>(ns) / 1e6;
}

struct Options {
  std::string interface;
  std::optional<IpAddress> source, source6;
  std::uint16_t udp_port = 0;  // 0: no datagrams
  Nanoseconds interval = 2 * kMillisecond, duration = 0;
  std::vector<IpAddress> vips;
};

struct Target {
  IpAddress vip;
  Samples owner, reached;
};

// What a datagram carries, in our own byte order: it comes back to us.
struct Ticket {
  std::uint32_t target, probe;
};

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "vip_probe: %s\n", text.c_str());
  std::exit(2);
}

Options read_options(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) fail(arg + " needs a value");
      return argv[++i];
    };
    const auto number = [&](double low, double high, const char* unit) {
      const double v = std::strtod(value().c_str(), nullptr);
      if (!(v >= low && v <= high)) {
        fail(arg + ": write " + std::to_string(low) + " to " + std::to_string(high) + unit);
      }
      return v;
    };
    const auto milliseconds = [&] {
      return static_cast<Nanoseconds>(number(0.1, 3.6e6, " (milliseconds)") * 1e6);
    };
    if (arg == "--interface") {
      o.interface = value();
    } else if (arg == "--source") {
      o.source = IpAddress::parse(value());
    } else if (arg == "--source6") {
      o.source6 = IpAddress::parse(value());
    } else if (arg == "--udp") {
      o.udp_port = static_cast<std::uint16_t>(number(1, 65535, ""));
    } else if (arg == "--interval-ms") {
      o.interval = milliseconds();
    } else if (arg == "--duration-ms") {
      o.duration = milliseconds();
    } else if (const auto vip = IpAddress::parse(arg)) {
      o.vips.push_back(*vip);
    } else {
      fail("'" + arg + "' is neither an option nor an IP address");
    }
  }
  if (o.interface.empty() || o.vips.empty()) fail("give --interface and at least one VIP");
  for (const IpAddress& vip : o.vips) {
    const auto& from = vip.is_v4() ? o.source : o.source6;
    if (!from || from->family() != vip.family()) {
      fail(to_string(vip) + ": give " + (vip.is_v4() ? "--source" : "--source6") +
           " of its family");
    }
  }
  return o;
}

// The MAC address that probe n says it comes from, and back.
MacAddress asker_of(std::size_t probe) {
  return {{0x02, 0x5e, static_cast<std::uint8_t>(probe >> 24),
           static_cast<std::uint8_t>(probe >> 16), static_cast<std::uint8_t>(probe >> 8),
           static_cast<std::uint8_t>(probe)}};
}
std::optional<std::size_t> probe_of(const MacAddress& mac) {
  if (mac.octets[0] != 0x02 || mac.octets[1] != 0x5e) return std::nullopt;
  std::size_t probe = 0;
  for (std::size_t i = 2; i < 6; ++i) probe = probe << 8 | mac.octets[i];
  return probe;
}

class Prober {
 public:
  explicit Prober(Options options) : options_(std::move(options)) {
    for (const IpAddress& vip : options_.vips) targets_.push_back({vip, {}, {}});
    open_packet_socket();
    if (options_.udp_port != 0) {
      for (const int family : {AF_INET, AF_INET6}) open_udp_socket(family);
    }
    // A client on a machine of its own does not wait for the nodes' processors. Without the
    // privilege it works as well; `overruns` tells how well.
    sched_param priority{};
    priority.sched_priority = 1;
    ::sched_setscheduler(0, SCHED_FIFO, &priority);
  }

  void run() {
    const Nanoseconds start = now_ns();
    Nanoseconds due = start;
    while (g_stop == 0 && (options_.duration == 0 || now_ns() - start < options_.duration)) {
      const Nanoseconds now = now_ns();
      if (now >= due) {
        for (std::size_t i = 0; i < targets_.size(); ++i) ask(i);
        // A late probe is not made up for: the next one comes at its own time, or, when that has
        // passed as well, half an interval from now.
        due = std::max(due + options_.interval, now + options_.interval / 2);
      }
      const Nanoseconds wait = std::max<Nanoseconds>(due - now_ns(), 0);
      const timespec timeout{static_cast<time_t>(wait / 1'000'000'000),
                             static_cast<long>(wait % 1'000'000'000)};
      pollfd ready[] = {{packets_.get(), POLLIN, 0},
                        {datagrams_[0].get(), POLLIN, 0},
                        {datagrams_[1].get(), POLLIN, 0}};  // those not opened are -1: skipped
      if (::ppoll(ready, 3, &timeout, nullptr) > 0) {
        for (const pollfd& one : ready) {
          if (one.revents != 0) receive(one.fd);
        }
      }
    }
    end_ = now_ns();
  }

  void print() const;

 private:
  void bound(const char* what, int result) const {
    if (result != 0) fail(options_.interface + ": " + what + ": " + std::strerror(errno));
  }

  static void prepare(int fd) {
    const int on = 1, bytes = 8 << 20;
    ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  }

  void open_packet_socket() {
    packets_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    if (!packets_) fail(std::string("packet socket: ") + std::strerror(errno));
    ifreq request{};
    if (options_.interface.size() >= sizeof request.ifr_name) fail("--interface: name too long");
    std::copy(options_.interface.begin(), options_.interface.end(), request.ifr_name);
    bound("address", ::ioctl(packets_.get(), SIOCGIFHWADDR, &request));
    std::copy_n(request.ifr_hwaddr.sa_data, 6, mac_.octets.begin());
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(options_.interface.c_str()));
    packet_mreq promiscuous{};
    promiscuous.mr_ifindex = address.sll_ifindex;
    promiscuous.mr_type = PACKET_MR_PROMISC;
    const int on = 1;
    ::setsockopt(packets_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    prepare(packets_.get());
    bound("promiscuous", ::setsockopt(packets_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                                      &promiscuous, sizeof promiscuous));
    bound("bind", ::bind(packets_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  }

  void open_udp_socket(int family) {
    UniqueFd& fd = datagrams_[family == AF_INET ? 0 : 1];
    fd.reset(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) fail(std::string("UDP socket: ") + std::strerror(errno));
    prepare(fd.get());
  }

  // A full send queue or no route is a lost probe, and is counted as one.
  static void check_sent(ssize_t result) {
    if (result < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ENETDOWN &&
        errno != ENETUNREACH && errno != EHOSTUNREACH) {
      fail(std::string("send: ") + std::strerror(errno));
    }
  }

  void ask(std::size_t index) {
    Target& target = targets_[index];
    const IpAddress& vip = target.vip;
    const MacAddress asker = asker_of(target.owner.ask(now_ns()));
    Bytes frame;
    if (vip.is_v4()) {
      l2::ArpFrame arp;
      arp.ethernet = {kBroadcastMac, mac_, l2::kEtherTypeArp};
      arp.operation = l2::kArpRequest;
      arp.sender_mac = asker;
      arp.sender_ip = *options_.source;
      arp.target_ip = vip;
      frame = l2::encode(arp);
    } else {
      l2::NdpFrame ndp;
      ndp.destination = solicited_node_group(vip);
      ndp.ethernet = {multicast_mac(ndp.destination), mac_, l2::kEtherTypeIpv6};
      ndp.source = *options_.source6;
      ndp.type = l2::NdpType::Solicitation;
      ndp.target = vip;
      ndp.link_layer = asker;
      frame = l2::encode(ndp);
    }
    check_sent(::send(packets_.get(), frame.data(), frame.size(), 0));
    if (options_.udp_port == 0) return;

    const Ticket ticket{static_cast<std::uint32_t>(index),
                        static_cast<std::uint32_t>(target.reached.ask(now_ns()))};
    sockaddr_in to4{};
    sockaddr_in6 to6{};
    if (vip.is_v4()) {
      to4.sin_family = AF_INET;
      to4.sin_port = htons(options_.udp_port);
      ::inet_pton(AF_INET, to_string(vip).c_str(), &to4.sin_addr);
    } else {
      to6.sin6_family = AF_INET6;
      to6.sin6_port = htons(options_.udp_port);
      ::inet_pton(AF_INET6, to_string(vip).c_str(), &to6.sin6_addr);
    }
    check_sent(vip.is_v4() ? ::sendto(datagrams_[0].get(), &ticket, sizeof ticket, 0,
                                      reinterpret_cast<sockaddr*>(&to4), sizeof to4)
                           : ::sendto(datagrams_[1].get(), &ticket, sizeof ticket, 0,
                                      reinterpret_cast<sockaddr*>(&to6), sizeof to6));
  }

  void receive(int fd) {
    std::uint8_t buffer[2048];
    for (int i = 0; i < 256; ++i) {
      iovec part{buffer, sizeof buffer};
      alignas(cmsghdr) char control[128];
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      const ssize_t size = ::recvmsg(fd, &message, 0);
      if (size <= 0) return;
      const Nanoseconds at = arrival(message, fd);
      const ByteView bytes(buffer, static_cast<std::size_t>(size));
      fd == packets_.get() ? note_frame(bytes, at) : note_datagram(bytes, at);
    }
  }

  // The kernel stamps with the wall clock, which somebody may set: only its age is used.
  Nanoseconds arrival(msghdr& message, int fd) {
    Nanoseconds age = 0;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET) continue;
      if (c->cmsg_type == SCM_TIMESTAMPNS) {
        timespec t{};
        std::memcpy(&t, CMSG_DATA(c), sizeof t);
        age = read_clock(CLOCK_REALTIME) -
              (static_cast<Nanoseconds>(t.tv_sec) * 1'000'000'000 + t.tv_nsec);
      } else if (c->cmsg_type == SO_RXQ_OVFL) {
        std::uint32_t dropped = 0;  // since the socket was opened
        std::memcpy(&dropped, CMSG_DATA(c), sizeof dropped);
        drops_[fd == packets_.get() ? 0 : fd == datagrams_[0].get() ? 1 : 2] = dropped;
      }
    }
    return now_ns() - std::max<Nanoseconds>(age, 0);
  }

  void note_frame(ByteView frame, Nanoseconds at) {
    if (frame.size() < 14) return;
    const unsigned ethertype = static_cast<unsigned>(frame[12]) << 8 | frame[13];
    if (ethertype == l2::kEtherTypeArp) {
      const auto arp = l2::parse_arp(frame);
      if (arp && arp->operation == l2::kArpReply) {
        credit(arp->sender_ip, arp->ethernet.destination, arp->sender_mac, at);
      }
    } else if (ethertype == l2::kEtherTypeIpv6) {
      const auto ndp = l2::parse_ndp(frame);
      if (ndp && ndp->type == l2::NdpType::Advertisement && ndp->solicited) {
        credit(ndp->target, ndp->ethernet.destination,
               ndp->link_layer.value_or(ndp->ethernet.source), at);
      }
    }
  }

  void credit(const IpAddress& vip, const MacAddress& asker, const MacAddress& mac,
              Nanoseconds at) {
    const auto probe = probe_of(asker);
    if (!probe) return;  // gratuitous, or an answer to the kernel's own question
    for (Target& target : targets_) {
      if (target.vip == vip) target.owner.answer(*probe, at, known("arp", vip, to_string(mac), at));
    }
  }

  void note_datagram(ByteView bytes, Nanoseconds at) {
    Ticket ticket{};
    if (bytes.size() < sizeof ticket) return;
    std::memcpy(&ticket, bytes.data(), sizeof ticket);
    if (ticket.target >= targets_.size()) return;
    std::string name;
    for (const std::uint8_t c : bytes.subspan(sizeof ticket)) {
      if (c > ' ' && c != '"' && c != '\\' && c < 127) name.push_back(static_cast<char>(c));
    }
    Target& target = targets_[ticket.target];
    target.reached.answer(ticket.probe, at, known("udp", target.vip, name, at));
  }

  // A small number for a MAC address or node name; says so when it is the first time for this VIP.
  int known(const char* kind, const IpAddress& vip, const std::string& who, Nanoseconds at) {
    if (seen_.emplace(kind, vip, who).second) {
      std::printf("{\"first\":\"%s\",\"vip\":\"%s\",\"who\":\"%s\",\"t_ms\":%.3f}\n", kind,
                  to_string(vip).c_str(), who.c_str(), ms(at));
      std::fflush(stdout);
    }
    const auto found = std::find(names_.begin(), names_.end(), who);
    if (found == names_.end()) {
      names_.push_back(who);
      return static_cast<int>(names_.size()) - 1;
    }
    return static_cast<int>(found - names_.begin());
  }

  void print_summary(const Summary& s, const char* who_is) const;

  Options options_;
  std::vector<Target> targets_;
  UniqueFd packets_, datagrams_[2];  // IPv4, IPv6
  std::uint32_t drops_[3] = {0, 0, 0};
  MacAddress mac_;
  std::set<std::tuple<std::string, IpAddress, std::string>> seen_;
  std::vector<std::string> names_;
  Nanoseconds end_ = 0;
};

void Prober::print_summary(const Summary& s, const char* who_is) const {
  std::printf(
      "\"sent\":%zu,\"lost_probes\":%zu,\"late\":%zu,\"outage_ms\":%.3f,\"outage_start_ms\":%.3f,"
      "\"dual_probes\":%zu,\"dual_owner_ms\":%.3f,\"changes\":%zu,\"owners\":[",
      s.sent, s.lost, s.late, ms(s.outage), ms(s.outage_start), s.dual_probes, ms(s.dual),
      s.changes);
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    const Run& run = s.runs[i];
    std::printf("%s{\"%s\":\"%s\",\"first_ms\":%.3f,\"last_ms\":%.3f,\"answered\":%zu}",
                i == 0 ? "" : ",", who_is, names_[static_cast<std::size_t>(run.who)].c_str(),
                ms(run.first), ms(run.last), run.answered);
  }
  std::printf("]");
}

void Prober::print() const {
  Summary worst;  // all targets are asked in the same rounds
  std::vector<std::pair<Summary, Summary>> results;
  for (const Target& target : targets_) {
    results.emplace_back(target.owner.summarize(end_, options_.interval, kPatience),
                         target.reached.summarize(end_, options_.interval, kPatience));
    worst.overruns = std::max(worst.overruns, results.back().first.overruns);
    worst.longest_pause = std::max(worst.longest_pause, results.back().first.longest_pause);
  }
  std::printf(
      "{\"interval_ms\":%.3f,\"end_ms\":%.3f,\"overruns\":%zu,\"longest_pause_ms\":%.3f,"
      "\"socket_drops\":%u,\"vips\":[",
      ms(options_.interval), ms(end_), worst.overruns, ms(worst.longest_pause),
      drops_[0] + drops_[1] + drops_[2]);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    std::printf("%s{\"vip\":\"%s\",", i == 0 ? "" : ",", to_string(targets_[i].vip).c_str());
    print_summary(results[i].first, "mac");
    if (options_.udp_port != 0) {
      std::printf(",\"udp\":{");
      print_summary(results[i].second, "node");
      std::printf("}");
    }
    std::printf("}");
  }
  std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action {};
  action.sa_handler = stop;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  Prober prober(read_options(argc, argv));
  std::printf("{\"began\":true}\n");
  std::fflush(stdout);
  prober.run();
  prober.print();
  return 0;
}
