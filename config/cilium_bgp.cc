#include "config/cilium_bgp.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace herald::config {
namespace {

// Services that Cilium's BGP control plane takes. Their external and cluster IPs it announces
// whatever their class.
constexpr const char* kBgpClass = "io.cilium/bgp-control-plane";
// Kubernetes gives this label to every node: the one way to except a node by a selector.
constexpr const char* kHostname = "kubernetes.io/hostname";

struct Reach {
  bool ipv4 = false, ipv6 = false;
  auto operator<=>(const Reach&) const = default;
};

// Pairs of a peer and an override or advertisement: far more than any cluster has, few enough that
// a hostile file does not exhaust the memory.
constexpr std::size_t kMaxPairs = 1'000'000;

const std::string& name_of(const std::string& name) {
  return name;
}
template <typename T>
const std::string& name_of(const std::pair<const std::string, T>& named) {
  return named.first;
}
template <typename Names>
std::string meant(const std::string& name, const Names& names, const char* otherwise) {
  std::vector<std::string> known;
  for (const auto& n : names) known.push_back(name_of(n));
  const auto close = closest(name, known);
  return close ? "; did you mean '" + *close + "'?" : otherwise;
}

class Resolver {
 public:
  Resolver(const CiliumBgp& objects, Desired& desired) : in_(objects), out_(desired) {
    for (const BgpPeer& peer : out_.peers) peer_names_.insert(peer.name.str());
    for (const BgpAdvertisement& ad : out_.advertisements) ad_names_.insert(ad.name);
    for (const auto& config : in_.peer_configs) peer_configs_.emplace(config.name, &config);
    for (const auto& object : in_.overrides) {
      for (const auto& instance : object.instances) {
        overrides_.emplace(instance.name, std::pair(&object, &instance));
      }
    }
    for (const auto& cluster : in_.clusters) {
      for (const auto& instance : cluster.instances) {
        auto& peers = instances_[instance.name];
        for (const auto& peer : instance.peers) peers.insert(peer.name);
      }
    }
  }

  void run() {
    std::vector<const CiliumBgpClusterConfig*> by_age;
    for (const auto& cluster : in_.clusters) by_age.push_back(&cluster);
    std::sort(by_age.begin(), by_age.end(), [](const auto* a, const auto* b) {
      constexpr auto kYoungest = std::numeric_limits<std::int64_t>::max();
      return std::tuple(a->created.value_or(kYoungest), a->name) <
             std::tuple(b->created.value_or(kYoungest), b->name);
    });
    for (const auto* cluster : by_age) take_cluster(*cluster);
    for (const auto& config : in_.peer_configs) take_peer_config(config);
    for (const auto& object : in_.advertisements) take_advertisement(object);
    for (const auto& object : in_.overrides) check_override(object);
  }

 private:
  template <typename T>
  void warn(const T& object, const char* kind, const std::string& field,
            const std::string& message) {
    out_.problems.push_back(
        {Severity::Warning, object.source, kind, "", object.name, field, message});
  }

  void find(const Source& source, const char* topic, bool holds,
            const std::set<std::string>& about = {}) {
    out_.findings.push_back({source, topic, holds, {about.begin(), about.end()}});
  }

  // Which nodes a cluster config has. A node has one: of two that select it the older, so a new one
  // takes nothing from an old one.
  Selectors nodes_of(const CiliumBgpClusterConfig& cluster) {
    Selectors selectors = cluster.node_selectors;
    std::vector<std::string> lost;
    std::string owner;
    std::set<std::string> owners;
    bool any = false;
    for (const NodeObject& node : out_.nodes) {
      if (!selects(selectors, node.labels)) continue;
      any = true;
      const auto [first, fresh] = owners_.try_emplace(node.name.str(), cluster.name);
      if (fresh) continue;
      owner = first->second;
      owners.insert(owner);
      const auto label = node.labels.find(kHostname);
      if (label != node.labels.end()) {
        lost.emplace_back(label->second);
      } else {
        warn(
            cluster, kKind, "spec.nodeSelector",
            fmt::format("selects node '{}', which cluster config '{}' has already: let them select "
                        "different nodes",
                        node.name.str(), owner));
      }
    }
    if (!out_.nodes.empty()) find(cluster.source, "NoMatchingNode", !any);
    find(cluster.source, "ConflictingClusterConfigs", !owners.empty(), owners);
    if (!any && !out_.nodes.empty()) {
      warn(cluster, kKind, "spec.nodeSelector",
           fmt::format("selects none of the {} nodes ({}): change it, or label a node",
                       out_.nodes.size(), to_string(selectors)));
    }
    if (!lost.empty()) {
      warn(cluster, kKind, "spec.nodeSelector",
           fmt::format("selects nodes that cluster config '{}' and others have already, and which "
                       "are left to them: {}; let them select different nodes",
                       owner, join(lost, ", ")));
      if (selectors.empty()) selectors.emplace_back();
      for (LabelSelector& selector : selectors) {
        selector.match_expressions.push_back({kHostname, LabelSelector::Operator::NotIn, lost});
      }
    }
    return selectors;
  }

