// config/service_annotations.cc: what a Service asks for by annotations, in every dialect that has
// some, and by spec.loadBalancerIP.
//
// All dialects may be there at once if they agree. Where they contradict one another, or a text is
// no address, Service::invalid_request says so: the service stays known, with what it holds.
//
// Cilium merges its annotation with spec.loadBalancerIP and takes any number of IPs; MetalLB allows
// only one of the two ways, at most one IP of a family, and the families must be the service's.
#include <algorithm>
#include <optional>

#include "base/text.h"
#include "config/object_reader.h"
#include "config/translate.h"

namespace herald::config {
namespace {

constexpr const char* kField = "spec.loadBalancerIP";
constexpr const char* kMetallbIps = "metallb.io/loadBalancerIPs";

struct Names {
  const char* name;
  const char* old;  // null: none
};

// One annotation as it was found.
struct Wish {
  std::string by;    // the name that the manifest uses
  std::string name;  // its name of today
  std::string text;
};

class WishReader {
 public:
  WishReader(MapReader& annotations, MapReader& spec, Service& service)
      : annotations_(annotations), spec_(spec), service_(service) {}

  void read() {
    read_ips();
    read_pool();
    read_sharing();
    // In doubt what it holds stays: a request would have it give up other IPs.
    if (service_.invalid_request) service_.requested.clear();
    warn_of_slips();
  }

 private:
  // An annotation of a dialect that nobody reads is a slip of the pen, and an IP that is not the
  // one that was asked for.
  void warn_of_slips() {
    for (const char* written :
         {"metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool"}) {
      annotations_.ignore(written);  // by MetalLB itself
    }
    annotations_.warn_of_slips({"herald.io/", "lbipam.cilium.io/", "io.cilium/lb-ipam-",
                                "metallb.io/", "metallb.universe.tf/"});
  }

  // As Cilium and MetalLB: a new name that is there hides the old one, even if it is empty.
  std::optional<Wish> find(const Names& names) {
    std::optional<Wish> out;
    if (names.old != nullptr) {
      if (const auto text = annotations_.text(names.old)) {
        annotations_.warning(names.old, std::string("is an old name: write ") + names.name);
        out = Wish{names.old, names.name, *text};
      }
    }
    if (const auto text = annotations_.text(names.name)) out = Wish{names.name, names.name, *text};
    if (out && trim(out->text).empty()) return std::nullopt;
    return out;
  }

  // A problem names the field before its sentence; so the sentence need not begin with it.
  void refuse(MapReader& from, const std::string& key, const std::string& sentence) {
    if (!service_.invalid_request) service_.invalid_request = sentence;
    const std::string by = (&from == &spec_ ? kField : key) + ": ";
    from.fault(key, sentence.rfind(by, 0) == 0 ? sentence.substr(by.size()) : sentence);
  }
  void refuse_both(const Wish& a, const Wish& b) {
    refuse(annotations_, b.by,
           b.by + " says '" + b.text + "' and " + a.by + " says '" + a.text +
               "': remove one of the two, or let both say the same");
  }

  std::vector<IpAddress> parse(MapReader& from, const std::string& key, const std::string& by,
                               const std::vector<std::string>& items) {
    std::vector<IpAddress> out;
    for (const std::string& item : items) {
      const auto address = IpAddress::parse(item);
      if (!address) {
        refuse(from, key,
               by + ": '" + item + "' is no IP address: write it like 192.0.2.1 or 2001:db8::1" +
                   (key == by ? ", with commas between several" : ""));
      } else if (std::find(out.begin(), out.end(), *address) == out.end()) {
        out.push_back(*address);
      }
    }
    return out;
  }

  void read_ips() {
    struct Asked {
      Wish wish;
      std::vector<IpAddress> ips;
    };
    std::optional<Asked> asked;
    for (const Names& names :
         {Names{"herald.io/ips", nullptr}, Names{"lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips"},
          Names{kMetallbIps, "metallb.universe.tf/loadBalancerIPs"},
          Names{"kube-vip.io/loadbalancerIPs", nullptr}, Names{"purelb.io/addresses", nullptr}}) {
      const auto wish = find(names);
      if (!wish) continue;
      std::vector<IpAddress> ips = parse(annotations_, wish->by, wish->by, split_list(wish->text));
      drop_unspecified(*wish, ips);
      if (ips.empty()) continue;
      if (wish->name == kMetallbIps) check_metallb(*wish, ips);
      if (asked &&
          !std::is_permutation(asked->ips.begin(), asked->ips.end(), ips.begin(), ips.end())) {
        refuse_both(asked->wish, *wish);
      }
      if (!asked) asked = Asked{*wish, std::move(ips)};
    }
    const std::string field = spec_.text("loadBalancerIP").value_or("");
    if (!field.empty()) {
      service_.requested = parse(spec_, "loadBalancerIP", kField, {field});
      service_.requested_by = kField;
    }
    if (!asked) return;
    service_.requested_by = asked->wish.by;
    for (const IpAddress& ip : asked->ips) {
      const auto& all = service_.requested;
      if (std::find(all.begin(), all.end(), ip) == all.end()) service_.requested.push_back(ip);
    }
  }

