// bench/source_bench.cc: what a cluster of 5,000 services, 5,000 EndpointSlices and 500 nodes costs
// the place where an API server's objects become what users want: its memory, and the time that one
// change takes. Run: build/release/bin/source_bench (option HERALD_BENCH).
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstddef>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "config/manifests.h"
#include "daemon/policies.h"
#include "kube/observe.h"
#include "kube/sources.h"

namespace herald {
namespace {

constexpr int kServices = 5000, kNodes = 500;
const Instant kNow{1000s};

double resident_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

std::string metadata(const std::string& name, const std::string& ns, int version,
                     const std::string& more = "") {
  const std::string n = std::to_string(version);
  return R"("metadata":{"name":")" + name + R"(","namespace":")" + ns +
         R"(","uid":"0a1b2c3d-0000-4000-8000-)" + std::string(12 - n.size(), '0') + n +
         R"(","resourceVersion":")" + n + R"(","creationTimestamp":"2026-01-31T12:00:00Z")" + more +
         R"(,"managedFields":[{"manager":"kubectl","operation":"Apply","apiVersion":"v1","time":)"
         R"("2026-01-31T12:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":)"
         R"({"f:app":{}}},"f:spec":{"f:ports":{},"f:selector":{},"f:type":{}}}},)"
         R"({"manager":"heraldd","operation":"Apply","subresource":"status","apiVersion":"v1",)"
         R"("fieldsV1":{"f:status":{"f:loadBalancer":{"f:ingress":{}},"f:conditions":{}}}}]})";
}
std::string ns_of(int i) {
  return "team-" + std::to_string(i % 50);
}
std::string service_name(int i) {
  return "some-service-" + std::to_string(i);
}
std::string node_name(int i) {
  return "worker-" + std::to_string(i) + ".cluster.example";
}

std::string service(int i, int version, const std::string& label = "") {
  const std::string ip = "10." + std::to_string(100 + i / 65536) + "." +
                         std::to_string(i / 256 % 256) + "." + std::to_string(i % 256);
  return "{" +
         metadata(service_name(i), ns_of(i), version,
                  R"(,"labels":{"app":"some-service","team":")" + ns_of(i) + label + R"("})") +
         R"(,"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],)"
         R"("ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","selector":{"app":"some-service"},)"
         R"("ports":[{"name":"http","port":80,"protocol":"TCP","targetPort":8080,"nodePort":30080},)"
         R"({"name":"https","port":443,"protocol":"TCP","targetPort":8443,"nodePort":30443}]},)"
         R"("status":{"conditions":[{"type":"herald.io/IPAllocated","status":"True",)"
         R"("reason":"Allocated","message":"from pool lan","lastTransitionTime":)"
         R"("2026-01-31T12:00:00Z"}],"loadBalancer":{"ingress":[{"ip":")" +
         ip + R"(","ipMode":"VIP"}]}}})";
}
std::string slice(int i, int version, int shift = 0) {
  std::string endpoints;
  for (int e = 0; e < 3; ++e) {
    endpoints += std::string(e == 0 ? "" : ",") +
                 R"({"addresses":["10.0.0.1"],"conditions":{)"
                 R"("ready":true,"serving":true,"terminating":false},"nodeName":")" +
                 node_name((i + e + shift) % kNodes) + R"(","targetRef":{"kind":"Pod"}})";
  }
  return "{" +
         metadata(service_name(i) + "-x7k2p", ns_of(i), version,
                  R"(,"labels":{"kubernetes.io/service-name":")" + service_name(i) + R"("})") +
         R"(,"addressType":"IPv4","ports":[{"port":8080}],"endpoints":[)" + endpoints + "]}";
}
std::string node(int i, int version, const std::string& beat = "1") {
  std::string images, labels;
  for (int n = 0; n < 50; ++n) {
    images += std::string(n == 0 ? "" : ",") + R"({"names":["images.example/some/image@sha256:)" +
              std::string(64, 'a') + R"(","images.example/some/image:v1"],"sizeBytes":1})";
  }
  for (int n = 0; n < 15; ++n) {
    labels += std::string(n == 0 ? "" : ",") + R"("node.example/label-)" + std::to_string(n) +
              R"(":"some-value")";
  }
  return "{" + metadata(node_name(i), "", version, R"(,"labels":{)" + labels + "}") +
         R"(,"spec":{},"status":{"conditions":[{"type":"Ready","status":"True",)"
         R"("lastHeartbeatTime":")" +
         beat + R"("}],"images":[)" + images + "]}}";
}

std::string line(const std::string& object) {
  return R"({"type":"ADDED","object":)" + object + "}";
}

