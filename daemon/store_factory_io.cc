#include "daemon/store_factory_io.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "coord/embedded_store_io.h"
#include "coord/etcd_store_io.h"
#include "coord/etcd_tls_io.h"
#include "daemon/kubernetes_store_io.h"
#include "kube/access_io.h"

namespace herald::daemon {
namespace {

constexpr std::string_view kEmbedded = "embedded:";
constexpr const char* kUsualNamespace = "herald-system";  // of deploy/

// An API server serves a whole cluster: few requests of each node, as nothing hangs on them while
// heartbeats go. Its watches have bookmarks, which show that they live, so that all documents need
// to be read again but seldom.
constexpr Duration kKubernetesLeaderLease = 15s;
constexpr Duration kKubernetesLoneLease = 60s;
constexpr Duration kKubernetesRelist = 5min;

Result<coord::EtcdStoreOptions> etcd_options(const config::Settings& settings,
                                             std::vector<HttpUrl> urls) {
  coord::EtcdStoreOptions options;
  options.prefix = settings.store_prefix;
  options.access.user = settings.store_user;
  options.access.password_file = settings.store_password_file;
  options.access.timeout = settings.store_timeout;
  const bool tls = std::any_of(urls.begin(), urls.end(), [](const HttpUrl& u) { return u.tls; });
  options.access.endpoints = std::move(urls);
  if (tls) {
    auto loaded = coord::load_tls({settings.store_ca_file, settings.store_cert_file,
                                   settings.store_key_file, settings.store_server_name});
    if (!loaded) return error(loaded.error());
    options.access.tls = std::move(*loaded);
  } else if (!settings.store_ca_file.empty() || !settings.store_cert_file.empty()) {
    return error("store: certificates are given, but no URL of " + settings.store +
                 " is https: write https://, or leave them out");
  }
  if (!settings.store_user.empty()) {
    if (const auto password = coord::read_password(settings.store_password_file); !password) {
      return error(password.error());
    }
  }
  return options;
}

Result<kube::Access> kubernetes_access(const config::Settings& settings) {
  auto access = kube::load_access(*config::kubeconfig_of(settings.store), settings.kubernetes_api);
  if (!access) return error("store: " + access.error());
  access->user_agent = "heraldd-store";
  return access;
}

}  // namespace

std::string kubernetes_namespace(const config::Settings& settings) {
  if (!settings.kubernetes_namespace.empty()) return settings.kubernetes_namespace;
  const std::string own = kube::pod_namespace();
  return own.empty() ? kUsualNamespace : own;
}

std::string field_manager(const config::Settings& settings) {
  const std::string ns = kubernetes_namespace(settings);
  return ns == kUsualNamespace ? "heraldd" : "heraldd." + ns;
}

std::string store_identity(const config::Settings& settings) {
  if (config::kubeconfig_of(settings.store)) {
    return "kubernetes:" + kubernetes_namespace(settings);
  }
  if (!config::etcd_urls(settings.store).empty()) return "etcd:" + settings.store_prefix;
  // However the path is spelled, it is one file.
  std::error_code bad;
  const auto absolute = std::filesystem::absolute(settings.store.substr(kEmbedded.size()), bad);
  const auto path = std::filesystem::weakly_canonical(absolute, bad);
  return bad ? settings.store : std::string(kEmbedded) + path.string();
}

coord::LeaseTiming store_timing(const config::Settings& settings) {
  coord::LeaseTiming timing;
  timing.lease = settings.store_lease_duration;
  timing.revoke_after = settings.store_revoke_after;
  timing.request_timeout = settings.store_timeout;
  timing.leader_lease = settings.store_lease_duration * 5 / 2;
  timing.store_loss_limit = settings.coord_store_loss_limit;
  if (config::kubeconfig_of(settings.store)) {
    timing.leader_lease = std::max<Duration>(timing.leader_lease, kKubernetesLeaderLease);
    timing.lone_lease = std::max<Duration>(timing.lone_lease, kKubernetesLoneLease);
    timing.relist = kKubernetesRelist;
  }
  return timing;
}

Result<void> check_store(const config::Settings& settings) {
  if (config::kubeconfig_of(settings.store)) {
    const auto access = kubernetes_access(settings);
    if (!access) return error(access.error());
    return {};
  }
  auto urls = config::etcd_urls(settings.store);
  if (urls.empty()) return {};
  const auto options = etcd_options(settings, std::move(urls));
  if (!options) return error(options.error());
  return {};
}

Result<std::unique_ptr<coord::Store>> open_store(const config::Settings& settings,
                                                 std::uint64_t seed,
                                                 coord::StoreCallbacks callbacks) {
  if (config::kubeconfig_of(settings.store)) {
    auto access = kubernetes_access(settings);
    if (!access) return error(access.error());
    KubernetesStoreOptions options;
    options.ns = kubernetes_namespace(settings);
    options.node = settings.node_name;
    options.timeout = settings.store_timeout;
    options.leader_lease = store_timing(settings).leader_lease;
    options.seed = seed;
    const auto make = [&](boost::asio::io_context& loop, kube::Say say) {
      return kube::make_client(loop, std::move(*access), seed, std::move(say));
    };
    auto store = open_kubernetes_store(std::move(options), make, std::move(callbacks));
    if (!store) return error("store: " + store.error());
    return store;
  }
  if (auto urls = config::etcd_urls(settings.store); !urls.empty()) {
    auto options = etcd_options(settings, std::move(urls));
    if (!options) return error(options.error());
    options->access.seed = seed;
    return coord::open_etcd_store(std::move(*options), std::move(callbacks));
  }
  const std::filesystem::path path(settings.store.substr(kEmbedded.size()));
  std::error_code bad;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), bad);
  if (bad) {
    return error("store: cannot create directory " + path.parent_path().string() + ": " +
                 bad.message() + "; name another with --store");
  }
  auto store = coord::open_embedded_store(path.string(), {.timeout = settings.store_timeout},
                                          std::move(callbacks));
  if (!store) return error("store: " + store.error());
  return store;
}

}  // namespace herald::daemon
