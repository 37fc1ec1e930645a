#include "config/settings.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <set>
#include <utility>

#include "base/text.h"
#include "config/interface_match.h"
#include "config/yaml_document.h"

namespace herald::config {
namespace {

using Texts = std::vector<std::string>;
using Fault = std::optional<std::string>;  // what is wrong with a value, and what to write instead

struct Row {
  SettingInfo info;
  std::function<Fault(Settings&, const Texts&)> set;
};

auto text_into(std::string Settings::*member) {
  return [member](Settings& s, const Texts& v) -> Fault {
    if (v[0].empty()) return "is empty: give a value";
    s.*member = v[0];
    return std::nullopt;
  };
}
auto duration_into(Duration Settings::*member, Duration min) {
  return [member, min](Settings& s, const Texts& v) -> Fault {
    const auto d = parse_duration(v[0]);
    if (!d || *d < min || *d > 1h) {
      return "is no duration from " + to_string(min) + " to 1h: write it like 2s or 500ms";
    }
    s.*member = *d;
    return std::nullopt;
  };
}

Fault set_labels(Settings& s, const Texts& values) {
  s.node_labels = {};
  for (const std::string& v : values) {
    for (const std::string& pair : split_list(v)) {
      const auto equals = pair.find('=');
      if (equals == 0 || equals == std::string::npos) return "is no label: write key=value";
      s.node_labels.set(pair.substr(0, equals), pair.substr(equals + 1));
    }
  }
  return std::nullopt;
}

constexpr std::string_view kEmbedded = "embedded:";
constexpr std::string_view kEtcd = "etcd:";
constexpr std::string_view kKubernetes = "kubernetes:";
constexpr std::uint16_t kEtcdPort = 2379, kHttpsPort = 443;

Fault set_store(Settings& s, const Texts& v) {
  const bool embedded = v[0].rfind(kEmbedded, 0) == 0 && v[0].size() > kEmbedded.size();
  const bool etcd = v[0].rfind(kEtcd, 0) == 0 && v[0].size() > kEtcd.size();
  const bool kubernetes = v[0].rfind(kKubernetes, 0) == 0;
  if (!embedded && !etcd && !kubernetes) {
    return "is no store of this version: write embedded:/path/of/file.db, "
           "etcd:https://host:2379,https://..., or kubernetes: (in a pod) and "
           "kubernetes:/path/of/kubeconfig";
  }
  if (etcd) {
    const Texts urls = split_list(v[0].substr(kEtcd.size()));
    if (urls.empty()) return "names no URL: write etcd:https://host:2379";
    for (const std::string& text : urls) {
      if (const auto url = parse_http_url(text, kEtcdPort); !url) {
        return "is no list of etcd's URLs: '" + text + "' " + url.error();
      }
    }
  }
  s.store = v[0];
  return std::nullopt;
}

Fault set_store_prefix(Settings& s, const Texts& v) {
  if (v[0].size() < 2 || v[0].front() != '/' || v[0].size() > 200) {
    return "is no prefix of keys: write it like /herald/my-cluster/";
  }
  s.store_prefix = v[0].back() == '/' ? v[0] : v[0] + "/";
  return std::nullopt;
}

// RFC 1123: what an API server takes.
Fault set_namespace(Settings& s, const Texts& v) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (v[0].empty() || v[0].size() > 63 || !std::all_of(v[0].begin(), v[0].end(), good) ||
      v[0].front() == '-' || v[0].back() == '-') {
    return "is no namespace: write a name of small letters, digits and dashes, like herald-system";
  }
  s.kubernetes_namespace = v[0];
  return std::nullopt;
}

Fault set_api(Settings& s, const Texts& values) {
  s.kubernetes_api.clear();
  for (const std::string& v : values) {
    for (const std::string& text : split_list(v)) {
      const auto url = parse_http_url(text, kHttpsPort, UrlPath::Take);
      if (!url) {
        return "is no list of the API server's URLs, like https://127.0.0.1:6443: '" + text + "' " +
               url.error();
      }
      s.kubernetes_api.push_back(*url);
    }
  }
  return std::nullopt;
}

Fault set_level(Settings& s, const Texts& v) {
  const Texts levels = {"trace", "debug", "info", "warn", "error"};
  if (std::find(levels.begin(), levels.end(), v[0]) == levels.end()) {
    return "is none of " + join(levels, ", ");
  }
  s.log_level = v[0];
  return std::nullopt;
}

Fault set_format(Settings& s, const Texts& v) {
  if (v[0] != "text" && v[0] != "json") return "is neither text nor json";
  s.log_format = v[0] == "json" ? LogFormat::Json : LogFormat::Text;
  return std::nullopt;
}

Fault set_interfaces(Settings& s, const Texts& values) {
  for (const std::string& v : values) {
    if (const auto fault = check_pattern(v)) return fault;
  }
  s.interfaces = values;
  return std::nullopt;
}

Fault set_router_id(Settings& s, const Texts& v) {
  const auto id = IpAddress::parse(v[0]);
  if (!id || id->is_v6() || id->is_unspecified()) {
    return "is no router ID: write it like an IPv4 address, not 0.0.0.0";
  }
  s.bgp_router_id = *id;
  return std::nullopt;
}

Fault set_local_port(Settings& s, const Texts& v) {
  s.bgp_local_port.reset();
  if (v[0] == "none") return std::nullopt;
  const auto port = parse_number(v[0], 65535);
  if (!port || *port == 0) return "is no port: write 1 to 65535, or none";
  s.bgp_local_port = static_cast<std::uint16_t>(*port);
  return std::nullopt;
}

Fault set_service_status_limit(Settings& s, const Texts& v) {
  constexpr std::uint64_t kMost = 1'000'000;
  const auto number = parse_number(v[0], kMost);
  if (!number) return "is no number of objects: write 0 (none is written) to 1000000";
  s.service_status_limit = static_cast<std::size_t>(*number);
  return std::nullopt;
}

// It is a part of etcd's keys, and a word of heraldctl's.
Fault set_node_name(Settings& s, const Texts& v) {
  const auto bad = [](char c) { return c <= ' ' || c == 0x7f || c == '/'; };
  if (v[0].empty() || v[0].size() > 253 || std::any_of(v[0].begin(), v[0].end(), bad)) {
    return "is no name of 1 to 253 characters without slashes and blanks: write a host name";
  }
  s.node_name = v[0];
  return std::nullopt;
}

Fault set_cluster(Settings& s, const Texts& v) {
  if (v[0].empty() || v[0].size() > 253) return "is no name of 1 to 253 characters";
  // It is a part of etcd's keys: /herald/CLUSTER/...
  if (std::any_of(v[0].begin(), v[0].end(),
                  [](char c) { return c <= ' ' || c == 0x7f || c == '/'; })) {
    return "holds a slash, a blank or what is not ASCII: write a plain name";
  }
  s.cluster = v[0];
  return std::nullopt;
}

// "7950", "192.0.2.1:7950", "[2001:db8::1]:7950", "none".
Fault set_heartbeat_listen(Settings& s, const Texts& v) {
  s.heartbeat_port.reset();
  s.heartbeat_address.reset();
  if (v[0] == "none") return std::nullopt;
  std::string_view address, port = v[0];
  if (const auto colon = port.rfind(':'); colon != std::string_view::npos) {
    address = port.substr(0, colon);
    port = port.substr(colon + 1);
    const bool brackets = address.size() > 2 && address.front() == '[' && address.back() == ']';
    if (brackets) address = address.substr(1, address.size() - 2);
    const auto parsed = IpAddress::parse(address);
    if (!parsed || parsed->is_v6() != brackets || parsed->is_multicast()) {
      return "has no address before its port: write 7950, 192.0.2.1:7950, [2001:db8::1]:7950 or "
             "none";
    }
    s.heartbeat_address = *parsed;
  }
  const auto number = parse_number(port, 65535);
  if (!number || *number == 0) {
    return "has no port: write 7950, 192.0.2.1:7950, [2001:db8::1]:7950 or none";
  }
  s.heartbeat_port = static_cast<std::uint16_t>(*number);
  return std::nullopt;
}

Fault set_cordoned_nodes(Settings& s, const Texts& v) {
  if (v[0] != "keep" && v[0] != "yield") return "is neither keep nor yield";
  s.cordoned_nodes = v[0] == "yield" ? CordonedNodes::Yield : CordonedNodes::Keep;
  return std::nullopt;
}
Fault set_heartbeat_profile(Settings& s, const Texts& v) {
  if (v[0] != "default" && v[0] != "fast") return "is neither default nor fast";
  s.heartbeat_profile = v[0] == "fast" ? HeartbeatProfile::Fast : HeartbeatProfile::Default;
  return std::nullopt;
}

Fault set_store_loss_limit(Settings& s, const Texts& v) {
  s.coord_store_loss_limit.reset();
  if (v[0] == "none") return std::nullopt;
  const auto d = parse_duration(v[0]);
  if (!d || *d < 1s || *d > 24h) return "is no duration from 1s to 24h: write it like 60s, or none";
  s.coord_store_loss_limit = *d;
  return std::nullopt;
}

Fault set_responder(Settings& s, const Texts& v) {
  if (v[0] == "bpf") return "is not in this version: write auto or packet";
  if (v[0] != "auto" && v[0] != "packet") return "is neither auto nor packet";
  s.l2_responder = v[0] == "auto" ? L2Responder::Auto : L2Responder::Packet;
  return std::nullopt;
}

auto switch_into(bool Settings::*member) {
  return [member](Settings& s, const Texts& v) -> Fault {
    if (v[0] != "true" && v[0] != "false") return "is neither true nor false";
    s.*member = v[0] == "true";
    return std::nullopt;
  };
}

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {{"config", "FILE", "/etc/herald/herald.yaml", "file with these settings"},
       [](Settings&, const Texts&) -> Fault { return std::nullopt; }},
      {{"node-name", "NAME", "", "name of this node (default: the host name)"}, set_node_name},
      {{"node-labels", "K=V", "", "labels of this node, for node selectors", true}, set_labels},
      {{"store", "URI", "embedded:/var/lib/herald/herald.db", "where the nodes agree"}, set_store},
      {{"store-lease-duration", "DURATION", "2s", "how long a node may answer without renewing"},
       duration_into(&Settings::store_lease_duration, 100ms)},
      {{"store-revoke-after", "DURATION", "", "when others may take over (default: lease * 1.25)"},
       duration_into(&Settings::store_revoke_after, 100ms)},
      {{"store-timeout", "DURATION", "500ms",
        "how long one request to the store may take (kubernetes: 2s)"},
       duration_into(&Settings::store_timeout, 10ms)},
      {{"cluster", "NAME", "default", "name that the nodes of one cluster share"}, set_cluster},
      {{"heartbeat-listen", "[ADDR:]PORT", std::to_string(kHeartbeatPort),
        "UDP port for the other nodes' heartbeats; none: lease from the store only"},
       set_heartbeat_listen},
      {{"heartbeat-profile", "PROFILE", "default",
        "default (every 30ms, silent after 150ms) or fast (10ms, 50ms)"},
       set_heartbeat_profile},
      {{"heartbeat-interval", "DURATION", "", "time between heartbeats (default: patience / 5)"},
       duration_into(&Settings::heartbeat_interval, 1ms)},
      {{"heartbeat-patience", "DURATION", "", "silence after which a node loses its right"},
       duration_into(&Settings::heartbeat_patience, 5ms)},
      {{"heartbeat-key-file", "FILE", "",
        "file with the key that all nodes share (default: one that is kept in the store)"},
       text_into(&Settings::heartbeat_key_file)},
      {{"coord-store-loss-limit", "DURATION", "none",
        "how long nodes may go on by heartbeats alone without the store"},
       set_store_loss_limit},
      {{"store-prefix", "PREFIX", "", "etcd: before all keys (default: /herald/CLUSTER/)"},
       set_store_prefix},
      {{"store-ca-file", "FILE", "", "etcd: who signs its certificates (default: the system's)"},
       text_into(&Settings::store_ca_file)},
      {{"store-cert-file", "FILE", "", "etcd: certificate of this client"},
       text_into(&Settings::store_cert_file)},
      {{"store-key-file", "FILE", "", "etcd: key of that certificate"},
       text_into(&Settings::store_key_file)},
      {{"store-server-name", "NAME", "", "etcd: name in its certificates (default: the URL's)"},
       text_into(&Settings::store_server_name)},
      {{"store-user", "NAME", "", "etcd: user, where etcd has authentication enabled"},
       text_into(&Settings::store_user)},
      {{"store-password-file", "FILE", "", "etcd: file with that user's password"},
       text_into(&Settings::store_password_file)},
      {{"manifests", "DIR", "", "directory of Kubernetes-style YAML, watched", true},
       [](Settings& s, const Texts& v) -> Fault {
         s.manifests = v;
         return std::nullopt;
       }},
      {{"kubernetes-namespace", "NAME", "",
        "kubernetes: where its Leases and shards lie (default: the pod's own, or herald-system)"},
       set_namespace},
      {{"kubernetes-api", "URL", "",
        "kubernetes: the API server, instead of the one that the kubeconfig or the pod names",
        true},
       set_api},
      {{"service-status-limit", "COUNT", "2000",
        "kubernetes: how many ServiceL2Status, and how many ServiceBGPStatus; 0: none are written"},
       set_service_status_limit},
      {{"admin", "SOCKET", "/run/herald/admin.sock", "socket that heraldctl speaks to"},
       text_into(&Settings::admin)},
      {{"log-level", "LEVEL", "info", "trace, debug, info, warn or error"}, set_level},
      {{"log-format", "FORMAT", "text", "text or json"}, set_format},
      {{"interfaces", "REGEX", "", "links to announce on (default: all usable)", true},
       set_interfaces},
      {{"bgp-router-id", "IPV4", "", "BGP identifier (default: an address of this node)"},
       set_router_id},
      {{"bgp-local-port", "PORT", "none", "port to listen on for BGP; none: active only"},
       set_local_port},
      {{"l2-responder", "KIND", "auto", "auto or packet"}, set_responder},
      {{"drain-timeout", "DURATION", "10s", "how long SIGTERM waits for the hand-over"},
       duration_into(&Settings::drain_timeout, 0ms)},
      {{"probe-interval", "DURATION", "100ms",
        "between the 3 probes of an IP that was never announced; twice that after them"},
       duration_into(&Settings::probe_interval, 10ms)},
      {{"load-balancer-classes", "CLASS", join(Settings{}.load_balancer_classes, ","),
        "spec.loadBalancerClass of the services that are served; the same on all nodes", true},
       [](Settings& s, const Texts& v) -> Fault {
         s.load_balancer_classes = v;
         return std::nullopt;
       }},
      {{"class-less-services", "BOOL", "true",
        "whether services without a class are served, too: true or false; the same on all nodes"},
       switch_into(&Settings::class_less_services)},
      {{"cordoned-nodes", "WHAT", "keep",
        "whether nodes that are cordoned keep their IPs, or yield them to others: keep or yield; "
        "the "
        "same on all nodes"},
       set_cordoned_nodes},
      {{"ignore-exclude-label", "BOOL", "false",
        "whether nodes announce although their label "
        "node.kubernetes.io/exclude-from-external-load-balancers excludes them: true or false; the "
        "same on all nodes"},
       switch_into(&Settings::ignore_exclude_label)},
      {{"run-dir", "DIR", "/run/herald", "directory for run-time files"},
       text_into(&Settings::run_dir)},
      {{"check", "", "false", "report every problem of settings and manifests, then exit"},
       switch_into(&Settings::check)},
  };
  return kRows;
}