  void take_cluster(const CiliumBgpClusterConfig& cluster) {
    const Selectors nodes = nodes_of(cluster);
    std::set<std::string> missing;
    for (const CiliumBgpInstance& instance : cluster.instances) {
      for (const CiliumBgpPeer& peer : instance.peers) {
        if (peer.peer_config &&
            (!peer_configs_.contains(*peer.peer_config) || in_.gone.contains(*peer.peer_config))) {
          missing.insert(*peer.peer_config);
        }
      }
    }
    find(cluster.source, "MissingPeerConfigs", !missing.empty(), missing);
    for (const CiliumBgpInstance& instance : cluster.instances) {
      for (const CiliumBgpPeer& peer : instance.peers) take_peer(cluster, nodes, instance, peer);
    }
  }

  // Names may hold dots and dashes, and other dialects have peers and advertisements too.
  static std::string fresh_name(const std::string& wanted, std::set<std::string>& taken) {
    std::string name = wanted;
    for (int i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}-{}", wanted, i);
    return name;
  }

  template <typename T>
  bool spend(const T& object, const char* kind, std::size_t pairs) {
    if (pairs <= pairs_left_) {
      pairs_left_ -= pairs;
      return true;
    }
    if (!std::exchange(told_of_pairs_, true)) {
      out_.problems.push_back(
          {Severity::Error, object.source, kind, "", object.name, "",
           fmt::format("more than {} pairs of a peer and what is about it: from here on they are "
                       "left out; use fewer objects",
                       kMaxPairs)});
    }
    return false;
  }

  void take_peer(const CiliumBgpClusterConfig& cluster, const Selectors& nodes,
                 const CiliumBgpInstance& instance, const CiliumBgpPeer& from) {
    const CiliumBgpPeerConfig* config = nullptr;
    if (!from.peer_config) {
      warn(cluster, kKind, from.path + ".peerConfigRef",
           "is missing: this peer is told of nothing; name a CiliumBGPPeerConfig");
    } else if (const auto it = peer_configs_.find(*from.peer_config); it != peer_configs_.end()) {
      config = it->second;
    } else {
      warn(cluster, kKind, from.path + ".peerConfigRef.name",
           fmt::format("there is no CiliumBGPPeerConfig '{}'{}", *from.peer_config,
                       meant(*from.peer_config, peer_configs_,
                             ": create it; until then this peer is told of nothing")));
    }
    BgpPeer peer;
    if (config != nullptr) {
      peer = config->settings;
    } else {
      peer.connect_retry_time = 120s;  // Cilium's default
    }
    used_.insert(config);
    peer.source = cluster.source;
    peer.address = from.address;
    peer.interface = from.interface;
    peer.local_asn = instance.local_asn.value_or(Asn());
    if (from.asn) {
      peer.peer_asn.number = *from.asn;
    } else {
      peer.peer_asn.kind = PeerAsn::Kind::Any;
    }
    peer.node_selectors = nodes;
    take_overrides(instance, from, peer);
    const bool speaks = instance.local_asn ||
                        std::any_of(peer.overrides.begin(), peer.overrides.end(),
                                    [](const PeerOverride& o) { return o.local_asn.has_value(); });
    if (!speaks) {
      warn(cluster, kKind, instance.path + ".localASN",
           "is missing, and no CiliumBGPNodeConfigOverride gives one: peer '" + from.name +
               "' has no session");
    }
    if (!speaks || !from.reachable || (!peer.ipv4 && !peer.ipv6)) return;
    peer.name =
        PeerName(fresh_name(cluster.name + "." + instance.name + "." + from.name, peer_names_));
    if (config != nullptr) {
      if (config->bfd) peer.bfd_profile = take_bfd(*config->bfd);
      note_reach(*config, peer.name);
    }
    out_.peers.push_back(std::move(peer));
  }

