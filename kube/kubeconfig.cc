#include "kube/kubeconfig.h"

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "config/yaml_document.h"

namespace herald::kube {
namespace {

using config::Value;

constexpr std::uint16_t kHttpsPort = 443;

// Reads one file straight down; what is wrong first is kept, and asked for once at the end.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  const std::string& wrong() const { return wrong_; }

  void fail(int line, const std::string& sentence) {
    if (wrong_.empty()) wrong_ = path_ + ":" + std::to_string(line) + ": " + sentence;
  }

  // The map under `key` of the entry called `name` in `list`: clusters: [{name: a, cluster: {}}].
  const Value* named(const Value& root, const char* list, const char* key,
                     const std::string& name) {
    const Value* entries = root.find(list);
    const Value* found = nullptr;
    if (entries != nullptr && entries->type == Value::Type::List) {
      for (const Value& entry : entries->items) {
        const Value* called = entry.find("name");
        if (called == nullptr || called->text != name || !is_scalar(*called)) continue;
        if (found != nullptr) {
          fail(entry.line, std::string(list) + ": '" + printable(name) +
                               "' is there twice: give one of them another name");
        }
        found = &entry;
      }
    }
    if (found == nullptr) {
      fail(entries == nullptr ? root.line : entries->line,
           std::string(list) + ": there is no '" + printable(name) + "': add it, or name another");
      return nullptr;
    }
    const Value* body = found->find(key);
    if (body == nullptr || body->type != Value::Type::Map) {
      fail(found->line,
           std::string(list) + ": '" + printable(name) + "' has no map '" + key + "' in it");
      return nullptr;
    }
    return body;
  }

  // "" if it is not there.
  std::string text(const Value& map, const char* key) {
    const Value* value = map.find(key);
    if (value == nullptr || value->type == Value::Type::Null) return {};
    if (!is_scalar(*value)) {
      fail(value->line, std::string(key) + " is " + value->describe() + ": write a text");
      return {};
    }
    if (value->text.find('\0') != std::string::npos) {
      fail(value->line, std::string(key) + " has a NUL in it: leave it out");
      return {};
    }
    return value->text;
  }

  // A path, which may be relative to the file's folder.
  std::string file(const Value& map, const char* key) {
    std::string named_file = text(map, key);
    if (named_file.empty() || named_file.front() == '/') return named_file;
    const auto slash = path_.rfind('/');
    return slash == std::string::npos ? named_file : path_.substr(0, slash + 1) + named_file;
  }

  // PEM in base64.
  std::string data(const Value& map, const char* key) {
    const std::string encoded = text(map, key);
    if (encoded.empty()) return {};
    auto decoded = from_base64(encoded);
    if (!decoded || decoded->find("-----BEGIN ") == std::string::npos) {
      fail(map.find(key)->line, std::string(key) +
                                    (decoded ? " holds no PEM" : " is not base64 on one line") +
                                    ": write what `base64 -w0 FILE.pem` prints");
      return {};
    }
    return std::move(*decoded);
  }

  bool has(const Value& map, const char* key) const {
    const Value* value = map.find(key);
    return value != nullptr && value->type != Value::Type::Null;
  }
  int line(const Value& map, const char* key) const { return map.find(key)->line; }

 private:
  static bool is_scalar(const Value& value) {
    return value.type == Value::Type::String || value.type == Value::Type::Number ||
           value.type == Value::Type::Bool;
  }

