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
  bool operator==(const HttpUrl&) const = default;
};

// Reads scheme://host[:port][/]. No path, query or user may follow: they would be passed over in
// silence. The error says what is wrong with the text and how to write it.
Result<HttpUrl> parse_http_url(std::string_view text, std::uint16_t default_port);

// "https://etcd-1.example:2379", "http://[::1]:2379".
std::string to_string(const HttpUrl& url);

}  // namespace herald
