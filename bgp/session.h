// bgp/session.h: one active BGP session (RFC 4271 §8), as a pure machine.
//
// Idle -> Connect -> OpenSent -> OpenConfirm -> Established; whatever goes wrong leads to Active,
// which waits (with back-off and jitter) and connects again. We speak only: what a peer announces
// is checked and then forgotten. Bytes and instants come in, actions come out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/names.h"
#include "base/rng.h"
#include "base/time.h"
#include "bgp/adj_rib_out.h"
#include "bgp/message_wire.h"
#include "bgp/route.h"

namespace herald::bgp {

enum class SessionState { Idle, Connect, Active, OpenSent, OpenConfirm, Established };  // §8.2.2
const char* to_string(SessionState state);

// What AS the peer must show in its OPEN.
struct PeerAs {
  enum class Kind : std::uint8_t { Number, Internal, External, Any } kind = Kind::Number;
  Asn number;
  bool operator==(const PeerAs&) const = default;
};

struct PeerConfig {
  PeerName name;
  IpAddress address;
  std::uint16_t port = 179;
  Asn local_as;
  PeerAs expected;
  IpAddress router_id;  // IPv4, not 0.0.0.0
  Duration hold_time = 90s;
  Duration keepalive_time = 30s;
  Duration connect_retry = 5s;  // doubles up to kMaxConnectRetry while it fails
  int multihop = 1;             // TTL / hop limit of our packets
  std::optional<IpAddress> source_address;
  bool ipv4 = true, ipv6 = true;  // families to offer
  bool operator==(const PeerConfig&) const = default;
};
inline constexpr Duration kMaxConnectRetry = 60s;

// What is to be done with the TCP connection, in this order.
struct Connect {
  IpAddress address;
  std::uint16_t port = 0;
  std::optional<IpAddress> source_address;
  int ttl = 1;
};
struct Send {
  Bytes bytes;
};
struct Close {};  // after what was sent has left
using Action = std::variant<Connect, Send, Close>;

struct Transition {
  SessionState from, to;
  std::string cause;
};

struct SessionStats {
  std::uint64_t messages_sent = 0, messages_received = 0;
  std::uint64_t updates_sent = 0, updates_received = 0;
  std::uint64_t malformed_updates = 0;  // treated as RFC 7606 asks, session kept
  std::uint64_t prefixes_advertised = 0;
  std::uint64_t prefixes_held_back = 0;  // wanted, but the established session cannot carry them
  std::string held_back_why;             // for people: one sentence for each reason
  std::optional<Instant> established_since;
  std::string last_error;  // for people: what ended or prevents the session, and what to do
  // What ended the last connection, if it was a NOTIFICATION (RFC 4271 §4.5).
  struct SeenNotification {
    std::uint8_t code = 0, subcode = 0;
    bool sent = false;  // by us
  };
  std::optional<SeenNotification> last_notification;
};

class Session {
 public:
  Session(PeerConfig config, Rng rng);

  void start(Instant now);
  // Administrative shutdown: Cease (RFC 4486 subcode 2), then nothing until start().
  void stop(Instant now);

  // The whole wanted set; may be called at any time with the same set.
  void set_routes(std::vector<Route> routes, Instant now);
  // Next hop of IPv6 routes: an address of this node that the peer can reach; none, or a link-local
  // one, holds them back. A session over IPv6 uses its own address, unless that is link-local.
  void set_next_hop_v6(std::optional<IpAddress> next_hop, Instant now);

  void connected(const IpAddress& local_address, Instant now);
  void connect_failed(const std::string& why, Instant now);
  void received(ByteView bytes, Instant now);
  void closed(const std::string& why, Instant now);
  void tick(Instant now);

  std::optional<Instant> next_deadline() const;
  std::vector<Action> take_actions();
  std::vector<Transition> take_transitions();

  SessionState state() const { return state_; }
  const SessionStats& stats() const { return stats_; }
  const PeerConfig& config() const { return config_; }
  // Whether the peer has been told to send this prefix to us.
  bool advertised(const IpPrefix& prefix) const { return rib_.advertised(prefix); }

 private:
  Duration negotiated_hold() const { return hold_; }  // 0: no keepalives (§4.2)
  void connect(Instant now);
  void enter(SessionState next, std::string cause, Instant now);
  void fail(const Notification& notification, const std::string& why, Instant now);
  void retry_later(const std::string& why, Instant now);
  void send(Bytes message);
  void on_message(const Message& message, Instant now);
  void on_open(const Open& open, Instant now);
  void on_update(ByteView body, Instant now);
  void flush(Instant now);
  void note_held_back(const NextHops& next_hops);

  PeerConfig config_;
  Rng rng_;
  SessionState state_ = SessionState::Idle;
  SessionStats stats_;

  std::vector<Route> wanted_;
  AdjRibOut rib_;
  std::optional<IpAddress> next_hop_v6_;
  IpAddress local_address_;
  Bytes inbox_;  // what is not a whole message yet: less than one message

  Negotiated negotiated_;
  bool end_of_rib_due_ = false;
  Duration hold_ = 0s, keepalive_interval_ = 0s;
  std::optional<Instant> retry_at_, hold_until_, keepalive_at_;
  unsigned failures_ = 0;

  std::vector<Action> actions_;
  std::vector<Transition> transitions_;
};

}  // namespace herald::bgp
