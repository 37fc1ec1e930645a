#include "kube/credentials_io.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace herald::kube {
namespace {

constexpr std::size_t kMaxFileBytes = 1U << 20;
constexpr Duration kLook = 5s;
// Should a stamp be the same by chance, or a file system tell it late.
constexpr Duration kReadAnyway = 1min;
constexpr Duration kBetweenRefusals = 1s;

// The file's content, or else the text.
Result<PemSource> read(const std::string& text, const std::string& file, const char* field,
                       const std::string& where) {
  PemSource out{text, "", std::string("kubernetes: ") + field + " of " + where, ""};
  if (file.empty()) return out;
  auto content = read_small_file(file, kMaxFileBytes);
  out.subject += " ('" + file + "')";
  if (!content) {
    return error(out.subject + " " + content.error() +
                 ": name a PEM file that heraldd may read, and that is there");
  }
  if (content->empty()) return error(out.subject + " is empty: write the PEM into it");
  out.text = std::move(*content);
  return out;
}

}  // namespace

Result<std::string> Credentials::read_token() const {
  if (access_.token_file.empty()) {
    return access_.token.empty() ? std::string() : "Bearer " + access_.token;
  }
  const std::string subject =
      "kubernetes: the token of " + access_.where + " ('" + access_.token_file + "') ";
  const auto content = read_small_file(access_.token_file, kMaxFileBytes);
  if (!content) {
    return error(subject + content.error() +
                 ": name a file that heraldd may read; in a pod, the service account's volume has "
                 "it");
  }
  const std::string token(trim(*content));
  if (token.empty() ||
      !std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; })) {
    return error(subject + "is not one word: the token alone belongs into it");
  }
  return "Bearer " + token;
}

// Into tls_, unless they are the same as before.
Result<bool> Credentials::read_certificates() {
  const std::string& where = access_.where;
  auto ca = read(access_.ca, access_.ca_file, "certificate-authority", where);
  if (!ca) return error(ca.error());
  auto cert = read(access_.client_cert, access_.client_cert_file, "client-certificate", where);
  if (!cert) return error(cert.error());
  auto key = read(access_.client_key, access_.client_key_file, "client-key", where);
  if (!key) return error(key.error());
  std::string all = ca->text + '\0' + cert->text + '\0' + key->text;
  if (tls_ && all == certificates_) return false;
  TlsOptions options;
  options.only_1_3 = true;
  options.server_name = access_.server_name;
  options.ca = std::move(*ca);
  options.ca.remedy = "give the PEM of the cluster's authority";
  options.cert = std::move(*cert);
  options.cert.remedy = "give a PEM certificate";
  options.key = std::move(*key);
  options.key.remedy = "give the PEM key, without a passphrase, of the client-certificate";
  options.remedies.no_tls = "is that the HTTPS port of an API server? Correct the server in " +
                            where + ", or --kubernetes-api";
  options.remedies.too_old =
      "it has no TLS 1.3: let the API server, or what stands in front of it, speak that";
  options.remedies.client_certificate =
      "it does not take the client certificate of " + where +
      ": renew it if it has expired, and check that this cluster's authority signed it";
  options.remedies.wrong_name =
      "correct the host of the URL, or give the certificate's name as tls-server-name of the "
      "cluster in a kubeconfig";
  options.remedies.unknown_authority =
      "it is not signed by the authority of " + where +
      ": is that another cluster's server? Else correct the certificate-authority";
  auto tls = make_tls_client(std::move(options));
  if (!tls) return error(tls.error());
  tls_ = std::move(*tls);
  certificates_ = std::move(all);
  return true;
}

Result<void> Credentials::load(Instant now) {
  looked_at_ = read_at_ = now;
  stamps_changed();
  const bool tls = std::any_of(access_.servers.begin(), access_.servers.end(),
                               [](const HttpUrl& server) { return server.tls; });
  auto token = read_token();
  if (!token) return error(token.error());
  authorization_ = std::move(*token);
  if (!tls) return {};
  const auto certificates = read_certificates();
  if (!certificates) return error(certificates.error());
  return {};
}

bool Credentials::stamps_changed() {
  bool changed = false;
  for (const std::string* file : {&access_.token_file, &access_.ca_file, &access_.client_cert_file,
                                  &access_.client_key_file}) {
    if (file->empty()) continue;
    const FileStamp stamp = stamp_of(*file);
    changed |= stamps_[*file] != stamp;
    stamps_[*file] = stamp;
  }
  return changed;
}

bool Credentials::refresh(Instant now, bool refused) {
  if (refused) {
    if (refused_at_ && now - *refused_at_ < kBetweenRefusals) return false;
    refused_at_ = now;
  } else if (now - looked_at_ < kLook) {
    return false;
  }
  looked_at_ = now;
  // What could not be used is tried again: half of a pair may be replaced before the other.
  if (!stamps_changed() && !refused && trouble_.empty() && now - read_at_ < kReadAnyway) {
    return false;
  }
  read_at_ = now;
  trouble_.clear();
  bool changed = false;
  auto token = read_token();
  if (!token) {
    trouble_ = token.error() + "; the older one is used as long as it is taken";
  } else if (*token != authorization_) {
    authorization_ = std::move(*token);
    changed = true;
  }
  if (!tls_) return changed;
  const auto certificates = read_certificates();
  if (certificates) {
    changed |= *certificates;
  } else {
    trouble_ = certificates.error() + "; the older ones are used as long as they are taken";
  }
  return changed;
}

}  // namespace herald::kube
