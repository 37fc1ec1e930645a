#include "bgp/adj_rib_out.h"

#include <algorithm>
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
                                           const std::optional<IpAddress>& next_hop_v4,
                                           const std::optional<IpAddress>& next_hop_v6) {
  const auto next_hop = [&](const IpPrefix& p) -> const std::optional<IpAddress>& {
    static const std::optional<IpAddress> kNone;
    if (p.family() == IpFamily::IPv4) return negotiated.ipv4 ? next_hop_v4 : kNone;
    return negotiated.ipv6 ? next_hop_v6 : kNone;
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
    const Told told{attributes, *hop};
    const auto it = told_.find(prefix);
    if (it != told_.end() && it->second == told) continue;
    told_[prefix] = told;
    announced[{prefix.family(), attributes}].push_back(prefix);
  }

  std::vector<Bytes> out;
  const auto append = [&](std::vector<Bytes> messages) {
    std::move(messages.begin(), messages.end(), std::back_inserter(out));
  };
  for (const auto& [family, prefixes] : withdrawn) append(encode_withdrawals(prefixes));
  for (const auto& [group, prefixes] : announced) {
    append(encode_announcements(prefixes, group.second,
                                {negotiated, local_as, *next_hop(prefixes.front())}));
  }
  return out;
}

}  // namespace herald::bgp
