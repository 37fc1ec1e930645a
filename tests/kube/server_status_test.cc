#include "kube/server_status.h"

#include <gmock/gmock.h>

namespace herald::kube {
namespace {

using testing::HasSubstr;

TEST(ServerStatus, SaysWhatTheServerSays) {
  const auto status = parse_server_status(
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)"
      R"("message":"too old resource version: 1 of 2","reason":"Expired","code":410,)"
      R"("details":{"retryAfterSeconds":3,"causes":[]},"later":{}})",
      200);
  EXPECT_EQ(status.code, 410U);
  EXPECT_EQ(status.reason, "Expired");
  EXPECT_EQ(status.message, "too old resource version: 1 of 2");
  EXPECT_EQ(status.retry_after, 3s);
}

TEST(ServerStatus, OfAnythingElseTheWordsAreTheMessage) {
  const struct {
    std::string body, message;
  } cases[] = {
      {"", "HTTP status 503"},
      {"upstream connect error\r\nreset", "upstream connect error  reset"},
      {"[]", "[]"},
      {"{}", "{}"},
      {R"({"message":7,"reason":"Oh"})", "Oh"},
      {R"({"message":"a\nb"})", "a b"},
      {std::string(100'000, '['), std::string(300, '[') + "..."},
  };
  for (const auto& c : cases) {
    const auto status = parse_server_status(c.body, 503);
    EXPECT_EQ(status.message, c.message);
    EXPECT_EQ(status.code, 503U);
    EXPECT_FALSE(status.retry_after);
  }
  EXPECT_EQ(parse_server_status(R"({"code":-1,"details":{"retryAfterSeconds":-5}})", 500).code,
            500U);
  EXPECT_FALSE(parse_server_status(R"({"details":{"retryAfterSeconds":1e9}})", 500).retry_after);
}

}  // namespace
}  // namespace herald::kube
