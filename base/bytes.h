// base/bytes.h: cursors over wire formats, big endian (network order).
//
// A ByteReader remembers a short read: after it, everything reads as zero and ok() is false. So a
// decoder reads straight down and asks once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace herald {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

class ByteReader {
 public:
  explicit ByteReader(ByteView data) : data_(data) {}

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  // The next n bytes; an empty view (and !ok()) if there are fewer.
  ByteView bytes(std::size_t n);
  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> out{};
    const ByteView in = bytes(N);
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i];
    return out;
  }
  ByteView rest() { return bytes(remaining()); }

  std::size_t remaining() const { return data_.size() - at_; }
  std::size_t position() const { return at_; }
  bool empty() const { return remaining() == 0; }
  bool ok() const { return ok_; }

 private:
  ByteView data_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  void u8(std::uint8_t v) { out_.push_back(v); }
  void u16(std::uint16_t v);
  void u32(std::uint32_t v);
  void u64(std::uint64_t v);
  void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }

  // Writes v over two bytes that are already there: a length that is known only afterwards.
  void put_u16(std::size_t at, std::uint16_t v);

  std::size_t size() const { return out_.size(); }
  ByteView view() const { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

// "0a1b", lower case.
std::string to_hex(ByteView bytes);
// Reads hex digits, either case; white space and ':' are passed over, '#' starts a comment up to
// the end of the line. An odd number of digits or another character yields an empty vector.
Bytes from_hex(std::string_view text);

}  // namespace herald