// The source's thread without its sockets: what it does with a line, and when it tells.
class Source {
 public:
  Source() : sources_(kube::source_kinds(), Rng(1)) {
    sources_.start(kNow);
    for (const auto& asked : sources_.take_asks()) {
      const std::string path = asked.ask.path.substr(0, asked.ask.path.find('?'));
      watches_[path.substr(path.rfind('/') + 1)] = asked.ask.id;
    }
    int version = 1;
    for (int i = 0; i < kServices; ++i) hear("services", service(i, ++version));
    for (int i = 0; i < kServices; ++i) hear("endpointslices", slice(i, ++version));
    for (int i = 0; i < kNodes; ++i) hear("nodes", node(i, ++version));
    for (const auto& [what, id] : watches_) {
      sources_.on_line(id,
                       R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"20000",)"
                       R"("annotations":{"k8s.io/initial-events-end":"true"}}}})",
                       kNow);
    }
    take_in();
  }

  config::Change hear(const std::string& what, const std::string& object) {
    sources_.on_line(watches_.at(what), line(object), kNow);
    return take_in();
  }
  config::Change take_in() {
    config::Change most = config::Change::None;
    for (const auto& changed : sources_.take_changes()) {
      const auto* put = std::get_if<kube::Put>(&changed.change);
      if (put == nullptr) continue;
      if (changed.kind->observed) {
        observed_.set(put->ref, *kube::observe(put->text, "heraldd"));
      }
      const auto& r = put->ref.resource;
      most = std::max(most, manifests_.set_object({kube::path_of(put->ref), kube::api_version(r),
                                                   r.kind.str(), put->ref.ns, put->ref.name},
                                                  put->text));
    }
    return most;
  }
  std::shared_ptr<const Desired> desired() const {
    return std::make_shared<const Desired>(manifests_.desired());
  }
  std::shared_ptr<const kube::Observed> observed() const {
    return std::make_shared<const kube::Observed>(kube::Observed{observed_, {}});
  }
  const kube::Sources& sources() const { return sources_; }

 private:
  kube::Sources sources_;
  std::map<std::string, std::uint64_t> watches_;
  config::Manifests manifests_;
  kube::ObservedObjects observed_;
};

// Everything is there, told, and told once more: the old picture lives until the new one is taken.
void memory(benchmark::State& state) {
  ::malloc_trim(0);
  const double before = resident_mb();
  for (auto _ : state) {
    Source source;
    const auto first = source.desired();
    const auto second = source.desired();
    const auto observed = source.observed();
    if (!source.sources().settled() || first->services.size() != kServices ||
        first->endpoint_slices.size() != kServices || first->nodes.size() != kNodes) {
      return state.SkipWithError("not all is there");
    }
    state.counters["mb_at_its_height"] = resident_mb() - before;
    ::malloc_trim(0);
    state.counters["mb"] = resident_mb() - before;
  }
}
BENCHMARK(memory)->Iterations(1)->Unit(benchmark::kMillisecond);

// One object changes: reading it, and the new picture.
template <typename Object>
void one_change(benchmark::State& state, const char* what, Object object, bool effect) {
  Source source;
  int version = 30'000;
  std::shared_ptr<const Desired> desired;
  for (auto _ : state) {
    ++version;
    const auto change = source.hear(what, object(version));
    if ((change == config::Change::Wanted) != effect) return state.SkipWithError("unexpected");
    if (effect) desired = source.desired();
  }
}
BENCHMARK_CAPTURE(
    one_change, a_label_of_a_service, "services",
    [](int v) { return service(77, v, std::to_string(v)); }, true)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(
    one_change, an_endpoint, "endpointslices", [](int v) { return slice(77, v, v); }, true)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(
    one_change, a_heartbeat_of_a_node, "nodes",
    [](int v) { return node(77, v, std::to_string(v)); }, false)
    ->Unit(benchmark::kMicrosecond);

void desired(benchmark::State& state) {
  const Source source;
  for (auto _ : state) benchmark::DoNotOptimize(source.desired());
}
BENCHMARK(desired)->Unit(benchmark::kMicrosecond);

void observed(benchmark::State& state) {
  const Source source;
  for (auto _ : state) benchmark::DoNotOptimize(source.observed());
}
BENCHMARK(observed)->Unit(benchmark::kMicrosecond);

// What each node does first with a new picture.
void policies(benchmark::State& state) {
  const Source source;
  const auto now_wanted = source.desired();
  for (auto _ : state) benchmark::DoNotOptimize(daemon::Policies(now_wanted, {}));
}
BENCHMARK(policies)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace herald
