#include "net/tls_client_io.h"

#include <ctime>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl.hpp>

#include "net/ip.h"

namespace herald {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

// "'PATH' " or nothing, then why it cannot be used and what to do.
std::string unusable(const PemSource& pem, const error_code& failed) {
  return pem.subject + ": " + (pem.file.empty() ? "it" : "'" + pem.file + "'") +
         " cannot be used: " + failed.message() + "; " + pem.remedy;
}

std::string text_of(const ASN1_TIME* time) {
  const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  if (!out || time == nullptr || ASN1_TIME_print(out.get(), time) != 1) return "?";
  std::string text(64, '\0');
  const int size = BIO_read(out.get(), text.data(), static_cast<int>(text.size()));
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

}  // namespace

TlsClient::TlsClient(TlsOptions options)
    : context_(std::make_unique<ssl::context>(ssl::context::tls_client)),
      options_(std::move(options)) {}
TlsClient::~TlsClient() = default;

Result<std::shared_ptr<TlsClient>> make_tls_client(TlsOptions options) {
  const PemSource ca = options.ca, cert = options.cert, key = options.key;
  const int lowest = options.only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  auto out = std::make_shared<TlsClient>(std::move(options));
  ssl::context& context = out->context();
  error_code failed;
  if (SSL_CTX_ctrl(context.native_handle(), SSL_CTRL_SET_MIN_PROTO_VERSION, lowest, nullptr) != 1) {
    return error("this OpenSSL has no TLS " +
                 std::string(lowest == TLS1_3_VERSION ? "1.3" : "1.2"));
  }
  // Else OpenSSL asks whoever sits at the terminal.
  context.set_password_callback(
      [](std::size_t, ssl::context::password_purpose) { return std::string(); }, failed);
  if (ca.empty()) {
    context.set_default_verify_paths(failed);
    if (failed) return error("the system's certificate authorities: " + failed.message());
  } else {
    if (ca.text.empty()) {
      context.load_verify_file(ca.file, failed);
    } else {
      context.add_certificate_authority(asio::buffer(ca.text), failed);
    }
    if (failed) return error(unusable(ca, failed));
  }
  if (cert.empty() != key.empty()) {
    return error(cert.subject + " and " + key.subject + " belong together: give both, or neither");
  }
  if (cert.empty()) return out;
  if (cert.text.empty()) {
    context.use_certificate_chain_file(cert.file, failed);
  } else {
    context.use_certificate_chain(asio::buffer(cert.text), failed);
  }
  if (failed) return error(unusable(cert, failed));
  if (key.text.empty()) {
    context.use_private_key_file(key.file, ssl::context::pem, failed);
  } else {
    context.use_private_key(asio::buffer(key.text), ssl::context::pem, failed);
  }
  if (failed) return error(unusable(key, failed));
  return out;
}

// What OpenSSL says, and what to do where the other side's word for it is known.
std::string TlsClient::broken(const error_code& failed, bool first) const {
  const std::string out = failed.message();
  // In TLS 1.3 a client certificate is judged after the client's handshake is over, and the alert
  // that tells of it may be lost with what was on its way.
  if (first && !options_.cert.empty() &&
      (failed == asio::error::connection_reset || failed == asio::error::broken_pipe ||
       failed == asio::error::eof || failed == ssl::error::stream_truncated)) {
    return out + "; perhaps " + options_.remedies.client_certificate;
  }
  if (failed.category() != asio::error::get_ssl_category()) return out;
  const auto then = [&](const std::string& remedy) {
    return remedy.empty() ? out : out + "; " + remedy;
  };
  switch (ERR_GET_REASON(static_cast<unsigned long>(failed.value()))) {
    case SSL_R_WRONG_VERSION_NUMBER:
      return then(options_.remedies.no_tls);
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return then(options_.remedies.too_old);
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return then(options_.remedies.client_certificate);
    default:
      return out;
  }
}

std::string TlsClient::handshake_failure(const error_code& failed, SSL* session,
                                         const std::string& name,
                                         const std::string& validity) const {
  const long verdict = SSL_get_verify_result(session);
  const std::string why = "no TLS: ";
  const std::string its = why + "its certificate: " + X509_verify_cert_error_string(verdict);
  switch (verdict) {
    case X509_V_OK:
      // So ends a connection to a server that speaks plain HTTP.
      if (failed == ssl::error::stream_truncated || failed == asio::error::eof ||
          failed == asio::error::connection_reset) {
        return why + "the connection broke" +
               (options_.remedies.no_tls.empty() ? "" : "; " + options_.remedies.no_tls);
      }
      return why + broken(failed, false);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return why + "its certificate is not for '" + name + "'; " + options_.remedies.wrong_name;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return its + (validity.empty() ? "" : " (" + validity + ")") +
             "; renew it, or correct the clock";
    default:
      return its + "; " + options_.remedies.unknown_authority;
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

std::string validity(X509_STORE_CTX* refused) {
  const X509* certificate = X509_STORE_CTX_get_current_cert(refused);
  if (certificate == nullptr) return {};
  const std::unique_ptr<ASN1_TIME, void (*)(ASN1_TIME*)> now(
      ASN1_TIME_set(nullptr, std::time(nullptr)), ASN1_TIME_free);
  return "valid from " + text_of(X509_get0_notBefore(certificate)) + " until " +
         text_of(X509_get0_notAfter(certificate)) + "; the clock of this host says " +
         text_of(now.get());
}

}  // namespace herald
