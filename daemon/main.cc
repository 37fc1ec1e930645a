// heraldd: the wiring diagram. Each part is built here and handed what it needs; shell.run() does
// the rest. Exit codes: 0 clean, 1 could not start or was cut short, 2 usage.
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>

#include "base/capabilities_io.h"
#include "base/check.h"
#include "base/clock_io.h"
#include "base/fd_io.h"
#include "base/host_lock_io.h"
#include "base/memory_io.h"
#include "base/text.h"
#include "bgp/peer_io.h"
#include "config/manifests_io.h"
#include "config/settings.h"
#include "coord/heartbeat_io.h"
#include "coord/heartbeat_key_io.h"
#include "daemon/admin_io.h"
#include "daemon/logging_io.h"
#include "daemon/node.h"
#include "daemon/operator_wire.h"
#include "daemon/plan.h"
#include "daemon/report.h"
#include "daemon/shell.h"
#include "daemon/store_factory_io.h"
#include "kube/access_io.h"
#include "kube/source_io.h"
#include "l2/packet_io.h"
#include "net/netlink_io.h"

namespace herald::daemon {
namespace {

constexpr int kExitOk = 0, kExitFailed = 1, kExitUsage = 2;
constexpr const char* kDefaultConfig = "/etc/herald/herald.yaml";

int fail(const std::string& sentence) {
  std::fprintf(stderr, "heraldd: %s\n", sentence.c_str());
  return kExitFailed;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) return std::nullopt;
  return text;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// Tells apart two machines that were given the same node name.
std::string machine_id() {
  for (const char* path : {"/etc/machine-id", "/proc/sys/kernel/random/boot_id"}) {
    const auto text = read_file(path);
    if (text && !trim(*text).empty()) return std::string(trim(*text));
  }
  return host_name();
}

Bytes random_bytes(std::size_t count) {
  Bytes out(count);
  HERALD_CHECK(::getrandom(out.data(), count, 0) == static_cast<ssize_t>(count));
  return out;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  for (const std::uint8_t octet : random_bytes(sizeof seed)) seed = seed << 8 | octet;
  return seed;
}

// ---- settings
// ------------------------------------------------------------------------------------

using Flags = std::map<std::string, std::vector<std::string>>;

// The flags given, or an exit code (--help, --version, a word that is no flag).
Result<Flags, int> read_flags(int argc, char** argv) {
  CLI::App app("Gives services their load-balancer addresses and answers for them.", "heraldd");
  app.set_version_flag("--version", "heraldd " HERALD_VERSION);
  app.footer(
      "Each setting may also stand in the file given by --config, or in the environment under the "
      "name in brackets.\nExit codes: 0 clean, 1 could not start, 2 usage.");
  Flags values;
  for (const auto& info : config::settings_table()) {
    const std::string flag = "--" + info.name;
    std::string help = info.help + " [" + config::environment_name(info.name) + "]";
    if (info.placeholder.empty()) {
      app.add_flag(flag)->description(help);
      continue;
    }
    if (!info.default_value.empty()) help += " (" + info.default_value + ")";
    CLI::Option* option = app.add_option(flag, values[info.name], help);
    option->type_name(info.placeholder);
    if (!info.repeatable) option->expected(1)->take_last();
    option->allow_extra_args(false);  // one value for each flag; a word more is a mistake
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return error(app.exit(e) == 0 ? kExitOk : kExitUsage);
  }
  Flags given;
  for (const auto& info : config::settings_table()) {
    if (app.count("--" + info.name) > 0) given[info.name] = values[info.name];
  }
  return given;
}

Result<config::Settings, std::vector<std::string>> read_all_settings(const Flags& flags) {
  config::SettingsInput input;
  input.flags = flags;
  input.host_name = host_name();
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string pair(*variable);
    const auto equals = pair.find('=');
    if (equals != std::string::npos) {
      input.environment[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
  }
  const auto variable = input.environment.find(config::environment_name("config"));
  std::error_code ignored;
  if (const auto flag = flags.find("config"); flag != flags.end()) {
    input.file_name = flag->second.back();
  } else if (variable != input.environment.end()) {
    input.file_name = variable->second;
  } else if (std::filesystem::exists(kDefaultConfig, ignored)) {
    input.file_name = kDefaultConfig;
  }
  if (!input.file_name.empty()) {
    auto text = read_file(input.file_name);
    if (!text) {
      return error(std::vector<std::string>{"config: cannot read the file " + input.file_name +
                                            ": name one that exists with --config"});
    }
    input.file_text = std::move(*text);
  }
  return config::read_settings(input);
}

Result<std::string> heartbeat_key(const config::Settings& settings) {
  if (settings.heartbeat_key_file.empty()) return std::string();
  return coord::read_heartbeat_key(settings.heartbeat_key_file);
}

NodeConfig node_config(const config::Settings& settings) {
  NodeConfig config;
  config.name = NodeName(settings.node_name);
  config.machine_id = machine_id();
  config.version = HERALD_VERSION;
  config.labels = settings.node_labels;
  config.interfaces = settings.interfaces;
  config.router_id = settings.bgp_router_id;
  config.timing = store_timing(settings);
  config.guard_timing.interval = settings.heartbeat_interval;
  config.guard_timing.patience = settings.heartbeat_patience;
  config.heartbeat_port = settings.heartbeat_port.value_or(0);
  if (settings.heartbeat_address) config.heartbeat_addresses = {*settings.heartbeat_address};
  config.new_heartbeat_key = random_bytes(coord::kHeartbeatKeyBytes);
  config.drain_timeout = settings.drain_timeout;
  config.service_status_limit = settings.service_status_limit;
  config.probes.interval = settings.probe_interval;
  config.probes.quiet = settings.probe_interval * 2;
  config.policies.ignore_exclude_label = settings.ignore_exclude_label;
  config.policies.cordoned = settings.cordoned_nodes == config::CordonedNodes::Yield
                                 ? Policies::Cordoned::Yield
                                 : Policies::Cordoned::Keep;
  config.objects = config::kubeconfig_of(settings.store).has_value();
  if (config.objects) config.field_manager = field_manager(settings);
  config.seed = random_seed();
  return config;
}

config::ManifestOptions manifest_options(const config::Settings& settings) {
  return {settings.load_balancer_classes, settings.class_less_services};
}

// ---- --check
// -------------------------------------------------------------------------------------

// `watcher`: null with an API server, whose objects are not asked for.
int check(const config::Settings& settings, config::ManifestWatcher* watcher) {
  config::Manifests manifests(manifest_options(settings));
  if (watcher != nullptr) watcher->poll_changes(manifests);
  const Desired desired = manifests.desired();
  bool failed = false;
  if (const auto store = check_store(settings); !store) {
    fail(store.error());
    failed = true;
  }
  if (const auto key = heartbeat_key(settings); !key) {
    fail(key.error());
    failed = true;
  }
  for (const Problem& problem : desired.problems) {
    std::fprintf(stderr, "%s\n", to_string(problem).c_str());
    failed = failed || problem.severity == Severity::Error;
  }
  std::fprintf(stderr, "%d objects, %zu problems\n", desired.objects_read, desired.problems.size());
  return failed ? kExitFailed : kExitOk;
}

// ---- the wiring
// ----------------------------------------------------------------------------------

// Without the privilege, this node would be given VIPs and be silent about them.
bool may_open_packet_sockets() {
  return static_cast<bool>(UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)));
}

// The API server as the source of manifests; null: the settings name another store.
Result<std::unique_ptr<kube::Source>> open_source(const config::Settings& settings, Shell& shell) {
  const auto kubeconfig = config::kubeconfig_of(settings.store);
  if (!kubeconfig) return nullptr;
  auto access = kube::load_access(*kubeconfig, settings.kubernetes_api);
  if (!access) return error("store: " + access.error());
  return kube::open_source(
      {.access = std::move(*access),
       .manifests = manifest_options(settings),
       .field_manager = field_manager(settings),
       .node_name = settings.node_name,
       .seed = random_seed()},
      {.changed =
           [&shell](std::shared_ptr<const kube::Observed> observed,
                    std::shared_ptr<const Desired> desired) {
             shell.post_seen(std::move(observed), std::move(desired));
           },
       .answered =
           [&shell](std::uint64_t id, kube::WriteAnswer answer) {
             shell.post(KubeAnswered{id, std::move(answer)});
           },
       .trouble =
           [&shell](std::string sentence) { shell.post_kube_trouble(std::move(sentence)); }});
}

// `manifests`: null with an API server.
int run(const config::Settings& settings, config::ManifestWatcher* manifests) {
  if (!may_open_packet_sockets()) {
    return fail(
        "l2-responder: cannot open a packet socket: give heraldd CAP_NET_RAW, or run it as "
        "root");
  }
  NodeConfig config = node_config(settings);
  const auto key = heartbeat_key(settings);
  if (!key) return fail(key.error());
  config.heartbeat_key = *key;
  const auto lock = HostLock::take(settings.run_dir, config.name, store_identity(settings));
  if (!lock) return fail(lock.error());

  boost::asio::io_context loop;
  Shell shell(loop, manifest_options(settings));

  auto store = open_store(
      settings, random_seed(),
      {.reply =
           [&shell](std::uint64_t id, coord::StoreReply reply) {
             shell.post(StoreAnswered{id, std::move(reply)});
           },
       .changed =
           [&shell](std::vector<coord::Document> documents) {
             shell.post(StoreChanged{std::move(documents)});
           },
       .trouble =
           [&shell](std::string sentence) { shell.post_store_trouble(std::move(sentence)); }});
  if (!store) return fail(store.error());
  const auto source = open_source(settings, shell);
  if (!source) return fail(source.error());

  LinkMonitor links;
  if (const auto opened = links.open(); !opened) return fail("links: " + opened.error());

  l2::PacketResponder responder([&shell](const l2::Conflict& conflict) {
    shell.post(ConflictSeen{conflict.link, conflict.vip, conflict.other});
  });
  if (const auto started = responder.start(); !started) {
    return fail("l2-responder: " + started.error());
  }

  coord::HeartbeatThread heartbeats(
      {.self = config.name,
       .cluster = settings.cluster,
       .timing = config.guard_timing,
       .port = settings.heartbeat_port,
       .address = settings.heartbeat_address},
      {.on_deadline = [&responder](Instant deadline) { responder.set_deadline(deadline); },
       .on_report =
           [&shell](coord::GuardReport report) { shell.post(GuardReported{std::move(report)}); }});
  if (const auto started = heartbeats.start(); !started) return fail(started.error());

  bgp::PeerConnections peers(loop,
                             {.connected =
                                  [&shell](PeerName peer, IpAddress local) {
                                    shell.post(BgpConnected{std::move(peer), local});
                                  },
                              .connect_failed =
                                  [&shell](PeerName peer, std::string why) {
                                    shell.post(BgpConnectFailed{std::move(peer), std::move(why)});
                                  },
                              .received =
                                  [&shell](PeerName peer, Bytes bytes) {
                                    shell.post(BgpReceived{std::move(peer), std::move(bytes)});
                                  },
                              .closed =
                                  [&shell](PeerName peer, std::string why) {
                                    shell.post(BgpClosed{std::move(peer), std::move(why)});
                                  }});

  Node node(config, boot_now());
  const auto admin = AdminServer::open(
      loop, settings.admin, [&](std::string_view request, const AdminServer::Reply& reply) {
        if (auto asked = parse_operator_request(request)) {
          if (!*asked)
            return reply(to_line(OperatorAnswer{false, false, asked->error(), {}, {}, {}, {}}));
          return shell.ask(std::move(**asked),
                           [reply](const OperatorAnswer& said) { reply(to_line(said)); });
        }
        if (auto planned = answer_plan(node, shell.manifests(), request, boot_now())) {
          return reply(std::move(*planned));
        }
        ShellFacts facts = shell.facts();
        facts.store_uri = settings.store;
        facts.responder = "packet";
        reply(answer(node, facts, request, boot_now()));
      });
  if (!admin) return fail(admin.error());

  const bool clean =
      shell.run(node, {manifests, source->get(), links, **store, responder, heartbeats, peers});
  responder.stop();  // silence first
  heartbeats.stop();
  if (*source) (*source)->close();
  (*store)->close();
  return clean ? kExitOk : kExitFailed;
}

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // whoever reads the log may go
  use_permitted_capabilities();   // before any thread
  limit_memory_kept();            // likewise
  const auto flags = read_flags(argc, argv);
  if (!flags) return flags.error();
  const auto settings = read_all_settings(*flags);
  if (!settings) {
    for (const std::string& fault : settings.error()) fail(fault);
    return kExitFailed;
  }
  if (settings->bgp_local_port) {
    return fail(
        "bgp-local-port: this version opens its sessions itself and listens on no port: "
        "leave it out, or write none");
  }
  std::unique_ptr<config::ManifestWatcher> manifests;
  if (!config::kubeconfig_of(settings->store)) {
    // Without any, this node would believe that users want nothing, and free what they have.
    if (settings->manifests.empty()) {
      return fail("manifests: no directory is given: name one with --manifests");
    }
    auto opened = config::ManifestWatcher::open(settings->manifests);
    if (!opened) return fail(opened.error());
    manifests = std::move(*opened);
  }
  if (settings->check) return check(*settings, manifests.get());
  start_logging(settings->log_format, settings->log_level);
  return run(*settings, manifests.get());
}

}  // namespace
}  // namespace herald::daemon

int main(int argc, char** argv) {
  return herald::daemon::main(argc, argv);
}
