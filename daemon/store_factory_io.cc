#include "daemon/store_factory_io.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "coord/embedded_store_io.h"
#include "coord/etcd_store_io.h"
#include "coord/etcd_tls_io.h"

namespace herald::daemon {
namespace {

constexpr std::string_view kEmbedded = "embedded:";

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

}  // namespace

std::string store_identity(const config::Settings& settings) {
  if (!config::etcd_urls(settings.store).empty()) return "etcd:" + settings.store_prefix;
  // However the path is spelled, it is one file.
  std::error_code bad;
  const auto absolute = std::filesystem::absolute(settings.store.substr(kEmbedded.size()), bad);
  const auto path = std::filesystem::weakly_canonical(absolute, bad);
  return bad ? settings.store : std::string(kEmbedded) + path.string();
}

Result<void> check_store(const config::Settings& settings) {
  auto urls = config::etcd_urls(settings.store);
  if (urls.empty()) return {};
  const auto options = etcd_options(settings, std::move(urls));
  if (!options) return error(options.error());
  return {};
}

Result<std::unique_ptr<coord::Store>> open_store(const config::Settings& settings,
                                                 std::uint64_t seed,
                                                 coord::StoreCallbacks callbacks) {
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
