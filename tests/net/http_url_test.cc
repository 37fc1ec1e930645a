#include "net/http_url.h"

#include <gtest/gtest.h>

namespace herald {
namespace {

TEST(HttpUrl, ReadsHostAndPort) {
  const struct {
    const char* text;
    HttpUrl url;
    const char* printed;
  } cases[] = {
      {"http://10.0.0.1:2379", {false, "10.0.0.1", 2379}, "http://10.0.0.1:2379"},
      {"https://etcd-1.example:443/", {true, "etcd-1.example", 443}, "https://etcd-1.example:443"},
      {"https://etcd_1", {true, "etcd_1", 2379}, "https://etcd_1:2379"},
      {"http://[::1]:1", {false, "::1", 1}, "http://[::1]:1"},
      {"http://[2001:db8::2]", {false, "2001:db8::2", 2379}, "http://[2001:db8::2]:2379"},
  };
  for (const auto& c : cases) {
    const auto url = parse_http_url(c.text, 2379);
    ASSERT_TRUE(url) << c.text << " " << url.error();
    EXPECT_EQ(*url, c.url) << c.text;
    EXPECT_EQ(to_string(*url), c.printed);
  }
}

TEST(HttpUrl, APathIsTakenWhereItIsAskedFor) {
  const struct {
    const char *text, *path, *printed;
  } cases[] = {
      {"https://rancher.example/k8s/clusters/c-m-abc", "/k8s/clusters/c-m-abc",
       "https://rancher.example:443/k8s/clusters/c-m-abc"},
      {"https://[::1]:6443/a%20b/", "/a%20b", "https://[::1]:6443/a%20b"},
      {"https://a/@:", "/@:", "https://a:443/@:"},
      {"https://a", "", "https://a:443"},
      {"https://a:1/", "", "https://a:1"},
  };
  for (const auto& c : cases) {
    const auto url = parse_http_url(c.text, 443, UrlPath::Take);
    ASSERT_TRUE(url) << c.text << " " << url.error();
    EXPECT_EQ(url->path, c.path);
    EXPECT_EQ(to_string(*url), c.printed);
  }
  for (const char* text : {"https://a?x", "https://a/x?y", "https://a/x#y", "https://a//x",
                           "https://a/x//", "https://a/../x", "https://a/x/..", "https://a/.",
                           "https://a/x y", "https://a/x\r\nB: c", "https://u@a/x", "https:///x"}) {
    EXPECT_FALSE(parse_http_url(text, 443, UrlPath::Take)) << text;
  }
  EXPECT_FALSE(parse_http_url("https://a/" + std::string(2000, 'x'), 443, UrlPath::Take));
}

TEST(HttpUrl, RefusesWhatItWouldHaveToPassOver) {
  for (const char* text :
       {"", "10.0.0.1:2379", "ftp://a", "http://", "http:///", "http://:1",
        "http://a:", "http://a:0", "http://a:65536", "http://a:1x", "http://a/v3", "http://a?x",
        "http://u:p@a", "http://[::1", "http://[a]", "http://[10.0.0.1]", "http://[::1]1",
        "http://a b", "http://a\r\nX: y"}) {
    EXPECT_FALSE(parse_http_url(text, 2379)) << text;
  }
}

}  // namespace
}  // namespace herald
