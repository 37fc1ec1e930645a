#include "bgp/update_wire.h"

#include <algorithm>
#include <set>

namespace herald::bgp {
namespace {

constexpr std::uint8_t kOptional = 0x80, kTransitive = 0x40, kExtended = 0x10;
constexpr std::uint8_t kUpdateError = 3;

enum Attribute : std::uint8_t {
  kOrigin = 1,
  kAsPath = 2,
  kNextHop = 3,
  kMed = 4,
  kLocalPref = 5,
  kAtomicAggregate = 6,
  kAggregator = 7,
  kCommunities = 8,
  kOriginatorId = 9,
  kClusterList = 10,
  kMpReach = 14,
  kMpUnreach = 15,
  kExtendedCommunities = 16,
  kAs4Path = 17,
  kAs4Aggregator = 18,
  kLargeCommunities = 32,
};

void put_attribute(ByteWriter& out, std::uint8_t flags, std::uint8_t type, ByteView value) {
  const bool extended = value.size() > 255;
  out.u8(extended ? flags | kExtended : flags);
  out.u8(type);
  if (extended) {
    out.u16(static_cast<std::uint16_t>(value.size()));
  } else {
    out.u8(static_cast<std::uint8_t>(value.size()));
  }
  out.bytes(value);
}

void put_prefix(ByteWriter& out, const IpPrefix& prefix) {
  out.u8(static_cast<std::uint8_t>(prefix.length()));
  const Bytes octets = prefix.address().to_bytes();
  out.bytes(ByteView(octets).first((prefix.length() + 7) / 8));
}

std::size_t prefix_size(const IpPrefix& prefix) {
  return 1 + (prefix.length() + 7) / 8;
}

// Our AS, once for an external peer, and as often as the policy wants more.
Bytes as_path(const RouteAttributes& attributes, const Announcing& a, bool four_octets) {
  const unsigned count =
      std::min(255u, attributes.as_path_prepend + (a.negotiated.internal ? 0 : 1));
  if (count == 0) return {};
  ByteWriter out;
  out.u8(2);  // AS_SEQUENCE
  out.u8(static_cast<std::uint8_t>(count));
  for (unsigned i = 0; i < count; ++i) {
    if (four_octets) {
      out.u32(a.local_as.value);
    } else {
      out.u16(static_cast<std::uint16_t>(a.local_as.value > 0xffff ? kAsTrans.value
                                                                   : a.local_as.value));
    }
  }
  return out.take();
}

// All attributes but MP_REACH_NLRI, in the order of their types.
Bytes path_attributes(const RouteAttributes& attributes, const Announcing& a) {
  ByteWriter out;
  const Bytes igp = {0};
  put_attribute(out, kTransitive, kOrigin, igp);
  put_attribute(out, kTransitive, kAsPath, as_path(attributes, a, a.negotiated.four_octet_as));
  if (a.next_hop.is_v4()) put_attribute(out, kTransitive, kNextHop, a.next_hop.to_bytes());
  const auto put_u32 = [&](std::uint8_t flags, std::uint8_t type, std::uint32_t value) {
    ByteWriter v;
    v.u32(value);
    put_attribute(out, flags, type, v.view());
  };
  if (attributes.med) put_u32(kOptional, kMed, *attributes.med);
  if (a.negotiated.internal) put_u32(kTransitive, kLocalPref, attributes.local_pref.value_or(100));
  if (!attributes.communities.empty()) {
    ByteWriter v;
    for (const std::uint32_t c : attributes.communities) v.u32(c);
    put_attribute(out, kOptional | kTransitive, kCommunities, v.view());
  }
  // RFC 6793 §4.2.2: an old peer gets AS_TRANS, and the truth beside it.
  if (!a.negotiated.four_octet_as && a.local_as.value > 0xffff) {
    const Bytes path = as_path(attributes, a, true);
    if (!path.empty()) put_attribute(out, kOptional | kTransitive, kAs4Path, path);
  }
  if (!attributes.large_communities.empty()) {
    ByteWriter v;
    for (const LargeCommunity& c : attributes.large_communities) {
      v.u32(c.global);
      v.u32(c.local1);
      v.u32(c.local2);
    }
    put_attribute(out, kOptional | kTransitive, kLargeCommunities, v.view());
  }
  return out.take();
}

Bytes update(ByteView withdrawn, ByteView attributes, ByteView nlri) {
  ByteWriter body;
  body.u16(static_cast<std::uint16_t>(withdrawn.size()));
  body.bytes(withdrawn);
  body.u16(static_cast<std::uint16_t>(attributes.size()));
  body.bytes(attributes);
  body.bytes(nlri);
  return encode_message(kTypeUpdate, body.view());
}

// Splits prefixes into runs whose encoding fits into `room` octets.
template <typename Emit>
void in_runs(const std::vector<IpPrefix>& prefixes, std::size_t room, Emit emit) {
  ByteWriter run;
  for (const IpPrefix& p : prefixes) {
    if (run.size() + prefix_size(p) > room) emit(run.take()), run = ByteWriter();
    put_prefix(run, p);
  }
  if (run.size() > 0) emit(run.take());
}

constexpr std::size_t kRoom = kMaxMessage - kHeaderSize - 4;  // beside the two lengths

}  // namespace

std::vector<Bytes> encode_announcements(const std::vector<IpPrefix>& prefixes,
                                        const RouteAttributes& attributes, const Announcing& a) {
  std::vector<Bytes> out;
  if (prefixes.empty()) return out;
  const Bytes common = path_attributes(attributes, a);
  if (prefixes.front().family() == IpFamily::IPv4) {
    if (common.size() + 5 > kRoom) return out;  // no room for a prefix
    in_runs(prefixes, kRoom - common.size(),
            [&](const Bytes& nlri) { out.push_back(update({}, common, nlri)); });
    return out;
  }
  // RFC 2545 §3: the global address, and the link-local one beside it if both ends share the link.
  Bytes next_hop = a.next_hop.to_bytes();
  if (a.link_local) {
    const Bytes second = a.link_local->to_bytes();
    next_hop.insert(next_hop.end(), second.begin(), second.end());
  }
  const std::size_t mp_header = 4 + 3 + 1 + next_hop.size() + 1;  // attribute, family, hop, SNPA
  if (common.size() + mp_header + 17 > kRoom) return out;
  in_runs(prefixes, kRoom - common.size() - mp_header, [&](const Bytes& nlri) {
    ByteWriter value;
    value.u16(2);
    value.u8(1);
    value.u8(static_cast<std::uint8_t>(next_hop.size()));
    value.bytes(next_hop);
    value.u8(0);
    value.bytes(nlri);
    ByteWriter all;
    // RFC 7606 §5.1: MP_REACH_NLRI is the first attribute.
    put_attribute(all, kOptional, kMpReach, value.view());
    all.bytes(common);
    out.push_back(update({}, all.view(), {}));
  });
  return out;
}

std::vector<Bytes> encode_withdrawals(const std::vector<IpPrefix>& prefixes) {
  std::vector<Bytes> out;
  if (prefixes.empty()) return out;
  if (prefixes.front().family() == IpFamily::IPv4) {
    in_runs(prefixes, kRoom, [&](const Bytes& nlri) { out.push_back(update(nlri, {}, {})); });
    return out;
  }
  in_runs(prefixes, kRoom - 7, [&](const Bytes& nlri) {
    ByteWriter value;
    value.u16(2);
    value.u8(1);
    value.bytes(nlri);
    ByteWriter all;
    put_attribute(all, kOptional, kMpUnreach, value.view());
    out.push_back(update({}, all.view(), {}));
  });
  return out;
}

Bytes encode_end_of_rib(IpFamily family) {
  if (family == IpFamily::IPv4) return update({}, {}, {});
  const Bytes value = {0, 2, 1};
  ByteWriter all;
  put_attribute(all, kOptional, kMpUnreach, value);
  return update({}, all.view(), {});
}

// ---- theirs
// ---------------------------------------------------------------------------------------

namespace {

// What RFC 7606 (and the RFCs of the attributes) make of a fault in an attribute's value.
enum class OnError : std::uint8_t { Withdraw, Discard };

struct Rule {
  Attribute type;
  std::uint8_t flags;  // Optional and Transitive as they have to be
  OnError on_error;
  bool (*good)(ByteView value, const Negotiated& negotiated);
};

bool any_value(ByteView, const Negotiated&) {
  return true;
}
template <std::size_t N>
bool sized(ByteView value, const Negotiated&) {
  return value.size() == N;
}
template <std::size_t N>
bool multiple(ByteView value, const Negotiated&) {
  return !value.empty() && value.size() % N == 0;
}
bool good_origin(ByteView value, const Negotiated&) {
  return value.size() == 1 && value[0] <= 2;
}
bool good_next_hop(ByteView value, const Negotiated&) {
  return value.size() == 4;
}
bool good_aggregator(ByteView value, const Negotiated& n) {
  if (value.size() != (n.four_octet_as ? 8u : 6u)) return false;
  ByteReader in(value);
  return (n.four_octet_as ? in.u32() : in.u16()) != 0;  // RFC 7607: AS 0 is nobody
}
bool good_segments(ByteView value, std::size_t as_size, std::uint8_t last_type) {
  ByteReader in(value);
  while (!in.empty()) {
    const auto type = in.u8();
    const auto count = in.u8();
    in.bytes(count * as_size);
    if (!in.ok() || count == 0 || type < 1 || type > last_type) return false;
  }
  return true;
}
bool good_as_path(ByteView value, const Negotiated& n) {
  // Segments of a confederation (types 3 and 4) stay within it: RFC 5065 §4.
  return good_segments(value, n.four_octet_as ? 4 : 2, n.internal ? 4 : 2);
}
bool good_as4_path(ByteView value, const Negotiated&) {
  return good_segments(value, 4, 2);
}
bool good_local_pref(ByteView value, const Negotiated& n) {
  return !n.internal || value.size() == 4;
}

constexpr std::uint8_t kOptTrans = kOptional | kTransitive;
// One row an attribute: RFC 7606 §7 and the attributes' own RFCs.
constexpr Rule kRules[] = {
    {kOrigin, kTransitive, OnError::Withdraw, good_origin},             // §7.1
    {kAsPath, kTransitive, OnError::Withdraw, good_as_path},            // §7.2
    {kNextHop, kTransitive, OnError::Withdraw, good_next_hop},          // §7.3
    {kMed, kOptional, OnError::Withdraw, sized<4>},                     // §7.4
    {kLocalPref, kTransitive, OnError::Withdraw, good_local_pref},      // §7.5
    {kAtomicAggregate, kTransitive, OnError::Discard, sized<0>},        // §7.6
    {kAggregator, kOptTrans, OnError::Discard, good_aggregator},        // §7.7
    {kCommunities, kOptTrans, OnError::Withdraw, multiple<4>},          // §7.8
    {kOriginatorId, kOptional, OnError::Withdraw, sized<4>},            // §7.9
    {kClusterList, kOptional, OnError::Withdraw, multiple<4>},          // §7.10
    {kMpReach, kOptional, OnError::Withdraw, any_value},                // §7.11, checked apart
    {kMpUnreach, kOptional, OnError::Withdraw, any_value},              // §7.12, checked apart
    {kExtendedCommunities, kOptTrans, OnError::Withdraw, multiple<8>},  // §7.14
    {kAs4Path, kOptTrans, OnError::Discard, good_as4_path},             // RFC 6793 §6
    {kAs4Aggregator, kOptTrans, OnError::Discard, sized<8>},            // RFC 6793 §6
    {kLargeCommunities, kOptTrans, OnError::Withdraw, multiple<12>},    // RFC 8092 §5
};

const Rule* rule_of(std::uint8_t type) {
  const auto* it = std::find_if(std::begin(kRules), std::end(kRules),
                                [&](const Rule& r) { return r.type == type; });
  return it == std::end(kRules) ? nullptr : it;
}

bool good_prefixes(ByteReader in, unsigned bits) {
  while (!in.empty()) {
    const auto length = in.u8();
    in.bytes((length + 7u) / 8u);
    if (!in.ok() || length > bits) return false;
  }
  return true;
}

Notification update_error(std::uint8_t subcode, ByteView data = {}) {
  return {kUpdateError, subcode, Bytes(data.begin(), data.end())};
}

// RFC 7606 §5.3: an NLRI that cannot be parsed ends the session; families that we do not know pass.
bool good_multiprotocol(ByteReader in, bool reach) {
  const auto afi = in.u16();
  const auto safi = in.u8();
  if (reach) {
    const auto length = in.u8();
    in.bytes(length);
    in.u8();
    if (!in.ok()) return false;
    if (afi == 2 && safi == 1 && length != 16 && length != 32) return false;
  }
  if (!in.ok()) return false;
  if (safi != 1 || (afi != 1 && afi != 2)) return true;
  return good_prefixes(in, afi == 1 ? 32 : 128);
}

}  // namespace

Result<UpdateVerdict, Notification> check_update(ByteView body, const Negotiated& negotiated) {
  ByteReader in(body);
  const auto withdrawn_length = in.u16();
  const ByteView withdrawn = in.bytes(withdrawn_length);
  const auto attributes_length = in.u16();
  const ByteView all_attributes = in.bytes(attributes_length);
  if (!in.ok()) return error(update_error(1));
  const ByteView nlri = in.rest();
  if (!good_prefixes(ByteReader(withdrawn), 32) || !good_prefixes(ByteReader(nlri), 32)) {
    return error(update_error(10));
  }

  UpdateVerdict verdict = UpdateVerdict::Fine;
  const auto worsen = [&](UpdateVerdict to) {
    if (to == UpdateVerdict::TreatAsWithdraw || verdict == UpdateVerdict::Fine) verdict = to;
  };
  ByteReader attributes(all_attributes);
  std::set<std::uint8_t> seen;
  while (!attributes.empty()) {
    const std::size_t begin = attributes.position();
    const auto flags = attributes.u8();
    const auto type = attributes.u8();
    const std::size_t length = (flags & kExtended) != 0 ? attributes.u16() : attributes.u8();
    const ByteView value = attributes.bytes(length);
    if (!attributes.ok()) {  // RFC 7606 §4: what follows cannot be told apart any more
      worsen(UpdateVerdict::TreatAsWithdraw);
      break;
    }
    // §6.3: NOTIFICATIONs 3/2 and 3/9 carry the attribute: flags, type, length and value.
    const ByteView whole = all_attributes.subspan(begin, attributes.position() - begin);
    const bool multiprotocol = type == kMpReach || type == kMpUnreach;
    if (!seen.insert(type).second) {
      if (multiprotocol) return error(update_error(1));  // RFC 7606 §3 g
      worsen(UpdateVerdict::AttributeDiscard);
      continue;
    }
    const Rule* rule = rule_of(type);
    if (rule == nullptr) {
      // §5: an unrecognised well-known attribute is one that we cannot do without.
      if ((flags & kOptional) == 0) return error(update_error(2, whole));
      continue;
    }
    if (multiprotocol && !good_multiprotocol(ByteReader(value), type == kMpReach)) {
      return error(update_error(9, whole));
    }
    // ORIGINATOR_ID, CLUSTER_LIST and LOCAL_PREF from an external peer mean nothing (§7.5, §7.9).
    const bool internal_only = type == kLocalPref || type == kOriginatorId || type == kClusterList;
    if (internal_only && !negotiated.internal) {
      worsen(UpdateVerdict::AttributeDiscard);
      continue;
    }
    // RFC 7606 §3 c: wrong flags mean treat-as-withdraw for every attribute; none says otherwise.
    if ((flags & kOptTrans) != rule->flags) {
      worsen(UpdateVerdict::TreatAsWithdraw);
    } else if (!rule->good(value, negotiated)) {
      worsen(rule->on_error == OnError::Withdraw ? UpdateVerdict::TreatAsWithdraw
                                                 : UpdateVerdict::AttributeDiscard);
    }
  }
  const bool announces = !nlri.empty() || seen.contains(kMpReach);
  const bool complete = seen.contains(kOrigin) && seen.contains(kAsPath) &&
                        (nlri.empty() || seen.contains(kNextHop)) &&
                        (!negotiated.internal || seen.contains(kLocalPref));
  if (announces && !complete) worsen(UpdateVerdict::TreatAsWithdraw);  // RFC 7606 §3 d
  return verdict;
}

}  // namespace herald::bgp
