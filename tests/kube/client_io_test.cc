// The client: what it sends, whom it believes, and who it says that it is.
#include <gmock/gmock.h>

#include "tests/kube/client_lab.h"

namespace herald::kube {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = Answer::Kind;
using Method = Request::Method;

TEST_F(KubeClient, EveryMethodIsSentAsItIsAndConnectionsAreKept) {
  Server server(
      [](const Heard& heard) { return Reply::json(heard.body.empty() ? "{}" : heard.body); },
      tls());
  ClientLab lab(access({server.url()}));
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
  ClientLab one(access({here}));
  EXPECT_TRUE(one.ask(get("/api/v1/nodes?limit=5")).ok());
  EXPECT_TRUE(server.heard().back().says("GET /k8s/clusters/c-2/api/v1/nodes?limit=5 HTTP/1.1"));
  EXPECT_TRUE(one.ask(put("/api/v1/services/a")).ok());
  EXPECT_TRUE(server.heard().back().says("PUT /k8s/clusters/c-2/api/v1/services/a HTTP/1.1"));
  const auto watch = one.watch(get("/api/v1/nodes?watch=1"));
  one.until([&] { return watch->end.has_value(); });
  EXPECT_TRUE(server.heard().back().says("GET /k8s/clusters/c-2/api/v1/nodes?watch=1 HTTP/1.1"));
  ClientLab other(access({away}));
  EXPECT_TRUE(other.ask(get("/version")).ok());
  EXPECT_TRUE(first.heard().back().says("GET /k8s/clusters/c-1/version HTTP/1.1"));
}

TEST_F(KubeClient, APathThatWouldBeTwoLinesIsNotSent) {
  Server server([](const Heard&) { return Reply::json("{}"); }, tls());
  ClientLab lab(access({server.url()}));
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
    ClientLab lab(access({server.url()}));
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
  EXPECT_TRUE(ClientLab(named).ask(get("/x")).ok());
}

TEST_F(KubeClient, PlainIsForWhoProvesNothing) {
  Server server([](const Heard&) { return Reply::json("{}"); });
  boost::asio::io_context loop;
  const auto refused = make_client(loop, access({server.url()}), 1, [](auto, auto) {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("write https://"));
  Access bare = access({server.url()});
  bare.token.clear();
  EXPECT_TRUE(ClientLab(bare).ask(get("/x")).ok());

  // With the wrong scheme, each side's silence is explained.
  Server secure([](const Heard&) { return Reply::json("{}"); }, tls());
  bare.servers = {{false, "127.0.0.1", secure.port()}};
  EXPECT_THAT(ClientLab(bare).ask(get("/x")).why, HasSubstr("write https://"));
  const FakeServer not_tls("HTTP/1.1 400 Bad Request\r\n\r\n", FakeServer::Then::Close);
  EXPECT_THAT(ClientLab(access({{true, "127.0.0.1", not_tls.port()}})).ask(get("/x")).why,
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
  ClientLab lab(named);
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
  EXPECT_TRUE(ClientLab(named).ask(get("/x")).ok());
}

TEST_F(KubeClient, ANewAuthorityIsReadFromItsFile) {
  Server server([](const Heard&) { return Reply::json("{}"); }, tls());
  Authority other("other");
  Access named = access({server.url()});
  named.ca.clear();
  named.ca_file = write("ca", other.pem());
  ClientLab lab(named);
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
  EXPECT_THAT(ClientLab(named).ask(get("/x")).why,
              HasSubstr("perhaps it does not take the client certificate of /root/.kube/config"));
  EXPECT_THAT(ClientLab(access({server.url()})).ask(get("/x")).why, Not(HasSubstr("perhaps")));
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
  ClientLab lab(named);
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
  ClientLab lab(named);
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
  ClientLab lab(access({server.url()}));
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

}  // namespace
}  // namespace herald::kube
