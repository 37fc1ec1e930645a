// daemon/events.h: everything that the daemon can learn, and everything that it can do: the one
// seam between the core and the world. Production and the simulator both live behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "bgp/session.h"
#include "coord/guard.h"
#include "coord/store.h"
#include "daemon/operator_request.h"
#include "kube/observed.h"
#include "kube/write.h"
#include "l2/frame.h"
#include "l2/grants.h"
#include "model/desired.h"
#include "net/link.h"

namespace herald::daemon {

// ---- in -----------------------------------------------------------------------------------------

struct TimePassed {};  // nothing but the clock: next_deadline() has come
struct DesiredRead {   // the whole of the manifests, each time anything changed
  std::shared_ptr<const Desired> desired;
};
struct LinksRead {  // the whole list, each time anything changed
  std::vector<Link> links;
};
struct StoreAnswered {
  std::uint64_t id = 0;  // of the AskStore
  coord::StoreReply reply;
};
struct StoreChanged {  // by watch: may be old, twice, or missing
  std::vector<coord::Document> documents;
};
struct GuardReported {  // whenever something of note changed on the heartbeats' thread
  coord::GuardReport report;
};
struct BgpConnected {
  PeerName peer;
  IpAddress local;  // our end of the connection
};
struct BgpConnectFailed {
  PeerName peer;
  std::string why;
};
struct BgpReceived {
  PeerName peer;
  Bytes bytes;
};
struct BgpClosed {
  PeerName peer;
  std::string why;
};
struct ConflictSeen {  // another station uses a VIP that is ours
  LinkIndex link;
  IpAddress vip;
  MacAddress station;
};
struct OperatorAsked {
  std::uint64_t id = 0;  // comes back with the answer
  OperatorRequest request;
};
// With an API server as the source: the objects that this node may write to, as they are there;
// each time anything changed. Before the DesiredRead of the same change, in the same step.
struct ObjectsSeen {
  std::shared_ptr<const kube::Observed> observed;
};
struct KubeAnswered {
  std::uint64_t id = 0;  // of the AskKube
  kube::WriteAnswer answer;
};
// Seconds since 1970 by the clock on the wall, at this event's instant: for what people read (the
// times in conditions and events), never for a decision. At the start and once a minute.
struct WallClockRead {
  std::int64_t seconds = 0;
};
struct StopRequested {};

using Event =
    std::variant<TimePassed, DesiredRead, LinksRead, StoreAnswered, StoreChanged, GuardReported,
                 BgpConnected, BgpConnectFailed, BgpReceived, BgpClosed, ConflictSeen,
                 OperatorAsked, ObjectsSeen, KubeAnswered, WallClockRead, StopRequested>;

// ---- out: to be carried out in the order given
// -----------------------------------------------------

// What this node may answer for. When it has been applied, no answer by an older one may be sent: a
// write that passes a VIP on may follow right behind.
struct SetGrants {
  l2::LinkGrants links;
};
// Until when that is so, is for the guard to say. When it has been applied, the right does not end
// later than these orders allow: a write that shortens it may follow right behind.
struct ApplyGuard {
  std::shared_ptr<const coord::GuardOrders> orders;
};
struct SendFrame {  // if its VIP may still be answered for at the moment of sending
  LinkIndex link;
  l2::Frame frame;
};
struct AskStore {
  std::uint64_t id = 0;
  coord::StoreRequest request;
};
struct AskKube {
  std::uint64_t id = 0;
  kube::Write write;
};
struct ActBgp {
  PeerName peer;
  bgp::Action action;
};
struct OperatorAnswered {  // once for each OperatorAsked
  std::uint64_t id = 0;
  OperatorAnswer answer;
};
struct Log {  // a transition, subject first
  enum class Level : std::uint8_t { Info, Warning, Error } level = Level::Info;
  std::string text;
};
struct Exit {};  // after a stop: everything was handed over, or time ran out

using Effect = std::variant<SetGrants, ApplyGuard, SendFrame, AskStore, AskKube, ActBgp,
                            OperatorAnswered, Log, Exit>;

}  // namespace herald::daemon
