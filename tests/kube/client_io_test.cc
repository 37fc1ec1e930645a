// The client against servers that do what servers, networks and operators do to it.
#include "kube/client_io.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "tests/net/server_lab.h"

namespace herald::kube {
namespace {

using testing::HasSubstr;

Access plain(std::vector<std::uint16_t> ports) {
  Access access;
  for (const auto port : ports) access.servers.push_back({false, "127.0.0.1", port});
  access.where = "the test";
  return access;
}

TEST(KubeClient, AsksAndIsAnswered) {
  const FakeServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  boost::asio::io_context loop;
  auto client = make_client(loop, plain({server.port()}), 1, [](auto, auto) {});
  ASSERT_TRUE(client) << client.error();
  Answer got;
  Request request;
  request.path = "/version";
  (*client)->call(request, [&](Answer answer) {
    got = std::move(answer);
    client->reset();
  });
  loop.run();
  EXPECT_TRUE(got.ok()) << got.why;
  EXPECT_EQ(got.body, "{}");
}

}  // namespace
}  // namespace herald::kube
