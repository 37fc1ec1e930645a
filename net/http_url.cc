#include "net/http_url.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "net/ip.h"

namespace herald {
namespace {

constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035 §2.3.4

bool is_name(std::string_view host) {
  return !host.empty() && host.size() <= kMaxHostBytes &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' ||
                  c == '_';
         });
}

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view text, std::uint16_t default_port) {
  HttpUrl url;
  url.port = default_port;
  std::string_view rest = text;
  if (rest.rfind("https://", 0) == 0) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.rfind("http://", 0) == 0) {
    rest.remove_prefix(7);
  } else {
    return error("does not begin with http:// or https://");
  }
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    return error("has a path: leave out all that follows host and port");
  }
  if (rest.find('@') != std::string_view::npos) {
    return error("has a user: that belongs into settings of its own");
  }
  std::string_view port;
  if (!rest.empty() && rest.front() == '[') {  // RFC 3986 §3.2.2
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return error("has no ']' after its IPv6 address");
    url.host = std::string(rest.substr(1, end - 1));
    const auto address = IpAddress::parse(url.host);
    if (!address || !address->is_v6()) return error("has no IPv6 address in its brackets");
    port = rest.substr(end + 1);
  } else {
    const auto colon = rest.find(':');
    url.host = std::string(rest.substr(0, colon));
    if (!is_name(url.host)) return error("has no host name or IP address after //");
    if (colon != std::string_view::npos) port = rest.substr(colon);
  }
  if (!port.empty()) {
    const auto number = port.front() == ':' ? parse_number(port.substr(1), 65535) : std::nullopt;
    if (!number || *number == 0) return error("has no port from 1 to 65535 after the host");
    url.port = static_cast<std::uint16_t>(*number);
  }
  return url;
}

std::string to_string(const HttpUrl& url) {
  const bool v6 = url.host.find(':') != std::string::npos;
  return std::string(url.tls ? "https://" : "http://") + (v6 ? "[" : "") + url.host +
         (v6 ? "]" : "") + ":" + std::to_string(url.port);
}

}  // namespace herald
