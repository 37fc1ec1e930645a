#include "kube/request.h"

#include <gtest/gtest.h>

namespace herald::kube {
namespace {

TEST(KubeRequest, APathIsOneWord) {
  for (const char* good : {"/", "/version", "/api/v1/services?limit=500&continue=a%20b"}) {
    EXPECT_TRUE(is_path(good)) << good;
  }
  for (const char* bad : {"", "api", "/a b", "/a\r\nHost: x", "/\x7f", "/\xc3\xa4"}) {
    EXPECT_FALSE(is_path(bad)) << bad;
  }
}

TEST(KubeRequest, ARightHasNoNamesInIt) {
  const struct {
    const char *path, *right;
  } cases[] = {
      {"/api/v1/services?limit=500", "PUT /api/v1/services"},
      {"/api/v1/nodes/n1", "PUT /api/v1/nodes"},
      {"/api/v1/namespaces/default", "PUT /api/v1/namespaces"},
      {"/api/v1/namespaces/default/services/web", "PUT /api/v1/services"},
      {"/api/v1/namespaces/default/services/web/status", "PUT /api/v1/services/status"},
      {"/apis/herald.io/v1alpha1/nodestatuses/n1/status",
       "PUT /apis/herald.io/v1alpha1/nodestatuses/status"},
      {"/apis/coordination.k8s.io/v1/namespaces/herald-system/leases/herald-leader",
       "PUT /apis/coordination.k8s.io/v1/leases"},
      {"/version", "PUT /version"},
      {"/", "PUT"},
      {"//api//v1", "PUT /api/v1"},
  };
  for (const auto& c : cases) {
    Request request;
    request.method = Request::Method::Put;
    request.path = c.path;
    EXPECT_EQ(right_of(request), c.right);
  }
}

TEST(KubeRequest, IsDescribedWithoutItsQuery) {
  Request request;
  request.path = "/api/v1/services?fieldSelector=a";
  EXPECT_EQ(describe(request), "GET /api/v1/services");
}

}  // namespace
}  // namespace herald::kube
