#include "base/bytes.h"

#include <optional>

#include "base/check.h"

namespace herald {

ByteView ByteReader::bytes(std::size_t n) {
  if (!ok_ || n > remaining()) {
    ok_ = false;
    at_ = data_.size();
    return {};
  }
  const ByteView out = data_.subspan(at_, n);
  at_ += n;
  return out;
}

namespace {

template <typename T>
T big_endian(ByteView in) {
  T value = 0;
  for (const std::uint8_t byte : in)
    value = static_cast<T>((static_cast<std::uint64_t>(value) << 8) | byte);
  return value;
}

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::uint8_t ByteReader::u8() {
  return big_endian<std::uint8_t>(bytes(1));
}
std::uint16_t ByteReader::u16() {
  return big_endian<std::uint16_t>(bytes(2));
}
std::uint32_t ByteReader::u32() {
  return big_endian<std::uint32_t>(bytes(4));
}
std::uint64_t ByteReader::u64() {
  return big_endian<std::uint64_t>(bytes(8));
}

void ByteWriter::u16(std::uint16_t v) {
  u8(static_cast<std::uint8_t>(v >> 8));
  u8(static_cast<std::uint8_t>(v));
}
void ByteWriter::u32(std::uint32_t v) {
  u16(static_cast<std::uint16_t>(v >> 16));
  u16(static_cast<std::uint16_t>(v));
}
void ByteWriter::u64(std::uint64_t v) {
  u32(static_cast<std::uint32_t>(v >> 32));
  u32(static_cast<std::uint32_t>(v));
}
void ByteWriter::put_u16(std::size_t at, std::uint16_t v) {
  HERALD_CHECK(at + 2 <= out_.size());
  out_[at] = static_cast<std::uint8_t>(v >> 8);
  out_[at + 1] = static_cast<std::uint8_t>(v);
}

std::string to_hex(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 0xf];
  }
  return out;
}

Bytes from_hex(std::string_view text) {
  Bytes out;
  std::optional<std::uint8_t> high;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '#') {
      i = text.find('\n', i);
      if (i == std::string_view::npos) break;
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ':') continue;
    const auto digit = hex_digit(c);
    if (!digit) return {};
    if (high) {
      out.push_back(static_cast<std::uint8_t>((*high << 4) | *digit));
      high.reset();
    } else {
      high = digit;
    }
  }
  if (high) return {};
  return out;
}

}  // namespace herald
