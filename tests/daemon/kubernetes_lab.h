// tests/daemon/kubernetes_lab.h: an API server with what the kubernetes store needs, and stores on
// it.
#pragma once

#include <memory>
#include <string>

#include "daemon/kubernetes_store_io.h"
#include "tests/coord/store_client.h"
#include "tests/kube/fake_apiserver.h"

namespace herald::daemon {

inline constexpr const char* kNamespace = "herald-system";
inline constexpr const char* kCrds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
// As deploy/crds has it, but for the words.
inline constexpr const char* kShardCrd = R"({
  "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
  "metadata": {"name": "iptableshards.herald.io"},
  "spec": {"group": "herald.io", "scope": "Namespaced",
    "names": {"kind": "IPTableShard", "listKind": "IPTableShardList", "plural": "iptableshards",
              "singular": "iptableshard"},
    "versions": [{"name": "v1alpha1", "served": true, "storage": true,
      "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "required": ["document", "rev", "ips"], "properties": {
          "document": {"type": "string", "maxLength": 1468006},
          "rev": {"type": "integer", "format": "int64", "minimum": 1},
          "ips": {"type": "integer", "format": "int64", "minimum": 0}}}}}}}]}})";

inline MakeClient client_of(const kube::Access& access, std::uint64_t seed = 1) {
  return [access, seed](boost::asio::io_context& loop, kube::Say say) {
    return kube::make_client(loop, access, seed, std::move(say));
  };
}

inline std::unique_ptr<coord::Store> open_on(const kube::Access& access,
                                             coord::StoreCallbacks callbacks, Duration timeout = 5s,
                                             const std::string& ns = kNamespace) {
  KubernetesStoreOptions options;
  options.ns = ns;
  options.node = "n1";
  options.timeout = timeout;
  auto store = open_kubernetes_store(options, client_of(access), std::move(callbacks));
  EXPECT_TRUE(store) << store.error();
  return store ? std::move(*store) : nullptr;
}

// A fake API server with the namespace and the definition of the shards.
class KubernetesLab {
 public:
  explicit KubernetesLab(bool with_crd = true) {
    create_namespace();
    if (with_crd) install_crd();
  }
  void create_namespace() {
    api_.put(std::string("/api/v1/namespaces/") + kNamespace,
             std::string(R"({"metadata":{"name":")") + kNamespace + "\"}}");
  }
  void install_crd() {
    EXPECT_EQ(api_.post(kCrds, kShardCrd).status, 201U);
    EXPECT_TRUE(kube::FakeApiServer::eventually(
        [&] { return api_.get(path("iptableshards", "")).status == 200; }));
  }

  coord::StoreClient::Open opener(Duration timeout = 5s) { return opener(api_.access(), timeout); }
  static coord::StoreClient::Open opener(const kube::Access& access, Duration timeout = 5s) {
    return [access, timeout](coord::StoreCallbacks callbacks) {
      return open_on(access, std::move(callbacks), timeout);
    };
  }

  static std::string path(const std::string& plural, const std::string& name) {
    const std::string group = plural == "leases"    ? "/apis/coordination.k8s.io/v1"
                              : plural == "secrets" ? "/api/v1"
                                                    : "/apis/herald.io/v1alpha1";
    return group + "/namespaces/" + kNamespace + "/" + plural + (name.empty() ? "" : "/" + name);
  }
  kube::FakeApiServer& api() { return api_; }

 private:
  kube::FakeApiServer api_;
};

inline const std::string kLeaderPath = KubernetesLab::path("leases", "herald-leader");

}  // namespace herald::daemon
