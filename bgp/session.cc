#include "bgp/session.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace herald::bgp {
namespace {

constexpr Duration kConnectTimeout = 10s;  // for TCP; the kernel alone would take two minutes
constexpr Duration kOpenSentHold = 240s;   // RFC 4271 §8.2.2: a large value before the OPEN is in
constexpr std::uint8_t kOpenError = 2, kHoldExpired = 4, kFsmError = 5, kCease = 6;

template <typename... F>
struct Cases : F... {
  using F::operator()...;
};
template <typename... F>
Cases(F...) -> Cases<F...>;

std::uint16_t seconds(Duration d) {
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(d).count(), 0, 65535));
}

}  // namespace

const char* to_string(SessionState state) {
  switch (state) {
    case SessionState::Idle:
      return "Idle";
    case SessionState::Connect:
      return "Connect";
    case SessionState::Active:
      return "Active";
    case SessionState::OpenSent:
      return "OpenSent";
    case SessionState::OpenConfirm:
      return "OpenConfirm";
    case SessionState::Established:
      return "Established";
  }
  return "";
}

Session::Session(PeerConfig config, Rng rng) : config_(std::move(config)), rng_(rng) {}

// The one place where the state changes and timers of the state are armed.
void Session::enter(SessionState next, std::string cause, Instant now) {
  if (next == state_) return;
  transitions_.push_back({state_, next, std::move(cause)});
  state_ = next;
  stats_.established_since.reset();
  if (next == SessionState::Established) {
    stats_.established_since = now;
    stats_.last_error.clear();
    stats_.last_notification.reset();
    failures_ = 0;
    rib_.forget();
    end_of_rib_due_ = true;
  }
  if (next == SessionState::Idle || next == SessionState::Active) {
    hold_until_.reset();
    keepalive_at_.reset();
    inbox_.clear();
    rib_.forget();
    stats_.prefixes_advertised = stats_.prefixes_held_back = 0;
    stats_.held_back_why.clear();
  }
}

void Session::connect(Instant now) {
  retry_at_ = now + kConnectTimeout;
  actions_.push_back(
      Connect{config_.address, config_.port, config_.source_address, config_.multihop});
  enter(SessionState::Connect, "connecting", now);
}

void Session::start(Instant now) {
  if (state_ == SessionState::Idle) connect(now);
}

void Session::stop(Instant now) {
  if (state_ == SessionState::Idle) return;
  if (state_ >= SessionState::OpenSent) send(encode_notification({kCease, 2, {}}));
  actions_.push_back(Close{});
  retry_at_.reset();
  enter(SessionState::Idle, "stopped", now);
}

void Session::retry_later(const std::string& why, Instant now) {
  if (state_ == SessionState::Idle) return;
  stats_.last_error = why;
  stats_.last_notification.reset();
  const Duration base = std::max(config_.connect_retry, Duration(1s));
  const Duration wait = std::min(kMaxConnectRetry, base * (1u << std::min(failures_, 6u)));
  ++failures_;
  retry_at_ = now + rng_.between(wait * 3 / 4, wait);  // §10: jitter of 0.75 .. 1
  enter(SessionState::Active, why, now);
}

// We end the connection because of what the peer did: tell it why.
void Session::fail(const Notification& notification, const std::string& why, Instant now) {
  send(encode_notification(notification));
  actions_.push_back(Close{});
  retry_later(why, now);
  stats_.last_notification = {notification.code, notification.subcode, true};
}

void Session::send(Bytes message) {
  ++stats_.messages_sent;
  actions_.push_back(Send{std::move(message)});
}

void Session::connected(const IpAddress& local_address, Instant now) {
  if (state_ != SessionState::Connect) return;
  local_address_ = local_address;
  inbox_.clear();
  retry_at_.reset();
  Open open;
  open.as = config_.local_as;
  open.hold_time_s = seconds(config_.hold_time);
  open.bgp_id = config_.router_id;
  open.four_octet_as = true;
  open.route_refresh = true;
  open.ipv4_unicast = config_.ipv4;
  open.ipv6_unicast = config_.ipv6;
  send(encode_open(open));
  hold_until_ = now + kOpenSentHold;
  enter(SessionState::OpenSent, "connected from " + to_string(local_address), now);
}

void Session::connect_failed(const std::string& why, Instant now) {
  if (state_ != SessionState::Connect) return;
  retry_later(fmt::format("cannot connect to {} port {}: {}", to_string(config_.address),
                          config_.port, why),
              now);
}

void Session::closed(const std::string& why, Instant now) {
  if (state_ < SessionState::OpenSent) return;
  // A NOTIFICATION that came before says more than the end of the connection.
  retry_later("connection closed: " + why, now);
}

