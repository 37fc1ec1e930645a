// The client against servers that do what servers, networks and operators do to it.
#include "kube/client_io.h"

#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <map>

#include <boost/asio/io_context.hpp>

#include "tests/kube/tls_lab.h"

namespace herald::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Kind = Answer::Kind;
using Method = Request::Method;
using Priority = Request::Priority;

Request get(const std::string& path, Duration timeout = 10s) {
  Request out;
  out.path = path;
  out.timeout = timeout;
  return out;
}
Request put(const std::string& path, Duration timeout = 10s, Priority priority = Priority::Write) {
  Request out = get(path, timeout);
  out.method = Method::Put;
  out.body = R"({"kind":"Lease"})";
  out.priority = priority;
  return out;
}
std::string refusal(unsigned code, const std::string& message) {
  return R"({"kind":"Status","message":")" + message + R"(","code":)" + std::to_string(code) + "}";
}

// A client whose loop runs while something is awaited.
class Lab {
 public:
  explicit Lab(Access access) {
    auto made =
        make_client(loop_, std::move(access), 7, [this](std::string subject, std::string s) {
          said_.emplace_back(s);
          troubles_[std::move(subject)] = std::move(s);
        });
    EXPECT_TRUE(made) << made.error();
    if (made) client_ = std::move(*made);
  }

  // The answer's place, filled when it is there.
  std::shared_ptr<std::optional<Answer>> call(Request request) {
    auto out = std::make_shared<std::optional<Answer>>();
    client_->call(std::move(request), [this, out](Answer answer) {
      EXPECT_FALSE(*out);
      *out = std::move(answer);
      ++answers_;
    });
    return out;
  }
  Answer ask(Request request) {
    const auto out = call(std::move(request));
    return until([&] { return out->has_value(); }) ? **out : Answer{};
  }

  struct Watched {
    std::uint64_t id = 0;
    std::vector<std::string> lines;
    std::optional<Answer> end;
  };
  std::shared_ptr<Watched> watch(Request request, Duration idle = 0s) {
    auto out = std::make_shared<Watched>();
    out->id = client_->watch(
        std::move(request), idle, [out](std::string_view line) { out->lines.emplace_back(line); },
        [out](Answer answer) {
          EXPECT_FALSE(out->end);
          out->end = std::move(answer);
        });
    return out;
  }

  // False, and a failure, if `true_now` does not become true.
  bool until(const std::function<bool()>& true_now) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!true_now()) {
      loop_.restart();
      loop_.run_one_for(50ms);
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "it did not come";
        return false;
      }
    }
    return true;
  }
  // Everything that is ready now.
  void poll() {
    loop_.restart();
    loop_.poll();
  }

  Client& client() { return *client_; }
  void drop() { client_.reset(); }
  // What lasts.
  std::string troubles() const {
    std::string out;
    for (const auto& [subject, sentence] : troubles_) {
      if (!sentence.empty()) out += subject + ": " + sentence + "\n";
    }
    return out;
  }
  const std::vector<std::string>& said() const { return said_; }

 private:
  boost::asio::io_context loop_;
  std::unique_ptr<Client> client_;
  std::map<std::string, std::string> troubles_;
  std::vector<std::string> said_;
  int answers_ = 0;
};

class KubeClient : public testing::Test {
 protected:
  ServerTls tls(const Wish& wish = {}) { return {ca_.sign(wish), TLS1_3_VERSION, ""}; }
  Access access(std::vector<HttpUrl> servers) const {
    Access out;
    out.servers = std::move(servers);
    out.ca = ca_.pem();
    out.token = "secret";
    out.where = "/root/.kube/config (context lab)";
    return out;
  }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = directory_.path() + "/" + name;
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
    return path;
  }
  Authority ca_{"kubernetes"};
  TemporaryDirectory directory_;
};

