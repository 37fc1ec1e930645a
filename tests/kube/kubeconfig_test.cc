// What kubectl writes is read, what a daemon cannot do is refused by name, and nothing else gets
// through.
#include "kube/kubeconfig.h"

#include <gmock/gmock.h>

#include <regex>

#include "base/base64.h"

namespace herald::kube {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kPath = "/root/.kube/config";
constexpr const char* kPem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

// As kubeadm and `kubectl config set-context` write it; `user` and `cluster` are further fields.
std::string config(const std::string& user, const std::string& cluster = "",
                   const std::string& server = "https://10.0.0.1:6443") {
  return "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: admin@lab\n"
         "contexts:\n- name: admin@lab\n  context:\n    cluster: lab\n    user: admin\n"
         "    namespace: lb\n- name: other\n  context: {cluster: other, user: nobody}\n"
         "clusters:\n- name: other\n  cluster: {server: 'http://localhost:8001'}\n"
         "- name: lab\n  cluster:\n    server: " +
         server + "\n" + cluster + "users:\n- name: nobody\n  user: {}\n- name: admin\n  user:\n" +
         user;
}
std::string data(const std::string& text) {
  return to_base64(text);
}
std::string failure(const std::string& text, const std::string& context = "") {
  const auto access = parse_kubeconfig(text, kPath, context);
  return access ? "" : access.error();
}

TEST(Kubeconfig, OfKubeadm) {
  const auto access = parse_kubeconfig(
      config("    client-certificate-data: " + data(kPem) +
                 "\n    client-key-data: " + data("-----BEGIN EC PRIVATE KEY-----\n") + "\n",
             "    certificate-authority-data: " + data(kPem) + "\n"),
      kPath);
  ASSERT_TRUE(access) << access.error();
  EXPECT_EQ(access->servers, (std::vector<HttpUrl>{{true, "10.0.0.1", 6443}}));
  EXPECT_EQ(access->ca, kPem);
  EXPECT_EQ(access->client_cert, kPem);
  EXPECT_EQ(access->client_key, "-----BEGIN EC PRIVATE KEY-----\n");
  EXPECT_EQ(access->ns, "lb");
  EXPECT_EQ(access->where, "/root/.kube/config (context admin@lab)");
  EXPECT_EQ(access->token + access->token_file + access->ca_file + access->server_name, "");
}

TEST(Kubeconfig, FilesAreRelativeToItsFolder) {
  const std::string text = config(
      "    client-certificate: pki/a.crt\n    client-key: /etc/a.key\n    tokenFile: token\n"
      "    token: abc.def\n",
      "    certificate-authority: ../ca.crt\n    tls-server-name: kubernetes\n");
  const auto access = parse_kubeconfig(text, kPath);
  ASSERT_TRUE(access) << access.error();
  EXPECT_EQ(access->client_cert_file, "/root/.kube/pki/a.crt");
  EXPECT_EQ(access->client_key_file, "/etc/a.key");
  EXPECT_EQ(access->token_file, "/root/.kube/token");
  EXPECT_EQ(access->token, "abc.def");
  EXPECT_EQ(access->ca_file, "/root/.kube/../ca.crt");
  EXPECT_EQ(access->server_name, "kubernetes");
  EXPECT_EQ(parse_kubeconfig(text, "config")->client_cert_file, "pki/a.crt");
}

TEST(Kubeconfig, TextWinsOverAFileOfTheSameKind) {
  const auto access = parse_kubeconfig(
      config("    client-certificate: a\n    client-certificate-data: " + data(kPem) +
             "\n    client-key: b\n    client-key-data: " + data(kPem) + "\n"),
      kPath);
  ASSERT_TRUE(access) << access.error();
  EXPECT_EQ(access->client_cert_file + access->client_key_file, "");
  EXPECT_EQ(access->client_cert, kPem);
}

TEST(Kubeconfig, AnotherContextCanBeNamed) {
  const auto access = parse_kubeconfig(config("    token: a\n"), kPath, "other");
  ASSERT_TRUE(access) << access.error();
  EXPECT_EQ(access->servers, (std::vector<HttpUrl>{{false, "localhost", 8001}}));
  EXPECT_EQ(access->token, "");
  EXPECT_THAT(failure(config("    token: a\n"), "none"),
              AllOf(HasSubstr("/root/.kube/config:"), HasSubstr("contexts: there is no 'none'")));
}

TEST(Kubeconfig, JsonIsAKubeconfigToo) {
  const auto access = parse_kubeconfig(
      R"({"apiVersion":"v1","kind":"Config","current-context":"a","contexts":[{"name":"a","context":)"
      R"({"cluster":"c","user":"u"}}],"clusters":[{"name":"c","cluster":{"server":"https://[::1]"}}],)"
      R"("users":[{"name":"u","user":{"token":"t"}}]})",
      kPath);
  ASSERT_TRUE(access) << access.error();
  EXPECT_EQ(access->servers, (std::vector<HttpUrl>{{true, "::1", 443}}));
}

TEST(Kubeconfig, WhatADaemonCannotDoIsRefusedWithWhatToDoInstead) {
  const struct {
    std::string user, cluster;
    std::vector<std::string> words;
  } cases[] = {
      {"    exec: {command: aws}\n", "", {"user 'admin': exec", "runs no programs", "tokenFile"}},
      {"    auth-provider: {name: gcp}\n", "", {"user 'admin': auth-provider", "tokenFile"}},
      {"    username: a\n    password: b\n", "", {"user 'admin': username", "tokenFile"}},
      {"    as: root\n    token: a\n", "", {"user 'admin': as: ", "never as another"}},
      {"    token: a\n", "    proxy-url: http://p\n", {"cluster 'lab': proxy-url", "take it out"}},
      {"    token: a\n",
       "    insecure-skip-tls-verify: true\n",
       {"cluster 'lab': insecure-skip-tls-verify", "certificate-authority-data"}},
      {"    client-certificate: a\n", "", {"user 'admin'", "belong together"}},
      {"    token: a b\n", "", {"user 'admin': token", "the token alone"}},
      {"    token: \"a\\r\\nHost: b\"\n", "", {"user 'admin': token", "the token alone"}},
      {"    token: [a]\n", "", {"token is a list"}},
      {"    tokenFile: \"a\\0b\"\n", "", {"tokenFile has a NUL"}},
      {"    client-certificate-data: '%%%%'\n", "", {"client-certificate-data is not base64"}},
      {"    client-certificate-data: " + data("x") + "\n",
       "",
       {"client-certificate-data holds no PEM"}},
      {"    token: a\n",
       "    certificate-authority-data: " + data(kPem) + "=\n",
       {"certificate-authority-data is not base64", "base64 -w0"}},
  };
  for (const auto& c : cases) {
    const std::string why = failure(config(c.user, c.cluster));
    for (const std::string& words : c.words) EXPECT_THAT(why, HasSubstr(words)) << c.user;
    EXPECT_TRUE(std::regex_search(why, std::regex("^/root/.kube/config:[0-9]+: "))) << why;
  }
  EXPECT_EQ(failure(config("    token: a\n", "    insecure-skip-tls-verify: false\n")), "");
}

TEST(Kubeconfig, AServerIsHostAndPort) {
  for (const char* server : {"10.0.0.1:6443", "''", "https://", "ftp://a", "https://a/k8s/../c-1",
                             "https://u:p@a", "https://a:99999"}) {
    EXPECT_THAT(failure(config("    token: a\n", "", server)),
                AllOf(HasSubstr("cluster 'lab': server: "), HasSubstr("write https://HOST:PORT")))
        << server;
  }
}

// One server for many clusters.
TEST(Kubeconfig, APathLeadsToTheCluster) {
  const auto access =
      parse_kubeconfig(config("    token: a\n", "", "https://rancher.example/k8s/clusters/c-m-abc"),
                       "/root/.kube/config");
  ASSERT_TRUE(access) << access.error();
  EXPECT_EQ(access->servers.at(0).host, "rancher.example");
  EXPECT_EQ(access->servers.at(0).path, "/k8s/clusters/c-m-abc");
}

TEST(Kubeconfig, WhatIsMissingOrTwiceIsNamed) {
  EXPECT_THAT(failure(""), HasSubstr("is no kubeconfig"));
  EXPECT_THAT(failure("a: b\n---\nc: d\n"), HasSubstr("is no kubeconfig"));
  EXPECT_THAT(failure("- a\n"), HasSubstr("is no kubeconfig"));
  EXPECT_THAT(failure("a: [\n"), HasSubstr("/root/.kube/config:"));
  EXPECT_THAT(failure("kind: Config\n"), HasSubstr("has no current-context"));
  EXPECT_THAT(failure("current-context: a\n"), HasSubstr("contexts: there is no 'a'"));
  EXPECT_THAT(failure("current-context: a\ncontexts: 5\n"), HasSubstr("there is no 'a'"));
  EXPECT_THAT(failure("current-context: a\ncontexts: [{name: a}]\n"),
              HasSubstr("'a' has no map 'context'"));
  EXPECT_THAT(failure("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\n"),
              HasSubstr("clusters: there is no 'c'"));
  EXPECT_THAT(failure(config("    token: a\n- name: admin\n  user: {}\n")),
              HasSubstr("users: 'admin' is there twice"));
}

TEST(Kubeconfig, NoPartOfOneIsTakenForTheWhole) {
  const std::string whole =
      config("    tokenFile: token\n    client-certificate-data: " + data(kPem) +
             "\n    client-key-data: " + data(kPem) + "\n");
  const auto wanted = parse_kubeconfig(whole, kPath);
  ASSERT_TRUE(wanted) << wanted.error();
  int refused = 0;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto part = parse_kubeconfig(whole.substr(0, length), kPath);
    if (part) {  // what comes last, less of it
      EXPECT_EQ(part->servers, wanted->servers);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(whole.size() / 2));
}

TEST(Kubeconfig, BombsAreRefused) {
  EXPECT_NE(failure("a: &a [x,x]\nb: &b [*a,*a]\ncurrent-context: *b\n"), "");
  EXPECT_NE(failure(std::string(100'000, '[')), "");
  EXPECT_LT(failure("current-context: " + std::string(1'000'000, 'x') + "\n").size(), 2000U);
}

}  // namespace
}  // namespace herald::kube