  void take_overrides(const CiliumBgpInstance& instance, const CiliumBgpPeer& from, BgpPeer& peer) {
    const auto [begin, end] = overrides_.equal_range(instance.name);
    for (auto it = begin; it != end; ++it) {
      const auto& [object, mine] = it->second;
      if (!spend(*object, kOverride, 1 + mine->peers.size())) return;
      PeerOverride here{NodeName(object->name), mine->router_id, mine->local_asn, std::nullopt};
      for (const auto& p : mine->peers) {
        if (p.name != from.name || !p.source_address) continue;
        if (!peer.address.is_unspecified() && p.source_address->family() != peer.address.family()) {
          warn(*object, kOverride, p.path + ".localAddress",
               fmt::format("'{}' is of another family than the peer's address {}: it is not used",
                           to_string(*p.source_address), to_string(peer.address)));
        } else {
          here.source_address = p.source_address;
        }
      }
      if (here == PeerOverride{here.node, {}, {}, {}}) continue;
      peer.overrides.push_back(std::move(here));
    }
  }

  std::string take_bfd(const BfdProfile& profile) {
    const auto known = std::find(out_.bfd_profiles.begin(), out_.bfd_profiles.end(), profile);
    if (known == out_.bfd_profiles.end()) out_.bfd_profiles.push_back(profile);
    return profile.name;
  }

  // What of this peer config's families tells `peer` of which advertisement.
  void note_reach(const CiliumBgpPeerConfig& config, const PeerName& peer) {
    for (const CiliumBgpFamily& family : config.families) {
      if (!family.advertisements) continue;
      for (const CiliumBgpAdvertisement& object : in_.advertisements) {
        // Each entry will list the peer.
        if (!spend(object, "CiliumBGPAdvertisement", 1 + object.entries.size())) return;
        if (!family.advertisements->matches(object.labels)) continue;
        Reach& reach = reach_[object.name][peer];
        (family.family == IpFamily::IPv4 ? reach.ipv4 : reach.ipv6) = true;
      }
    }
  }

  void take_peer_config(const CiliumBgpPeerConfig& config) {
    for (const CiliumBgpFamily& family : config.families) {
      if (!family.advertisements) continue;
      if (!spend(config, "CiliumBGPPeerConfig", in_.advertisements.size())) return;
      const bool any = std::any_of(
          in_.advertisements.begin(), in_.advertisements.end(),
          [&](const auto& object) { return family.advertisements->matches(object.labels); });
      if (!any) {
        warn(
            config, "CiliumBGPPeerConfig", family.path + ".advertisements",
            fmt::format("selects no CiliumBGPAdvertisement by its labels ({}): change it, or label "
                        "one",
                        to_string(*family.advertisements)));
      }
    }
    check_secret(config);
    if (!used_.contains(&config)) {
      warn(config, "CiliumBGPPeerConfig", "",
           "no CiliumBGPClusterConfig names it: it has no effect");
    }
  }

  // Where no Secret was read at all, they are kept elsewhere.
  void check_secret(const CiliumBgpPeerConfig& config) {
    const auto& wanted = config.settings.password;
    if (out_.secrets.empty()) return;
    if (!wanted) return find(config.source, "MissingAuthSecret", false);
    const bool there =
        std::any_of(out_.secrets.begin(), out_.secrets.end(), [&](const SecretObject& s) {
          return s.name == ObjectName{wanted->ns, wanted->name} &&
                 std::find(s.keys.begin(), s.keys.end(), wanted->key) != s.keys.end();
        });
    find(config.source, "MissingAuthSecret", !there,
         there ? std::set<std::string>{} : std::set{wanted->name});
    if (there) return;
    warn(config, "CiliumBGPPeerConfig", "spec.authSecretRef",
         fmt::format("there is no Secret {}/{} with the key '{}': create it", wanted->ns,
                     wanted->name, wanted->key));
  }

