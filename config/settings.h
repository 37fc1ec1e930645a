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
#include "net/ip.h"

namespace herald::config {

enum class LogFormat { Text, Json };
enum class L2Responder { Auto, Packet };

struct Settings {
  std::string node_name;
  Labels node_labels;
  std::string store = "embedded:/var/lib/herald/herald.db";
  Duration store_lease_duration = 2s;    // D
  Duration store_revoke_after = 2500ms;  // L; by default D * 1.25
  Duration store_timeout = 500ms;
  std::vector<std::string> manifests;  // directories
  std::string admin = "/run/herald/admin.sock";
  std::string log_level = "info";
  LogFormat log_format = LogFormat::Text;
  std::vector<std::string> interfaces;  // RE2, unanchored; empty: all usable
  std::optional<IpAddress> bgp_router_id;
  std::optional<std::uint16_t> bgp_local_port;  // none: active sessions only
  L2Responder l2_responder = L2Responder::Auto;
  Duration drain_timeout = 10s;
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
