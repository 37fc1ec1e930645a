#include "l2/packet_filter.h"

#include <linux/filter.h>

#include <algorithm>
#include <functional>
#include <span>
#include <utility>

namespace herald::l2 {
namespace {

constexpr std::uint32_t kPass = 0xffffffff;  // the whole frame
constexpr std::uint32_t kArpSender = 28, kArpTarget = 38;
constexpr std::uint32_t kNextHeader = 20, kIcmpType = 54, kNdpTarget = 62;
// A search tree over n ranges: n leaves of 4 instructions, n - 1 forks of 2.
constexpr std::size_t kPerRange = 6;
constexpr std::size_t kOverhead = 24;

struct Range {
  std::uint32_t first, last;
};

// The fewest addresses too many that `limit` ranges can give: the widest gaps are kept.
std::vector<Range> cover(const std::vector<std::uint32_t>& sorted, std::size_t limit) {
  std::vector<std::uint32_t> gaps;
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i] - sorted[i - 1] > 1) gaps.push_back(sorted[i] - sorted[i - 1]);
  }
  std::uint32_t narrowest = 2;  // the narrowest gap that splits
  if (gaps.size() >= limit) {
    const auto nth = gaps.begin() + static_cast<std::ptrdiff_t>(limit - 1);
    std::nth_element(gaps.begin(), nth, gaps.end(), std::greater<>());
    narrowest = *nth + 1;  // those as wide as the limit-th are closed: never too many
  }
  std::vector<Range> ranges;
  for (const std::uint32_t address : sorted) {
    if (ranges.empty() || address - ranges.back().last >= std::max(narrowest, 2u)) {
      ranges.push_back({address, address});
    } else {
      ranges.back().last = address;
    }
  }
  return ranges;
}

class Builder {
 public:
  void load(std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset); }
  void load_byte(std::uint32_t offset) { add(BPF_LD | BPF_B | BPF_ABS, 0, 0, offset); }
  void ret(std::uint32_t value) { add(BPF_RET | BPF_K, 0, 0, value); }
  // Drops the frame unless the value is k.
  void require(std::uint32_t k) {
    add(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, k);
    ret(0);
  }

  // Passes the frame if the loaded value is in a range; else goes on behind the tree.
  void pass_if_in(std::span<const Range> ranges) {
    std::vector<std::size_t> misses;
    tree(ranges, misses);
    for (const std::size_t at : misses) {
      program_[at].k = static_cast<std::uint32_t>(program_.size() - at - 1);
    }
  }

  BpfProgram take() { return std::move(program_); }
  void add(int code, std::uint8_t jt, std::uint8_t jf, std::uint32_t k) {
    program_.push_back({static_cast<std::uint16_t>(code), jt, jf, k});
  }

 private:
  void tree(std::span<const Range> ranges, std::vector<std::size_t>& misses) {
    if (ranges.size() > 1) {
      const std::size_t half = ranges.size() / 2;
      add(BPF_JMP | BPF_JGE | BPF_K, 0, 1, ranges[half].first);
      const std::size_t fork = program_.size();
      add(BPF_JMP | BPF_JA, 0, 0, 0);  // conditional jumps reach 255 instructions, this any number
      tree(ranges.first(half), misses);
      program_[fork].k = static_cast<std::uint32_t>(program_.size() - fork - 1);
      tree(ranges.subspan(half), misses);
      return;
    }
    add(BPF_JMP | BPF_JGE | BPF_K, 0, 2, ranges[0].first);
    add(BPF_JMP | BPF_JGT | BPF_K, 1, 0, ranges[0].last);
    ret(kPass);
    misses.push_back(program_.size());
    add(BPF_JMP | BPF_JA, 0, 0, 0);
  }

  BpfProgram program_;
};

std::size_t room(std::size_t max_instructions, std::size_t trees) {
  const std::size_t usable = std::min(max_instructions, kBpfMaxInstructions);
  return usable < kOverhead + trees * kPerRange ? 1 : (usable - kOverhead) / (trees * kPerRange);
}

}  // namespace

BpfProgram arp_filter(const std::vector<IpAddress>& vips, std::size_t max_instructions) {
  std::vector<std::uint32_t> numbers;
  for (const IpAddress& vip : vips) {
    if (vip.is_v4()) numbers.push_back(vip.v4_number());
  }
  Builder out;
  if (!numbers.empty()) {
    const auto ranges = cover(numbers, room(max_instructions, 2));
    out.load(kArpTarget);
    out.pass_if_in(ranges);
    out.load(kArpSender);
    out.pass_if_in(ranges);
  }
  out.ret(0);
  return out.take();
}

BpfProgram ndp_filter(const std::vector<IpAddress>& vips, std::size_t max_instructions) {
  std::vector<std::uint32_t> numbers;
  std::vector<Uint128> uppers;
  for (const IpAddress& vip : vips) {
    if (!vip.is_v6()) continue;
    numbers.push_back(static_cast<std::uint32_t>(vip.number()));
    uppers.push_back(vip.number() >> 32);
  }
  Builder out;
  if (!numbers.empty()) {
    std::sort(numbers.begin(), numbers.end());
    out.load_byte(kNextHeader);
    out.require(58);
    out.load_byte(kIcmpType);
    out.add(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 135);  // over the next two
    out.require(136);
    if (std::adjacent_find(uppers.begin(), uppers.end(), std::not_equal_to<>()) == uppers.end()) {
      for (std::uint32_t word = 0; word < 3; ++word) {
        out.load(kNdpTarget + 4 * word);
        out.require(static_cast<std::uint32_t>(uppers[0] >> (64 - 32 * word)));
      }
    }
    out.load(kNdpTarget + 12);
    out.pass_if_in(cover(numbers, room(max_instructions, 1)));
  }
  out.ret(0);
  return out.take();
}

}  // namespace herald::l2
