#include "net/http_connection_io.h"

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

#include "base/text.h"
#include "net/tls_client_io.h"

namespace herald {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kMaxHeaderBytes = 16U << 10;
constexpr std::size_t kMaxErrorBytes = 64U << 10;
constexpr std::size_t kMaxBufferBytes = 1U << 20;  // the body is taken out of it as it comes

constexpr std::uint64_t kMaxRetryAfter = 24U * 60 * 60;  // seconds

// Finds a peer that is gone without a word: by probes where nothing is under way, as in a stream,
// and else by what it does not acknowledge.
void keep_alive(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const int fd = socket.native_handle();
  const int idle_s = 5, interval_s = 2, probes = 3;
  const unsigned unacknowledged_ms = 10'000;
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

http::verb verb(HttpRequest::Method method) {
  switch (method) {
    case HttpRequest::Method::Get:
      return http::verb::get;
    case HttpRequest::Method::Post:
      return http::verb::post;
    case HttpRequest::Method::Put:
      return http::verb::put;
    case HttpRequest::Method::Patch:
      return http::verb::patch;
    case HttpRequest::Method::Delete:
      return http::verb::delete_;
  }
  return http::verb::get;
}

class Connection : public HttpConnection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& loop, HttpUrl url, std::shared_ptr<TlsClient> tls,
             std::size_t max_bytes, std::string maybe_tls)
      : socket_(loop),
        resolver_(loop),
        timer_(loop),
        url_(std::move(url)),
        tls_client_(std::move(tls)),
        max_bytes_(max_bytes),
        maybe_tls_(std::move(maybe_tls)) {}

  void exchange(HttpRequest request, Duration connect, Duration total,
                std::function<void(HttpOutcome)> done) override {
    const auto now = Clock::now();
    deadline_ = now + total;
    done_ = std::move(done);
    on_line_ = nullptr;
    begin(std::move(request), std::min(deadline_, now + connect));
  }