  // kube-vip's way to ask for DHCP.
  void drop_unspecified(const Wish& wish, std::vector<IpAddress>& ips) {
    const auto end = std::remove_if(ips.begin(), ips.end(),
                                    [](const IpAddress& ip) { return ip.is_unspecified(); });
    if (end == ips.end() || wish.name.rfind("kube-vip.io/", 0) != 0) return;
    annotations_.warning(wish.by,
                         "asks for an address by DHCP, which is not done here: an address "
                         "of a pool is given");
    ips.erase(end, ips.end());
  }

  void check_metallb(const Wish& wish, const std::vector<IpAddress>& ips) {
    if (!spec_.text("loadBalancerIP").value_or("").empty()) {
      refuse(annotations_, wish.by,
             std::string(kField) + " and " + wish.by + " exclude one another: remove one");
    }
    if (ips.size() > 2 || (ips.size() == 2 && ips[0].family() == ips[1].family())) {
      refuse(annotations_, wish.by,
             wish.by + " asks for '" + wish.text +
                 "': it takes one IP, or one IPv4 and one IPv6 address");
      return;
    }
    const auto& families = service_.families;
    if (families.empty()) return;
    const bool fits =
        families.size() == ips.size() &&
        std::all_of(ips.begin(), ips.end(), [&](const IpAddress& ip) {
          return std::find(families.begin(), families.end(), ip.family()) != families.end();
        });
    // Named by hand, the families of a dual-stack service may be those that it must have at least.
    const bool open = service_.family_policy != IpFamilyPolicy::SingleStack &&
                      families.size() == 1 && !spec_.has("clusterIP") && !spec_.has("clusterIPs");
    if (fits || open) return;
    std::vector<std::string> names;
    for (const IpFamily family : families) names.push_back(to_string(family));
    service_.invalid_families = !service_.invalid_request;
    refuse(annotations_, wish.by,
           wish.by + " asks for '" + wish.text + "', but the service is of " +
               join(names, " and ") + ": ask for one address of each of its families");
  }

  void read_pool() {
    std::optional<Wish> asked;
    for (const Names& names :
         {Names{"herald.io/pool", nullptr},
          Names{"metallb.io/address-pool", "metallb.universe.tf/address-pool"}}) {
      const auto wish = find(names);
      if (!wish) continue;
      if (asked && asked->text != wish->text) refuse_both(*asked, *wish);
      if (!asked) asked = wish;
    }
    if (!asked) return;
    service_.requested_pool = PoolName(asked->text);
    service_.requested_pool_by = asked->by;
  }

  void read_sharing() {
    std::optional<Wish> asked;
    const auto take = [&](const Names& key, const Names& namespaces, const Names& pods) {
      const auto others = find(namespaces), permit = find(pods);
      const auto wish = find(key);
      if (!wish) return;
      if (asked && asked->text != wish->text) return refuse_both(*asked, *wish);
      if (!asked) {
        asked = wish;
        service_.sharing = Sharing{wish->text, {}, false};
      }
      if (others) permit_namespaces(split_list(others->text));
      if (permit && yes(*permit)) service_.sharing->permit_different_pods = true;
    };
    take({"herald.io/sharing-key", nullptr}, {"herald.io/sharing-cross-namespace", nullptr},
         {"herald.io/sharing-permit-different-pods", nullptr});
    take({"lbipam.cilium.io/sharing-key", "io.cilium/lb-ipam-sharing-key"},
         {"lbipam.cilium.io/sharing-cross-namespace", "io.cilium/lb-ipam-sharing-cross-namespace"},
         {"lbipam.cilium.io/sharing-permit-different-pods",
          "io.cilium/lb-ipam-sharing-permit-different-pods"});
    const auto wish = find({"metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip"});
    if (!wish) return;
    if (asked && asked->text != wish->text) return refuse_both(*asked, *wish);
    if (!asked) service_.sharing = Sharing{wish->text, {}, false};
    permit_namespaces({"*"});  // MetalLB asks for no namespace
  }

  void permit_namespaces(const std::vector<std::string>& names) {
    auto& all = service_.sharing->namespaces;
    for (const std::string& name : names) {
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
    }
  }

  // The words of Go's ParseBool, as Cilium reads them; anything else is no.
  bool yes(const Wish& wish) {
    for (const char* word : {"1", "t", "T", "TRUE", "true", "True"}) {
      if (wish.text == word) return true;
    }
    for (const char* word : {"0", "f", "F", "FALSE", "false", "False"}) {
      if (wish.text == word) return false;
    }
    annotations_.warning(wish.by,
                         "'" + wish.text + "' is neither true nor false, and counts as false");
    return false;
  }

  MapReader& annotations_;
  MapReader& spec_;
  Service& service_;
};

}  // namespace

void read_wishes(MapReader& annotations, MapReader& spec, Service& service) {
  WishReader(annotations, spec, service).read();
}

}  // namespace herald::config
