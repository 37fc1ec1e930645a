// l2/responder.h: the policy of answering: a frame in, a verdict and perhaps a reply out.
//
// Pure: the same for the packet socket, the simulator and the fuzzers. A reply is only made for a
// VIP that is granted on the link the frame came in by, and only before the deadline.
#pragma once

#include <optional>

#include "l2/frame.h"
#include "l2/grants.h"
#include "l2/verdict.h"

namespace herald::l2 {

// Another station that uses a VIP of ours, or one that we are about to announce.
struct Conflict {
  LinkIndex link;
  IpAddress vip;
  MacAddress other;
  bool operator==(const Conflict&) const = default;
};

struct Answer {
  Verdict verdict = Verdict::Invalid;
  std::optional<Frame> reply;        // iff Replied
  std::optional<Conflict> conflict;  // iff Verdict::Conflict
};

// `frame` starts at the Ethernet destination and may carry padding. ARP (RFC 826, RFC 5227) and
// Neighbor Discovery (RFC 4861); everything else gets its verdict and no reply.
Answer answer(ByteView frame, LinkIndex link, const Grants& grants, Instant now);

}  // namespace herald::l2
