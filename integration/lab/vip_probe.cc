// vip_probe: asks the segment, again and again, who has each VIP, and notes who answers.
//
//   vip_probe --interface eth0 --source 10.25.150.160 --source6 fd25:150::1:a0
//             [--interval-ms 2] [--duration-ms 0] [--answers FILE] VIP...
//
// One ARP request (IPv4) or Neighbor Solicitation (IPv6) per VIP and interval, sent over AF_PACKET,
// so that no neighbour cache stands between us and the truth. Runs until --duration-ms or SIGTERM,
// then prints one JSON document.
//
// Which answer belongs to which probe? Neither protocol has a sequence number, but both send the
// answer to the asker's IP address. So probe n asks from `source` + n mod 32: 32 addresses of the
// segment that nobody else may use. An answer is credited to the right probe unless it is later
// than 32 intervals; then it is credited to a later one. What is printed, per VIP:
//   sent, lost_probes  probes, and those without any answer. The last 100 ms are left out: their
//                      answers may still be on the way.
//   outage_ms          the longest run of unanswered probes, from the sending of its first one to
//                      the sending of the next answered one (or the end). Resolution: the interval.
//   outage_start_ms    when that run began (CLOCK_MONOTONIC, as time.monotonic() of Python)
//   dual_probes        probes that two or more MAC addresses answered: everybody who thinks it
//                      owns the VIP answers a broadcast, so each of these is a proof of two owners
//   dual_owner_ms      time covered by such probes: each counts from its sending to the next one's
//   owners             [{mac, first_ms, last_ms, answered}]: runs of probes answered by one MAC
// --answers writes every answer as a JSON line {"t_ms","vip","mac","probe"}.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
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
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fd_io.h"
#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"

