// Any body of an UPDATE, from any kind of peer.
#include <cstddef>
#include <cstdint>

#include "bgp/update_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herald::bgp;
  if (size == 0) return 0;
  const Negotiated negotiated{(data[0] & 1) != 0, (data[0] & 2) != 0, true, true};
  (void)check_update(herald::ByteView(data + 1, size - 1), negotiated);
  return 0;
}
