// l2/frame.h: an Ethernet frame on its way out, and the VIP that it speaks for, or asks about.
#pragma once

#include "base/bytes.h"
#include "net/ip.h"

namespace herald::l2 {

struct Frame {
  Bytes bytes;         // from the Ethernet destination on, without FCS
  IpAddress vip;       // whoever sends the frame asks whether we still own this
  bool probe = false;  // it asks who has the VIP: for one that is being probed
  bool operator==(const Frame&) const = default;
};

}  // namespace herald::l2
