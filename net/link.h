// net/link.h: a network interface of this host, as netlink reports it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/names.h"
#include "net/ip.h"
#include "net/mac.h"

namespace herald {

using LinkIndex = Number<struct LinkIndexTag, int>;  // the kernel's ifindex

// An address configured on a link, with the prefix of its subnet.
struct LinkAddress {
  IpAddress address;
  unsigned prefix_length = 0;

  IpPrefix subnet() const { return {address, prefix_length}; }
  auto operator<=>(const LinkAddress&) const = default;
};

struct Link {
  LinkIndex index;
  std::string name;
  MacAddress mac;
  bool up = false;       // administratively up (IFF_UP)
  bool carrier = false;  // the other end is there (IFF_LOWER_UP)
  bool loopback = false;
  bool ethernet = false;               // ARPHRD_ETHER: something that can carry ARP and NDP
  int master = 0;                      // ifindex of the bridge or bond that it belongs to; 0: none
  std::vector<LinkAddress> addresses;  // sorted; tentative and failed-DAD ones left out

  bool usable() const { return up && carrier && ethernet && !loopback; }
  bool operator==(const Link&) const = default;
};

}  // namespace herald
