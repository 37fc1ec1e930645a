#include "coord/etcd_tls_io.h"

#include <utility>

namespace herald::coord {

Result<std::shared_ptr<TlsClient>> load_tls(const TlsFiles& files) {
  TlsOptions options;
  options.ca = {"", files.ca, "store-ca-file",
                "name a PEM file of certificates that heraldd may read"};
  options.cert = {"", files.cert, "store-cert-file",
                  "name a PEM certificate that heraldd may read"};
  options.key = {"", files.key, "store-key-file",
                 "name the PEM key, without a passphrase, of store-cert-file"};
  options.server_name = files.server_name;
  options.remedies.no_tls = "if that etcd has no TLS, write http:// in --store";
  options.remedies.too_old = "it has no TLS 1.2: update it";
  options.remedies.client_certificate =
      "that etcd wants a valid client certificate, signed by the authority in its "
      "--trusted-ca-file: give --store-cert-file and --store-key-file";
  options.remedies.wrong_name =
      "correct the URL's host, or give the certificate's name with --store-server-name";
  options.remedies.unknown_authority = "give the authority that signed it with --store-ca-file";
  return make_tls_client(std::move(options));
}

}  // namespace herald::coord
