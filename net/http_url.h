// net/http_url.h: where an HTTP server is: "https://etcd-1.example:2379", "http://[::1]:2379".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace herald {

struct HttpUrl {
  bool tls = false;
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 0;
  std::string path = {};  // goes before that of each request: "/k8s/clusters/c-1"; mostly empty
  bool operator==(const HttpUrl&) const = default;
};

// What becomes of a path: for those who would pass over it in silence, it is a fault.
enum class UrlPath : std::uint8_t { Refuse, Take };

// Reads scheme://host[:port][/path][/]. No query or user may follow, and no path unless it is
// taken. The error says what is wrong with the text and how to write it.
Result<HttpUrl> parse_http_url(std::string_view text, std::uint16_t default_port,
                               UrlPath path = UrlPath::Refuse);

// "https://etcd-1.example:2379", "http://[::1]:2379",
// "https://rancher.example:443/k8s/clusters/c-1".
std::string to_string(const HttpUrl& url);

}  // namespace herald
