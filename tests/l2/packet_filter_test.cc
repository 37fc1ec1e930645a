// The filters, run by a small interpreter of classic BPF: they never keep out a frame about a VIP,
// and for few VIPs they let nothing else in.
#include "l2/packet_filter.h"

#include <gtest/gtest.h>
#include <linux/filter.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/rng.h"
#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"

namespace herald::l2 {
namespace {

const MacAddress kTheirs = *MacAddress::parse("02:00:00:00:00:0b");
const IpAddress kNobody4 = *IpAddress::parse("203.0.113.200");

std::optional<std::uint32_t> load(ByteView frame, std::uint32_t at, std::uint32_t width) {
  if (at + width > frame.size()) return std::nullopt;
  std::uint32_t value = 0;
  for (std::uint32_t i = 0; i < width; ++i) value = value << 8 | frame[at + i];
  return value;
}

// Whether the program passes the frame. As in the kernel, a load behind the end drops it; what the
// kernel would refuse to attach (a jump out of the program, another instruction) fails the test.
bool passes(const BpfProgram& program, ByteView frame) {
  std::uint32_t a = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const BpfInstruction& step = program[pc];
    std::optional<std::uint32_t> loaded;
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
      case BPF_LD | BPF_B | BPF_ABS:
        loaded = load(frame, step.k, BPF_SIZE(step.code) == BPF_W ? 4 : 1);
        if (!loaded) return false;
        a = *loaded;
        break;
      case BPF_JMP | BPF_JA:
        pc += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        pc += a == step.k ? step.jump_true : step.jump_false;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        pc += a >= step.k ? step.jump_true : step.jump_false;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        pc += a > step.k ? step.jump_true : step.jump_false;
        break;
      case BPF_RET | BPF_K:
        return step.k != 0;
      default:
        ADD_FAILURE() << "an instruction that no filter needs: " << step.code;
        return false;
    }
  }
  ADD_FAILURE() << "the program runs off its end";
  return false;
}

Bytes arp(const IpAddress& sender, const IpAddress& target) {
  return encode({{kBroadcastMac, kTheirs, kEtherTypeArp},
                 kArpRequest,
                 kTheirs,
                 sender,
                 MacAddress{},
                 target});
}

Bytes ndp(const IpAddress& target, NdpType type) {
  NdpFrame frame;
  frame.ethernet = {multicast_mac(solicited_node_group(target)), kTheirs, kEtherTypeIpv6};
  frame.type = type;
  frame.source = *IpAddress::parse("fe80::b");
  frame.destination = solicited_node_group(target);
  frame.target = target;
  frame.link_layer = kTheirs;
  return encode(frame);
}

bool asks4(const BpfProgram& program, const IpAddress& vip) {
  return passes(program, arp(kNobody4, vip));
}
bool asks6(const BpfProgram& program, const IpAddress& vip) {
  return passes(program, ndp(vip, NdpType::Solicitation));
}

struct Case {
  std::string name;
  std::vector<IpAddress> vips;  // both families, sorted
};

std::vector<IpAddress> sorted(std::vector<IpAddress> vips) {
  std::sort(vips.begin(), vips.end());
  vips.erase(std::unique(vips.begin(), vips.end()), vips.end());
  return vips;
}

// Scattered: all over both families, with the ends of both.
std::vector<IpAddress> scattered(std::size_t count, Rng& rng) {
  std::vector<IpAddress> vips;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t high = rng.next();
    const std::uint64_t low = rng.next();
    vips.push_back(IpAddress::v4(static_cast<std::uint32_t>(low)));
    vips.push_back(IpAddress::v6(static_cast<Uint128>(high) << 64 | low));
  }
  if (count > 1) {
    vips.push_back(IpAddress::v4(0));
    vips.push_back(IpAddress::v4(0xffffffff));
    vips.push_back(IpAddress::v6(0));
    vips.push_back(IpAddress::v6(~Uint128{0}));
  }
  return sorted(std::move(vips));
}

// As a pool gives them: from one subnet, every `step`-th address.
std::vector<IpAddress> pool(std::size_t count, std::uint32_t step) {
  std::vector<IpAddress> vips;
  const Uint128 subnet = IpAddress::parse("2001:db8:1:2::")->number();
  for (std::size_t i = 0; i < count; ++i) {
    const auto offset = static_cast<std::uint32_t>(i) * step;
    vips.push_back(IpAddress::v4(0x0a000000 + offset));
    vips.push_back(IpAddress::v6(subnet + offset));
  }
  return sorted(std::move(vips));
}

