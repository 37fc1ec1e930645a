#include "coord/http_connection_io.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "net/ip.h"

namespace herald::coord {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

class TlsClient {
 public:
  ssl::context context{ssl::context::tls_client};
  std::string server_name;
};

namespace {

constexpr std::size_t kMaxHeaderBytes = 16U << 10;
constexpr std::size_t kMaxErrorBytes = 64U << 10;
constexpr std::size_t kMaxBufferBytes = 1U << 20;  // the body is taken out of it as it comes

constexpr const char* kMaybeNoTls = "; if that etcd has no TLS, write http:// in --store";

// What OpenSSL says, and what to do where the other side's word for it is known.
std::string ssl_words(error_code failed) {
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

// Finds a peer that is gone without a word; for streams, where nothing else is waited for.
void keep_alive(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const int fd = socket.native_handle();
  const int idle_s = 5, interval_s = 2, probes = 3;
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

class Connection : public HttpConnection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& loop, HttpUrl url, std::shared_ptr<TlsClient> tls,
             std::size_t max_bytes)
      : socket_(loop),
        resolver_(loop),
        timer_(loop),
        url_(std::move(url)),
        tls_client_(std::move(tls)),
        max_bytes_(max_bytes) {}

  void exchange(HttpRequest request, Duration connect, Duration total,
                std::function<void(HttpOutcome)> done) override {
    const auto now = std::chrono::steady_clock::now();
    deadline_ = now + total;
    done_ = std::move(done);
    on_line_ = nullptr;
    begin(std::move(request), std::min(deadline_, now + connect));
  }

  void stream(HttpRequest request, Duration open, std::function<void(std::string_view)> on_line,
              std::function<void(HttpOutcome)> on_end) override {
    deadline_ = std::chrono::steady_clock::now() + open;
    done_ = std::move(on_end);
    on_line_ = std::move(on_line);
    begin(std::move(request), deadline_);
  }

  bool reusable() override {
    if (!open_ || done_ || buffer_.size() != 0) return false;
    char byte = 0;
    return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  void close() override {
    done_ = nullptr;
    on_line_ = nullptr;
    drop();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void begin(HttpRequest request, Clock::time_point connect_deadline) {
    ++turn_;
    sent_ = false;
    request_ = {};
    request_.method(http::verb::post);
    request_.target(request.path);
    request_.version(11);
    request_.set(http::field::host, to_string(url_).substr(url_.tls ? 8 : 7));
    request_.set(http::field::content_type, "application/json");
    if (!request.token.empty()) request_.set(http::field::authorization, request.token);
    request_.body() = std::move(request.body);
    request_.prepare_payload();
    if (open_) {
      arm(deadline_);
      write();
      return;
    }
    arm(connect_deadline);
    error_code not_literal;
    const auto address = asio::ip::make_address(url_.host, not_literal);
    if (!not_literal) {
      connect({tcp::endpoint(address, url_.port)});
      return;
    }
    resolver_.async_resolve(
        url_.host, std::to_string(url_.port),
        [self = shared_from_this(), turn = turn_](error_code failed, const auto& found) {
          if (turn != self->turn_ || !self->done_) return;
          if (failed) {
            self->fail("its name cannot be resolved: " + failed.message());
            return;
          }
          std::vector<tcp::endpoint> endpoints;
          for (const auto& entry : found) endpoints.push_back(entry.endpoint());
          self->connect(std::move(endpoints));
        });
  }

  // For a handler of the request that is under way: passes over those of earlier ones.
  template <typename F>
  auto step(F f) {
    return [self = shared_from_this(), turn = turn_, f = std::move(f)](error_code failed,
                                                                       const auto&... rest) {
      if (turn != self->turn_ || !self->done_) return;
      f(*self, failed, rest...);
    };
  }

  void connect(std::vector<tcp::endpoint> endpoints) {
    asio::async_connect(socket_, endpoints, step([](Connection& c, error_code failed, const auto&) {
                          if (failed) {
                            c.fail("no connection: " + failed.message());
                            return;
                          }
                          keep_alive(c.socket_);
                          if (c.url_.tls) {
                            c.handshake();
                          } else {
                            c.connected();
                          }
                        }));
  }

  void handshake() {
    tls_.emplace(socket_, tls_client_->context);
    const std::string name =
        tls_client_->server_name.empty() ? url_.host : tls_client_->server_name;
    SSL* const session = tls_->native_handle();
    if (IpAddress::parse(name)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name.c_str());
    } else {
      SSL_set1_host(session, name.c_str());
      // The macro of OpenSSL for this has a cast in C's way.
      SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(name.c_str()));
    }
    tls_->set_verify_mode(ssl::verify_peer);
    tls_->async_handshake(ssl::stream_base::client, step([name](Connection& c, error_code failed) {
                            if (failed) {
                              c.fail(c.no_tls(failed, name));
                            } else {
                              c.connected();
                            }
                          }));
  }

  std::string no_tls(error_code failed, const std::string& name) {
    const long verdict = SSL_get_verify_result(tls_->native_handle());
    const std::string why = "no TLS: ";
    switch (verdict) {
      case X509_V_OK:
        // So ends a connection to an etcd that speaks plain HTTP.
        if (failed == ssl::error::stream_truncated || failed == asio::error::eof ||
            failed == asio::error::connection_reset) {
          return why + "the connection broke" + kMaybeNoTls;
        }
        return why + ssl_words(failed);
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

  void connected() {
    open_ = true;
    arm(deadline_);
    write();
  }

  // Calls f with the plain socket or the TLS stream.
  template <typename F>
  void with_stream(F f) {
    if (tls_) {
      f(*tls_);
    } else {
      f(socket_);
    }
  }

  void write() {
    sent_ = true;
    with_stream([this](auto& stream) {
      http::async_write(stream, request_, step([](Connection& c, error_code failed, std::size_t) {
                          if (failed) {
                            c.fail("the connection broke: " + ssl_words(failed));
                            return;
                          }
                          c.parser_.emplace();
                          c.parser_->header_limit(kMaxHeaderBytes);
                          if (c.on_line_) {
                            c.parser_->body_limit(boost::none);
                            c.pending_.clear();
                            c.searched_ = 0;
                            c.read_stream();
                          } else {
                            c.parser_->body_limit(c.max_bytes_);
                            c.read_answer();
                          }
                        }));
    });
  }

  void read_answer() {
    with_stream([this](auto& stream) {
      http::async_read(stream, buffer_, *parser_,
                       step([](Connection& c, error_code failed, std::size_t) {
                         if (failed) {
                           c.read_failed(failed);
                           return;
                         }
                         if (!c.parser_->keep_alive()) c.drop();
                         c.fresh_ = false;
                         HttpOutcome out;
                         out.kind = HttpOutcome::Kind::Answered;
                         out.status = c.parser_->get().result_int();
                         out.body = std::move(c.parser_->get().body());
                         c.finish(std::move(out));
                       }));
    });
  }

  void read_stream() {
    with_stream([this](auto& stream) {
      http::async_read_some(stream, buffer_, *parser_,
                            step([](Connection& c, error_code failed, std::size_t) {
                              if (failed) {
                                c.read_failed(failed);
                              } else {
                                c.take_lines();
                              }
                            }));
    });
  }

  void take_lines() {
    if (!parser_->is_header_done()) {
      read_stream();
      return;
    }
    const unsigned status = parser_->get().result_int();
    if (status == 200) arm(std::nullopt);
    pending_ += parser_->get().body();
    parser_->get().body().clear();
    const bool done = parser_->is_done();
    if (status != 200) {
      if (done || pending_.size() > kMaxErrorBytes) {
        drop();
        finish({HttpOutcome::Kind::Answered, status, std::move(pending_), {}, false});
      } else {
        read_stream();
      }
      return;
    }
    std::size_t from = 0;
    const auto turn = turn_;
    const auto self = shared_from_this();
    const auto on_line = on_line_;  // it may close this connection
    for (auto end = pending_.find('\n', searched_); end != std::string::npos;
         end = pending_.find('\n', from)) {
      const std::string line = pending_.substr(from, end - from);
      from = end + 1;
      if (!line.empty()) on_line(line);
      if (turn != turn_ || !done_) return;  // closed by it
    }
    pending_.erase(0, from);
    searched_ = pending_.size();
    if (pending_.size() > max_bytes_) {
      fail("a line is longer than " + std::to_string(max_bytes_) + " bytes", true);
    } else if (done) {
      fail("the server ended the stream");
    } else {
      read_stream();
    }
  }

  void read_failed(error_code failed) {
    const bool large = failed == http::error::body_limit || failed == http::error::header_limit ||
                       failed == http::error::buffer_overflow;
    std::string why = "the connection broke: " + ssl_words(failed);
    if (large) {
      why = "the answer is longer than " + std::to_string(max_bytes_) + " bytes";
    } else if (failed.category() == http::make_error_code(http::error::bad_version).category() &&
               failed != http::error::end_of_stream && failed != http::error::partial_message) {
      why = "the answer is not HTTP: " + failed.message();
    } else if (fresh_ && !tls_ && failed == http::error::end_of_stream) {
      why += "; if that etcd has TLS, write https:// in --store";
    }
    fail(std::move(why), large);
  }

  void arm(std::optional<Clock::time_point> deadline) {
    if (!deadline) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(*deadline);
    timer_.async_wait(step([](Connection& c, error_code failed) {
      if (failed || Clock::now() < c.timer_.expiry()) return;
      c.fail(c.sent_ ? "no answer in time" : "no connection in time");
    }));
  }

  void fail(std::string why, bool too_large = false) {
    drop();
    finish({sent_ ? HttpOutcome::Kind::MaybeSent : HttpOutcome::Kind::NotSent,
            0,
            {},
            std::move(why),
            too_large});
  }

  void finish(HttpOutcome outcome) {
    timer_.cancel();
    const auto self = shared_from_this();
    on_line_ = nullptr;
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(outcome));
  }

  void drop() {
    open_ = false;
    error_code ignored;
    timer_.cancel();
    resolver_.cancel();
    socket_.close(ignored);
  }

  tcp::socket socket_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  std::optional<ssl::stream<tcp::socket&>> tls_;
  const HttpUrl url_;
  const std::shared_ptr<TlsClient> tls_client_;
  const std::size_t max_bytes_;

  bool open_ = false;
  bool sent_ = false;
  bool fresh_ = true;       // nothing was answered yet
  std::uint64_t turn_ = 0;  // counts requests
  Clock::time_point deadline_;
  beast::flat_buffer buffer_{kMaxBufferBytes};
  http::request<http::string_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  std::string pending_;       // of a stream: what has no end of line yet
  std::size_t searched_ = 0;  // so much of it, known to have none
  std::function<void(std::string_view)> on_line_;
  std::function<void(HttpOutcome)> done_;
};

}  // namespace

Result<std::shared_ptr<TlsClient>> load_tls(const TlsFiles& files) {
  auto out = std::make_shared<TlsClient>();
  error_code failed;
  out->server_name = files.server_name;
  out->context.set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, failed);
  // Else OpenSSL asks whoever sits at the terminal.
  out->context.set_password_callback(
      [](std::size_t, ssl::context::password_purpose) { return std::string(); }, failed);
  if (files.ca.empty()) {
    out->context.set_default_verify_paths(failed);
    if (failed) return error("the system's certificate authorities: " + failed.message());
  } else {
    out->context.load_verify_file(files.ca, failed);
    if (failed) {
      return error("store-ca-file: '" + files.ca + "' cannot be used: " + failed.message() +
                   "; name a PEM file of certificates that heraldd may read");
    }
  }
  if (files.cert.empty() != files.key.empty()) {
    return error("store-cert-file and store-key-file belong together: give both, or neither");
  }
  if (files.cert.empty()) return out;
  out->context.use_certificate_chain_file(files.cert, failed);
  if (failed) {
    return error("store-cert-file: '" + files.cert + "' cannot be used: " + failed.message() +
                 "; name a PEM certificate that heraldd may read");
  }
  out->context.use_private_key_file(files.key, ssl::context::pem, failed);
  if (failed) {
    return error("store-key-file: '" + files.key + "' cannot be used: " + failed.message() +
                 "; name the PEM key, without a passphrase, of store-cert-file");
  }
  return out;
}

std::shared_ptr<HttpConnection> make_http_connection(asio::io_context& loop, HttpUrl url,
                                                     std::shared_ptr<TlsClient> tls,
                                                     std::size_t max_bytes) {
  return std::make_shared<Connection>(loop, std::move(url), std::move(tls), max_bytes);
}

}  // namespace herald::coord
