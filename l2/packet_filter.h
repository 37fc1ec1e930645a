// l2/packet_filter.h: the classic BPF programs that keep what is nothing to us in the kernel.
//
// A filter may let through too much (the responder looks again), never too little. Owned addresses
// become ranges, the widest gaps between them staying open, as many as the program has room for;
// a binary search over them costs few steps even for thousands of VIPs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/ip.h"

namespace herald::l2 {

// As struct sock_filter of the kernel.
struct BpfInstruction {
  std::uint16_t code = 0;
  std::uint8_t jump_true = 0, jump_false = 0;
  std::uint32_t k = 0;
};
using BpfProgram = std::vector<BpfInstruction>;

inline constexpr std::size_t kBpfMaxInstructions = 4096;  // BPF_MAXINSNS

// For a socket bound to ETH_P_ARP: passes frames whose sender or target is one of the IPv4 VIPs.
// `vips` are sorted; IPv6 ones among them are passed over. At least 64 instructions of room.
BpfProgram arp_filter(const std::vector<IpAddress>& vips, std::size_t max_instructions);
// For a socket bound to ETH_P_IPV6: passes solicitations and advertisements whose target is one of
// the IPv6 VIPs. It compares the low 32 bits, and the others if all VIPs have them in common.
BpfProgram ndp_filter(const std::vector<IpAddress>& vips, std::size_t max_instructions);

}  // namespace herald::l2
