// A veth pair in a namespace of its own: the responder on one end, who asks on the other.
#include "l2/packet_io.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/clock_io.h"
#include "base/fd_io.h"
#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"
#include "net/netlink_io.h"

namespace herald::l2 {
namespace {

const MacAddress kOurs = *MacAddress::parse("02:00:00:00:00:0a");
const MacAddress kTheirs = *MacAddress::parse("02:00:00:00:00:0b");
const IpAddress kV4 = *IpAddress::parse("192.0.2.10");
const IpAddress kV6 = *IpAddress::parse("2001:db8::10");

// Whether a reply for `vip` comes within `wait`; asks again each 20 ms.
bool asked(int fd, const IpAddress& vip, Duration wait) {
  Bytes frame;
  if (vip.is_v4()) {
    frame = encode({{kBroadcastMac, kTheirs, kEtherTypeArp},
                    kArpRequest,
                    kTheirs,
                    *IpAddress::parse("192.0.2.1"),
                    MacAddress{},
                    vip});
  } else {
    NdpFrame ask;
    ask.ethernet = {multicast_mac(solicited_node_group(vip)), kTheirs, kEtherTypeIpv6};
    ask.source = *IpAddress::parse("fe80::b");
    ask.destination = solicited_node_group(vip);
    ask.target = vip;
    ask.link_layer = kTheirs;
    frame = encode(ask);
  }
  for (const Instant end = boot_now() + wait; boot_now() < end;) {
    EXPECT_EQ(send(fd, frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
    pollfd ready{fd, POLLIN, 0};
    while (poll(&ready, 1, 20) > 0) {
      std::array<std::uint8_t, 2048> in;
      const auto n = recv(fd, in.data(), in.size(), MSG_DONTWAIT);
      if (n <= 0) continue;
      const ByteView got = ByteView(in).first(static_cast<std::size_t>(n));
      const auto arp = parse_arp(got);
      if (arp && arp->operation == kArpReply && arp->sender_ip == vip) return true;
      const auto ndp = parse_ndp(got);
      if (ndp && ndp->type == NdpType::Advertisement && ndp->target == vip) return true;
    }
  }
  return false;
}

void story() {
  ASSERT_EQ(unshare(CLONE_NEWNET), 0);
  ASSERT_EQ(std::system("ip link add hl0 address 02:00:00:00:00:0a type veth peer name hl1 "
                        "address 02:00:00:00:00:0b && ip link set hl0 up && ip link set hl1 up"),
            0);
  LinkMonitor monitor;
  ASSERT_TRUE(monitor.open());
  ASSERT_EQ(monitor.links().size(), 3u);
  EXPECT_TRUE(monitor.links()[0].loopback);
  const LinkIndex link(static_cast<int>(if_nametoindex("hl0")));
  UniqueFd peer(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = static_cast<int>(if_nametoindex("hl1"));
  ASSERT_EQ(bind(peer.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);

  PacketResponder responder([](const Conflict&) {});
  ASSERT_TRUE(responder.start());
  responder.set_deadline(boot_now() + 60s);
  LinkGrants grants;
  grants[link] = {kOurs, sorted_vips({kV4, kV6})};
  for (const auto& problem : responder.apply(grants)) ADD_FAILURE() << problem.what;
  EXPECT_TRUE(responder.send(link, arp_announcement_request(kV4, kOurs)));
  EXPECT_TRUE(asked(peer.get(), kV4, 5s));
  for (const auto& problem : responder.join_groups()) ADD_FAILURE() << problem.what;
  EXPECT_TRUE(asked(peer.get(), kV6, 5s));
  std::ifstream file("/proc/thread-self/net/igmp6");
  const std::string groups((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(groups.find("ff0200000000000000000001ff000010"), std::string::npos) << groups;
  EXPECT_TRUE(responder.send(link, arp_announcement_request(kV4, kOurs)));

  responder.set_deadline(boot_now());
  EXPECT_FALSE(responder.send(link, arp_announcement_request(kV4, kOurs)));
  while (asked(peer.get(), kV4, 1ms)) {  // replies that were on their way
  }
  EXPECT_FALSE(asked(peer.get(), kV4, 200ms));
  EXPECT_GT(responder.counters()[Verdict::LeaseStale], 0u);

  grants[link].vips = {kV6};
  responder.apply(grants);
  EXPECT_TRUE(responder.join_groups().empty());
  responder.set_deadline(boot_now() + 60s);
  EXPECT_FALSE(asked(peer.get(), kV4, 200ms));
  EXPECT_TRUE(asked(peer.get(), kV6, 5s));

  // Given up and taken back again and again: the sockets before are still being closed.
  for (int i = 0; i < 5; ++i) {
    responder.apply({});
    EXPECT_FALSE(responder.send(link, arp_announcement_request(kV4, kOurs)));
    for (const auto& problem : responder.apply(grants)) ADD_FAILURE() << problem.what;
    for (const auto& problem : responder.join_groups()) ADD_FAILURE() << problem.what;
    EXPECT_TRUE(asked(peer.get(), kV6, 5s));
  }
}

TEST(PacketResponder, AnswersByRightOnly) {
  if (geteuid() != 0) GTEST_SKIP() << "NEEDS ROOT: makes a network namespace with a veth pair";
  std::thread(story).join();  // the namespace is that thread's, and ends with it
}

}  // namespace
}  // namespace herald::l2