// The file's keys, flat: {"store": {"timeout": ..}} and "store.timeout" are "store-timeout".
void flatten(const Value& map, const std::string& prefix,
             std::vector<std::pair<std::string, const Value*>>& out) {
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    std::string name = prefix + map.keys[i];
    std::replace(name.begin(), name.end(), '.', '-');
    if (map.items[i].type == Value::Type::Map && name != "node-labels") {
      flatten(map.items[i], name + "-", out);
    } else if (map.items[i].type != Value::Type::Null) {
      out.emplace_back(std::move(name), &map.items[i]);
    }
  }
}

class Reader {
 public:
  explicit Reader(const SettingsInput& input) : input_(input) {}

  Result<Settings, Texts> read() {
    settings_.node_name = input_.host_name;
    read_file();
    for (const auto& [key, value] : input_.environment) {
      if (key.rfind("HERALD_", 0) != 0) continue;
      const auto row = std::find_if(rows().begin(), rows().end(), [&, &k = key](const Row& r) {
        return environment_name(r.info.name) == k;
      });
      // Unknown ones are no error: HERALD_SERVICE_HOST and the like are set by Kubernetes.
      if (row == rows().end()) continue;
      set(*row, row->info.repeatable ? split_list(value) : Texts{value}, "environment " + key);
    }
    for (const auto& [name, values] : input_.flags) set(name, values, "--" + name);
    settle_kubernetes();
    settle_durations();
    belong_together("store-cert-file", settings_.store_cert_file, "store-key-file",
                    settings_.store_key_file);
    belong_together("store-user", settings_.store_user, "store-password-file",
                    settings_.store_password_file);
    if (!given_.contains("store-prefix")) {
      settings_.store_prefix = "/herald/" + settings_.cluster + "/";
    }
    if (settings_.node_name.empty()) {
      faults_.push_back("node-name: is missing, and the host has no name: give --node-name");
    }
    if (!faults_.empty()) return error(std::move(faults_));
    return std::move(settings_);
  }

