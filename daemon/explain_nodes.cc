// Peers and nodes: what this node knows of the others around it.
#include <fmt/core.h>

#include <algorithm>

#include <boost/json.hpp>

#include "base/text.h"
#include "daemon/lease_view.h"
#include "daemon/reply_wire.h"
#include "daemon/story.h"

namespace herald::daemon {

namespace json = boost::json;

namespace {

std::string asn_text(const BgpPeer& peer) {
  switch (peer.peer_asn.kind) {
    case PeerAsn::Kind::Internal:
      return fmt::format("internal ({})", peer.local_asn.value);
    case PeerAsn::Kind::External:
      return "external";
    case PeerAsn::Kind::Any:
      return "any";
    case PeerAsn::Kind::Number:
      break;
  }
  return std::to_string(peer.peer_asn.number.value);
}

// What usually lies behind a NOTIFICATION (RFC 4271 §4.5, 4486) or a connection that fails, and
// what to do. Both ends are named, because either may be the wrong one.
std::string likely_cause(const BgpPeer& peer, const bgp::SessionStats& stats) {
  const std::string at = fmt::format("the router {}", to_string(peer.address));
  if (stats.last_notification) {
    const auto& [code, subcode, sent] = *stats.last_notification;
    if (code == 2 && subcode == 2) {
      return sent ? fmt::format(
                        "the router is in another AS than spec.peerASN ({}) says: correct "
                        "spec.peerASN ({}), or the router's own AS",
                        asn_text(peer), place_of(peer.source))
                  : fmt::format(
                        "{} expects another AS of this node than spec.localASN {}: correct "
                        "spec.localASN ({}), or the neighbor's remote AS on the router",
                        at, peer.local_asn.value, place_of(peer.source));
    }
    if (code == 2 && subcode == 3) {
      return "both ends have the same router id: give this node another one (bgp-router-id)";
    }
    if (code == 2 && subcode == 6) {
      return "the hold time is not acceptable to the other end: raise spec.holdTime";
    }
    if (code == 4) {
      return "nothing was heard for the hold time: look for loss on the path, a firewall, or a "
             "router that is overloaded";
    }
    if (code == 6 && (subcode == 2 || subcode == 3)) {
      return fmt::format("{} has this session shut down or not configured: enable it there", at);
    }
    if (code == 6 && subcode == 5) {
      return fmt::format("{} rejects the connection: configure this node as its neighbor", at);
    }
    if (code == 6 && subcode == 1) {
      return fmt::format(
          "{} takes fewer prefixes than it was sent: raise its maximum, or select "
          "fewer services",
          at);
    }
  }
  if (stats.last_error.find("refused") != std::string::npos) {
    return fmt::format(
        "nothing listens at {} port {}: start BGP on the router, or correct "
        "spec.address and spec.port",
        to_string(peer.address), peer.port);
  }
  if (stats.last_error.find("cannot connect") != std::string::npos ||
      stats.last_error.find("no answer") != std::string::npos) {
    return fmt::format(
        "{} does not answer: check spec.address, the route to it, its firewall, and "
        "spec.multihop if it is more than one hop away",
        at);
  }
  if (stats.last_error.find("connection closed") != std::string::npos) {
    return fmt::format(
        "{} closed the connection without a word: it may not know this node as a "
        "neighbor, or want a password",
        at);
  }
  return stats.last_error;
}

void tell_session(const View& view, const BgpPeer& peer, const bgp::Session& session,
                  Story& story) {
  const auto& stats = session.stats();
  const bool up = session.state() == bgp::SessionState::Established;
  story.verdict = bgp::to_string(session.state());
  if (up && stats.established_since) {
    story.fact(fmt::format("Established for {}", in_ms(view.instant() - *stats.established_since)));
  } else {
    story.fact(fmt::format("the session is {}", bgp::to_string(session.state())));
  }
  story.set("state", bgp::to_string(session.state()));
  story.set("last_error", stats.last_error);
  json::value notification;
  if (stats.last_notification) {
    const auto& n = *stats.last_notification;
    const std::string text = to_string(bgp::Notification{n.code, n.subcode, {}});
    story.fact(fmt::format("last NOTIFICATION, {}: {}",
                           n.sent ? "sent by this node" : "sent by the router", text));
    notification =
        json::object{{"code", n.code}, {"subcode", n.subcode}, {"sent", n.sent}, {"text", text}};
  }
  story.set("last_notification", notification);
  if (!stats.last_error.empty()) story.fact(fmt::format("last error: {}", stats.last_error));
  if (!stats.held_back_why.empty()) story.fact(stats.held_back_why);
  if (!up) {
    const std::string cause = likely_cause(peer, stats);
    story.set("likely_cause", cause);
    if (!cause.empty()) {
      story.verdict += ": " + cause;
      story.remedy = cause;  // nearer to the matter than what its manifest has
    }
  }
  std::vector<std::string> announced;
  for (const bgp::Route& r : view.routes(peer)) announced.push_back(to_string(r.prefix));
  story.fact(fmt::format("{}: {}",
                         up ? "announced to it" : "to be announced once it is established",
                         some(announced)));
  story.set("prefixes", strings(announced));
  story.set("prefixes_advertised", stats.prefixes_advertised);
  story.set("prefixes_held_back", stats.prefixes_held_back);
  if (up && stats.prefixes_held_back > 0) {
    story.fact(fmt::format(
        "{} of them are held back: no next hop of their family, or the router did not agree "
        "to it",
        stats.prefixes_held_back));
  }
  if (announced.empty()) {
    story.advise(
        "no BGPAdvertisement selects an IP for this peer: add one, or look at its "
        "selectors with `heraldctl explain policy`");
  }
}

}  // namespace

std::optional<Story> explain_peer(const View& view, std::string_view name) {
  const auto& peers = view.desired().peers;
  const auto peer = std::find_if(peers.begin(), peers.end(),
                                 [&](const BgpPeer& p) { return p.name.str() == name; });
  const bool loaded = peer != peers.end();
  Story story;
  story.object = fmt::format("peer {}", name);
  story.set("name", name);
  story.take_problems(
      problems_of(view.desired(), {"BGPPeer"}, "", name, loaded ? &peer->source : nullptr));
  if (!loaded && story.problems.empty()) return std::nullopt;
  if (!loaded) {
    story.in_force = false;
    story.set("state", "Absent");
    story.verdict = "not in force: it cannot be used as it is written";
    return story;
  }
  story.fact(fmt::format("read from {}", place_of(peer->source)));
  story.fact(fmt::format("{} port {}, spec.peerASN {}, spec.localASN {}", to_string(peer->address),
                         peer->port, asn_text(*peer), peer->local_asn.value));
  story.set("address", to_string(peer->address));
  story.set("port", peer->port);
  story.set("peer_asn", asn_text(*peer));
  story.set("local_asn", peer->local_asn.value);
  const auto session = view.node().sessions().find(peer->name);
  if (session != view.node().sessions().end()) {
    tell_session(view, *peer, session->second, story);
  } else {
    const bool selected = selects(peer->node_selectors, view.self().labels);
    story.set("state", "Absent");
    story.verdict = selected ? "no session: this node has no router id, or is stopping"
                             : "no session from this node: spec.nodeSelector does not select it";
    story.fact(story.verdict);
    if (selected) {
      story.advise(
          "give this node a router id (bgp-router-id), or an IPv4 address on a usable "
          "link");
    }
  }
  if (story.keeps_old_version()) {
    story.verdict += "; in force as it was read before: its new version cannot be used";
  }
  return story;
}

namespace {

void tell_member(const View& view, const NodeName& name, const coord::Peers::Peer& peer,
                 Story& story) {
  const Node& node = view.node();
  const coord::MemberDocument& d = peer.document;
  const bool self = name == node.config().name;
  const LeaseView lease = lease_of(node, name, view.instant());
  const bool heard = node.peers().heard(name, view.instant());
  const auto left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(lease.left).count();
  story.fact(fmt::format("its member document: rev {}, incarnation {}{}, version {}", d.rev.value,
                         d.inc.value, d.revoked ? ", revoked" : "", d.info.version));
  story.set("revision", d.rev.value);
  story.set("incarnation", d.inc.value);
  story.set("revoked", d.revoked);
  story.set("draining", d.info.draining);
  const bool drained = node.cluster().drained.contains(name);
  story.set("drained", drained);
  if (drained) {
    story.fact("an operator drained it: it owns only what no other node may own");
    story.advise(fmt::format("`heraldctl undrain {}` when it is to own IPs again", name.str()));
  }
  story.set("lease_remaining_ms", left_ms);
  story.set("lease", lease_word(lease.kind));
  story.set("guards", strings(lease.guards));
  story.set("fenced_by", strings(lease.fenced_by));
  if (!view.looks_on()) story.fact(lease.sentence());
  if (self) {
    story.fact(fmt::format("it is this node: {}, {} ms of its right to answer are left{}",
                           coord::to_string(node.membership().state()), left_ms,
                           node.membership().waiting_for().empty()
                               ? ""
                               : "; waiting for " + node.membership().waiting_for()));
  } else if (!view.looks_on()) {
    story.fact(fmt::format("its document was last written {} ago, as this node saw it",
                           in_ms(view.instant() - peer.since)));
  }
  const char* state = d.revoked ? "Gone" : heard ? "Member" : "Silent";
  story.set("state", state);
  if (d.revoked) {
    story.advise(fmt::format("start heraldd on {}: it said goodbye, or was silent for too long",
                             name.str()));
  } else if (!heard) {
    story.advise(
        d.info.heartbeat.empty()
            ? fmt::format(
                  "look at heraldd's log on {}: is it running, and does it reach the store?",
                  name.str())
            : fmt::format(
                  "look at heraldd's log on {}: is it running, and does it reach the store? "
                  "If it does, look at what lies between: its UDP port {}, the heartbeat "
                  "key and the cluster name (`heraldctl status`)",
                  name.str(), d.info.heartbeat.front().port));
  }

  json::array links;
  for (const coord::MemberLink& l : d.info.links) {
    std::vector<std::string> subnets;
    for (const IpPrefix& p : l.subnets) subnets.push_back(to_string(p));
    story.fact(fmt::format("link {}: subnets {}", l.name, some(subnets)));
    links.push_back(json::object{{"name", l.name}, {"subnets", strings(subnets)}});
  }
  if (d.info.links.empty()) {
    story.fact("it has no usable link");
    if (!d.revoked) story.advise("bring a link up, or correct the `interfaces` setting there");
  }
  story.set("links", links);

  std::vector<std::string> owned, eligible, policies;
  for (const auto& [vip, entry] : view.held()) {
    if (entry->owner == name && entry->inc == d.inc) owned.push_back(to_string(vip));
  }
  if (view.policies().known()) {
    const Labels labels = view.policies().node(name, d.info.labels).labels;
    for (const L2Policy& p : view.desired().l2_policies) {
      if (selects(p.node_selectors, labels)) policies.push_back(p.name);
    }
    const auto plan = place(view.policies(), holdings_of(node.table()), node.peers(),
                            {node.cluster().drained, {}}, view.instant());
    for (const auto& [vip, planned] : plan) {
      if (std::any_of(planned.candidates->begin(), planned.candidates->end(),
                      [&](const auto& c) { return c.node == name; })) {
        eligible.push_back(to_string(vip));
      }
    }
  }
  story.fact(fmt::format("L2AnnouncementPolicies that select it: {}", some(policies)));
  story.fact(fmt::format("IPs that it may own: {}", some(eligible)));
  story.fact(fmt::format("IPs that it owns: {}", some(owned)));
  if (heard && policies.empty()) {
    story.advise("no L2AnnouncementPolicy selects it: compare spec.nodeSelector with its labels");
  }
  story.set("policies", strings(policies));
  story.set("eligible", strings(eligible));
  story.set("ips", strings(owned));
  story.verdict = fmt::format("{}{}: owns {} IPs, may own {}", state,
                              d.info.draining ? " (draining)"
                              : drained       ? " (drained)"
                                              : "",
                              owned.size(), eligible.size());
}

}  // namespace

std::optional<Story> explain_node(const View& view, std::string_view name) {
  const auto& objects = view.desired().nodes;
  const auto object = std::find_if(objects.begin(), objects.end(),
                                   [&](const NodeObject& n) { return n.name.str() == name; });
  const bool declared = object != objects.end();
  const auto source = declared ? std::optional(source_of(*object)) : std::nullopt;
  const NodeName node(std::string{name});
  const auto& members = view.node().peers().all();
  const auto member = members.find(node);
  Story story;
  story.object = fmt::format("node {}", name);
  story.set("name", name);
  story.take_problems(problems_of(view.desired(), {"Node"}, "", name, source ? &*source : nullptr));
  if (!declared && member == members.end() && story.problems.empty()) return std::nullopt;
  if (declared) story.fact(fmt::format("its Node object was read from {}", place_of(*source)));
  const Labels own = member == members.end() ? Labels{} : member->second.document.info.labels;
  if (view.policies().known()) {
    std::vector<std::string> labels;
    for (const auto& [key, value] : view.policies().node(node, own).labels) {
      labels.push_back(fmt::format("{}={}", key, value));
    }
    story.fact(fmt::format("labels: {}", some(labels)));
    story.set("labels", strings(labels));
  }
  if (member != members.end()) {
    tell_member(view, node, member->second, story);
    return story;
  }
  story.in_force = false;
  story.set("state", "Absent");
  story.verdict = "no member: nothing of a heraldd on it has been seen in the store";
  story.advise("start heraldd there with this node name and the same store");
  return story;
}

}  // namespace herald::daemon