namespace {

using namespace herald;

constexpr std::size_t kSlots = 32;
constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kTail = 100 * kMillisecond;

volatile std::sig_atomic_t g_stop = 0;
void stop(int) {
  g_stop = 1;
}

std::int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}
double ms(std::int64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

struct Options {
  std::string interface, answers;
  std::optional<IpAddress> source, source6;
  std::int64_t interval = 2 * kMillisecond, duration = 0;
  std::vector<IpAddress> vips;
};

struct Probe {
  std::int64_t sent = 0;
  std::vector<MacAddress> macs;  // who answered, each once
};
struct Target {
  IpAddress vip;
  std::vector<Probe> probes;
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
    const auto milliseconds = [&] {
      const double v = std::strtod(value().c_str(), nullptr);
      if (!(v >= 0.1 && v <= 3.6e6)) fail(arg + ": write 0.1 to 3600000 (milliseconds)");
      return static_cast<std::int64_t>(v * 1e6);
    };
    if (arg == "--interface") {
      o.interface = value();
    } else if (arg == "--source") {
      o.source = IpAddress::parse(value());
    } else if (arg == "--source6") {
      o.source6 = IpAddress::parse(value());
    } else if (arg == "--interval-ms") {
      o.interval = milliseconds();
    } else if (arg == "--duration-ms") {
      o.duration = milliseconds();
    } else if (arg == "--answers") {
      o.answers = value();
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

class Prober {
 public:
  explicit Prober(Options options) : options_(std::move(options)) {
    for (const IpAddress& vip : options_.vips) targets_.push_back({vip, {}});
    open_socket();
    if (!options_.answers.empty()) {
      answers_ = std::fopen(options_.answers.c_str(), "w");
      if (answers_ == nullptr) fail(options_.answers + ": " + std::strerror(errno));
    }
  }
  ~Prober() {
    if (answers_ != nullptr) std::fclose(answers_);
  }
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  void run() {
    const std::int64_t start = now_ns();
    std::int64_t due = start;
    while (g_stop == 0 && (options_.duration == 0 || now_ns() - start < options_.duration)) {
      const std::int64_t now = now_ns();
      if (now >= due) {
        for (Target& target : targets_) ask(target);
        // A late probe is not made up for: the next one comes a full interval after it.
        due = std::max(due + options_.interval, now + options_.interval / 2);
      }
      const std::int64_t wait = std::max<std::int64_t>(due - now_ns(), 0);
      const timespec timeout{static_cast<time_t>(wait / 1'000'000'000),
                             static_cast<long>(wait % 1'000'000'000)};
      pollfd ready{socket_.get(), POLLIN, 0};
      if (::ppoll(&ready, 1, &timeout, nullptr) > 0) receive();
    }
    end_ = now_ns();
  }

  void print() const;

 private:
  void open_socket() {
    socket_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    if (!socket_) fail(std::string("packet socket: ") + std::strerror(errno));
    ifreq request{};
    if (options_.interface.size() >= sizeof request.ifr_name) fail("--interface: name too long");
    std::copy(options_.interface.begin(), options_.interface.end(), request.ifr_name);
    if (::ioctl(socket_.get(), SIOCGIFHWADDR, &request) != 0) {
      fail(options_.interface + ": " + std::strerror(errno));
    }
    std::copy_n(request.ifr_hwaddr.sa_data, 6, mac_.octets.begin());
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(options_.interface.c_str()));
    const int on = 1, bytes = 8 << 20;
    ::setsockopt(socket_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail(options_.interface + ": " + std::strerror(errno));
    }
  }

  static IpAddress source_of(const IpAddress& base, std::size_t probe) {
    return IpAddress::from_number(base.family(), base.number() + probe % kSlots);
  }

  void ask(Target& target) {
    const std::size_t n = target.probes.size();
    const IpAddress& vip = target.vip;
    Bytes frame;
    if (vip.is_v4()) {
      l2::ArpFrame arp;
      arp.ethernet = {kBroadcastMac, mac_, l2::kEtherTypeArp};
      arp.operation = l2::kArpRequest;
      arp.sender_mac = mac_;
      arp.sender_ip = source_of(*options_.source, n);
      arp.target_ip = vip;
      frame = l2::encode(arp);
    } else {
      l2::NdpFrame ndp;
      ndp.destination = solicited_node_group(vip);
      ndp.ethernet = {multicast_mac(ndp.destination), mac_, l2::kEtherTypeIpv6};
      ndp.source = source_of(*options_.source6, n);
      ndp.type = l2::NdpType::Solicitation;
      ndp.target = vip;
      ndp.link_layer = mac_;
      frame = l2::encode(ndp);
    }
    target.probes.push_back({now_ns(), {}});
    // A full send queue is a lost probe, and is counted as one.
    if (::send(socket_.get(), frame.data(), frame.size(), 0) < 0 && errno != ENOBUFS &&
        errno != EAGAIN && errno != ENETDOWN) {
      fail(std::string("send: ") + std::strerror(errno));
    }
  }

  void receive() {
    std::uint8_t buffer[2048];
    for (int i = 0; i < 256; ++i) {
      const ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (size <= 0) return;
      note(ByteView(buffer, static_cast<std::size_t>(size)));
    }
  }

  void note(ByteView frame) {
    if (frame.size() < 14) return;
    const unsigned ethertype = static_cast<unsigned>(frame[12]) << 8 | frame[13];
    if (ethertype == l2::kEtherTypeArp && options_.source) {
      const auto arp = l2::parse_arp(frame);
      if (arp && arp->operation == l2::kArpReply) {
        credit(arp->sender_ip, arp->target_ip, *options_.source, arp->sender_mac);
      }
    } else if (ethertype == l2::kEtherTypeIpv6 && options_.source6) {
      const auto ndp = l2::parse_ndp(frame);
      if (ndp && ndp->type == l2::NdpType::Advertisement && ndp->solicited) {
        credit(ndp->target, ndp->destination, *options_.source6,
               ndp->link_layer.value_or(ndp->ethernet.source));
      }
    }
  }

  // `asker` tells the slot of the probe: the youngest one with it.
  void credit(const IpAddress& vip, const IpAddress& asker, const IpAddress& base,
              const MacAddress& mac) {
    if (asker < base || asker.number() - base.number() >= kSlots) return;  // gratuitous
    const auto slot = static_cast<std::size_t>(asker.number() - base.number());
    for (Target& target : targets_) {
      if (target.vip != vip || target.probes.empty()) continue;
      const std::size_t last = target.probes.size() - 1;
      const std::size_t back = (last + kSlots - slot) % kSlots;
      if (back > last) return;
      auto& macs = target.probes[last - back].macs;
      if (std::find(macs.begin(), macs.end(), mac) == macs.end()) macs.push_back(mac);
      if (answers_ != nullptr) {
        std::fprintf(answers_, "{\"t_ms\":%.3f,\"vip\":\"%s\",\"mac\":\"%s\",\"probe\":%zu}\n",
                     ms(now_ns()), to_string(vip).c_str(), to_string(mac).c_str(), last - back);
      }
    }
  }

  Options options_;
  std::vector<Target> targets_;
  UniqueFd socket_;
  MacAddress mac_;
  std::FILE* answers_ = nullptr;
  std::int64_t end_ = 0;
};

struct Owner {
  MacAddress mac;
  std::int64_t first, last;
  std::size_t answered;
};

void print_target(const Target& target, std::int64_t end, bool first) {
  std::size_t lost = 0, dual = 0, sent = 0;
  std::int64_t dual_time = 0, outage = 0, outage_start = 0;
  std::optional<std::int64_t> silent_since;
  std::vector<Owner> owners;
  const auto close_gap = [&](std::int64_t until) {
    if (silent_since && until - *silent_since > outage) {
      outage = until - *silent_since;
      outage_start = *silent_since;
    }
    silent_since.reset();
  };
  std::int64_t counted_until = end - kTail;
  for (std::size_t i = 0; i < target.probes.size(); ++i) {
    const Probe& probe = target.probes[i];
    if (probe.sent > end - kTail && probe.macs.empty()) continue;
    counted_until = std::max(counted_until, probe.sent);
    ++sent;
    if (probe.macs.empty()) {
      ++lost;
      if (!silent_since) silent_since = probe.sent;
      continue;
    }
    close_gap(probe.sent);
    if (probe.macs.size() > 1) {
      ++dual;
      dual_time += (i + 1 < target.probes.size() ? target.probes[i + 1].sent : end) - probe.sent;
    }
    for (const MacAddress& mac : probe.macs) {
      if (owners.empty() || owners.back().mac != mac) owners.push_back({mac, probe.sent, 0, 0});
      owners.back().last = probe.sent;
      ++owners.back().answered;
    }
  }
  close_gap(counted_until);
  std::printf(
      "%s\n    {\"vip\":\"%s\",\"sent\":%zu,\"lost_probes\":%zu,\"outage_ms\":%.3f,"
      "\"outage_start_ms\":%.3f,\"dual_probes\":%zu,\"dual_owner_ms\":%.3f,\"owners\":[",
      first ? "" : ",", to_string(target.vip).c_str(), sent, lost, ms(outage), ms(outage_start),
      dual, ms(dual_time));
  for (std::size_t i = 0; i < owners.size(); ++i) {
    std::printf("%s{\"mac\":\"%s\",\"first_ms\":%.3f,\"last_ms\":%.3f,\"answered\":%zu}",
                i == 0 ? "" : ",", to_string(owners[i].mac).c_str(), ms(owners[i].first),
                ms(owners[i].last), owners[i].answered);
  }
  std::printf("]}");
}

void Prober::print() const {
  std::printf("{\"interval_ms\":%.3f,\"end_ms\":%.3f,\"vips\":[", ms(options_.interval), ms(end_));
  for (std::size_t i = 0; i < targets_.size(); ++i) print_target(targets_[i], end_, i == 0);
  std::printf("\n]}\n");
}

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action {};
  action.sa_handler = stop;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  Prober prober(read_options(argc, argv));
  prober.run();
  prober.print();
  return 0;
}
