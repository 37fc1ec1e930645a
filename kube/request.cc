#include "kube/request.h"

#include <algorithm>

#include "base/text.h"

namespace herald::kube {

const char* to_string(Request::Method method) {
  switch (method) {
    case Request::Method::Get:
      return "GET";
    case Request::Method::Post:
      return "POST";
    case Request::Method::Put:
      return "PUT";
    case Request::Method::Patch:
      return "PATCH";
    case Request::Method::Delete:
      return "DELETE";
  }
  return "GET";
}

bool is_path(std::string_view path) {
  return !path.empty() && path.front() == '/' &&
         std::all_of(path.begin(), path.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string describe(const Request& request) {
  return std::string(to_string(request.method)) + " " +
         printable(std::string_view(request.path).substr(0, request.path.find('?')));
}

std::string right_of(const Request& request) {
  const auto parts = split_list(request.path.substr(0, request.path.find('?')), '/');
  std::size_t at = parts.empty() || parts.front() == "api" ? 2 : 3;  // GROUP is not in /api/v1
  std::string out = std::string(to_string(request.method)) + " ";
  for (std::size_t i = 0; i < std::min(at, parts.size()); ++i) out += "/" + parts[i];
  if (parts.size() > at + 2 && parts[at] == "namespaces") at += 2;
  if (parts.size() > at) out += "/" + parts[at];
  if (parts.size() > at + 2) out += "/" + parts[at + 2];
  return printable(out);
}

}  // namespace herald::kube
