// net/netlink_io.h: the links and addresses of this host, as the kernel tells them (rtnetlink).
//
// open() -> a full list -> the kernel sends changes to fd() -> read() takes them in -> links() is
// current again. If the kernel had to drop changes (ENOBUFS), the full list is read anew.
// Tentative addresses and those that failed duplicate address detection are left out.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "net/link.h"

namespace herald {

class LinkMonitor {
 public:
  LinkMonitor();
  ~LinkMonitor();
  LinkMonitor(LinkMonitor&&) noexcept;
  LinkMonitor& operator=(LinkMonitor&&) noexcept;

  // Subscribes and reads the full list, in the network namespace of the calling thread.
  Result<void> open();
  // Readable when there is something for read(). Non-blocking; -1 before open().
  int fd() const;
  // Takes in what the kernel has sent. True: links() differs from before. An error is one that
  // does not go away by itself: open() again.
  Result<bool> read();
  // Sorted by index, loopback included (see Link::loopback).
  const std::vector<Link>& links() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace herald