void Session::received(ByteView bytes, Instant now) {
  if (state_ < SessionState::OpenSent) return;
  inbox_.insert(inbox_.end(), bytes.begin(), bytes.end());
  std::size_t at = 0;
  while (state_ >= SessionState::OpenSent) {
    const ByteView rest = ByteView(inbox_).subspan(at);
    const auto length = message_length(rest);
    if (!length) {
      fail(length.error(), "the peer sent a bad message header: " + to_string(length.error()), now);
      return;
    }
    if (!*length || **length > rest.size()) break;
    const Bytes message(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(**length));
    at += **length;
    ++stats_.messages_received;
    const auto parsed = parse_message(message);
    if (!parsed) {
      fail(parsed.error(),
           "the peer sent a message that we cannot accept: " + to_string(parsed.error()), now);
      return;
    }
    on_message(*parsed, now);
  }
  if (state_ < SessionState::OpenSent) return;
  inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(at));
}

void Session::on_message(const Message& message, Instant now) {
  if (const auto* n = std::get_if<Notification>(&message)) {
    actions_.push_back(Close{});
    retry_later("the peer ended the session: NOTIFICATION " + to_string(*n), now);
    stats_.last_notification = {n->code, n->subcode, false};
    return;
  }
  // §8.2.2: what each state takes; anything else is an error of the state machine (RFC 6608).
  const auto out_of_place = [&](std::uint8_t subcode) {
    fail({kFsmError, subcode, {}},
         fmt::format("the peer sent a message that has no place in {}", to_string(state_)), now);
  };
  if (state_ == SessionState::OpenSent) {
    if (const auto* open = std::get_if<Open>(&message)) {
      on_open(*open, now);
    } else {
      out_of_place(1);
    }
    return;
  }
  const auto alive = [&] {
    if (negotiated_hold() > 0s) hold_until_ = now + negotiated_hold();
  };
  if (state_ == SessionState::OpenConfirm) {
    if (!std::holds_alternative<Keepalive>(message)) {
      out_of_place(2);
      return;
    }
    alive();
    enter(SessionState::Established, fmt::format("hold={}", herald::to_string(negotiated_hold())),
          now);
    flush(now);
    return;
  }
  std::visit(Cases{[&](const Keepalive&) { alive(); },
                   [&](const UpdateBody& u) {
                     alive();
                     on_update(u.body, now);
                   },
                   [&](const RouteRefresh& r) {
                     if (r.safi != 1 || r.subtype != 0) return;
                     if (r.afi == 1) rib_.forget(IpFamily::IPv4);
                     if (r.afi == 2) rib_.forget(IpFamily::IPv6);
                     flush(now);
                   },
                   [&](const Open&) { out_of_place(3); }, [](const Notification&) {}},
             message);
}

void Session::on_open(const Open& open, Instant now) {
  const bool right_as =
      config_.expected.kind == PeerAs::Kind::Any        ? true
      : config_.expected.kind == PeerAs::Kind::Number   ? open.as == config_.expected.number
      : config_.expected.kind == PeerAs::Kind::Internal ? open.as == config_.local_as
                                                        : open.as != config_.local_as;
  if (!right_as) {
    const std::string expected = config_.expected.kind == PeerAs::Kind::Number
                                     ? std::to_string(config_.expected.number.value)
                                 : config_.expected.kind == PeerAs::Kind::Internal
                                     ? fmt::format("{} (internal)", config_.local_as.value)
                                     : fmt::format("any but {} (external)", config_.local_as.value);
    fail({kOpenError, 2, {}},
         fmt::format("peer {} ({}) says it is AS {}, but spec.peerASN is {}: set spec.peerASN to "
                     "{}, or mend the router",
                     config_.name.str(), to_string(config_.address), open.as.value, expected,
                     open.as.value),
         now);
    return;
  }
  if (open.as == config_.local_as && open.bgp_id == config_.router_id) {
    fail({kOpenError, 3, {}},
         fmt::format("peer {} has our own router id {}: give this node another one (bgp-router-id)",
                     config_.name.str(), to_string(open.bgp_id)),
         now);
    return;
  }
  negotiated_ = {open.as == config_.local_as, open.four_octet_as, config_.ipv4 && open.ipv4_unicast,
                 config_.ipv6 && open.ipv6_unicast};
  hold_ = std::min(std::chrono::seconds(seconds(config_.hold_time)),
                   std::chrono::seconds(open.hold_time_s));
  hold_until_.reset();
  keepalive_at_.reset();
  if (negotiated_hold() > 0s) {
    hold_until_ = now + negotiated_hold();
    keepalive_interval_ = std::min(config_.keepalive_time, negotiated_hold() / 3);
    if (keepalive_interval_ <= 0s) keepalive_interval_ = negotiated_hold() / 3;
    keepalive_at_ = now + keepalive_interval_;
  }
  send(encode_keepalive());
  enter(SessionState::OpenConfirm,
        fmt::format("AS {} router-id {}", open.as.value, to_string(open.bgp_id)), now);
}