  const std::string& path_;
  std::string wrong_;
};

void read_cluster(Reader& in, const Value& cluster, const std::string& name, Access& out) {
  const std::string what = "cluster '" + printable(name) + "': ";
  if (in.has(cluster, "proxy-url")) {
    in.fail(in.line(cluster, "proxy-url"),
            what +
                "proxy-url: heraldd asks API servers directly, as it must when a proxy is gone: "
                "take it out, and name a server that nodes reach");
  }
  if (in.text(cluster, "insecure-skip-tls-verify") == "true") {
    in.fail(in.line(cluster, "insecure-skip-tls-verify"),
            what +
                "insecure-skip-tls-verify: whoever stands in between could take every IP: take "
                "it out, and give the cluster's authority as certificate-authority-data");
  }
  const std::string server = in.text(cluster, "server");
  // A path leads to one of many clusters behind one server, as Rancher has it.
  auto url =
      parse_http_url(server, server.rfind("http://", 0) == 0 ? 80 : kHttpsPort, UrlPath::Take);
  if (url) {
    out.servers = {std::move(*url)};
  } else {
    in.fail(
        in.has(cluster, "server") ? in.line(cluster, "server") : cluster.line,
        what + "server: '" + printable(server) + "' " + url.error() + "; write https://HOST:PORT");
  }
  out.ca = in.data(cluster, "certificate-authority-data");
  if (out.ca.empty()) out.ca_file = in.file(cluster, "certificate-authority");
  out.server_name = in.text(cluster, "tls-server-name");
}

// What would need a program, another server or a weaker proof than TLS gives.
void refuse(Reader& in, const Value& user, const std::string& name) {
  constexpr const char* kInstead =
      "; give a client certificate (client-certificate-data, client-key-data), or the token of a "
      "service account (tokenFile, or token: kubectl create token)";
  const struct {
    const char *field, *why;
  } cannot[] = {
      {"exec", "heraldd runs no programs for credentials"},
      {"auth-provider", "is of old kubectls, and heraldd has none of them"},
      {"username", "API servers take no passwords any more"},
      {"password", "API servers take no passwords any more"},
      {"as", "heraldd writes as itself, never as another"},
      {"as-groups", "heraldd writes as itself, never as another"},
      {"as-uid", "heraldd writes as itself, never as another"},
      {"as-user-extra", "heraldd writes as itself, never as another"},
  };
  for (const auto& c : cannot) {
    if (in.has(user, c.field)) {
      in.fail(in.line(user, c.field),
              "user '" + printable(name) + "': " + c.field + ": " + c.why + kInstead);
    }
  }
}

void read_user(Reader& in, const Value& user, const std::string& name, Access& out) {
  refuse(in, user, name);
  const std::string what = "user '" + printable(name) + "': ";
  out.client_cert = in.data(user, "client-certificate-data");
  if (out.client_cert.empty()) out.client_cert_file = in.file(user, "client-certificate");
  out.client_key = in.data(user, "client-key-data");
  if (out.client_key.empty()) out.client_key_file = in.file(user, "client-key");
  const bool cert = !out.client_cert.empty() || !out.client_cert_file.empty();
  const bool key = !out.client_key.empty() || !out.client_key_file.empty();
  if (cert != key) {
    in.fail(user.line, what +
                           "client-certificate and client-key belong together: give both, or "
                           "neither");
  }
  out.token = std::string(trim(in.text(user, "token")));
  out.token_file = in.file(user, "tokenFile");
  if (!std::all_of(out.token.begin(), out.token.end(),
                   [](char c) { return c > 0x20 && c < 0x7f; })) {
    in.fail(in.line(user, "token"), what + "token: is not one word: write the token alone");
  }
}

}  // namespace

Result<Access> parse_kubeconfig(std::string_view text, const std::string& path,
                                const std::string& context) {
  const config::YamlFile file = config::parse_yaml(text);
  if (!file.errors.empty()) {
    return error(path + ":" + std::to_string(file.errors.front().line) + ": " +
                 file.errors.front().message);
  }
  if (file.documents.size() != 1 || file.documents.front().type != Value::Type::Map) {
    return error(path + ": is no kubeconfig: `kubectl config view --raw --minify` prints one");
  }
  const Value& root = file.documents.front();
  Reader in(path);
  Access out;
  const std::string wanted = context.empty() ? in.text(root, "current-context") : context;
  if (wanted.empty() && in.wrong().empty()) {
    return error(path + ": has no current-context: set one with `kubectl --kubeconfig " + path +
                 " config use-context NAME`");
  }
  if (const Value* chosen =
          in.wrong().empty() ? in.named(root, "contexts", "context", wanted) : nullptr) {
    const std::string cluster_name = in.text(*chosen, "cluster");
    const std::string user_name = in.text(*chosen, "user");
    out.ns = in.text(*chosen, "namespace");
    if (const Value* cluster = in.named(root, "clusters", "cluster", cluster_name)) {
      read_cluster(in, *cluster, cluster_name, out);
    }
    // Without a user nothing is proven, as a local proxy wants it.
    if (!user_name.empty()) {
      if (const Value* user = in.named(root, "users", "user", user_name)) {
        read_user(in, *user, user_name, out);
      }
    }
  }
  if (!in.wrong().empty()) return error(in.wrong());
  out.where = path + " (context " + printable(wanted) + ")";
  return out;
}

}  // namespace herald::kube