TEST_F(KubeClient, EveryMethodIsSentAsItIsAndConnectionsAreKept) {
  Server server(
      [](const Heard& heard) { return Reply::json(heard.body.empty() ? "{}" : heard.body); },
      tls());
  Lab lab(access({server.url()}));
  EXPECT_EQ(lab.ask(get("/api/v1/services?limit=500")).body, "{}");
  for (const auto& [method, word] :
       {std::pair{Method::Put, "PUT"}, std::pair{Method::Post, "POST"},
        std::pair{Method::Patch, "PATCH"}, std::pair{Method::Delete, "DELETE"}}) {
    Request request = put("/api/v1/services/a");
    request.method = method;
    request.content_type = "application/apply-patch+yaml";
    const Answer answer = lab.ask(request);
    EXPECT_TRUE(answer.ok()) << answer.why;
    EXPECT_EQ(answer.body, request.body);
    EXPECT_TRUE(server.heard().back().says(std::string(word) + " /api/v1/services/a HTTP/1.1"));
    EXPECT_TRUE(server.heard().back().says("Content-Type: application/apply-patch+yaml\r\n"));
  }
  const Heard first = server.heard().front();
  EXPECT_TRUE(first.says("GET /api/v1/services?limit=500 HTTP/1.1\r\n")) << first.head;
  EXPECT_TRUE(first.says("Authorization: Bearer secret")) << first.head;
  EXPECT_TRUE(first.says("Accept: application/json")) << first.head;
  EXPECT_TRUE(first.says("User-Agent: heraldd")) << first.head;
  EXPECT_FALSE(first.says("Accept-Encoding")) << first.head;
  EXPECT_FALSE(first.says("Content-")) << first.head;
  EXPECT_EQ(server.connections(), 2);  // one for reads, one for writes
  EXPECT_EQ(lab.troubles(), "");
}

// Each server's path stands before every request that goes to it, watches too.
TEST_F(KubeClient, AServersPathStandsBeforeThatOfTheRequest) {
  Server first([](const Heard&) { return Reply::json("{}"); }, tls());
  HttpUrl away = first.url();
  away.path = "/k8s/clusters/c-1";
  Server server([](const Heard&) { return Reply::json("{}"); }, tls());
  HttpUrl here = server.url();
  here.path = "/k8s/clusters/c-2";
  Lab one(access({here}));
  EXPECT_TRUE(one.ask(get("/api/v1/nodes?limit=5")).ok());
  EXPECT_TRUE(server.heard().back().says("GET /k8s/clusters/c-2/api/v1/nodes?limit=5 HTTP/1.1"));
  EXPECT_TRUE(one.ask(put("/api/v1/services/a")).ok());
  EXPECT_TRUE(server.heard().back().says("PUT /k8s/clusters/c-2/api/v1/services/a HTTP/1.1"));
  const auto watch = one.watch(get("/api/v1/nodes?watch=1"));
  one.until([&] { return watch->end.has_value(); });
  EXPECT_TRUE(server.heard().back().says("GET /k8s/clusters/c-2/api/v1/nodes?watch=1 HTTP/1.1"));
  Lab other(access({away}));
  EXPECT_TRUE(other.ask(get("/version")).ok());
  EXPECT_TRUE(first.heard().back().says("GET /k8s/clusters/c-1/version HTTP/1.1"));
}

TEST_F(KubeClient, APathThatWouldBeTwoLinesIsNotSent) {
  Server server([](const Heard&) { return Reply::json("{}"); }, tls());
  Lab lab(access({server.url()}));
  for (const char* path : {"", "api", "/a b", "/a\r\nHost: x", "/\x7f"}) {
    EXPECT_EQ(lab.ask(get(path)).kind, Kind::NotSent) << path;
    const auto watch = lab.watch(get(path));
    lab.until([&] { return watch->end.has_value(); });
    EXPECT_EQ(watch->end->kind, Kind::NotSent) << path;
  }
  EXPECT_EQ(server.connections(), 0);
}

// ---- who is believed

