#include "net/http_url.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "net/ip.h"

namespace herald {
namespace {

constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035 §2.3.4
constexpr std::size_t kMaxPathBytes = 1024;

bool is_name(std::string_view host) {
  return !host.empty() && host.size() <= kMaxHostBytes &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' ||
                  c == '_';
         });
}

// RFC 3986 §3.3, without what servers and proxies read in more than one way.
bool is_path(std::string_view path) {
  constexpr std::string_view kMarks = "-._~%!$&'()*+,;=:@/";
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at + 1, end - at - 1);
    if (segment.empty() || segment == "." || segment == "..") return false;
    at = end;
  }
  return path.size() <= kMaxPathBytes && std::all_of(path.begin(), path.end(), [&](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                  kMarks.find(c) != std::string_view::npos;
         });
}

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view text, std::uint16_t default_port, UrlPath path) {
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
  if (const auto slash = rest.find_first_of("/?#"); slash != std::string_view::npos) {
    if (path == UrlPath::Refuse) {
      return error("has a path: leave out all that follows host and port");
    }
    url.path = std::string(rest.substr(slash));
    if (!is_path(url.path)) {
      return error("has a path that is none: after host and port may follow /like/this alone");
    }
    rest = rest.substr(0, slash);
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
         (v6 ? "]" : "") + ":" + std::to_string(url.port) + url.path;
}

}  // namespace herald
