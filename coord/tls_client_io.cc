#include "coord/tls_client_io.h"

#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl.hpp>

#include "net/ip.h"

namespace herald::coord {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

constexpr const char* kMaybeNoTls = "; if that etcd has no TLS, write http:// in --store";

}  // namespace

TlsClient::TlsClient(std::string server_name)
    : context_(std::make_unique<ssl::context>(ssl::context::tls_client)),
      server_name_(std::move(server_name)) {}
TlsClient::~TlsClient() = default;

Result<std::shared_ptr<TlsClient>> load_tls(const TlsFiles& files) {
  auto out = std::make_shared<TlsClient>(files.server_name);
  ssl::context& context = out->context();
  error_code failed;
  context.set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, failed);
  // Else OpenSSL asks whoever sits at the terminal.
  context.set_password_callback(
      [](std::size_t, ssl::context::password_purpose) { return std::string(); }, failed);
  if (files.ca.empty()) {
    context.set_default_verify_paths(failed);
    if (failed) return error("the system's certificate authorities: " + failed.message());
  } else {
    context.load_verify_file(files.ca, failed);
    if (failed) {
      return error("store-ca-file: '" + files.ca + "' cannot be used: " + failed.message() +
                   "; name a PEM file of certificates that heraldd may read");
    }
  }
  if (files.cert.empty() != files.key.empty()) {
    return error("store-cert-file and store-key-file belong together: give both, or neither");
  }
  if (files.cert.empty()) return out;
  context.use_certificate_chain_file(files.cert, failed);
  if (failed) {
    return error("store-cert-file: '" + files.cert + "' cannot be used: " + failed.message() +
                 "; name a PEM certificate that heraldd may read");
  }
  context.use_private_key_file(files.key, ssl::context::pem, failed);
  if (failed) {
    return error("store-key-file: '" + files.key + "' cannot be used: " + failed.message() +
                 "; name the PEM key, without a passphrase, of store-cert-file");
  }
  return out;
}

// What OpenSSL says, and what to do where the other side's word for it is known.
std::string tls_words(const error_code& failed) {
  std::string out = failed.message();
  if (failed.category() != asio::error::get_ssl_category()) return out;
  switch (ERR_GET_REASON(static_cast<unsigned long>(failed.value()))) {
    case SSL_R_WRONG_VERSION_NUMBER:
      return out + kMaybeNoTls;
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return out +
             "; that etcd wants a valid client certificate, signed by the authority in its "
             "--trusted-ca-file: give --store-cert-file and --store-key-file";
    default:
      return out;
  }
}

bool demand_name(SSL* session, const std::string& name) {
  if (IpAddress::parse(name)) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name.c_str()) == 1;
  }
  // The macro of OpenSSL for this has a cast in C's way.
  return SSL_set1_host(session, name.c_str()) == 1 &&
         SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(name.c_str())) == 1;
}

std::string handshake_failure(const error_code& failed, SSL* session, const std::string& name) {
  const long verdict = SSL_get_verify_result(session);
  const std::string why = "no TLS: ";
  switch (verdict) {
    case X509_V_OK:
      // So ends a connection to an etcd that speaks plain HTTP.
      if (failed == ssl::error::stream_truncated || failed == asio::error::eof ||
          failed == asio::error::connection_reset) {
        return why + "the connection broke" + kMaybeNoTls;
      }
      return why + tls_words(failed);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return why + "its certificate is not for '" + name +
             "'; correct the URL's host, or give the certificate's name with "
             "--store-server-name";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return why + "its certificate: " + X509_verify_cert_error_string(verdict) +
             "; renew it, or correct the clock";
    default:
      return why + "its certificate: " + X509_verify_cert_error_string(verdict) +
             "; give the authority that signed it with --store-ca-file";
  }
}

}  // namespace herald::coord