  // The peers that are told alike.
  void take_advertisement(const CiliumBgpAdvertisement& object) {
    std::map<Reach, std::vector<PeerName>> sets;
    for (const auto& [peer, reach] : reach_[object.name]) sets[reach].push_back(peer);
    if (sets.empty()) {
      warn(object, "CiliumBGPAdvertisement", "metadata.labels",
           "no peer is told of it: let spec.families[].advertisements of a CiliumBGPPeerConfig "
           "that a peer names select its labels");
    }
    for (const BgpAdvertisement& entry : object.entries) {
      for (const auto& [reach, peers] : sets) {
        BgpAdvertisement ad = entry;
        if (sets.size() > 1) {
          ad.name += reach.ipv4 && reach.ipv6 ? "-dual" : reach.ipv4 ? "-ipv4" : "-ipv6";
        }
        ad.peers = peers;
        ad.ipv4 = reach.ipv4;
        ad.ipv6 = reach.ipv6;
        add_by_class(ad);
      }
    }
  }

  // The class of a service matters for its load balancer's IPs alone.
  void add_by_class(const BgpAdvertisement& entry) {
    const auto part = [&](bool load_balancer) {
      BgpAdvertisement ad = entry;
      ad.addresses.clear();
      for (const AddressKind kind : entry.addresses) {
        if ((kind == AddressKind::LoadBalancerIP) == load_balancer) ad.addresses.push_back(kind);
      }
      if (load_balancer) ad.classes = {"", kBgpClass};
      return ad;
    };
    BgpAdvertisement own = part(true), others = part(false);
    if (!own.addresses.empty() && !others.addresses.empty()) others.name += "-others";
    for (BgpAdvertisement* ad : {&own, &others}) {
      if (ad->addresses.empty()) continue;
      ad->name = fresh_name(ad->name, ad_names_);
      out_.advertisements.push_back(std::move(*ad));
    }
  }

  // Cilium passes over what an override is not about; it is mostly a slip of the pen.
  void check_override(const CiliumBgpNodeOverride& object) {
    const bool node_known = out_.nodes.empty() || std::any_of(out_.nodes.begin(), out_.nodes.end(),
                                                              [&](const NodeObject& n) {
                                                                return n.name.str() == object.name;
                                                              });
    if (!node_known) {
      warn(object, kOverride, "metadata.name",
           "there is no node '" + object.name + "': name it like the node that it is for");
    }
    for (const auto& mine : object.instances) {
      const auto known = instances_.find(mine.name);
      if (known == instances_.end()) {
        warn(object, kOverride, mine.path + ".name",
             fmt::format("no CiliumBGPClusterConfig has an instance '{}'{}", mine.name,
                         meant(mine.name, instances_, ": it has no effect")));
        continue;
      }
      for (const auto& p : mine.peers) {
        if (known->second.contains(p.name)) continue;
        warn(object, kOverride, p.path + ".name",
             fmt::format("instance '{}' has no peer '{}'{}", mine.name, p.name,
                         meant(p.name, known->second, ": it has no effect")));
      }
    }
  }

  static constexpr const char* kKind = "CiliumBGPClusterConfig";
  static constexpr const char* kOverride = "CiliumBGPNodeConfigOverride";
  const CiliumBgp& in_;
  Desired& out_;
  std::map<std::string, const CiliumBgpPeerConfig*> peer_configs_;
  std::multimap<std::string,
                std::pair<const CiliumBgpNodeOverride*, const CiliumBgpNodeOverride::Instance*>>
      overrides_;                                           // by the name of the instance
  std::map<std::string, std::set<std::string>> instances_;  // -> names of its peers
  std::map<std::string, std::string> owners_;               // node -> cluster config
  std::map<std::string, std::map<PeerName, Reach>> reach_;  // advertisement -> peer
  std::set<const CiliumBgpPeerConfig*> used_;
  std::set<std::string> peer_names_, ad_names_;
  std::size_t pairs_left_ = kMaxPairs;
  bool told_of_pairs_ = false;
};

}  // namespace

void resolve_cilium_bgp(const CiliumBgp& objects, Desired& desired) {
  Resolver(objects, desired).run();
}

}  // namespace herald::config