 private:
  // The API server is the store and has the manifests.
  void settle_kubernetes() {
    if (!kubeconfig_of(settings_.store)) {
      for (const char* name : {"kubernetes-namespace", "kubernetes-api", "service-status-limit"}) {
        if (!given_.contains(name)) continue;
        faults_.push_back(std::string(name) + ": is given, but the store is " + settings_.store +
                          ": write --store kubernetes: or leave it out");
      }
      return;
    }
    if (!given_.contains("store-timeout")) settings_.store_timeout = kKubernetesTimeout;
    if (!settings_.manifests.empty()) {
      faults_.push_back("manifests: '" + join(settings_.manifests, ",") +
                        "' is given, but with the store " + settings_.store +
                        " the API server has the manifests: kubectl apply them, and leave this "
                        "out");
    }
  }

  // Those that others give their defaults, and what must hold between them.
  void settle_durations() {
    if (!given_.contains("store-revoke-after")) {
      settings_.store_revoke_after = settings_.store_lease_duration * 5 / 4;
    } else if (settings_.store_revoke_after <= settings_.store_lease_duration) {
      faults_.push_back("store-revoke-after: '" + to_string(settings_.store_revoke_after) +
                        "' is not longer than store-lease-duration " +
                        to_string(settings_.store_lease_duration) + ": 1.25 times it is usual");
    }
    if (!given_.contains("heartbeat-patience")) {
      settings_.heartbeat_patience =
          settings_.heartbeat_profile == HeartbeatProfile::Fast ? 50ms : 150ms;
    }
    if (!given_.contains("heartbeat-interval")) {
      settings_.heartbeat_interval = settings_.heartbeat_patience / 5;
    }
    if (settings_.heartbeat_interval * 3 > settings_.heartbeat_patience) {
      faults_.push_back("heartbeat-interval: '" + to_string(settings_.heartbeat_interval) +
                        "' is more than a third of heartbeat-patience " +
                        to_string(settings_.heartbeat_patience) +
                        ": two lost heartbeats would silence a node; a fifth is usual");
    }
    const auto limit = settings_.coord_store_loss_limit;
    if (limit && *limit < settings_.store_lease_duration) {
      faults_.push_back("coord-store-loss-limit: '" + to_string(*limit) +
                        "' is shorter than store-lease-duration " +
                        to_string(settings_.store_lease_duration) + ": write 60s, or none");
    }
  }

