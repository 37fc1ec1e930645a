// What parses is printed and parsed to the same document. The first octet chooses the key; a key
// that holds a name takes it from the text, up to the first newline.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "coord/document_wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herald;
  if (size == 0) return 0;
  const std::string all(data + 1, data + size);
  const auto newline = all.find('\n');
  const std::string name = newline == std::string::npos ? "n1" : all.substr(0, newline);
  const std::string json = newline == std::string::npos ? all : all.substr(newline + 1);
  const coord::DocumentKey keys[] = {coord::leader_key(),
                                     coord::table_key(data[0] / 5U % coord::kShards),
                                     coord::member_key(NodeName(name)),
                                     coord::DocumentKey("status/" + name), coord::cluster_key()};
  const coord::DocumentKey& key = keys[data[0] % 5];
  if (const auto parsed = coord::parse_document(key, json)) {
    const auto again = coord::parse_document(key, coord::print_document(*parsed));
    HERALD_CHECK(again && *again == *parsed);
  }
  return 0;
}