std::vector<Case> cases() {
  Rng rng(7);
  std::vector<Case> all;
  for (const std::size_t count : {0u, 1u, 2u, 3u, 17u, 100u, 1000u, 10000u}) {
    all.push_back({"scattered " + std::to_string(count), scattered(count, rng)});
    all.push_back({"in a row " + std::to_string(count), pool(count, 1)});
    all.push_back({"with gaps " + std::to_string(count), pool(count, 3)});
  }
  return all;
}

TEST(PacketFilter, NeverKeepsOutAFrameAboutAVip) {
  for (const Case& c : cases()) {
    for (const std::size_t room : {std::size_t{64}, std::size_t{700}, kBpfMaxInstructions}) {
      SCOPED_TRACE(c.name + ", room for " + std::to_string(room));
      const BpfProgram arp_program = arp_filter(c.vips, room);
      const BpfProgram ndp_program = ndp_filter(c.vips, room);
      ASSERT_LE(arp_program.size(), room);
      ASSERT_LE(ndp_program.size(), room);
      for (const IpAddress& vip : c.vips) {
        if (vip.is_v4()) {
          ASSERT_TRUE(asks4(arp_program, vip)) << to_string(vip);
          // Another station that uses it: a conflict to be seen.
          ASSERT_TRUE(passes(arp_program, arp(vip, kNobody4))) << to_string(vip);
        } else {
          ASSERT_TRUE(asks6(ndp_program, vip)) << to_string(vip);
          ASSERT_TRUE(passes(ndp_program, ndp(vip, NdpType::Advertisement))) << to_string(vip);
        }
      }
    }
  }
}

TEST(PacketFilter, IsExactForFewVips) {
  for (const Case& c : cases()) {
    if (c.vips.size() > 204) continue;
    SCOPED_TRACE(c.name);
    const BpfProgram arp_program = arp_filter(c.vips, kBpfMaxInstructions);
    const BpfProgram ndp_program = ndp_filter(c.vips, kBpfMaxInstructions);
    const auto is_vip = [&](const IpAddress& a) {
      return std::binary_search(c.vips.begin(), c.vips.end(), a);
    };
    // The neighbours of every VIP, in both directions, and strangers.
    std::vector<IpAddress> others = {kNobody4, *IpAddress::parse("2001:db8:ffff::1")};
    for (const IpAddress& vip : c.vips) {
      others.push_back(vip.next());
      others.push_back(IpAddress::from_number(
          vip.family(),
          vip.is_v4() ? static_cast<std::uint32_t>(vip.number() - 1) : vip.number() - 1));
    }
    for (const IpAddress& other : others) {
      if (is_vip(other)) continue;
      if (other.is_v4()) {
        EXPECT_FALSE(asks4(arp_program, other)) << to_string(other);
      } else {
        EXPECT_FALSE(asks6(ndp_program, other)) << to_string(other);
      }
    }
  }
}

TEST(PacketFilter, ManyVipsOfOnePoolStayExactWhenTheyAreInARow) {
  const auto vips = pool(10000, 1);
  const BpfProgram program = arp_filter(vips, kBpfMaxInstructions);
  EXPECT_LT(program.size(), 64u);
  EXPECT_FALSE(asks4(program, IpAddress::v4(0x0a000000 - 1)));
  EXPECT_FALSE(asks4(program, IpAddress::v4(0x0a000000 + 10000)));
}

TEST(PacketFilter, PassesNeitherOtherIcmpv6NorShortFrames) {
  const IpAddress vip = *IpAddress::parse("2001:db8::10");
  const BpfProgram program = ndp_filter({vip}, kBpfMaxInstructions);
  const Bytes ask = ndp(vip, NdpType::Solicitation);
  Bytes echo = ask;
  echo[54] = 128;
  EXPECT_FALSE(passes(program, echo));
  Bytes udp = ask;
  udp[20] = 17;
  EXPECT_FALSE(passes(program, udp));
  for (std::size_t length = 0; length < 78; ++length) {
    EXPECT_FALSE(passes(program, ByteView(ask).first(length))) << length;
  }
  const BpfProgram v4 = arp_filter({kNobody4}, kBpfMaxInstructions);
  const Bytes who_has = arp(*IpAddress::parse("192.0.2.1"), kNobody4);
  for (std::size_t length = 0; length < 42; ++length) {
    EXPECT_FALSE(passes(v4, ByteView(who_has).first(length))) << length;
  }
}

}  // namespace
}  // namespace herald::l2
