// config/settings.h: what the daemon is told about itself.
//
// Every setting is one row of a table and has one name in three places: "store-lease-duration" is
// that key in the file (or `store: {lease-duration: 2s}`), --store-lease-duration on the command
// line, and HERALD_STORE_LEASE_DURATION in the environment. The command line beats the environment,
// which beats the file, which beats the default. Pure: the texts are handed in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/labels.h"
#include "net/http_url.h"
#include "net/ip.h"

namespace herald::config {

// UDP. IANA has given it to nobody, it is outside of the range of NodePorts (30000-32767) and of
// ephemeral ports, and none of a node's usual neighbours has it: memberlist and Serf (MetalLB,
// Docker: 7946, a second one often 7947), MetalLB's metrics 7472, Cilium 4240-4245 and 8472, Calico
// 4789 and 5473, BFD 3784, etcd 2379, the kubelet 10250.
inline constexpr std::uint16_t kHeartbeatPort = 7950;

enum class LogFormat { Text, Json };
enum class L2Responder { Auto, Packet };
enum class CordonedNodes { Keep, Yield };
enum class HeartbeatProfile { Default, Fast };  // 30 and 150 ms; 10 and 50 ms

struct Settings {
  std::string node_name;
  Labels node_labels;
  std::string store = "embedded:/var/lib/herald/herald.db";
  Duration store_lease_duration = 2s;    // D
  Duration store_revoke_after = 2500ms;  // L; by default D * 1.25
  Duration store_timeout = 500ms;
  std::string cluster = "default";  // nodes of another name share nothing with this one
  std::optional<std::uint16_t> heartbeat_port = kHeartbeatPort;  // none: no heartbeats
  std::optional<IpAddress> heartbeat_address;                    // none: all, of both families
  HeartbeatProfile heartbeat_profile = HeartbeatProfile::Default;
  Duration heartbeat_interval = 30ms;              // H; by default the patience / 5
  Duration heartbeat_patience = 150ms;             // G; by default the profile's
  std::string heartbeat_key_file;                  // empty: no heartbeats
  std::optional<Duration> coord_store_loss_limit;  // none: no limit
  std::string store_prefix = "/herald/default/";   // of all keys in etcd; ends with a slash
  std::string store_ca_file, store_cert_file, store_key_file, store_server_name;
  std::string store_user, store_password_file;
  std::vector<std::string> manifests;  // directories; none with kubernetes:
  // With the store kubernetes:. Empty: the pod's own namespace, else herald-system.
  std::string kubernetes_namespace;
  std::vector<HttpUrl> kubernetes_api;  // instead of the servers found; empty: those
  std::string admin = "/run/herald/admin.sock";
  std::string log_level = "info";
  LogFormat log_format = LogFormat::Text;
  std::vector<std::string> interfaces;  // RE2, unanchored; empty: all usable
  std::optional<IpAddress> bgp_router_id;
  std::optional<std::uint16_t> bgp_local_port;  // none: active sessions only
  L2Responder l2_responder = L2Responder::Auto;
  Duration drain_timeout = 10s;
  std::size_t service_status_limit = 2000;  // of ServiceL2Status, and of ServiceBGPStatus
  Duration probe_interval = 100ms;  // between probes of an IP; twice that after the last one
  // Services of these classes are served, beside those without one if class_less_services.
  std::vector<std::string> load_balancer_classes = {"herald.io/herald", "io.cilium/l2-announcer",
                                                    "io.cilium/bgp-control-plane"};
  bool class_less_services = true;
  CordonedNodes cordoned_nodes = CordonedNodes::Keep;  // what becomes of their IPs
  bool ignore_exclude_label = false;  // of nodes: exclude-from-external-load-balancers
  std::string run_dir = "/run/herald";
  bool check = false;
  bool operator==(const Settings&) const = default;
};

struct SettingInfo {
  std::string name;           // "store-lease-duration"
  std::string placeholder;    // "DURATION"; empty: a switch without a value
  std::string default_value;  // as a user would write it; empty: none
  std::string help;
  bool repeatable = false;  // the flag may be given many times; a list in the file, commas in the
                            // environment
};

// The URLs of an etcd: store, empty for another one. Those of Settings::store are sound.
std::vector<HttpUrl> etcd_urls(const std::string& store);

// Of a kubernetes: store, the path of its kubeconfig (empty: in-cluster); nothing for another one.
std::optional<std::string> kubeconfig_of(const std::string& store);
// What `store-timeout` is for it, unless it is given: an API server stands behind etcd and a
// network, and may have much to do.
inline constexpr Duration kKubernetesTimeout = 2s;

// All settings in the order of --help. `config` is among them for its flag and environment name;
// its value is where the file's text comes from.
const std::vector<SettingInfo>& settings_table();
std::string environment_name(std::string_view setting);  // HERALD_STORE_LEASE_DURATION

struct SettingsInput {
  std::map<std::string, std::vector<std::string>> flags;  // name without dashes -> values given
  std::map<std::string, std::string> environment;         // whole, others than HERALD_* are ignored
  std::string file_name, file_text;                       // empty: no file
  std::string host_name;                                  // default of node-name
};

// The settings, or every fault, each with setting, place, value and remedy.
Result<Settings, std::vector<std::string>> read_settings(const SettingsInput& input);

}  // namespace herald::config
