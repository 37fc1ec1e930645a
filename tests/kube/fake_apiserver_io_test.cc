// The harness of the fake API server itself; what the server does is in fake_apiserver_selftest.py.
#include <gmock/gmock.h>

#include "tests/kube/fake_apiserver.h"

namespace herald::kube {
namespace {

using testing::HasSubstr;

TEST(FakeApiServer, KeepsObjectsAndCommands) {
  FakeApiServer server;
  const std::string path = "/api/v1/namespaces/default/services/web";
  EXPECT_EQ(server.get(path).status, 404U);
  server.put(path, R"({"metadata":{"name":"web"},"spec":{"ports":[{"port":80}]}})");
  server.put(path, R"({"metadata":{"labels":{"a":"b"}}})");
  EXPECT_THAT(server.get(path).body, HasSubstr(R"("labels":{"a":"b"})"));
  server.fault(R"({"kind":"status","code":503})");
  EXPECT_THAT(server.faults(), HasSubstr("503"));
  server.clear_faults();
  EXPECT_THAT(server.faults(), Not(HasSubstr("503")));
  EXPECT_EQ(server.remove(path).status, 200U);
}

TEST(FakeApiServer, ComesBackAtItsPort) {
  FakeApiServer server;
  const auto port = server.port();
  server.kill();
  server.start();
  EXPECT_EQ(server.port(), port);
  EXPECT_EQ(server.access().servers.front().port, port);
  EXPECT_THAT(server.ca(), HasSubstr("BEGIN CERTIFICATE"));
}

}  // namespace
}  // namespace herald::kube
