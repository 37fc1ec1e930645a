// A datagram as it comes, then the same octets as if their HMAC had been right: what parses is
// written to the same octets again (there is one spelling of everything).
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "coord/heartbeat_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herald;
  static const auto seal = *coord::HeartbeatSeal::make("fuzz", "0123456789abcdef");
  const ByteView in(data, size);
  // Nobody finds the right HMAC by chance.
  HERALD_CHECK(!seal.open(in));
  const auto parsed = coord::parse_sealed(in);
  if (!parsed) return 0;
  const auto datagrams = seal.close(*parsed);
  HERALD_CHECK(datagrams && datagrams->size() == 1);
  const Bytes& again = datagrams->front();
  HERALD_CHECK(again.size() == size + 32);
  constexpr std::size_t kTag = 4, kAfterTag = 8;  // parse_sealed() passes over the tag
  HERALD_CHECK(std::equal(in.begin(), in.begin() + kTag, again.begin()));
  HERALD_CHECK(std::equal(in.begin() + kAfterTag, in.end(), again.begin() + kAfterTag));
  const auto opened = seal.open(again);
  HERALD_CHECK(opened && *opened == *parsed);
  return 0;
}
