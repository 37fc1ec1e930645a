#include "kube/access_io.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "base/small_file_io.h"
#include "base/text.h"
#include "kube/kubeconfig.h"

namespace herald::kube {
namespace {

constexpr std::size_t kMaxKubeconfigBytes = 4U << 20;
constexpr std::size_t kMaxNamespaceBytes = 64;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(trim(value));
}

Result<Access> in_cluster(bool wants_server, const std::string& service_account) {
  constexpr const char* kElse =
      "; elsewhere than in a pod, name a kubeconfig: --store kubernetes:/path/to/kubeconfig";
  Access out;
  out.where = "in-cluster";
  out.token_file = service_account + "/token";
  out.ca_file = service_account + "/ca.crt";
  out.ns = pod_namespace(service_account);
  if (wants_server) {
    std::string host = environment("KUBERNETES_SERVICE_HOST");
    const std::string port = environment("KUBERNETES_SERVICE_PORT");
    if (host.empty() || port.empty()) {
      return error(std::string("kubernetes: this is not in a pod and no kubeconfig is named: "
                               "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set") +
                   kElse);
    }
    if (host.find(':') != std::string::npos && host.front() != '[') host = "[" + host + "]";
    auto url = parse_http_url("https://" + host + ":" + port, 443);
    if (!url) {
      return error("kubernetes: KUBERNETES_SERVICE_HOST '" + printable(host) +
                   "' and KUBERNETES_SERVICE_PORT '" + printable(port) + "': the URL of both " +
                   url.error() + "; correct them, or give --kubernetes-api https://HOST:PORT");
    }
    out.servers = {std::move(*url)};
  }
  for (const std::string& file : {out.token_file, out.ca_file}) {
    if (::access(file.c_str(), R_OK) == 0) continue;
    return error("kubernetes: '" + file +
                 "' cannot be read: the pod needs its service account's volume "
                 "(automountServiceAccountToken: true), readable to the user that heraldd runs as" +
                 kElse);
  }
  return out;
}

}  // namespace

Result<Access> load_access(const std::string& kubeconfig, const std::vector<HttpUrl>& servers,
                           const std::string& service_account) {
  Result<Access> out = error("");
  if (kubeconfig.empty()) {
    out = in_cluster(servers.empty(), service_account);
  } else {
    const auto text = read_small_file(kubeconfig, kMaxKubeconfigBytes);
    if (!text) {
      return error("kubernetes: the kubeconfig '" + kubeconfig + "' " + text.error() +
                   "; name one that heraldd may read: --store kubernetes:/path/to/kubeconfig");
    }
    out = parse_kubeconfig(*text, kubeconfig);
    if (!out) return error("kubernetes: " + out.error());
  }
  if (out && !servers.empty()) out->servers = servers;
  return out;
}

std::string pod_namespace(const std::string& service_account) {
  const auto text = read_small_file(service_account + "/namespace", kMaxNamespaceBytes);
  return text ? std::string(trim(*text)) : std::string();
}

}  // namespace herald::kube
