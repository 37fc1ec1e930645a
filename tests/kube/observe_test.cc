#include "kube/observe.h"

#include <gtest/gtest.h>

namespace herald::kube {
namespace {

constexpr const char* kService = R"({
  "apiVersion": "v1", "kind": "Service",
  "metadata": {"name": "web", "namespace": "default", "uid": "u1", "resourceVersion": "42",
    "generation": 3, "managedFields": [
      {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}},
      {"manager": "heraldd", "operation": "Update", "subresource": "status",
       "fieldsV1": {"f:status": {"f:x": {}}}},
      {"manager": "heraldd", "operation": "Apply", "subresource": "status",
       "fieldsV1": {"f:status": {"f:loadBalancer": {"f:ingress": {}}}}}]},
  "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}})";

TEST(Observe, TakesWhatAWriterHasToKnow) {
  const auto seen = observe(kService, "heraldd");
  ASSERT_TRUE(seen);
  EXPECT_EQ(*seen,
            (ObservedObject{"u1", "42", 3, R"({"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}})",
                            R"({"f:loadBalancer":{"f:ingress":{}}})", false}));
  EXPECT_TRUE(observe(kService, "other")->managed.empty());
  EXPECT_TRUE(observe(kService, "kubectl")->created);
}

TEST(Observe, NoObjectIsNone) {
  for (const char* text : {"", "[]", "{", "{}", R"({"metadata":{"resourceVersion":7}})"}) {
    EXPECT_FALSE(observe(text, "heraldd")) << text;
  }
  const std::string whole = kService;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(observe(std::string_view(whole).substr(0, n), "heraldd")) << n;
  }
  EXPECT_TRUE(observe(R"({"metadata":{"resourceVersion":"7","managedFields":[1,{"manager":2}]}})",
                      "heraldd"));
}

}  // namespace
}  // namespace herald::kube