void Session::on_update(ByteView body, Instant now) {
  ++stats_.updates_received;
  const auto verdict = check_update(body, negotiated_);
  if (!verdict) {
    fail(verdict.error(), "the peer sent a malformed UPDATE: " + to_string(verdict.error()), now);
  } else if (*verdict != UpdateVerdict::Fine) {
    ++stats_.malformed_updates;
  }
}

void Session::set_routes(std::vector<Route> routes, Instant now) {
  if (routes == wanted_) return;
  wanted_ = std::move(routes);
  rib_.set(wanted_);
  flush(now);
}

void Session::set_next_hop_v6(std::optional<IpAddress> next_hop, Instant now) {
  if (next_hop == next_hop_v6_) return;
  next_hop_v6_ = next_hop;
  flush(now);
}

// Says what has changed.
void Session::flush(Instant) {
  if (state_ != SessionState::Established) return;
  NextHops hops;
  // RFC 2545 §3: a link-local address is never a next hop alone.
  if (next_hop_v6_ && !next_hop_v6_->is_link_local()) hops.v6 = next_hop_v6_;
  if (local_address_.is_v4()) {
    hops.v4 = local_address_;
  } else if (local_address_.is_link_local()) {
    hops.v6_link_local = local_address_;
  } else {
    hops.v6 = local_address_;
  }
  for (Bytes& message : rib_.take_updates(negotiated_, config_.local_as, hops)) {
    ++stats_.updates_sent;
    send(std::move(message));
  }
  note_held_back(hops);
  if (std::exchange(end_of_rib_due_, false)) {
    if (negotiated_.ipv4) send(encode_end_of_rib(IpFamily::IPv4));
    if (negotiated_.ipv6) send(encode_end_of_rib(IpFamily::IPv6));
  }
}

// Counts what the peer was told and what not, and says why not.
void Session::note_held_back(const NextHops& hops) {
  stats_.prefixes_advertised = rib_.advertised();
  stats_.prefixes_held_back = rib_.wanted().size() - rib_.advertised();
  std::string& why = stats_.held_back_why;
  why.clear();
  if (stats_.prefixes_held_back == 0) return;
  std::size_t v4 = 0, v6 = 0;
  for (const auto& [prefix, attributes] : rib_.wanted()) {
    ++(prefix.family() == IpFamily::IPv4 ? v4 : v6);
  }
  const auto say = [&](const std::string& sentence) {
    why += (why.empty() ? "" : "; ") + sentence;
  };
  const std::string peer = config_.name.str();
  if (v4 > 0 && !negotiated_.ipv4) {
    say(
        fmt::format("{} IPv4 routes are held back: peer {} and this node have not both enabled "
                    "IPv4 unicast; enable it on the router, and in spec.families",
                    v4, peer));
  } else if (v4 > 0 && !hops.v4) {
    say(
        fmt::format("{} IPv4 routes are held back: the session with peer {} runs over IPv6, so "
                    "they have no next hop; add a BGPPeer with the router's IPv4 address",
                    v4, peer));
  }
  if (v6 > 0 && !negotiated_.ipv6) {
    say(
        fmt::format("{} IPv6 routes are held back: peer {} and this node have not both enabled "
                    "IPv6 unicast; enable it on the router, and in spec.families",
                    v6, peer));
  } else if (v6 > 0 && !hops.v6) {
    say(
        fmt::format("{} IPv6 routes are held back: this node has no IPv6 address but link-local "
                    "ones to give peer {} as next hop; add one to the interface towards it",
                    v6, peer));
  }
  if (const auto& large = rib_.too_large(); !large.empty()) {
    say(
        fmt::format("{} routes are held back, {} first: their attributes do not fit a message of "
                    "{} octets; take communities out of the BGPAdvertisements that select them",
                    large.size(), to_string(large.front()), kMaxMessage));
  }
}

void Session::tick(Instant now) {
  if (retry_at_ && now >= *retry_at_) {
    retry_at_.reset();
    if (state_ == SessionState::Connect) {
      actions_.push_back(Close{});
      connect_failed(fmt::format("no answer within {}", herald::to_string(kConnectTimeout)), now);
    } else if (state_ == SessionState::Active) {
      connect(now);
    }
  }
  if (hold_until_ && now >= *hold_until_) {
    hold_until_.reset();
    fail({kHoldExpired, 0, {}},
         fmt::format("the peer has been silent for {}",
                     herald::to_string(state_ == SessionState::OpenSent ? kOpenSentHold
                                                                        : negotiated_hold())),
         now);
  }
  if (keepalive_at_ && now >= *keepalive_at_) {
    keepalive_at_ = now + rng_.between(keepalive_interval_ * 3 / 4, keepalive_interval_);
    send(encode_keepalive());
  }
}

std::optional<Instant> Session::next_deadline() const {
  return earliest(retry_at_, earliest(hold_until_, keepalive_at_));
}

std::vector<Action> Session::take_actions() {
  return std::exchange(actions_, {});
}
std::vector<Transition> Session::take_transitions() {
  return std::exchange(transitions_, {});
}

}  // namespace herald::bgp
