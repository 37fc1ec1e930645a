// net/tls_client_io.h: TLS as a client speaks it: whom it believes, who it says it is, and what to
// say when that fails.
//
// Servers are always verified: signed by a known authority, for the host of the URL or the name
// that stands for it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

struct ssl_st;
struct x509_store_ctx_st;
namespace boost::system {
class error_code;
}
namespace boost::asio::ssl {
class context;
}

namespace herald {

// PEM, as text or in a file. Errors begin with `subject` ("store-ca-file") and end with `remedy`.
struct PemSource {
  std::string text, file;  // one of them, or neither
  std::string subject, remedy;
  bool empty() const { return text.empty() && file.empty(); }
};

// What to do when a connection cannot be had, as the end of a sentence that names the trouble.
struct TlsRemedies {
  std::string no_tls;              // the server does not seem to speak TLS
  std::string too_old;             // it has no version that is new enough
  std::string client_certificate;  // it wants another one
  std::string wrong_name;          // its certificate is for another name
  std::string unknown_authority;   // its certificate is signed by nobody that is believed
};

struct TlsOptions {
  PemSource ca;         // empty: the system's authorities
  PemSource cert, key;  // this client's; both or neither
  // The name in the servers' certificates, where it is not the host of the URL.
  std::string server_name;
  bool only_1_3 = false;  // else 1.2 at least
  TlsRemedies remedies;
};

class TlsClient {
 public:
  explicit TlsClient(TlsOptions options);
  ~TlsClient();

  boost::asio::ssl::context& context() { return *context_; }
  // The name that a server at `host` has to prove.
  const std::string& name_of(const std::string& host) const {
    return options_.server_name.empty() ? host : options_.server_name;
  }

  // Why a handshake with `name` failed, and what to do. `validity`: of the certificate that was
  // refused, if it was.
  std::string handshake_failure(const boost::system::error_code& failed, ssl_st* session,
                                const std::string& name, const std::string& validity) const;
  // Why a connection broke later; `first`: before its first answer.
  std::string broken(const boost::system::error_code& failed, bool first) const;

 private:
  std::unique_ptr<boost::asio::ssl::context> context_;
  const TlsOptions options_;
};

// Reads the files.
Result<std::shared_ptr<TlsClient>> make_tls_client(TlsOptions options);

// Before the handshake: this name or address is asked for, and must be proven. False: it cannot be.
bool demand_name(ssl_st* session, const std::string& name);

// While a certificate is refused: "CN=kube-apiserver, valid from Nov 20 10:00:00 2026 GMT until
// ..., and the clock of this host says Nov 21 10:00:00 2026 GMT".
std::string validity(x509_store_ctx_st* refused);

}  // namespace herald
