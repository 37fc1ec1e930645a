#include "l2/responder.h"

#include "l2/arp_wire.h"
#include "l2/ndp_wire.h"

namespace herald::l2 {
namespace {

Answer only(Verdict verdict) {
  return {verdict, std::nullopt, std::nullopt};
}

bool unusable(const MacAddress& mac) {
  return mac.is_zero() || mac.is_group();
}

// Somebody else says that `vip`, which is in our set, is his. Once our right has run out, he is
// most likely the next owner, and right.
Answer claimed(LinkIndex link, const IpAddress& vip, const MacAddress& other, const Grants& grants,
               Instant now) {
  if (now >= grants.deadline) return only(Verdict::LeaseStale);
  return {Verdict::Conflict, std::nullopt, Conflict{link, vip, other}};
}

// The same of one that is being probed. Members may speak for it: who had it until now, and who
// believes to have it, probes it too; the table says which of them has it.
Answer used(LinkIndex link, const IpAddress& vip, const MacAddress& other, const LinkGrant& grant) {
  if (grant.is_member(other)) return only(Verdict::NotOurs);
  return {Verdict::Conflict, std::nullopt, Conflict{link, vip, other}};
}

Answer answer_arp(const ArpFrame& in, LinkIndex link, const LinkGrant& grant, const Grants& grants,
                  Instant now) {
  if (in.sender_mac == grant.mac) return only(Verdict::OwnFrame);
  if (in.operation != kArpRequest && in.operation != kArpReply) {
    return only(Verdict::NotARequest);
  }
  // A reply to a group would tell everybody; nobody is at 255.255.255.255.
  if (unusable(in.sender_mac) || in.sender_ip.is_multicast() ||
      in.sender_ip == IpAddress::v4(0xffffffff)) {
    return only(Verdict::BadSender);
  }
  if (grant.owns(in.sender_ip)) return claimed(link, in.sender_ip, in.sender_mac, grants, now);
  if (grant.probes(in.sender_ip)) return used(link, in.sender_ip, in.sender_mac, grant);
  if (in.operation != kArpRequest) return only(Verdict::NotARequest);
  if (!grant.owns(in.target_ip)) return only(Verdict::NotOurs);
  if (now >= grants.deadline) return only(Verdict::LeaseStale);
  return {Verdict::Replied, arp_reply(in, in.target_ip, grant.mac), std::nullopt};
}

Answer answer_ndp(const NdpFrame& in, LinkIndex link, const LinkGrant& grant, const Grants& grants,
                  Instant now) {
  // Without the option, the frame itself says where its sender is (RFC 4861 §7.2.4).
  const MacAddress sender = in.link_layer.value_or(in.ethernet.source);
  if (sender == grant.mac) return only(Verdict::OwnFrame);
  if (unusable(sender) || in.source.is_multicast() || in.source.is_loopback()) {
    return only(Verdict::BadSender);
  }
  // RFC 4862 §5.4.3: who only resolves the address does not use it; who detects duplicates wants
  // it.
  const bool claims = in.type == NdpType::Advertisement || in.source.is_unspecified();
  if (claims && grant.probes(in.target)) return used(link, in.target, sender, grant);
  if (in.type == NdpType::Advertisement) {
    if (!grant.owns(in.target)) return only(Verdict::NotASolicitation);
    return claimed(link, in.target, sender, grants, now);
  }
  if (!grant.owns(in.target)) return only(Verdict::NotOurs);
  if (now >= grants.deadline) return only(Verdict::LeaseStale);
  return {Verdict::Replied, ndp_reply(in, sender, grant.mac), std::nullopt};
}

}  // namespace

Answer answer(ByteView bytes, LinkIndex link, const Grants& grants, Instant now) {
  ByteReader in(bytes);
  const auto ethernet = parse_ethernet(in);
  if (!ethernet) return only(ethernet.error());
  const LinkGrant* grant = grants.link(link);
  if (grant == nullptr) return only(Verdict::NotOurs);
  if (ethernet->ethertype != kEtherTypeArp && ethernet->ethertype != kEtherTypeIpv6) {
    return only(Verdict::OtherEthertype);
  }
  if (ethernet->source == grant->mac) return only(Verdict::OwnFrame);
  if (ethernet->destination != grant->mac && !ethernet->destination.is_group()) {
    return only(Verdict::OtherDestination);
  }
  if (ethernet->ethertype == kEtherTypeArp) {
    const auto arp = parse_arp(*ethernet, in);
    return arp ? answer_arp(*arp, link, *grant, grants, now) : only(arp.error());
  }
  const auto ndp = parse_ndp(*ethernet, in);
  return ndp ? answer_ndp(*ndp, link, *grant, grants, now) : only(ndp.error());
}

}  // namespace herald::l2
