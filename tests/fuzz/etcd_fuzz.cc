// Every reply parser on every input; base64 that decodes is what its bytes encode to.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/base64.h"
#include "base/check.h"
#include "coord/etcd_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herald;
  const std::string text(data, data + size);
  if (const auto bytes = from_base64(text)) HERALD_CHECK(to_base64(*bytes) == text);
  if (const auto range = coord::parse_etcd_range(text)) {
    HERALD_CHECK(!range->more || !range->kvs.empty());
    for (const auto& kv : range->kvs) coord::etcd_document("/herald/default/", kv);
  }
  if (const auto watch = coord::parse_etcd_watch(text)) {
    for (const auto& event : watch->events) coord::etcd_document("/herald/default/", event.kv);
  }
  if (const auto token = coord::parse_etcd_token(text)) HERALD_CHECK(!token->empty());
  coord::parse_etcd_txn(text);
  const auto failure = coord::parse_etcd_error(500, text);
  HERALD_CHECK(failure.message.size() < 1000);
  return 0;
}
