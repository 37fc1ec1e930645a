#include "bgp/adj_rib_out.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace herald::bgp {

void AdjRibOut::set(const std::vector<Route>& routes) {
  wanted_.clear();
  for (const Route& r : routes) wanted_[r.prefix] = r.attributes;
}

void AdjRibOut::forget() {
  told_.clear();
}

void AdjRibOut::forget(IpFamily family) {
  std::erase_if(told_, [&](const auto& t) { return t.first.family() == family; });
}

std::vector<Bytes> AdjRibOut::take_updates(const Negotiated& negotiated, Asn local_as,
                                           const NextHops& next_hops) {
  const auto next_hop = [&](const IpPrefix& p) -> const std::optional<IpAddress>& {
    static const std::optional<IpAddress> kNone;
    if (p.family() == IpFamily::IPv4) return negotiated.ipv4 ? next_hops.v4 : kNone;
    return negotiated.ipv6 ? next_hops.v6 : kNone;
  };
  const auto link_local = [&](const IpPrefix& p) {
    return p.family() == IpFamily::IPv6 ? next_hops.v6_link_local : std::nullopt;
  };

  // Gone, or held back from now on.
  std::map<IpFamily, std::vector<IpPrefix>> withdrawn;
  for (auto it = told_.begin(); it != told_.end();) {
    if (wanted_.contains(it->first) && next_hop(it->first)) {
      ++it;
      continue;
    }
    withdrawn[it->first.family()].push_back(it->first);
    it = told_.erase(it);
  }
  // New, or changed: by family and attributes.
  std::map<std::pair<IpFamily, RouteAttributes>, std::vector<IpPrefix>> announced;
  for (const auto& [prefix, attributes] : wanted_) {
    const auto& hop = next_hop(prefix);
    if (!hop) continue;
    const Told told{attributes, *hop, link_local(prefix)};
    const auto it = told_.find(prefix);
    if (it != told_.end() && it->second == told) continue;
    announced[{prefix.family(), attributes}].push_back(prefix);
  }

  std::vector<Bytes> announcements;
  too_large_.clear();
  for (const auto& [group, prefixes] : announced) {
    const auto& [family, attributes] = group;
    const IpPrefix& any = prefixes.front();
    const Told told{attributes, *next_hop(any), link_local(any)};
    auto messages = encode_announcements(prefixes, attributes,
                                         {negotiated, local_as, told.next_hop, told.link_local});
    for (const IpPrefix& p : prefixes) {
      if (!messages.empty()) {
        told_[p] = told;
        continue;
      }
      too_large_.push_back(p);
      if (told_.erase(p) > 0) withdrawn[family].push_back(p);
    }
    std::move(messages.begin(), messages.end(), std::back_inserter(announcements));
  }

  std::vector<Bytes> out;
  for (const auto& [family, prefixes] : withdrawn) {
    auto messages = encode_withdrawals(prefixes);
    std::move(messages.begin(), messages.end(), std::back_inserter(out));
  }
  std::move(announcements.begin(), announcements.end(), std::back_inserter(out));
  return out;
}

}  // namespace herald::bgp