TEST_F(KubeClient, AServerThatIsNotProvenIsNotAskedAndTheReasonHelps) {
  Authority other("other");
  struct Case {
    const char* about;
    ServerTls tls;
    std::vector<std::string> words;
  };
  ServerTls old = tls();
  old.most = TLS1_2_VERSION;
  const std::vector<Case> cases = {
      {"another authority",
       {other.sign({}), TLS1_3_VERSION, ""},
       {"certificate-authority", "/root/.kube/config (context lab)"}},
      {"another name",
       tls({"server", "DNS:kubernetes,IP:10.96.0.1"}),
       {"is not for '127.0.0.1'", "tls-server-name"}},
      {"expired",
       tls({"server", "IP:127.0.0.1", -7200, -3600}),
       {"certificate has expired", "the clock of this host says", "renew it"}},
      {"of tomorrow",
       tls({"server", "IP:127.0.0.1", 80'000, 86'000}),
       {"certificate is not yet valid", "the clock of this host says"}},
      {"TLS 1.2 alone", old, {"protocol version", "TLS 1.3"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.about);
    Server server([](const Heard&) { return Reply::json("{}"); }, c.tls);
    Lab lab(access({server.url()}));
    const Answer answer = lab.ask(put("/x"));
    EXPECT_EQ(answer.kind, Kind::NotSent);
    for (const std::string& words : c.words) {
      EXPECT_THAT(answer.why, HasSubstr(words));
      EXPECT_THAT(lab.troubles(), HasSubstr(words));
    }
    const auto watch = lab.watch(get("/x"));
    lab.until([&] { return watch->end.has_value(); });
    EXPECT_EQ(watch->end->kind, Kind::NotSent);
    EXPECT_TRUE(server.heard().empty());
  }
}

TEST_F(KubeClient, ANameCanStandForTheHost) {
  Server server([](const Heard&) { return Reply::json("{}"); },
                tls({"server", "DNS:kubernetes.default"}));
  Access named = access({server.url()});
  named.server_name = "kubernetes.default";
  EXPECT_TRUE(Lab(named).ask(get("/x")).ok());
}

TEST_F(KubeClient, PlainIsForWhoProvesNothing) {
  Server server([](const Heard&) { return Reply::json("{}"); });
  boost::asio::io_context loop;
  const auto refused = make_client(loop, access({server.url()}), 1, [](auto, auto) {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("write https://"));
  Access bare = access({server.url()});
  bare.token.clear();
  EXPECT_TRUE(Lab(bare).ask(get("/x")).ok());

  // With the wrong scheme, each side's silence is explained.
  Server secure([](const Heard&) { return Reply::json("{}"); }, tls());
  bare.servers = {{false, "127.0.0.1", secure.port()}};
  EXPECT_THAT(Lab(bare).ask(get("/x")).why, HasSubstr("write https://"));
  const FakeServer not_tls("HTTP/1.1 400 Bad Request\r\n\r\n", FakeServer::Then::Close);
  EXPECT_THAT(Lab(access({{true, "127.0.0.1", not_tls.port()}})).ask(get("/x")).why,
              HasSubstr("is that the HTTPS port of an API server?"));
}

TEST_F(KubeClient, ClientCertificatesAreShownAndReadAgain) {
  ServerTls wants = tls();
  wants.client_ca = ca_.pem();
  Server server([](const Heard&) { return Reply::json("{}"); }, wants);
  Authority other("other");
  const Pair wrong = other.sign({"node", ""}), right = ca_.sign({"node", ""});
  Access named = access({server.url()});
  named.token.clear();
  named.client_cert_file = write("cert", wrong.cert);
  named.client_key_file = write("key", wrong.key);
  Lab lab(named);
  const Answer refused = lab.ask(get("/x"));
  EXPECT_NE(refused.kind, Kind::Answered);
  EXPECT_THAT(refused.why, HasSubstr("client certificate of /root/.kube/config"));
  // Between the two files being replaced, they do not fit.
  write("cert", right.cert);
  lab.until([&] {
    return lab.troubles().find("client-key") != std::string::npos || lab.ask(get("/x")).ok();
  });
  EXPECT_THAT(lab.troubles(), HasSubstr("the older ones are used"));
  write("key", right.key);
  lab.until([&] { return lab.ask(get("/x")).ok(); });
  EXPECT_EQ(lab.troubles(), "");

  named.client_cert_file.clear();
  named.client_key_file.clear();
  named.client_cert = right.cert;
  named.client_key = right.key;
  EXPECT_TRUE(Lab(named).ask(get("/x")).ok());
}

TEST_F(KubeClient, ANewAuthorityIsReadFromItsFile) {
  Server server([](const Heard&) { return Reply::json("{}"); }, tls());
  Authority other("other");
  Access named = access({server.url()});
  named.ca.clear();
  named.ca_file = write("ca", other.pem());
  Lab lab(named);
  EXPECT_THAT(lab.ask(get("/x")).why, HasSubstr("certificate-authority"));
  write("ca", ca_.pem());
  lab.until([&] { return lab.ask(get("/x")).ok(); });
  EXPECT_EQ(lab.troubles(), "");
}

TEST_F(KubeClient, WhoHangsUpOnAClientCertificateMayNotTakeIt) {
  Server server([](const Heard&) { return Reply::hang_up(); }, tls());
  Access named = access({server.url()});
  const Pair pair = ca_.sign({"node", ""});
  named.client_cert = pair.cert;
  named.client_key = pair.key;
  EXPECT_THAT(Lab(named).ask(get("/x")).why,
              HasSubstr("perhaps it does not take the client certificate of /root/.kube/config"));
  EXPECT_THAT(Lab(access({server.url()})).ask(get("/x")).why, Not(HasSubstr("perhaps")));
}

// ---- who we are

TEST_F(KubeClient, ATokenThatExpiredIsReadAgainAndTheRequestRepeatedOnce) {
  std::atomic<bool> renewed = false;
  Server server(
      [&](const Heard& heard) {
        return heard.says(renewed ? "Bearer new\r\n" : "Bearer old\r\n")
                   ? Reply::json("{}")
                   : Reply::json(refusal(401, "Unauthorized"), "401 Unauthorized");
      },
      tls());
  Access named = access({server.url()});
  named.token.clear();
  named.token_file = write("token", "old\n");
  Lab lab(named);
  EXPECT_TRUE(lab.ask(put("/x")).ok());
  write("token", "new\n");
  renewed = true;
  EXPECT_TRUE(lab.ask(put("/x")).ok());
  EXPECT_EQ(server.heard().size(), 3U);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_TRUE(lab.said().empty());

  renewed = false;  // the server takes it no more, and the file has no other
  const Answer refused = lab.ask(put("/x"));
  EXPECT_EQ(refused.kind, Kind::Answered);
  EXPECT_EQ(refused.status, 401U);
  EXPECT_EQ(server.heard().size(), 4U);
  EXPECT_THAT(lab.troubles(), HasSubstr("does not take the credentials of /root/.kube/config"));
  EXPECT_THAT(lab.troubles(), HasSubstr("(401): Unauthorized"));
  const auto watch = lab.watch(get("/w"));
  lab.until([&] { return watch->end.has_value(); });
  EXPECT_EQ(watch->end->status, 401U);
  renewed = true;
  EXPECT_TRUE(lab.ask(put("/x")).ok());
  EXPECT_EQ(lab.troubles(), "");
}

TEST_F(KubeClient, AWatchIsOpenedWithTheNewToken) {
  Server server(
      [](const Heard& heard) {
        return heard.says("Bearer new\r\n")
                   ? Reply::lines("{}\n")
                   : Reply::json(refusal(401, "Unauthorized"), "401 Unauthorized");
      },
      tls());
  Access named = access({server.url()});
  named.token_file = write("token", "old");
  Lab lab(named);
  write("token", "new");
  const auto watch = lab.watch(get("/w"));
  lab.until([&] { return watch->lines.size() == 1; });
  EXPECT_FALSE(watch->end);
  lab.client().cancel(watch->id);
}

TEST_F(KubeClient, FilesThatCannotBeUsedAreNamedAtTheStart) {
  const auto failure = [](const Access& access) {
    boost::asio::io_context loop;
    const auto made = make_client(loop, access, 1, [](auto, auto) {});
    return made ? std::string() : made.error();
  };
  const std::vector<HttpUrl> servers = {{true, "127.0.0.1", 6443}};
  EXPECT_THAT(failure(access({})), HasSubstr("--kubernetes-api"));
  Access bad = access(servers);
  bad.token_file = directory_.path() + "/none";
  EXPECT_THAT(failure(bad), HasSubstr("/none') cannot be read"));
  bad.token_file = write("token", "two words");
  EXPECT_THAT(failure(bad), HasSubstr("is not one word"));
  bad.token_file = directory_.path();
  EXPECT_THAT(failure(bad), HasSubstr("is no regular file"));
  bad = access(servers);
  bad.ca = "nonsense";
  EXPECT_THAT(failure(bad),
              HasSubstr("certificate-authority of /root/.kube/config (context lab): it cannot"));
  bad.ca_file = write("empty", "");
  EXPECT_THAT(failure(bad), HasSubstr("is empty"));
  bad = access(servers);
  bad.client_cert = ca_.sign({}).cert;
  EXPECT_THAT(failure(bad), HasSubstr("belong together"));
  bad.client_key = "nonsense";
  EXPECT_THAT(failure(bad), HasSubstr("client-key of /root/.kube/config"));
}

TEST_F(KubeClient, WhatIsForbiddenIsSaidOnceWithTheServersWords) {
  bool granted = false;  // under the server's lock
  Server server(
      [&](const Heard& heard) {
        if (heard.says("grant")) granted = true;
        return granted ? Reply::json("{}")
                       : Reply::json(refusal(403, "User heraldd cannot patch resource services"),
                                     "403 Forbidden");
      },
      tls());
  Lab lab(access({server.url()}));
  for (const char* name : {"a", "b", "c"}) {
    const std::string path = "/api/v1/namespaces/default/services/" + std::string(name) + "/status";
    EXPECT_EQ(lab.ask(put(path)).status, 403U);
  }
  ASSERT_EQ(lab.said().size(), 1U);
  EXPECT_THAT(lab.said().front(), HasSubstr("heraldd cannot patch resource services; apply"));
  EXPECT_TRUE(lab.ask(get("/grant")).ok());
  EXPECT_TRUE(lab.ask(put("/api/v1/namespaces/x/services/d/status")).ok());
  EXPECT_EQ(lab.troubles(), "");
}

// ---- what breaks

TEST_F(KubeClient, AReusedConnectionThatDiesIsNoReasonToFailARead) {
  // The second request of a connection is the one that finds it dead.
  for (const Reply& death : {Reply::hang_up(), Reply::nothing()}) {
    Server server([&](const Heard& heard) { return heard.request > 1 ? death : Reply::json("{}"); },
                  tls());
    Lab lab(access({server.url()}));
    EXPECT_TRUE(lab.ask(get("/a")).ok());
    const Answer again = lab.ask(get("/b", 1s));
    EXPECT_TRUE(again.ok()) << again.why;
    EXPECT_EQ(server.connections(), 2);
    EXPECT_EQ(lab.troubles(), "");

    EXPECT_TRUE(lab.ask(put("/a")).ok());
    const Answer unknown = lab.ask(put("/b", 500ms));
    EXPECT_EQ(unknown.kind, Kind::Unknown);
    EXPECT_THAT(unknown.why, HasSubstr(herald::to_string(server.url())));
    EXPECT_TRUE(lab.ask(put("/c")).ok());
    EXPECT_EQ(lab.troubles(), "");
  }
}

TEST_F(KubeClient, AKeptConnectionThatTheServerEndedIsNotUsed) {
  Server server(
      [](const Heard&) {
        Reply out = Reply::json("{}");
        out.then = Reply::Then::Close;
        return out;
      },
      tls());
  Lab lab(access({server.url()}));
  for (int i = 0; i < 5; ++i) {
    const Answer answer = lab.ask(get("/a"));
    EXPECT_TRUE(answer.ok()) << answer.why;
  }
}

TEST_F(KubeClient, NoPartOfAnAnswerIsAnAnswer) {
  const std::string whole = Reply::json(R"({"items":[{"a":1}]})").bytes;
  for (std::size_t length = 0; length < whole.size(); length += 3) {
    Server server([&](const Heard&) { return Reply::hang_up(whole.substr(0, length)); }, tls());
    Lab lab(access({server.url()}));
    for (const Request& request : {get("/a"), put("/a")}) {
      const Answer answer = lab.ask(request);
      EXPECT_EQ(answer.kind, Kind::Unknown) << length;
      EXPECT_THAT(answer.why, HasSubstr("the connection broke")) << length;
    }
    const auto watch = lab.watch(get("/a"));
    lab.until([&] { return watch->end.has_value(); });
    EXPECT_EQ(watch->end->kind, Kind::Unknown) << length;
  }
}

TEST_F(KubeClient, TheTimeHoldsForAllOfAnAnswer) {
  Reply slow = Reply::json(std::string(100'000, ' '));
  slow.trickle = true;
  Server server([&](const Heard&) { return slow; }, tls());
  Lab lab(access({server.url()}));
  for (const Request& request : {get("/a", 300ms), put("/a", 300ms)}) {
    const Answer answer = lab.ask(request);
    EXPECT_EQ(answer.kind, Kind::Unknown);
    EXPECT_THAT(answer.why, HasSubstr("no answer in time"));
  }
}

TEST_F(KubeClient, WhatNeverEndsIsGivenUp) {
  const std::string ok = "HTTP/1.1 200 OK\r\n", kilobyte(1024, 'x');
  const std::pair<std::string, std::string> cases[] = {
      {ok + "X: ", kilobyte},
      {ok, "X: " + kilobyte + "\r\n"},
      {"HTTP/1.1 200 ", kilobyte},
      {ok + "Content-Length: 99999999999\r\n\r\n", kilobyte},
      {ok + "\r\n", std::string(1 << 20, 'x')},
      {"SSH-2.0-", kilobyte},
  };
  for (const auto& [bytes, endless] : cases) {
    SCOPED_TRACE(bytes.substr(0, 40));
    Server server(
        [reply = Reply{bytes, Reply::Then::Keep, false, endless}](const Heard&) { return reply; },
        tls());
    Lab lab(access({server.url()}));
    const Answer answer = lab.ask(get("/a", 15s));
    EXPECT_EQ(answer.kind, Kind::Unknown);
    EXPECT_THAT(answer.why, Not(HasSubstr("in time")));
  }
  Server server(
      [&](const Heard&) {
        return Reply{Reply::lines("").bytes, Reply::Then::Keep, false,
                     Reply::chunk(std::string(1 << 20, 'x'))};
      },
      tls());
  Lab lab(access({server.url()}));
  const auto watch = lab.watch(get("/w"));
  lab.until([&] { return watch->end.has_value(); });
  EXPECT_EQ(watch->end->kind, Kind::Unknown);
  EXPECT_THAT(watch->end->why, HasSubstr("a line is longer than"));
}

TEST_F(KubeClient, RedirectsAreNotFollowed) {
  Server elsewhere([](const Heard&) { return Reply::json("{}"); }, tls());
  Server server(
      [&](const Heard&) {
        return Reply::json("", "302 Found",
                           "Location: " + herald::to_string(elsewhere.url()) + "/x\r\n");
      },
      tls());
  Lab lab(access({server.url()}));
  const Answer answer = lab.ask(get("/x"));
  EXPECT_EQ(answer.status, 302U);
  EXPECT_FALSE(answer.ok());
  EXPECT_THAT(lab.troubles(), HasSubstr("redirects elsewhere"));
  EXPECT_EQ(elsewhere.connections(), 0);
}

// ---- several servers

TEST_F(KubeClient, OneOfTwoServersIsEnough) {
  Server alive([](const Heard&) { return Reply::json("{}"); }, tls());
  Server ill([](const Heard&) { return Reply::json(refusal(503, "etcd is gone"), "503 No", ""); },
             tls());
  Server deaf([](const Heard&) { return Reply::nothing(); }, tls());
  for (const std::uint16_t other : {free_port(), ill.port(), deaf.port()}) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      std::vector<HttpUrl> servers = {{true, "127.0.0.1", other}, alive.url()};
      if (i % 2 == 1) std::swap(servers[0], servers[1]);
      Lab lab(access(servers));
      for (int k = 0; k < 3; ++k) {
        const Answer answer = lab.ask(get("/x", 2s));
        EXPECT_TRUE(answer.ok()) << answer.why;
      }
      const Answer written = lab.ask(put("/x"));
      EXPECT_TRUE(written.ok()) << written.why << written.body;
      const auto watch = lab.watch(get("/w", 2s));
      lab.until([&] { return watch->end.has_value(); });
      EXPECT_EQ(watch->end->status, 200U) << watch->end->why;
    }
  }
}

TEST_F(KubeClient, WithoutAnyServerItSaysWhichOnesWereTried) {
  const HttpUrl a{true, "127.0.0.1", free_port()}, b{true, "localhost", free_port()};
  Lab lab(access({a, b}));
  const Answer answer = lab.ask(put("/x"));
  EXPECT_EQ(answer.kind, Kind::NotSent);
  EXPECT_THAT(answer.why, HasSubstr("Connection refused; is it running, and reachable"));
  EXPECT_THAT(lab.troubles(), HasSubstr(herald::to_string(a)));
  EXPECT_THAT(lab.troubles(), HasSubstr(herald::to_string(b)));
  EXPECT_THAT(lab.ask(put("/x")).why, HasSubstr("Connection refused"));
}

TEST_F(KubeClient, ServerErrorsGoToTheCallerAndTheServerIsAskedAgain) {
  int failures = 3;  // under the server's lock
  Server server(
      [&](const Heard&) {
        return --failures >= 0 ? Reply::json(refusal(500, "etcdserver: leader changed"), "500 Oh")
                               : Reply::json("{}");
      },
      tls());
  Lab lab(access({server.url()}));
  for (int i = 0; i < 3; ++i) {
    const Answer answer = lab.ask(i == 1 ? get("/x") : put("/x"));
    EXPECT_EQ(answer.kind, Kind::Answered);
    EXPECT_EQ(answer.status, 500U);
    EXPECT_THAT(answer.body, HasSubstr("leader changed"));
  }
  EXPECT_TRUE(lab.ask(put("/x")).ok());
  EXPECT_EQ(server.connections(), 2);
}

// ---- turns

TEST_F(KubeClient, WhoIsTooBusyIsLeftAloneExceptForLeases) {
  bool busy = true;  // under the server's lock
  Server server(
      [&](const Heard& heard) {
        if (heard.says("PUT /write") && std::exchange(busy, false)) {
          return Reply::json(refusal(429, "too many"), "429 Too Many Requests",
                             "Retry-After: 1\r\n");
        }
        return Reply::json("{}");
      },
      tls());
  Lab lab(access({server.url()}));
  const Answer first = lab.ask(put("/write/1"));
  EXPECT_EQ(first.status, 429U);
  EXPECT_EQ(first.retry_after, 1s);
  EXPECT_THAT(lab.troubles(), HasSubstr("(429): too many"));
  const auto held = lab.call(put("/write/2"));
  const Answer hopeless = lab.ask(put("/write/3", 100ms));
  EXPECT_EQ(hopeless.kind, Kind::NotSent);
  EXPECT_THAT(hopeless.why, HasSubstr("waited for its turn"));
  EXPECT_TRUE(lab.ask(put("/lease", 2s, Priority::Lease)).ok());
  EXPECT_TRUE(lab.ask(get("/read", 2s)).ok());
  EXPECT_FALSE(held->has_value());
  lab.until([&] { return held->has_value(); });
  EXPECT_TRUE((*held)->ok());
  std::vector<std::string> order;
  for (const Heard& heard : server.heard()) {
    order.push_back(heard.head.substr(0, heard.head.find(" HTTP")));
  }
  EXPECT_THAT(order, ElementsAre("PUT /write/1", "PUT /lease", "GET /read", "PUT /write/2"));
  EXPECT_EQ(lab.troubles(), "");
}

TEST_F(KubeClient, WithoutAWordOrWithADateASecondIsWaited) {
  for (const char* field : {"", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n",
                            "Retry-After: -1\r\n", "Retry-After: 99999999999999999999\r\n"}) {
    Server server([&](const Heard&) { return Reply::json("", "429 Too Many Requests", field); },
                  tls());
    Lab lab(access({server.url()}));
    EXPECT_EQ(lab.ask(get("/x")).retry_after, 1s) << field;
  }
}

TEST_F(KubeClient, AWatchIsNotOpenedWhileReadsAreHeld) {
  bool busy = true;  // under the server's lock
  Server server(
      [&](const Heard&) {
        return std::exchange(busy, false)
                   ? Reply::json("", "429 Too Many Requests", "Retry-After: 1\r\n")
                   : Reply::lines("{}\n", true);
      },
      tls());
  Lab lab(access({server.url()}));
  const auto refused = lab.watch(get("/w"));
  lab.until([&] { return refused->end.has_value(); });
  EXPECT_EQ(refused->end->status, 429U);
  const auto late = lab.watch(get("/w", 100ms)), held = lab.watch(get("/w"));
  lab.until([&] { return late->end.has_value(); });
  EXPECT_EQ(late->end->kind, Kind::NotSent);
  EXPECT_EQ(server.heard().size(), 1U);
  lab.until([&] { return held->end.has_value(); });
  EXPECT_THAT(held->lines, ElementsAre("{}"));
  EXPECT_EQ(held->end->kind, Kind::Answered);
  EXPECT_EQ(held->end->status, 200U);
}

TEST_F(KubeClient, AWatchThatTellsEndsTheTroubleOfTheListsBefore) {
  bool busy = true;  // under the server's lock
  Server server(
      [&](const Heard&) {
        return std::exchange(busy, false)
                   ? Reply::json(refusal(429, "storage is (re)initializing"),
                                 "429 Too Many Requests", "Retry-After: 1\r\n")
                   : Reply::lines("{}\n", false);
      },
      tls());
  Lab lab(access({server.url()}));
  EXPECT_EQ(lab.ask(get("/list")).status, 429U);
  EXPECT_THAT(lab.troubles(), HasSubstr("(re)initializing"));
  const auto watch = lab.watch(get("/w"));
  lab.until([&] { return !watch->lines.empty(); });
  EXPECT_FALSE(watch->end.has_value());
  EXPECT_EQ(lab.troubles(), "");
}

TEST_F(KubeClient, LeasesPassWhateverElseWaits) {
  Server server(
      [](const Heard& heard) {
        return heard.says("/lease") ? Reply::json("{}") : Reply::nothing();
      },
      tls());
  Lab lab(access({server.url()}));
  std::vector<std::shared_ptr<std::optional<Answer>>> stuck;
  for (int i = 0; i < 40; ++i) {
    stuck.push_back(lab.call(get("/slow/" + std::to_string(i))));
    stuck.push_back(lab.call(put("/slow/" + std::to_string(i))));
  }
  EXPECT_TRUE(lab.ask(put("/lease", 5s, Priority::Lease)).ok());
  lab.until([&] { return server.heard().size() == 13; });
  EXPECT_EQ(server.connections(), 1 + 4 + 8);
  EXPECT_TRUE(lab.ask(put("/lease", 5s, Priority::Lease)).ok());
  EXPECT_EQ(server.connections(), 13);
  for (const auto& one : stuck) EXPECT_FALSE(one->has_value());
}

TEST_F(KubeClient, TooManyThatWaitAreRefusedWithAReason) {
  Server server([](const Heard&) { return Reply::nothing(); }, tls());
  Lab lab(access({server.url()}));
  for (int i = 0; i < 260; ++i) lab.call(get("/slow"));
  const Answer refused = lab.ask(get("/one-more"));
  EXPECT_EQ(refused.kind, Kind::NotSent);
  EXPECT_THAT(refused.why, HasSubstr("256 requests wait for the API server"));
}

// ---- watches

TEST_F(KubeClient, AWatchIsLinesUntilEitherSideEndsIt) {
  Server server(
      [](const Heard& heard) {
        if (heard.says("/good")) return Reply::lines("{\"a\":1}\n\n{\"b\":2}\n{\"c\"", true);
        if (heard.says("/open")) return Reply::lines("{}\n");
        return Reply::json(refusal(410, "too old"), "410 Gone");
      },
      tls());
  Lab lab(access({server.url()}));
  const auto good = lab.watch(get("/good")), gone = lab.watch(get("/gone")),
             open = lab.watch(get("/open"), 300ms);
  lab.until([&] { return good->end && gone->end && open->end; });
  EXPECT_THAT(good->lines, ElementsAre("{\"a\":1}", "{\"b\":2}"));
  EXPECT_EQ(good->end->kind, Kind::Answered);
  EXPECT_EQ(good->end->status, 200U);
  EXPECT_EQ(gone->end->status, 410U);
  EXPECT_THAT(gone->end->body, HasSubstr("too old"));
  EXPECT_THAT(open->lines, ElementsAre("{}"));
  EXPECT_EQ(open->end->kind, Kind::Unknown);
  EXPECT_THAT(open->end->why, HasSubstr("no word for 300ms"));
  EXPECT_EQ(server.connections(), 3);
}

TEST_F(KubeClient, AWatchCanBeCanceledInEveryState) {
  std::uint16_t deaf_port = 0;
  const UniqueFd deaf = listen_on(deaf_port);  // the kernel accepts, nobody shakes hands
  Server server(
      [](const Heard& heard) {
        if (heard.says("/silent")) return Reply::nothing();
        if (heard.says("/header")) return Reply::lines("");
        if (heard.says("/busy")) {
          return Reply::json("", "429 Too Many Requests", "Retry-After: 60\r\n");
        }
        return Reply::lines("{}\n{}\n");
      },
      tls());
  Lab lab(access({server.url()})), unheard(access({{true, "127.0.0.1", deaf_port}}));
  const auto canceled = [](Lab& in, const Lab::Watched& watch) {
    in.client().cancel(watch.id);
    in.client().cancel(watch.id);  // again is nothing
    in.poll();
    EXPECT_FALSE(watch.end);
  };
  canceled(lab, *lab.watch(get("/lines")));  // not begun
  EXPECT_EQ(server.connections(), 0);
  const auto connecting = unheard.watch(get("/lines"));
  unheard.poll();
  canceled(unheard, *connecting);
  for (const char* path : {"/silent", "/header"}) {
    const auto watch = lab.watch(get(path));
    const auto heard = server.heard().size();
    lab.until([&] { return server.heard().size() > heard; });
    lab.poll();
    canceled(lab, *watch);
  }
  const auto lines = lab.watch(get("/lines"));
  lab.until([&] { return lines->lines.size() == 2; });
  canceled(lab, *lines);

  std::uint64_t id = 0;
  int seen = 0;
  id = lab.client().watch(
      get("/lines"), 0s,
      [&](std::string_view) {
        ++seen;
        lab.client().cancel(id);  // from within
      },
      [](const Answer&) { ADD_FAILURE() << "it was canceled"; });
  lab.until([&] { return seen > 0; });
  lab.poll();
  EXPECT_EQ(seen, 1);

  const auto busy = lab.watch(get("/busy"));
  lab.until([&] { return busy->end.has_value(); });
  const auto held = lab.watch(get("/lines"));
  lab.poll();
  canceled(lab, *held);
  lab.client().cancel(12'345);
}

TEST_F(KubeClient, WhenItGoesNobodyIsAnswered) {
  Server server(
      [](const Heard& heard) {
        return heard.says("/lines") ? Reply::lines("{}\n") : Reply::nothing();
      },
      tls());
  const HttpUrl dead{true, "127.0.0.1", free_port()};
  for (const int steps : {0, 1, 5, 20, 100}) {
    Lab lab(access({dead, server.url()}));
    for (int i = 0; i < 10; ++i) {
      const auto fail = [](const Answer&) { ADD_FAILURE() << "it is gone"; };
      lab.client().call(get("/a"), fail);
      lab.client().call(put("/a"), fail);
      lab.client().watch(
          get("/lines"), 1s, [](std::string_view) {}, fail);
    }
    for (int i = 0; i < steps; ++i) lab.poll();
    lab.drop();
    lab.poll();
  }
  // From within an answer.
  Server quick([](const Heard&) { return Reply::json("{}"); }, tls());
  Lab lab(access({quick.url()}));
  bool answered = false;
  for (int i = 0; i < 10; ++i) {
    lab.client().call(get("/a"), [&](const Answer&) {
      EXPECT_FALSE(std::exchange(answered, true));
      lab.drop();
    });
  }
  lab.until([&] { return answered; });
  lab.poll();
}

}  // namespace
}  // namespace herald::kube
