#include "net/netlink_io.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <tuple>

namespace herald {
namespace {

struct CloseSocket {
  void operator()(mnl_socket* s) const { mnl_socket_close(s); }
};
using Socket = std::unique_ptr<mnl_socket, CloseSocket>;

std::string last_error() {
  return strerror(errno);
}

ByteView payload(const nlattr* attribute) {
  return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
          mnl_attr_get_payload_len(attribute)};
}

// The attributes of a message that we know the number of.
template <std::size_t Max>
std::array<const nlattr*, Max + 1> attributes(const nlmsghdr* message, std::size_t header) {
  std::array<const nlattr*, Max + 1> out{};
  const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, header));
  const char* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(message));
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    const auto type = mnl_attr_get_type(attribute);
    if (type <= Max) out[type] = attribute;
    attribute = mnl_attr_next(attribute);
  }
  return out;
}

}  // namespace

class LinkMonitor::Impl {
 public:
  Result<void> open() {
    events_.reset(mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!events_ ||
        mnl_socket_bind(events_.get(), RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
                        MNL_SOCKET_AUTOPID) < 0) {
      return error("netlink: cannot watch links and addresses: " + last_error());
    }
    return dump();  // after subscribing, so that no change falls between
  }

  int fd() const { return events_ ? mnl_socket_get_fd(events_.get()) : -1; }

  Result<bool> read() {
    if (!events_) return error("netlink: read() before open()");
    const std::vector<Link> before = list_;
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    while (true) {
      const auto n = mnl_socket_recvfrom(events_.get(), buffer.data(), buffer.size());
      if (n >= 0) {
        take(buffer.data(), static_cast<int>(n));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      if (errno != ENOBUFS && errno != ENOSPC) {
        return error("netlink: cannot read changes: " + last_error());
      }
      if (const auto fresh = dump(); !fresh) return error(fresh.error());
    }
    publish();
    return list_ != before;
  }

  const std::vector<Link>& links() const { return list_; }

 private:
  using AddressKey = std::tuple<int, IpAddress, unsigned>;  // ifindex, address, prefix length

  Result<void> dump() {
    links_.clear();
    addresses_.clear();
    for (const int type : {RTM_GETLINK, RTM_GETADDR}) {
      if (const auto done = dump_one(static_cast<std::uint16_t>(type)); !done) return done;
    }
    publish();
    return {};
  }

  Result<void> dump_one(std::uint16_t type) {
    // A socket of its own: answers and changes do not mix, and it may block.
    const Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
      return error("netlink: cannot open a socket: " + last_error());
    }
    alignas(nlmsghdr) std::array<char, 32768> buffer{};
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    auto* family = static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg)));
    family->rtgen_family = AF_UNSPEC;
    if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) {
      return error("netlink: cannot ask for the list: " + last_error());
    }
    while (true) {
      const auto n = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return error("netlink: cannot read the list: " + last_error());
      if (take(buffer.data(), static_cast<int>(n))) return {};
    }
  }

  // Returns whether a list has ended with this buffer.
  bool take(const char* data, int length) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(data);
    for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
      switch (message->nlmsg_type) {
        case NLMSG_DONE:
        case NLMSG_ERROR:
          return true;
        case RTM_NEWLINK:
        case RTM_DELLINK:
          take_link(message);
          break;
        case RTM_NEWADDR:
        case RTM_DELADDR:
          take_address(message);
          break;
        default:
          break;
      }
    }
    return false;
  }

  void take_link(const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) return;
    const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    if (info->ifi_family == AF_BRIDGE) return;  // a port of a bridge, not the link itself
    if (message->nlmsg_type == RTM_DELLINK) {
      links_.erase(info->ifi_index);
      std::erase_if(addresses_,
                    [&](const auto& key) { return std::get<0>(key) == info->ifi_index; });
      return;
    }
    const auto found = attributes<IFLA_MASTER>(message, sizeof *info);
    Link& link = links_[info->ifi_index];
    link.index = LinkIndex(info->ifi_index);
    link.up = (info->ifi_flags & IFF_UP) != 0;
    link.carrier = (info->ifi_flags & IFF_LOWER_UP) != 0;
    link.loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
    link.ethernet = info->ifi_type == ARPHRD_ETHER;
    if (found[IFLA_IFNAME] != nullptr) link.name = mnl_attr_get_str(found[IFLA_IFNAME]);
    if (found[IFLA_ADDRESS] != nullptr && payload(found[IFLA_ADDRESS]).size() == 6) {
      const ByteView mac = payload(found[IFLA_ADDRESS]);
      std::copy(mac.begin(), mac.end(), link.mac.octets.begin());
    }
    link.master = found[IFLA_MASTER] != nullptr && payload(found[IFLA_MASTER]).size() == 4
                      ? static_cast<int>(mnl_attr_get_u32(found[IFLA_MASTER]))
                      : 0;
  }

  void take_address(const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(ifaddrmsg)) return;
    const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    const auto found = attributes<IFA_FLAGS>(message, sizeof *info);
    // IFA_ADDRESS is the other end on a point-to-point link; IFA_LOCAL is ours where it exists.
    const nlattr* ours = found[IFA_LOCAL] != nullptr ? found[IFA_LOCAL] : found[IFA_ADDRESS];
    const auto address = ours != nullptr ? IpAddress::from_bytes(payload(ours)) : std::nullopt;
    if (!address) return;
    const std::uint32_t flags = found[IFA_FLAGS] != nullptr && payload(found[IFA_FLAGS]).size() == 4
                                    ? mnl_attr_get_u32(found[IFA_FLAGS])
                                    : info->ifa_flags;
    const AddressKey key{static_cast<int>(info->ifa_index), *address, info->ifa_prefixlen};
    const bool usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
    if (message->nlmsg_type == RTM_NEWADDR && usable) {
      addresses_.insert(key);
    } else {
      addresses_.erase(key);
    }
  }

  void publish() {
    list_.clear();
    for (const auto& [index, link] : links_) {
      list_.push_back(link);
      const auto from = addresses_.lower_bound(AddressKey{index, IpAddress{}, 0});
      for (auto it = from; it != addresses_.end() && std::get<0>(*it) == index; ++it) {
        list_.back().addresses.push_back({std::get<1>(*it), std::get<2>(*it)});
      }
    }
  }

  Socket events_;
  std::map<int, Link> links_;  // without addresses
  std::set<AddressKey> addresses_;
  std::vector<Link> list_;
};

LinkMonitor::LinkMonitor() : impl_(std::make_unique<Impl>()) {}
LinkMonitor::~LinkMonitor() = default;
LinkMonitor::LinkMonitor(LinkMonitor&&) noexcept = default;
LinkMonitor& LinkMonitor::operator=(LinkMonitor&&) noexcept = default;
Result<void> LinkMonitor::open() {
  return impl_->open();
}
int LinkMonitor::fd() const {
  return impl_->fd();
}
Result<bool> LinkMonitor::read() {
  return impl_->read();
}
const std::vector<Link>& LinkMonitor::links() const {
  return impl_->links();
}

}  // namespace herald
