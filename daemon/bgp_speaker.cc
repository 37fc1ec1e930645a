#include "daemon/bgp_speaker.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace herald::daemon {
namespace {

// nullopt: it has no router id yet, or no AS of its own. An override speaks for one node.
std::optional<bgp::PeerConfig> session_config(const BgpPeer& peer, const NodeName& self,
                                              std::optional<IpAddress> router_id) {
  PeerOverride own;
  for (const PeerOverride& o : peer.overrides) {
    if (o.node == self) own = o;
  }
  if (peer.router_id) router_id = peer.router_id;
  if (own.router_id) router_id = own.router_id;
  if (!router_id) return std::nullopt;
  bgp::PeerConfig c;
  c.name = peer.name;
  c.address = peer.address;
  c.port = peer.port;
  c.local_as = own.local_asn.value_or(peer.local_asn);
  if (c.local_as.value == 0) return std::nullopt;
  c.expected.kind = static_cast<decltype(c.expected.kind)>(peer.peer_asn.kind);
  c.expected.number = peer.peer_asn.number;
  c.router_id = *router_id;
  c.hold_time = peer.hold_time;
  c.keepalive_time = peer.keepalive_time;
  c.connect_retry = peer.connect_retry_time;
  c.multihop = peer.multihop;
  c.source_address = own.source_address ? own.source_address : peer.source_address;
  c.ipv4 = peer.ipv4;
  c.ipv6 = peer.ipv6;
  return c;
}

// An IPv6 route's next hop: our global address on the link towards the peer.
std::optional<IpAddress> next_hop_v6(const std::vector<Link>& links, const IpAddress& peer) {
  for (const Link& link : links) {
    const bool towards =
        std::any_of(link.addresses.begin(), link.addresses.end(),
                    [&](const LinkAddress& a) { return a.subnet().contains(peer); });
    if (!towards || link.loopback) continue;
    for (const LinkAddress& a : link.addresses) {
      if (a.address.is_v6() && !a.address.is_link_local()) return a.address;
    }
  }
  return std::nullopt;
}

}  // namespace

BgpSpeaker::BgpSpeaker(std::optional<IpAddress> router_id, Rng rng)
    : router_id_(router_id), rng_(rng) {}

// Once chosen it stays: another router id would be another OPEN, and reset every session.
void BgpSpeaker::choose_router_id(const std::vector<Link>& links,
                                  const std::vector<coord::MemberLink>& usable) {
  for (const coord::MemberLink& l : usable) {
    for (const Link& link : links) {
      if (link.name != l.name) continue;
      for (const LinkAddress& a : link.addresses) {
        if (a.address.is_v4() && !router_id_) router_id_ = a.address;
      }
    }
  }
}

void BgpSpeaker::set(const Policies& policies, const NodeFacts& self,
                     const std::vector<Link>& links, const std::vector<coord::MemberLink>& usable,
                     const coord::Table& table, const std::vector<NodeFacts>& others, bool leaving,
                     Instant now) {
  if (!router_id_) choose_router_id(links, usable);
  std::map<PeerName, bgp::PeerConfig> wanted;
  for (const BgpPeer& peer : policies.desired().peers) {
    if (leaving || !peers_with(peer, self.labels)) continue;
    const auto made = session_config(peer, self.name, router_id_);
    if (!made) continue;
    const bgp::PeerConfig& config = *made;
    wanted[peer.name] = config;
    auto it = sessions_.find(peer.name);
    if (it != sessions_.end() && configs_.at(peer.name) != config) {
      end(it, now);  // its OPEN would be another one: say goodbye, begin anew
      it = sessions_.end();
    }
    if (it == sessions_.end()) {
      it = sessions_.emplace(peer.name, bgp::Session(config, Rng(rng_.next()))).first;
      configs_[peer.name] = config;
      it->second.start(now);
    }
    it->second.set_next_hop_v6(next_hop_v6(links, peer.address), now);
    if (table.listed()) it->second.set_routes(routes(policies, peer, self, table, others), now);
  }
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    const auto here = it++;
    if (wanted.contains(here->first)) continue;
    const PeerName name = here->first;
    end(here, now);
    effects_.push_back(Log{Log::Level::Info, fmt::format("bgp peer={} removed", name.str())});
  }
}

void BgpSpeaker::end(std::map<PeerName, bgp::Session>::iterator it, Instant now) {
  it->second.stop(now);
  for (auto& action : it->second.take_actions()) {
    effects_.push_back(ActBgp{it->first, std::move(action)});
  }
  configs_.erase(it->first);
  sessions_.erase(it);
}

bgp::Session* BgpSpeaker::session(const PeerName& peer) {
  const auto it = sessions_.find(peer);
  return it == sessions_.end() ? nullptr : &it->second;
}

void BgpSpeaker::tick(Instant now) {
  for (auto& [name, session] : sessions_) session.tick(now);
}

std::vector<Effect> BgpSpeaker::take_effects() {
  for (auto& [name, session] : sessions_) {
    for (const auto& t : session.take_transitions()) {
      effects_.push_back(Log{
          Log::Level::Info, fmt::format("bgp peer={} {}->{} {}", name.str(), bgp::to_string(t.from),
                                        bgp::to_string(t.to), t.cause)});
    }
    for (auto& action : session.take_actions()) {
      effects_.push_back(ActBgp{name, std::move(action)});
    }
  }
  return std::exchange(effects_, {});
}

std::optional<Instant> BgpSpeaker::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [name, session] : sessions_) next = earliest(next, session.next_deadline());
  return next;
}

}  // namespace herald::daemon