  void belong_together(const char* one, const std::string& a, const char* other,
                       const std::string& b) {
    if (a.empty() == b.empty()) return;
    faults_.push_back(std::string(a.empty() ? other : one) + ": is given without " +
                      (a.empty() ? one : other) + ": give both, or neither");
  }

  void set(const std::string& name, const Texts& values, const std::string& place) {
    const auto row = std::find_if(rows().begin(), rows().end(),
                                  [&](const Row& r) { return r.info.name == name; });
    if (row != rows().end()) {
      set(*row, values, place);
      return;
    }
    Texts known;
    for (const Row& r : rows()) known.push_back(r.info.name);
    const auto meant = closest(name, known);
    faults_.push_back(place + ": there is no setting '" + name + "'" +
                      (meant ? "; did you mean '" + *meant + "'?" : ": see heraldd --help"));
  }

  void set(const Row& row, Texts values, const std::string& place) {
    if (values.empty() && row.info.placeholder.empty()) values = {"true"};
    if (values.empty() && !row.info.repeatable) return;
    if (!row.info.repeatable) values = {values.back()};
    const auto fault = row.set(settings_, values);
    if (fault) {
      faults_.push_back(place + ": " + row.info.name + ": '" + join(values, ",") + "' " + *fault);
    }
    given_.insert(row.info.name);
  }

