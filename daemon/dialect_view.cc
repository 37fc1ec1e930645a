#include "daemon/dialect_view.h"

#include <algorithm>
#include <string_view>
#include <type_traits>

#include <boost/json.hpp>

namespace herald::daemon {

namespace json = boost::json;

namespace {

// The API server takes 32 KiB; nobody reads as much.
constexpr std::size_t kMostMessage = 4000;

// How many octets of `text` at `at` are one character of UTF-8; 0: none is.
std::size_t character(std::string_view text, std::size_t at) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = octet(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && octet(1) < 0xa0) || (first == 0xf0 && octet(1) < 0x90);
  const bool outside = (first == 0xed && octet(1) > 0x9f) || (first == 0xf4 && octet(1) > 0x8f);
  return overlong || outside ? 0 : length;
}

// Messages quote what users wrote, cut at some octet; JSON is UTF-8, and the server refuses else.
std::string fitting(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character(text, at);
    if (out.size() + length > kMostMessage) return out + " ...";
    out += length == 0 ? "?" : text.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string line_of(const Problem& problem) {
  return problem.field.empty() ? problem.message : problem.field + ": " + problem.message;
}

// It was read from an object of Herald's own kinds.
template <typename Policy>
bool is_native(const Policy& policy) {
  return policy.source.file.rfind("/apis/herald.io/", 0) == 0;
}

// What every policy of one list makes of every IP.
template <typename Policy, typename Note>
std::vector<Reach> reach_of(const Policies& policies, const std::vector<Policy>& all,
                            const HeldIps& held, const std::vector<PlannedNode>& nodes,
                            bool any_dialect, const Note& note) {
  std::vector<Reach> out(all.size());
  if (!any_dialect && std::none_of(all.begin(), all.end(), is_native<Policy>)) return out;
  for (const auto& held_ip : held) {  // clang 14: no lambda captures a structured binding
    const IpAddress& vip = held_ip.first;
    const coord::TableEntry* entry = held_ip.second;
    const PlannedNode* owner = entry->owner ? find_node(nodes, *entry->owner) : nullptr;
    const bool alone = entry->services.size() == 1;
    const auto look = [&](const Picks<Policy>& picks) {
      for (const Pick<Policy>& pick : picks.picks) {
        Reach& reach = out[pick.index];
        ++reach.ips;
        if (owner != nullptr && pick.on(owner->facts.name) &&
            selects(pick.policy->node_selectors, owner->facts.labels)) {
          ++reach.owned;
        }
        for (const ObjectName& name : entry->services) {
          const Service* service = policies.service(name);
          if (service == nullptr) continue;
          if (alone || selects(pick.policy->service_selectors, policies.service_labels(name))) {
            reach.services.insert(service);
          }
        }
        note(vip, pick, reach);
      }
    };
    if constexpr (std::is_same_v<Policy, L2Policy>) {
      look(policies.l2_picks(vip, entry->services));
    } else {
      look(policies.bgp_picks(vip, entry->services));
    }
  }
  return out;
}

}  // namespace

bool ReadObject::has(Severity severity) const {
  return std::any_of(problems.begin(), problems.end(),
                     [&](const Problem* p) { return p->severity == severity; });
}

std::string ReadObject::in_words(Severity severity) const {
  std::string out;
  for (const Problem* p : problems) {
    if (p->severity == severity) out += (out.empty() ? "" : "\n") + line_of(*p);
  }
  return out;
}

HeldIps held_ips(const coord::Table& table) {
  HeldIps out;
  for (unsigned s = 0; s < coord::kShards; ++s) {
    for (const auto& [vip, entry] : table.shard(s).entries) {
      if (!entry.services.empty() && !entry.quarantine) out.emplace_back(vip, &entry);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<PlannedNode> planned_nodes(const std::vector<Eligible>& members,
                                       const Policies& policies,
                                       const std::set<NodeName>& drained) {
  std::vector<PlannedNode> out;
  for (const Eligible& m : members) {
    out.push_back({policies.node(m.node, m.info.labels), m.info.links, drained.contains(m.node)});
  }
  return out;
}

const PlannedNode* find_node(const std::vector<PlannedNode>& nodes, const NodeName& name) {
  const auto it = std::lower_bound(
      nodes.begin(), nodes.end(), name,
      [](const PlannedNode& n, const NodeName& wanted) { return n.facts.name < wanted; });
  return it == nodes.end() || it->facts.name != name ? nullptr : &*it;
}

DialectView::Reached DialectView::reached(const Policies& policies, const HeldIps& held,
                                          const std::vector<PlannedNode>& nodes, bool all) {
  Reached out;
  out.l2 = reach_of(policies, policies.desired().l2_policies, held, nodes, all,
                    [](const IpAddress&, const Pick<L2Policy>&, Reach&) {});
  out.bgp = reach_of(policies, policies.desired().advertisements, held, nodes, all,
                     [](const IpAddress& vip, const Pick<BgpAdvertisement>& pick, Reach& reach) {
                       const BgpAdvertisement& a = *pick.policy;
                       if (vip.is_v4() ? !a.ipv4 : !a.ipv6) return;
                       const IpPrefix wide(vip, vip.is_v4() ? a.aggregation_v4 : a.aggregation_v6);
                       const bool wide_local = !pick.local.empty() && a.aggregate_local;
                       if (pick.anywhere || wide_local) reach.prefixes.insert(wide);
                       if (!pick.local.empty() && !wide_local) {
                         reach.prefixes.insert(IpPrefix::host(vip));
                       }
                     });
  return out;
}

DialectView::DialectView(const Facts& facts) : facts_(facts) {
  for (const auto& [ref, seen] : facts.observed.objects) {
    if (!ref.resource.group.empty()) read_.try_emplace(kube::path_of(ref));
  }
  const auto at = [&](const Source& source) -> ReadObject* {
    const auto it = read_.find(source.file);
    return it == read_.end() ? nullptr : &it->second;
  };
  const auto note = [&](const auto& objects, auto member) {
    for (const auto& o : objects) {
      if (ReadObject* read = at(o.source)) read->*member = &o;
    }
  };
  const Desired& all = desired();
  note(all.pools, &ReadObject::pool);
  note(all.l2_policies, &ReadObject::l2);
  note(all.advertisements, &ReadObject::advertisement);
  note(all.peers, &ReadObject::peer);
  note(all.bfd_profiles, &ReadObject::bfd);
  for (std::size_t i = 0; facts.pools && i < std::min(all.pools.size(), facts.pools->size()); ++i) {
    if (ReadObject* read = at(all.pools[i].source)) read->usage = &(*facts.pools)[i];
  }
  for (const Problem& p : all.problems) {
    if (ReadObject* read = at(p.source)) read->problems.push_back(&p);
  }
  for (const Finding& f : all.findings) {
    if (ReadObject* read = at(f.source)) read->findings.push_back(&f);
  }
}

const ReadObject& DialectView::read_from(const kube::ObjectRef& object) const {
  static const ReadObject kNothing;
  const auto it = read_.find(kube::path_of(object));
  return it == read_.end() ? kNothing : it->second;
}

const Reach& DialectView::reach(const L2Policy& policy) const {
  return facts_.reached.l2[static_cast<std::size_t>(&policy - desired().l2_policies.data())];
}

const Reach& DialectView::reach(const BgpAdvertisement& advertisement) const {
  return facts_.reached
      .bgp[static_cast<std::size_t>(&advertisement - desired().advertisements.data())];
}

json::object condition(const std::string& type, bool holds, const std::string& reason,
                       const std::string& message) {
  return {{"type", type},
          {"status", holds ? "True" : "False"},
          {"reason", reason},
          {"message", fitting(message)}};
}

}  // namespace herald::daemon
