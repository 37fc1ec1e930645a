// base/names.h: strong types, so that two strings or two numbers cannot change places.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace herald {

// A string that means one thing only.
template <typename Tag>
class Name {
 public:
  Name() = default;
  explicit Name(std::string value) : value_(std::move(value)) {}
  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const Name&) const = default;

 private:
  std::string value_;
};

// A number that means one thing only.
template <typename Tag, typename Int>
struct Number {
  Int value = 0;
  constexpr Number() = default;
  constexpr explicit Number(Int v) : value(v) {}
  auto operator<=>(const Number&) const = default;
  Number next() const { return Number(static_cast<Int>(value + 1)); }
};

using NodeName = Name<struct NodeNameTag>;  // as in Kubernetes: metadata.name of the Node
using PeerName = Name<struct PeerNameTag>;  // metadata.name of a BGPPeer
using PoolName = Name<struct PoolNameTag>;  // metadata.name of a pool

using Asn = Number<struct AsnTag, std::uint32_t>;  // RFC 6793: 4 octets

// A namespaced object, in practice a Service.
struct ObjectName {
  std::string ns, name;
  auto operator<=>(const ObjectName&) const = default;
};
inline std::string to_string(const ObjectName& n) {
  return n.ns + "/" + n.name;
}

}  // namespace herald