  void stream(HttpRequest request, Duration open, std::optional<Duration> idle,
              std::function<void(std::string_view)> on_line,
              std::function<void(HttpOutcome)> on_end) override {
    deadline_ = Clock::now() + open;
    idle_ = idle;
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
    sent_ = streaming_ = false;
    parser_.reset();
    request_ = {};
    request_.method(verb(request.method));
    request_.target(request.path);
    request_.version(11);
    request_.set(http::field::host, to_string(url_).substr(url_.tls ? 8 : 7));
    if (!request.body.empty()) request_.set(http::field::content_type, request.content_type);
    if (!request.accept.empty()) request_.set(http::field::accept, request.accept);
    if (!request.user_agent.empty()) request_.set(http::field::user_agent, request.user_agent);
    if (!request.token.empty()) request_.set(http::field::authorization, request.token);
    request_.body() = std::move(request.body);
    request_.prepare_payload();
    if (open_) {
      arm(deadline_);
      write();
      return;
    }
    arm(connect_deadline);
    buffer_.clear();
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
    tls_.emplace(socket_, tls_client_->context());
    const std::string name = tls_client_->name_of(url_.host);
    if (!demand_name(tls_->native_handle(), name)) {
      fail("no TLS: '" + name + "' cannot stand in a certificate; correct the URL's host");
      return;
    }
    tls_->set_verify_mode(ssl::verify_peer);
    validity_.clear();
    tls_->set_verify_callback([this](bool good, ssl::verify_context& certificate) {
      if (!good) validity_ = validity(certificate.native_handle());
      return good;
    });
    tls_->async_handshake(ssl::stream_base::client, step([name](Connection& c, error_code failed) {
                            if (failed) {
                              c.fail(c.tls_client_->handshake_failure(
                                  failed, c.tls_->native_handle(), name, c.validity_));
                            } else {
                              c.connected();
                            }
                          }));
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
                            // Its last octets were never handed over: nobody had all of it.
                            c.sent_ = false;
                            c.fail("the connection broke: " + c.words(failed));
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
                         c.answered(std::move(c.parser_->get().body()));
                       }));
    });
  }

  void answered(std::string body, std::string why = "") {
    HttpOutcome out;
    out.kind = HttpOutcome::Kind::Answered;
    out.begun = true;
    out.status = parser_->get().result_int();
    out.body = std::move(body);
    out.why = std::move(why);
    const auto field = parser_->get()[http::field::retry_after];
    if (const auto seconds = parse_number({field.data(), field.size()}, kMaxRetryAfter)) {
      out.retry_after = std::chrono::seconds(*seconds);
    }
    finish(std::move(out));
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
    fresh_ = false;
    const unsigned status = parser_->get().result_int();
    if (status == 200 && !std::exchange(streaming_, true)) await_line();
    pending_ += parser_->get().body();
    parser_->get().body().clear();
    const bool done = parser_->is_done();
    if (status != 200) {
      if (done || pending_.size() > kMaxErrorBytes) {
        drop();
        answered(std::move(pending_));
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
      if (line.empty()) continue;
      last_line_ = Clock::now();
      on_line(line);
      if (turn != turn_ || !done_) return;  // closed by it
    }
    pending_.erase(0, from);
    searched_ = pending_.size();
    if (pending_.size() > max_bytes_) {
      fail("a line is longer than " + std::to_string(max_bytes_) + " bytes", true);
    } else if (done) {
      drop();
      answered({}, "the server ended the stream");
    } else {
      read_stream();
    }
  }

  void read_failed(error_code failed) {
    const bool large = failed == http::error::body_limit || failed == http::error::header_limit ||
                       failed == http::error::buffer_overflow;
    std::string why = "the connection broke: " + words(failed);
    if (large) {
      why = "the answer is longer than " + std::to_string(max_bytes_) + " bytes";
    } else if (failed.category() == http::make_error_code(http::error::bad_version).category() &&
               failed != http::error::end_of_stream && failed != http::error::partial_message) {
      why = "the answer is not HTTP: " + failed.message();
    } else if (fresh_ && !tls_ &&
               (failed == http::error::end_of_stream || failed == asio::error::connection_reset)) {
      if (!maybe_tls_.empty()) why += "; " + maybe_tls_;
    }
    fail(std::move(why), large);
  }

  std::string words(error_code failed) const {
    if (!tls_) return failed.message();
    const bool hung_up = fresh_ && failed == http::error::end_of_stream;
    return tls_client_->broken(hung_up ? error_code(asio::error::eof) : failed, fresh_);
  }

  // From here on lines alone keep the stream.
  void await_line() {
    last_line_ = Clock::now();
    if (idle_) {
      wait_for_line();
    } else {
      timer_.cancel();
    }
  }

  void wait_for_line() {
    timer_.expires_at(last_line_ + *idle_);
    timer_.async_wait(step([](Connection& c, error_code failed) {
      if (failed) return;
      if (Clock::now() < c.last_line_ + *c.idle_) {
        c.wait_for_line();
      } else {
        c.fail("no word for " + to_string(*c.idle_));
      }
    }));
  }

  void arm(Clock::time_point deadline) {
    timer_.expires_at(deadline);
    timer_.async_wait(step([](Connection& c, error_code failed) {
      if (failed || Clock::now() < c.timer_.expiry()) return;
      c.fail(c.sent_ ? "no answer in time" : "no connection in time");
    }));
  }

  void fail(std::string why, bool too_large = false) {
    HttpOutcome out;
    out.kind = sent_ ? HttpOutcome::Kind::MaybeSent : HttpOutcome::Kind::NotSent;
    out.why = std::move(why);
    out.too_large = too_large;
    out.begun = parser_ && (parser_->got_some() || buffer_.size() != 0);
    drop();
    finish(std::move(out));
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
  const std::string maybe_tls_;

  bool open_ = false;
  bool sent_ = false;
  bool streaming_ = false;  // its header was there
  bool fresh_ = true;       // nothing was answered yet
  std::uint64_t turn_ = 0;  // counts requests
  Clock::time_point deadline_, last_line_;
  std::optional<Duration> idle_;
  std::string validity_;  // of a certificate that was refused
  beast::flat_buffer buffer_{kMaxBufferBytes};
  http::request<http::string_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  std::string pending_;       // of a stream: what has no end of line yet
  std::size_t searched_ = 0;  // so much of it, known to have none
  std::function<void(std::string_view)> on_line_;
  std::function<void(HttpOutcome)> done_;
};

}  // namespace

std::shared_ptr<HttpConnection> make_http_connection(asio::io_context& loop, HttpUrl url,
                                                     std::shared_ptr<TlsClient> tls,
                                                     std::size_t max_bytes, std::string maybe_tls) {
  return std::make_shared<Connection>(loop, std::move(url), std::move(tls), max_bytes,
                                      std::move(maybe_tls));
}

}  // namespace herald
