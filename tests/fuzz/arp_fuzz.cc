// What parses is encoded and parsed to the same value; the responder answers anything or nothing.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "l2/arp_wire.h"
#include "l2/responder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herald;
  const ByteView frame(data, size);
  if (const auto parsed = l2::parse_arp(frame)) {
    const auto again = l2::parse_arp(l2::encode(*parsed));
    HERALD_CHECK(again && *again == *parsed);
  }
  l2::Grants grants;
  grants.deadline = Instant(1s);
  grants.links[LinkIndex(1)] = {
      *MacAddress::parse("02:00:00:00:00:0a"),
      l2::sorted_vips({*IpAddress::parse("192.0.2.10"), *IpAddress::parse("2001:db8::10")})};
  const auto now = l2::answer(frame, LinkIndex(1), grants, Instant(0s));
  HERALD_CHECK(now.reply.has_value() == (now.verdict == l2::Verdict::Replied));
  HERALD_CHECK(!l2::answer(frame, LinkIndex(1), grants, grants.deadline).reply);
  return 0;
}
