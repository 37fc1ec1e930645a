// One connection against servers that say anything: an outcome is never better than what is known,
// and what is kept of an answer is bounded.
#include "net/http_connection_io.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "tests/net/server_lab.h"

namespace herald {
namespace {

using testing::HasSubstr;
using Kind = HttpOutcome::Kind;

constexpr std::size_t kMaxBytes = 256U << 10;

struct Told {
  HttpOutcome outcome;
  std::vector<std::string> lines;
};

// One request on a connection of its own, to the end.
Told ask(std::uint16_t port, bool stream, Duration total = 5s) {
  boost::asio::io_context loop;
  const auto connection =
      make_http_connection(loop, {false, "127.0.0.1", port}, nullptr, kMaxBytes);
  Told told;
  const auto end = [&](HttpOutcome outcome) {
    told.outcome = std::move(outcome);
    connection->close();
  };
  if (stream) {
    connection->stream(
        {"/x", "{}", ""}, total, std::nullopt,
        [&](std::string_view line) { told.lines.emplace_back(line); }, end);
  } else {
    connection->exchange({"/x", "{}", ""}, total, total, end);
  }
  loop.run();
  return told;
}

TEST(HttpConnection, NoTruncatedAnswerIsAnAnswer) {
  const std::string answers[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4\r\n{\"a\"\r\n5\r\n:\"b\"}\r\n0\r\n\r\n",
  };
  for (const std::string& answer : answers) {
    for (std::size_t length = 0; length < answer.size(); ++length) {
      const FakeServer server(answer.substr(0, length), FakeServer::Then::Close);
      const Told told = ask(server.port(), false);
      EXPECT_EQ(told.outcome.kind, Kind::MaybeSent) << length;
      EXPECT_THAT(told.outcome.why, HasSubstr("the connection broke")) << length;
    }
    const FakeServer server(answer, FakeServer::Then::Close);
    const Told told = ask(server.port(), false);
    EXPECT_EQ(told.outcome.kind, Kind::Answered) << told.outcome.why;
    EXPECT_EQ(told.outcome.body, "{\"a\":\"b\"}");
  }
}

TEST(HttpConnection, WhatNeverEndsIsGivenUp) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string kilobyte(1024, 'x');
  const struct {
    const char* about;
    std::string answer, endless;
  } cases[] = {
      {"a header field", ok + "X: ", kilobyte},
      {"header fields", ok, "X: " + kilobyte + "\r\n"},
      {"the status line", "HTTP/1.1 200 ", kilobyte},
      {"a body until the end", ok + "\r\n", kilobyte},
      {"one chunk", ok + "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", kilobyte},
      {"chunks", ok + "Transfer-Encoding: chunked\r\n\r\n", "400\r\n" + kilobyte + "\r\n"},
      {"a chunk's extension", ok + "Transfer-Encoding: chunked\r\n\r\n4;x=", kilobyte},
      {"trailers", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: " + kilobyte + "\r\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.about);
    const FakeServer server(c.answer, FakeServer::Then::Wait, c.endless);
    const Told told = ask(server.port(), false);
    EXPECT_EQ(told.outcome.kind, Kind::MaybeSent);
    EXPECT_THAT(told.outcome.why, testing::Not(HasSubstr("in time")));
  }
}

TEST(HttpConnection, AStreamIsLinesAndEndsAtOneThatIsTooLong) {
  const std::string header = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  {
    const FakeServer server(header + "3\r\na\nb\r\n4\r\nc\n\nd\r\n0\r\n\r\n");
    const Told told = ask(server.port(), true);
    EXPECT_THAT(told.lines, testing::ElementsAre("a", "bc"));  // the last one has no end
    EXPECT_EQ(told.outcome.why, "the server ended the stream");
    EXPECT_EQ(told.outcome.kind, Kind::Answered);
    EXPECT_EQ(told.outcome.status, 200U);
    EXPECT_FALSE(told.outcome.too_large);
  }
  {
    const FakeServer server(header, FakeServer::Then::Wait,
                            "400\r\n" + std::string(1024, 'x') + "\r\n");
    const Told told = ask(server.port(), true);
    EXPECT_TRUE(told.outcome.too_large);
    EXPECT_THAT(told.outcome.why, HasSubstr("a line is longer than"));
  }
  {
    const FakeServer server("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno");
    const Told told = ask(server.port(), true);
    EXPECT_EQ(told.outcome.kind, Kind::Answered);
    EXPECT_EQ(told.outcome.status, 503U);
    EXPECT_EQ(told.outcome.body, "no");
  }
}

TEST(HttpConnection, DeadlinesHoldAtEachStep) {
  std::uint16_t port = 0;
  const UniqueFd deaf = listen_on(port);  // the kernel accepts, nobody answers
  EXPECT_EQ(ask(port, false, 100ms).outcome.why, "no answer in time");
  EXPECT_EQ(ask(port, true, 100ms).outcome.why, "no answer in time");
  const FakeServer half("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{");
  const Told told = ask(half.port(), false, 100ms);
  EXPECT_EQ(told.outcome.kind, Kind::MaybeSent);
  EXPECT_EQ(told.outcome.why, "no answer in time");
  const Told refused = ask(free_port(), false);
  EXPECT_EQ(refused.outcome.kind, Kind::NotSent);
  EXPECT_EQ(refused.outcome.why, "no connection: Connection refused");
}

}  // namespace
}  // namespace herald
