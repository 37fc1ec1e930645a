// config/metallb_rules.cc: MetalLB's rules between objects. MetalLB refuses the whole of a
// configuration that breaks one; here it is an error, which says what is done meanwhile, and all
// other objects work.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "config/metallb.h"
#include "config/metallb_checks.h"
#include "config/translate.h"

namespace herald::config {
namespace {

using metallb::Advertisement;
using metallb::Aliases;
using metallb::Community;
using metallb::Peer;

std::string known_names(const Aliases& aliases) {
  constexpr std::size_t kEnough = 10;
  if (aliases.empty()) return "no Community object defines any";
  std::vector<std::string> names;
  for (const auto& [name, value] : aliases) {
    if (names.size() < kEnough) names.push_back(name);
  }
  return "known are " + join(names, ", ") + (aliases.size() > kEnough ? ", ..." : "");
}

Aliases defined_aliases(const std::vector<const Translated*>& objects) {
  Aliases out;
  for (const Translated* object : objects) {
    const auto* community = std::get_if<Community>(&object->object);
    if (community != nullptr) out.insert(community->aliases.begin(), community->aliases.end());
  }
  return out;
}

void check_aliases(const std::vector<const Translated*>& objects, Desired& out) {
  std::map<std::string, const Translated*> first;
  for (const Translated* object : objects) {
    const auto* community = std::get_if<Community>(&object->object);
    if (community == nullptr) continue;
    for (const auto& [name, value] : community->aliases) {
      const auto [it, fresh] = first.try_emplace(name, object);
      if (fresh) continue;
      out.problems.push_back(problem_of(
          *object, "spec.communities",
          fmt::format("the alias '{}' is defined by Community '{}' too, whose value is used: "
                      "rename or remove one",
                      name, it->second->name)));
    }
  }
}

// The numbers of what an advertisement lists; false if an alias is not known at all.
bool resolve(const Translated& object, const Advertisement& ad, const Aliases& defined,
             const Aliases& known, BgpAdvertisement& model, Desired& out) {
  std::set<std::uint32_t> plain;
  std::set<LargeCommunity> large;
  bool good = true;
  for (const std::string& text : ad.communities) {
    std::optional<metallb::CommunityValue> value;
    const auto alias = known.find(text);
    if (alias != known.end()) {
      value = alias->second;
    } else if (const auto literal = metallb::parse_community(text); literal.index() == 0) {
      value = std::get<metallb::CommunityValue>(literal);
    }
    if (!value || (alias != known.end() && !defined.contains(text))) {
      std::vector<std::string> names;
      for (const auto& [name, unused] : defined) names.push_back(name);
      const auto meant = closest(text, names);
      out.problems.push_back(problem_of(
          object, "spec.communities",
          fmt::format("'{}' is neither a community like 64512:1 nor an alias: {}{}; {}", text,
                      meant ? "did you mean '" + *meant + "'? " : "", known_names(defined),
                      value ? "the value that it had before is still used"
                            : "this advertisement is not used until the alias is defined")));
    }
    if (!value) {
      good = false;
    } else if (const auto* number = std::get_if<std::uint32_t>(&*value)) {
      plain.insert(*number);
    } else {
      large.insert(std::get<LargeCommunity>(*value));
    }
  }
  model.communities.assign(plain.begin(), plain.end());
  model.large_communities.assign(large.begin(), large.end());
  return good;
}

void check_namespaces(const std::vector<const Translated*>& objects, Desired& out) {
  const Translated* first = nullptr;
  for (const Translated* object : objects) {
    if (!is_metallb(object->api) || object->ns.empty() || object->object.index() == 0) continue;
    if (first == nullptr) first = object;
    if (object->ns == first->ns) continue;
    Problem p = problem_of(*object, "metadata.namespace",
                           fmt::format("'{}' is another namespace than that of {} '{}', '{}': "
                                       "MetalLB reads objects of its own namespace alone",
                                       object->ns, first->kind, first->name, first->ns));
    p.severity = Severity::Warning;
    out.problems.push_back(std::move(p));
    return;  // one is enough
  }
}

const BfdProfile* find_profile(const Desired& out, const std::string& name) {
  const auto it = std::find_if(out.bfd_profiles.begin(), out.bfd_profiles.end(),
                               [&](const BfdProfile& p) { return p.name == name; });
  return it == out.bfd_profiles.end() ? nullptr : &*it;
}

void check_references(const Translated& object, const BgpPeer& peer, Desired& out) {
  if (!peer.bfd_profile.empty() && find_profile(out, peer.bfd_profile) == nullptr) {
    std::vector<std::string> names;
    for (const BfdProfile& p : out.bfd_profiles) names.push_back(p.name);
    const auto meant = closest(peer.bfd_profile, names);
    out.problems.push_back(problem_of(
        object, "spec.bfdProfile",
        fmt::format("there is no BFDProfile '{}'{}; the peer is used without BFD", peer.bfd_profile,
                    meant ? "; did you mean '" + *meant + "'?" : ": create it, or take it out")));
  }
  if (!peer.password) return;
  const SecretKey& key = *peer.password;
  for (const SecretObject& secret : out.secrets) {
    if (secret.name.name != key.name || (!key.ns.empty() && secret.name.ns != key.ns)) continue;
    const auto& keys = secret.keys;
    if (secret.type != "kubernetes.io/basic-auth") {
      out.problems.push_back(
          problem_of(object, "spec.passwordSecret",
                     fmt::format("the secret '{}' has the type '{}': MetalLB takes passwords from "
                                 "secrets of type kubernetes.io/basic-auth only",
                                 key.name, secret.type)));
    } else if (std::find(keys.begin(), keys.end(), key.key) == keys.end()) {
      out.problems.push_back(
          problem_of(object, "spec.passwordSecret",
                     fmt::format("the secret '{}' has no key '{}': add it", key.name, key.key)));
    }
    return;
  }
}

// Not with BFD echo: MetalLB sends none over IPv6.
void check_echo(const Translated& object, const BgpAdvertisement& ad, Desired& out) {
  const auto pool = std::find_if(out.pools.begin(), out.pools.end(), [&](const Pool& p) {
    return ad.pools.chooses(&p) && std::any_of(p.ranges.begin(), p.ranges.end(), [](const auto& r) {
             return r.family() == IpFamily::IPv6;
           });
  });
  if (pool == out.pools.end()) return;
  for (const BgpPeer& peer : out.peers) {
    const bool reached = ad.peers.empty() ||
                         std::find(ad.peers.begin(), ad.peers.end(), peer.name) != ad.peers.end();
    const BfdProfile* profile = reached ? find_profile(out, peer.bfd_profile) : nullptr;
    if (profile == nullptr || !profile->echo_interval) continue;
    out.problems.push_back(problem_of(
        object, "spec.peers",
        fmt::format("reaches peer '{}', whose BFDProfile '{}' has echoMode, with IPv6 addresses of "
                    "pool '{}': switch echoMode off, or choose other peers or pools; it is used as "
                    "it is",
                    peer.name.str(), profile->name, pool->name.str())));
    return;
  }
}

}  // namespace

Problem problem_of(const Translated& object, std::string field, std::string message) {
  return {Severity::Error, object.source,    object.kind,       object.ns,
          object.name,     std::move(field), std::move(message)};
}

metallb::Aliases known_aliases(const std::vector<const Translated*>& objects,
                               const metallb::Aliases& before) {
  Aliases out = defined_aliases(objects);
  for (const Translated* object : objects) {
    const auto* ad = std::get_if<Advertisement>(&object->object);
    if (ad == nullptr) continue;
    for (const std::string& text : ad->communities) {
      if (const auto it = before.find(text); it != before.end()) out.insert(*it);
    }
  }
  return out;
}

std::set<PeerName> join_metallb(const std::vector<const Translated*>& objects,
                                const metallb::Aliases& aliases, Desired& out) {
  check_namespaces(objects, out);
  check_aliases(objects, out);
  std::set<PeerName> compared;
  std::vector<PeerOf> peers;
  for (const Translated* object : objects) {
    const auto* peer = std::get_if<Peer>(&object->object);
    if (peer == nullptr) continue;
    peers.push_back({object, peer});
    compared.insert(peer->model.name);
    out.peers.push_back(peer->model);
    check_references(*object, peer->model, out);
  }
  check_peers_of_a_node(peers, out);
  const Aliases defined = defined_aliases(objects);
  std::vector<AdvertisementOf> ads;
  for (const Translated* object : objects) {
    const auto* ad = std::get_if<Advertisement>(&object->object);
    if (ad == nullptr) continue;
    BgpAdvertisement model = ad->model;
    const bool good = resolve(*object, *ad, defined, aliases, model, out);
    fit_aggregation(*object, model, out);
    check_echo(*object, model, out);
    ads.push_back({object, &ad->model});
    if (good) out.advertisements.push_back(std::move(model));
  }
  check_preferences(ads, out);
  return compared;
}

}  // namespace herald::config