  void read_file() {
    const YamlFile file = parse_yaml(input_.file_text);
    for (const auto& fault : file.errors) {
      faults_.push_back(input_.file_name + ":" + std::to_string(fault.line) +
                        ": cannot be parsed: " + fault.message);
    }
    for (const Value& document : file.documents) {
      if (document.type != Value::Type::Map) {
        faults_.push_back(input_.file_name + ":" + std::to_string(document.line) +
                          ": must be settings, one 'name: value' a line");
        continue;
      }
      std::vector<std::pair<std::string, const Value*>> flat;
      flatten(document, "", flat);
      for (const auto& [name, value] : flat) {
        set(name, texts_of(*value), input_.file_name + ":" + std::to_string(value->line));
      }
    }
  }

  static Texts texts_of(const Value& value) {
    Texts out;
    if (value.type == Value::Type::List) {
      for (const Value& item : value.items) out.push_back(item.text);
    } else if (value.type == Value::Type::Map) {
      for (std::size_t i = 0; i < value.keys.size(); ++i) {
        out.push_back(value.keys[i] + "=" + value.items[i].text);
      }
    } else {
      out.push_back(value.text);
    }
    return out;
  }

  const SettingsInput& input_;
  Settings settings_;
  Texts faults_;
  std::set<std::string> given_;
};

}  // namespace

std::vector<HttpUrl> etcd_urls(const std::string& store) {
  std::vector<HttpUrl> out;
  if (store.rfind(kEtcd, 0) != 0) return out;
  for (const std::string& text : split_list(store.substr(kEtcd.size()))) {
    if (auto url = parse_http_url(text, kEtcdPort)) out.push_back(std::move(*url));
  }
  return out;
}

std::optional<std::string> kubeconfig_of(const std::string& store) {
  if (store.rfind(kKubernetes, 0) != 0) return std::nullopt;
  return store.substr(kKubernetes.size());
}

const std::vector<SettingInfo>& settings_table() {
  static const std::vector<SettingInfo> kTable = [] {
    std::vector<SettingInfo> out;
    for (const Row& row : rows()) out.push_back(row.info);
    return out;
  }();
  return kTable;
}

std::string environment_name(std::string_view setting) {
  std::string out = "HERALD_";
  for (const char c : setting) {
    out += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

Result<Settings, std::vector<std::string>> read_settings(const SettingsInput& input) {
  return Reader(input).read();
}

}  // namespace herald::config
